package scim

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
)

const testToken = "hunter2hunter2hunter2"

// harness is SCIMMY, a SCIM service in Node.js that stores its data in memory.
type harness struct{ at string }

var _ connectortest.Harness = harness{}

// scimmy starts SCIMMY for a test.
func scimmy(t *testing.T) harness {
	t.Helper()
	modules := os.Getenv("TEST_SCIMMY_MODULES")
	if modules == "" {
		t.Skip("TEST_SCIMMY_MODULES is not set to a folder with scimmy's node_modules: ./temporal-dev.sh test installs them from npm")
	}
	// Node looks for modules next to the script.
	dir := t.TempDir()
	for _, name := range []string{"server.js", "package.json"} {
		text, err := os.ReadFile(filepath.Join("scimmy", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	require.NoError(t, os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(dir, "node_modules")))
	cmd := exec.Command("node", filepath.Join(dir, "server.js"))
	cmd.Env = append(os.Environ(), "SCIM_TOKEN="+testToken)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // SCIMMY exits when it is closed
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill() // it may have exited
		_ = cmd.Wait()         // it was killed
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "SCIMMY did not start")
	return harness{at: "127.0.0.1:" + strings.TrimSpace(port)}
}

func (h harness) open(t *testing.T, addr, token string) *Connector {
	t.Helper()
	s := Settings{URL: "http://" + addr + "/scim", Token: connector.NewSecret(token)}
	c, err := s.open()
	require.NoError(t, err)
	c.bound, c.page = h.CallTimeout(), 3
	return c
}

func (h harness) Addr() string { return h.at }

func (h harness) Capabilities() connectortest.Capabilities {
	return connectortest.Capabilities{CreatesAccounts: true, Checks: true, Lists: true}
}

func (h harness) Open(t *testing.T, addr string) connector.Connector {
	t.Helper()
	return creator{h.open(t, addr, testToken)}
}

func (h harness) OpenWithBadCredentials(t *testing.T) (connector.Connector, string) {
	t.Helper()
	return h.open(t, h.at, "not"+testToken), "not" + testToken
}

func (h harness) CallTimeout() time.Duration { return 3 * time.Second }

func (h harness) ChangeMarker() string { return "PatchOp" }

// call sends SCIMMY a request as an administrator would, without the connector.
func (h harness) call(t *testing.T, method, path string, body, into any) {
	t.Helper()
	var sent bytes.Buffer
	if body != nil {
		require.NoError(t, json.NewEncoder(&sent).Encode(body))
	}
	request, err := http.NewRequest(method, "http://"+h.at+"/scim"+path, &sent)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+testToken)
	request.Header.Set("Content-Type", "application/scim+json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Less(t, response.StatusCode, 300, "%s %s: %s", method, path, text)
	if into != nil {
		require.NoError(t, json.Unmarshal(text, into))
	}
}

type found struct {
	ID      string
	Members []member
}

// named returns the resources with a name.
func (h harness) named(t *testing.T, path, attribute, name string) []found {
	t.Helper()
	var list struct{ Resources []found }
	h.call(t, http.MethodGet, path+"?"+url.Values{"filter": {attribute + " eq " + quote(name)}}.Encode(), nil, &list)
	return list.Resources
}

func (h harness) user(t *testing.T, name string) []found {
	t.Helper()
	return h.named(t, "/Users", "userName", name)
}
func (h harness) group(t *testing.T, name string) []found {
	t.Helper()
	return h.named(t, "/Groups", "displayName", name)
}

func (h harness) addUser(t *testing.T, name string, active bool) {
	t.Helper()
	h.call(t, http.MethodPost, "/Users", map[string]any{"schemas": []string{schemaUser}, "userName": name, "active": active}, nil)
}

func (h harness) addGroup(t *testing.T, name string) {
	t.Helper()
	h.call(
		t,
		http.MethodPost,
		"/Groups",
		map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": name},
		nil,
	)
}

func (h harness) Account(t *testing.T) string {
	t.Helper()
	name := h.MissingAccount(t)
	h.addUser(t, name, true)
	return name
}

func (h harness) Object(t *testing.T) string {
	t.Helper()
	name := h.MissingObject(t)
	h.addGroup(t, name)
	return name
}

func (h harness) MissingAccount(t *testing.T) string {
	t.Helper()
	return strings.ToLower(rand.Text()) + "@exämple.com"
}

func (h harness) MissingObject(t *testing.T) string {
	t.Helper()
	return "crm (" + rand.Text() + ") <&> or id pr" // no quotation marks: SCIMMY does not support them in a filter
}

func (h harness) Exists(t *testing.T, name string) bool {
	t.Helper()
	return len(h.user(t, name))+len(h.group(t, name)) > 0
}

func (h harness) Holds(t *testing.T, a connector.Assignment) bool {
	t.Helper()
	for _, u := range h.user(t, a.Account) {
		for _, g := range h.group(t, a.Object) {
			for _, m := range g.Members {
				if m.Value == u.ID {
					return true
				}
			}
		}
	}
	return false
}

func (h harness) GrantByHand(t *testing.T, a connector.Assignment) {
	t.Helper()
	h.patch(t, a, map[string]any{"op": "add", "value": map[string]any{"members": []member{{h.user(t, a.Account)[0].ID}}}})
}

func (h harness) RevokeByHand(t *testing.T, a connector.Assignment) {
	t.Helper()
	h.patch(t, a, map[string]any{"op": "remove", "path": `members[value eq "` + h.user(t, a.Account)[0].ID + `"]`})
}

func (h harness) patch(t *testing.T, a connector.Assignment, op map[string]any) {
	t.Helper()
	h.call(
		t,
		http.MethodPatch,
		"/Groups/"+h.group(t, a.Object)[0].ID,
		map[string]any{"schemas": []string{schemaPatch}, "Operations": []any{op}},
		nil,
	)
}

func (h harness) Refused(t *testing.T) map[string]connector.Assignment {
	t.Helper()
	account, object, disabled := h.Account(t), h.Object(t), h.MissingAccount(t)
	h.addUser(t, disabled, false)
	return map[string]connector.Assignment{
		"a disabled account":                  {Account: disabled, Object: object},
		"an empty name as group":              {Account: account, Object: ""},
		"an empty name as account":            {Account: "", Object: object},
		"a name with NUL as group":            {Account: account, Object: object + "\x00"},
		"a name with a line break as account": {Account: account + "\n", Object: object},
		"a name that is not UTF-8":            {Account: account + "\xff", Object: object},
		"a name that is too long":             {Account: strings.Repeat("é", 128), Object: object},
	}
}
