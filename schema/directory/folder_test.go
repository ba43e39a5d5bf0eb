package directory_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/directory"
	"accessbot/schema/schematest"
)

// folder holds a directory's files by name.
type folder map[string]string

// office returns a small directory: Bo is the manager of Ann, Cy and Di; two applications share the key "reader".
func office() folder {
	return folder{
		"people.csv": `email,name,job_title,department,manager_email,status
bo@example.com,Bo,Head,Data,,active
ann@example.com,Ann,Analyst,Data,bo@example.com,active
cy@example.com,Cy,Analyst,Data,bo@example.com,active
di@example.com,Di,,,bo@example.com,active
`,
		"applications.csv": `slug,name,connector,owners
crm,Customers,postgresql,bo@example.com
wiki,Wiki,postgresql,bo@example.com;di@example.com
`,
		"entitlements.csv": `application,key,name,kind,description,risk,owners
crm,reader,Read,role,,low,
crm,writer,Write,role,"Change
anything",medium,cy@example.com
wiki,reader,Read,role,,low,
`,
		"grants.csv": `email,application,key
ann@example.com,crm,reader
cy@example.com,crm,reader
cy@example.com,wiki,reader
`,
	}
}

// with returns the folder with the first old replaced by new in one file.
func (f folder) with(t testing.TB, file, old, new string) folder {
	t.Helper()
	require.Contains(t, f[file], old)
	changed := maps.Clone(f)
	changed[file] = strings.Replace(f[file], old, new, 1)
	return changed
}

// plus returns the folder with more at the end of one file.
func (f folder) plus(file, more string) folder {
	changed := maps.Clone(f)
	changed[file] += more
	return changed
}

// without returns the folder without one file.
func (f folder) without(file string) folder {
	changed := maps.Clone(f)
	delete(changed, file)
	return changed
}

// write writes the files to a temporary folder.
func (f folder) write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range f {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// company is a database and the role that imports into it.
type company struct {
	*schematest.Database
	importer *schema.DB
}

func newCompany(t testing.TB) company {
	t.Helper()
	db := schematest.New(t)
	return company{db, db.As(t, "accessbot_directory")}
}

// imports runs an import that must succeed.
func (c company) imports(t testing.TB, f folder) directory.Summary {
	t.Helper()
	summary, err := directory.Import(context.Background(), c.importer, f.write(t), directory.Options{})
	require.NoError(t, err)
	return summary
}

// refuses runs an import that must be refused and change nothing.
func (c company) refuses(t testing.TB, f folder, opts directory.Options) *directory.Refused {
	t.Helper()
	before, event := c.contents(t), c.lastEvent(t)
	_, err := directory.Import(context.Background(), c.importer, f.write(t), opts)
	var refused *directory.Refused
	require.ErrorAs(t, err, &refused)
	require.Equal(t, before, c.contents(t), "a refused import changes nothing")
	require.Equal(t, event, c.lastEvent(t), "a refused import is not recorded")
	return refused
}

func (c company) lastEvent(t testing.TB) int64 {
	return int64(c.count(t, `select coalesce(max(id), 0) from audit_events`))
}

// contents returns every row of every table except the audit.
func (c company) contents(t testing.TB) map[string]string {
	t.Helper()
	var tables []string
	require.NoError(t, c.Select(&tables, `
		select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'audit_events'`))
	require.Contains(t, tables, "people")
	contents := map[string]string{}
	for _, table := range tables {
		var rows string
		require.NoError(t, c.Get(&rows, `select coalesce(string_agg(t::text, E'\n' order by t::text), '') from `+table+` t`))
		contents[table] = rows
	}
	return contents
}

func (c company) count(t testing.TB, query string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, c.Get(&n, query, args...))
	return n
}

func (c company) text(t testing.TB, query string, args ...any) string {
	t.Helper()
	var s string
	require.NoError(t, c.Get(&s, query, args...))
	return s
}

func (c company) exec(t testing.TB, query string, args ...any) {
	t.Helper()
	_, err := c.Exec(query, args...)
	require.NoError(t, err)
}

// asks submits a request for one entitlement, "application/key"; days 0: permanent.
func (c company) asks(t testing.TB, email, entitlement string, days int) (requestID, itemID int64) {
	t.Helper()
	require.NoError(t, c.Get(&requestID, `
		insert into access_requests (view_id, requester_id, access_like, ends_at, time_zone, reason_key, due_at, messages_due_at)
		select gen_random_uuid()::text, id, 'custom', case when $2 > 0 then app_now() + make_interval(days => $2) end, 'UTC', 'project', null, null
		  from people where email = $1
		returning id`, email, days))
	require.NoError(t, c.Get(&itemID, `
		insert into request_items (request_id, entitlement_id, account_id)
		select r.id, e.id, a.id
		  from access_requests r, entitlements e join applications app on app.id = e.application_id, accounts a
		 where r.id = $1 and app.slug || '/' || e.key = $2 and a.person_id = r.requester_id and a.instance = e.instance
		returning id`, requestID, entitlement))
	return requestID, itemID
}

// gets submits a request, approves it by policy, and claims the access as granted.
func (c company) gets(t testing.TB, email, entitlement string, days int) (claimID int64) {
	t.Helper()
	requestID, itemID := c.asks(t, email, entitlement, days)
	c.exec(t, `insert into decisions (item_id, outcome, basis, policy_version, terms, ends_at)
		select $2, 'approve', 'policy', 1, request_terms(id), ends_at from access_requests where id = $1`, requestID, itemID)
	require.NoError(t, c.Get(&claimID, `
		insert into claims (person_id, account_id, entitlement_id, source, item_id, ends_at, granted_at, due_at)
		select r.requester_id, i.account_id, i.entitlement_id, 'request', i.id, r.ends_at, app_now(), r.ends_at
		  from request_items i join access_requests r on r.id = i.request_id where i.id = $1
		returning id`, itemID))
	return claimID
}

// claims lists the claims that have not ended as "email application/key source", sorted.
func (c company) claims(t testing.TB) []string {
	t.Helper()
	claims := []string{}
	require.NoError(t, c.Select(&claims, `
		select p.email || ' ' || a.slug || '/' || e.key || ' ' || c.source
		  from claims c join people p on p.id = c.person_id join entitlements e on e.id = c.entitlement_id join applications a on a.id = e.application_id
		 where c.ended_at is null
		 order by 1`))
	return claims
}

// events returns the details of the import's audit events of one action after the event with that ID, oldest first.
func (c company) events(t testing.TB, action schema.AuditAction, after int64) []map[string]any {
	t.Helper()
	var rows []string
	require.NoError(
		t,
		c.Select(
			&rows,
			`select details::text from audit_events where actor = 'import' and action = $1 and id > $2 order by id`,
			action,
			after,
		),
	)
	var events []map[string]any
	for _, row := range rows {
		var details map[string]any
		require.NoError(t, json.Unmarshal([]byte(row), &details))
		events = append(events, details)
	}
	return events
}

// eventually waits for a condition.
func eventually(t testing.TB, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, 20*time.Second, 5*time.Millisecond, what)
}

// of returns one file's counts.
func of(t testing.TB, s directory.Summary, file string) directory.FileSummary {
	t.Helper()
	for _, f := range s.Files {
		if f.File == file {
			return f
		}
	}
	require.Fail(t, "the file is not in the summary", file)
	return directory.FileSummary{}
}
