// A SCIM 2.0 server for one test: SCIMMY with its data in memory. It prints its port, and exits when its standard input is closed.
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

function keep(Resource, unique) {
  const store = new Map();
  const found = (id) => {
    if (!store.has(id)) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
    return store.get(id);
  };
  SCIMMY.Resources.declare(Resource)
    .ingress((resource, data) => {
      const id = resource.id ?? randomUUID();
      if (resource.id) found(id);
      for (const other of store.values()) {
        if (unique && other.id !== id && other[unique].toLowerCase() === data[unique].toLowerCase()) {
          throw new SCIMMY.Types.Error(409, "uniqueness", `${unique} is taken`);
        }
      }
      store.set(id, { ...JSON.parse(JSON.stringify(data)), id });
      return store.get(id);
    })
    .egress((resource) => {
      if (resource.id) return found(resource.id);
      const all = [...store.values()];
      return resource.filter ? resource.filter.match(all) : all;
    })
    .degress((resource) => {
      found(resource.id);
      store.delete(resource.id);
    });
}

keep(SCIMMY.Resources.User, "userName");
keep(SCIMMY.Resources.Group); // RFC 7643 allows two groups with the same displayName
SCIMMY.Config.set({ patch: true, filter: { supported: true, maxResults: 3 } });

const app = express();
// SCIMMY reads a group, changes it and writes it. Changes run one at a time, as concurrent ones would undo each other.
let queue = Promise.resolve();
app.use((request, response, next) => {
  if (request.method === "GET") return next();
  queue = queue.then(() => new Promise((done) => {
    response.on("close", done);
    next();
  }));
});
// scimmy-routers 1.3.2 passes the paging on as text, which SCIMMY 1.3.5 ignores: every page would be the first.
app.use((request, response, next) => {
  const query = { ...request.query };
  for (const name of ["startIndex", "count"]) {
    if (name in query) query[name] = Math.min(Number(query[name]), name === "count" ? 3 : Infinity);
  }
  Object.defineProperty(request, "query", { value: query });
  next();
});
app.use("/scim", new SCIMMYRouters({
  type: "bearer",
  handler: (request) => {
    if (request.header("Authorization") !== `Bearer ${process.env.SCIM_TOKEN}`) throw new Error("The token is not known");
    return "accessbot";
  },
}));
const listener = app.listen(0, "127.0.0.1", () => console.log(listener.address().port));
process.stdin.on("end", () => process.exit()).resume();
