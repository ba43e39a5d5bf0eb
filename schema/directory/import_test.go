package directory_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/directory"
)

func TestImport(t *testing.T) {
	t.Run("sample directory has data for every feature", func(t *testing.T) {
		c := newCompany(t)
		summary, err := directory.Import(context.Background(), c.importer, "sample", directory.Options{})
		require.NoError(t, err)
		for _, f := range summary.Files {
			if f.File != "reasons.csv" { // the schema has these already
				assert.NotZero(t, f.Added, f.File)
			}
			assert.Zero(t, f.Gone, f.File)
		}
		assert.Len(t, summary.Files, 6)

		lacks := []string{}
		require.NoError(t, c.Select(&lacks, `
		select a.slug || '/' || e.key from claims c join people p on p.id = c.person_id join entitlements e on e.id = c.entitlement_id join applications a on a.id = e.application_id
		 where p.email = 'priya@example.com'
		   and not exists (select from claims m join people me on me.id = m.person_id where me.email = 'alice@example.com' and m.entitlement_id = c.entitlement_id)
		 order by 1`))
		assert.Equal(
			t,
			[]string{
				"crm/reader",
				"dashboards/editor",
				"production/logs-reader",
				"source/data-pipelines",
				"warehouse/marketing-marts",
				"warehouse/sandbox",
			},
			lacks,
		)
		assert.Equal(
			t,
			"Bob Fischer",
			c.text(t, `select m.name from people p join people m on m.id = p.manager_id where p.email = 'alice@example.com'`),
		)
		assert.Equal(t, 2, c.count(t, `select count(*) from people where administrator`))
		assert.Equal(t, "nadia@example.com", c.text(t, `
		select string_agg(email, ' ') from people p where status = 'active' and not exists (select from claims c where c.person_id = p.id)`),
			"a new employee, who holds no access")
		assert.Equal(t, 1, c.count(t, `select count(*) from people where status = 'suspended'`))
		assert.Equal(t, 1, c.count(t, `select count(*) from people where status = 'left'`))
		assert.Equal(t, 1, c.count(t, `select count(*) from entitlements where not requestable`))
		assert.NotZero(t, c.count(t, `select count(*) from entitlements where max_days = 1`))
		assert.Greater(t, c.count(t, `select max(n) from (select count(*) as n from claims group by person_id) held`), 50)
		assert.Equal(t, 3, c.count(t, `select count(distinct job_title_id) from job_title_entitlements`))
		assert.Equal(
			t,
			2*c.count(t, `select count(*) from people`),
			c.count(t, `select count(*) from accounts`),
			"each person has an account in both targets",
		)
	})

	t.Run("second import of the same files changes nothing", func(t *testing.T) {
		for name, dir := range map[string]string{"sample": "sample", "generated": town(t, 200, 20, 400).write(t)} {
			t.Run(name, func(t *testing.T) {
				c := newCompany(t)
				first, err := directory.Import(context.Background(), c.importer, dir, directory.Options{})
				require.NoError(t, err)
				require.True(t, first.Changed())
				require.NotContains(t, first.String(), "nothing has changed")
				before, event := c.contents(t), c.lastEvent(t)

				second, err := directory.Import(context.Background(), c.importer, dir, directory.Options{})
				require.NoError(t, err)
				assert.False(t, second.Changed(), second)
				assert.Contains(t, second.String(), "nothing has changed")
				assert.Equal(t, before, c.contents(t))
				assert.Equal(t, event+1, c.lastEvent(t), "only the import itself is recorded")
				for i, f := range second.Files {
					assert.Equal(t, first.Files[i].Added+first.Files[i].Changed+first.Files[i].Unchanged, f.Unchanged, f.File)
				}
			})
		}
	})

	t.Run("absent file leaves its table alone", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		before := c.contents(t)
		for _, file := range []string{"people.csv", "applications.csv", "entitlements.csv", "grants.csv"} {
			t.Run(file, func(t *testing.T) {
				summary := c.imports(t, office().without(file))
				assert.False(t, summary.Changed(), summary)
				assert.Len(t, summary.Files, 3)
				assert.Equal(t, before, c.contents(t))
			})
		}
	})

	t.Run("folder without any of the files is refused", func(t *testing.T) {
		c := newCompany(t)
		_, err := directory.Import(context.Background(), c.importer, folder{"persons.csv": "email\n"}.write(t), directory.Options{})
		assert.ErrorContains(t, err, "none of people.csv")
		_, err = directory.Import(context.Background(), c.importer, filepath.Join(t.TempDir(), "nowhere"), directory.Options{})
		assert.ErrorIs(t, err, os.ErrNotExist)
	})

	t.Run("unknown file is named", func(t *testing.T) {
		summary := newCompany(t).imports(t, office().plus("grant.csv", "email\n"))
		assert.Contains(t, summary.String(), "grant.csv was not read")
	})

	t.Run("byte order mark, line ends, spaces and letter case are ignored", func(t *testing.T) {
		c := newCompany(t)
		f := folder{}
		for file, text := range office() {
			f[file] = "\ufeff" + strings.ReplaceAll(text, "\n", "\r\n")
		}
		f = f.with(t, "people.csv", "ann@example.com,Ann,Analyst", " Ann@EXAMPLE.com , \"  Ann \", Analyst ").
			with(t, "people.csv", "active", " Active ").
			with(t, "applications.csv", "bo@example.com;di@example.com", " Bo@example.com ; DI@example.com; ")
		c.imports(t, f)
		assert.False(t, c.imports(t, office()).Changed(), "the directory is the same")
		assert.Equal(t, "Change\nanything", c.text(t, `select description from entitlements where key = 'writer'`))
	})

	t.Run("summary counts every kind of change", func(t *testing.T) {
		c := newCompany(t)
		summary := c.imports(t, office())
		assert.Equal(t, directory.FileSummary{File: "people.csv", Added: 4}, of(t, summary, "people.csv"))
		assert.Equal(t, directory.FileSummary{File: "grants.csv", Added: 3}, of(t, summary, "grants.csv"))

		summary = c.imports(t, office().
			with(t, "people.csv", "di@example.com,Di,,,bo@example.com,active", "ed@example.com,Ed,,,bo@example.com,active").
			with(t, "people.csv", "Cy,Analyst", "Cy,Chief Analyst").
			with(t, "applications.csv", "bo@example.com;di@example.com", "bo@example.com").
			with(t, "entitlements.csv", "wiki,reader,Read,role,,low,\n", "").
			with(t, "grants.csv", "cy@example.com,crm,reader", "ed@example.com,crm,reader"))
		assert.Equal(
			t,
			directory.FileSummary{File: "people.csv", Added: 1, Changed: 1, Gone: 1, Unchanged: 2, Names: []string{"di@example.com"}},
			of(t, summary, "people.csv"),
		)
		assert.Equal(t, directory.FileSummary{File: "applications.csv", Changed: 1, Unchanged: 1}, of(t, summary, "applications.csv"))
		assert.Equal(
			t,
			directory.FileSummary{File: "entitlements.csv", Gone: 1, Unchanged: 2, Names: []string{"wiki/reader"}},
			of(t, summary, "entitlements.csv"),
		)
		assert.Equal(t, directory.FileSummary{File: "grants.csv", Added: 1, Gone: 1, Unchanged: 2}, of(t, summary, "grants.csv"))
		assert.Contains(t, summary.String(), "gone from people.csv: di@example.com")

		recorded := c.events(t, schema.DirectoryImported, 0)
		require.Len(t, recorded, 2)
		assert.Equal(
			t,
			map[string]any{
				"file":      "people.csv",
				"added":     1.0,
				"changed":   1.0,
				"gone":      1.0,
				"unchanged": 2.0,
				"names":     []any{"di@example.com"},
			},
			recorded[1]["files"].([]any)[0],
		)
	})

	t.Run("concurrent imports wait for each other", func(t *testing.T) {
		c := newCompany(t)
		dir := office().write(t)
		var wait sync.WaitGroup
		changed := make(chan bool, 5)
		for range cap(changed) {
			wait.Go(func() {
				summary, err := directory.Import(context.Background(), c.importer, dir, directory.Options{})
				assert.NoError(t, err)
				changed <- summary.Changed()
			})
		}
		wait.Wait()
		close(changed)
		first := 0
		for is := range changed {
			if is {
				first++
			}
		}
		assert.Equal(t, 1, first, "the first import changes the directory, the others change nothing")
	})

	t.Run("import that deadlocks with a revocation is retried", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		requestID, _ := c.asks(t, "ann@example.com", "wiki/reader", 0)

		const anns = `(select id from people where email = 'ann@example.com')`
		revocation, err := c.Beginx()
		require.NoError(t, err)
		defer revocation.Rollback() //nolint:errcheck // committed below
		// PostgreSQL cancels the transaction that detects the deadlock. The timeouts make that the import, even on a slow machine.
		_, err = revocation.Exec(`set local deadlock_timeout = '1min'`)
		require.NoError(t, err)
		_, err = c.Exec(`alter role accessbot_directory in database ` + pq.QuoteIdentifier(c.Name) + ` set deadlock_timeout = '4s'`)
		require.NoError(t, err)
		importer := c.As(t, "accessbot_directory")
		_, err = revocation.Exec(`select from claims where person_id = ` + anns + ` for update`)
		require.NoError(t, err)
		done := make(chan error, 1)
		changed := office().
			with(t, "people.csv", "Ann,Analyst,Data,bo@example.com", "Ann,Analyst,Data,di@example.com").
			with(t, "grants.csv", "ann@example.com,crm,reader\n", "").write(t)
		go func() {
			_, err := directory.Import(context.Background(), importer, changed, directory.Options{})
			done <- err
		}()
		eventually(t, func() bool {
			return c.count(
				t,
				`select count(*) from pg_stat_activity where datname = current_database() and usename = 'accessbot_directory' and wait_event_type = 'Lock'`,
			) == 1
		}, "the import has locked the request, whose approver changes, and waits for the claim")
		// Now each waits for the other's lock.
		_, err = revocation.Exec(`update access_requests set due_at = app_now() where id = $1`, requestID)
		require.NoError(t, err)
		require.NoError(t, revocation.Commit())
		require.NoError(t, <-done)
		assert.NotContains(t, c.claims(t), "ann@example.com crm/reader imported")
	})

	t.Run("statistics", func(t *testing.T) {
		t.Run("every table filled by an import into a new database has them", func(t *testing.T) {
			c := newCompany(t)
			summary, err := directory.Import(context.Background(), c.importer, "sample", directory.Options{})
			require.NoError(t, err)
			assert.Empty(t, summary.Notes)
			for _, table := range []string{"job_titles", "people", "applications", "application_owners", "entitlements", "entitlement_owners",
				"job_title_entitlements", "accounts", "claims", "reasons", "audit_events"} {
				rows := c.count(t, `select count(*) from `+table)
				assert.NotZero(t, rows, table)
				assert.Equal(t, rows, c.count(t, `select reltuples::int from pg_class where oid = $1::regclass`, table), table)
				assert.NotZero(t, c.count(t, `select count(*) from pg_stats where schemaname = 'public' and tablename = $1`, table), table)
			}
		})
		t.Run("no table that an import can fill is forgotten", func(t *testing.T) {
			c := newCompany(t)
			f := guild()
			_, err := directory.Import(
				context.Background(),
				c.importer,
				f.write(t),
				directory.Options{Allow: map[string]int{"reasons-gone": 6}},
			)
			require.NoError(t, err)
			for table, rows := range c.contents(t) {
				if rows != "" && table != "clock" && table != "sweeps" && table != "policies" && table != "schema_versions" {
					assert.Positive(t, c.count(t, `select reltuples::int from pg_class where oid = $1::regclass`, table), table)
				}
			}
		})
		t.Run("table without rows is not analyzed", func(t *testing.T) {
			c := newCompany(t)
			c.imports(t, folder{"people.csv": office()["people.csv"]})
			assert.Equal(t, 4, c.count(t, `select reltuples::int from pg_class where oid = 'people'::regclass`))
			assert.Equal(t, -1, c.count(t, `select reltuples::int from pg_class where oid = 'claims'::regclass`))
		})
		t.Run("other roles may not update them", func(t *testing.T) {
			c := newCompany(t)
			for _, role := range []string{"accessbot_slackapp", "accessbot_worker", "accessbot_auditor"} {
				_, err := c.As(t, role).Exec(`select analyze_directory()`)
				assert.ErrorContains(t, err, "permission denied", role)
			}
			assert.Equal(t, 1, c.count(t, `select count(*) from pg_proc p cross join aclexplode(p.proacl) a
			where p.proname = 'analyze_directory' and a.grantee <> p.proowner and a.grantee = 'accessbot_directory'::regrole`))
			assert.Zero(t, c.count(t, `select count(*) from pg_proc p cross join aclexplode(p.proacl) a
			where p.proname = 'analyze_directory' and a.grantee not in (p.proowner, 'accessbot_directory'::regrole)`))
		})
		t.Run("temporary table with the same name is not analyzed", func(t *testing.T) {
			c := newCompany(t)
			db, err := schema.Open(c.RoleURL("accessbot_directory"), 1)
			require.NoError(t, err)
			defer db.Close()
			db.MustExec(`create temporary table people as select 1 as n`)
			db.MustExec(`create function pg_temp.format(text, name text) returns text language sql as $$ select 'select true' $$`)
			c.exec(t, `insert into people (email, name, status) values ('ann@example.com', 'Ann', 'active')`)
			db.MustExec(`select analyze_directory()`)
			assert.Equal(t, 1, c.count(t, `select reltuples::int from pg_class where oid = 'public.people'::regclass`))
		})
	})

	t.Run("absent column keeps the setting for findings", func(t *testing.T) {
		c := newCompany(t)
		people := "email,name,job_title,department,manager_email,status\nbo@example.com,Bo,,,,active\n"
		onFinding := func(applications string) string {
			_, err := directory.Import(
				context.Background(),
				c.importer,
				folder{"people.csv": people, "applications.csv": applications}.write(t),
				directory.Options{},
			)
			require.NoError(t, err)
			return c.text(t, `select on_finding from applications`)
		}
		assert.Equal(t, "report", onFinding("slug,name,connector,owners\ncrm,CRM,postgresql,bo@example.com\n"))
		assert.Equal(t, "correct", onFinding("slug,name,connector,owners,on_finding\ncrm,CRM,postgresql,bo@example.com,correct\n"))
		assert.Equal(t, "correct", onFinding("slug,name,connector,owners\ncrm,CRM,postgresql,bo@example.com\n"))
		assert.Equal(t, "report", onFinding("slug,name,connector,owners,on_finding\ncrm,CRM,postgresql,bo@example.com,\n"))
		refused := c.refuses(
			t,
			folder{"applications.csv": "slug,name,connector,owners,on_finding\ncrm,CRM,postgresql,bo@example.com,fix\n"},
			directory.Options{},
		)
		assert.Contains(t, refused.Error(), "neither report nor correct")
	})
}

// town generates a directory of a given size, with names that need quoting, a tree of managers, and a few owners.
func town(t testing.TB, people, entitlements, grants int) folder {
	t.Helper()
	require.LessOrEqual(t, grants, people*entitlements)
	var p, a, e, g strings.Builder
	p.WriteString("email,name,job_title,department,manager_email,status,time_zone,administrator\n")
	email := func(i int) string { return fmt.Sprintf("person%d@example.com", i) }
	for i := range people {
		manager := ""
		if i > 0 {
			manager = email((i - 1) / 8)
		}
		fmt.Fprintf(
			&p,
			"%s,\"Person %d, the \"\"Zoë\"\"\",Title %d,Department %d,%s,active,Europe/Berlin,%t\n",
			email(i),
			i,
			i%40,
			i%12,
			manager,
			i < 2,
		)
	}
	a.WriteString("slug,name,connector,owners\n")
	e.WriteString("application,key,name,kind,description,risk,owners\n")
	for i := range 8 {
		fmt.Fprintf(&a, "app%d,Application %d,postgresql,%s;%s\n", i, i, email(i), email(i+8))
	}
	slug := func(i int) string { return fmt.Sprintf("app%d", i%8) }
	for i := range entitlements {
		fmt.Fprintf(&e, "%s,team-%d,Team %d,team,\"What team %d\ndoes\",low,%s\n", slug(i), i, i, i, email(i%people))
	}
	g.WriteString("email,application,key\n")
	for i := range grants {
		person, entitlement := i%people, (i/people+i*7)%entitlements
		fmt.Fprintf(&g, "%s,%s,team-%d\n", email(person), slug(entitlement), entitlement)
	}
	return folder{"people.csv": p.String(), "applications.csv": a.String(), "entitlements.csv": e.String(), "grants.csv": g.String()}
}

// wire counts writes to the database's connections: one to three for each statement, none for a copied row.
type wire struct{ writes atomic.Int64 }

type countedConn struct {
	net.Conn
	wire *wire
}

func (c countedConn) Write(b []byte) (int, error) {
	c.wire.writes.Add(1)
	return c.Conn.Write(b)
}

func (w *wire) Dial(network, address string) (net.Conn, error) {
	return w.DialTimeout(network, address, time.Minute)
}

func (w *wire) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, timeout)
	return countedConn{conn, w}, err
}

func TestImportSize(t *testing.T) {
	t.Run("number of statements does not grow with the rows", func(t *testing.T) {
		c := newCompany(t)
		connector, err := pq.NewConnector(c.RoleURL("accessbot_directory"))
		require.NoError(t, err)
		var w wire
		connector.Dialer(&w)
		db := &schema.DB{DB: sqlx.NewDb(sql.OpenDB(connector), "postgres")}
		defer db.Close()
		for _, size := range []int{10, 20} {
			_, err := directory.Import(
				context.Background(),
				db,
				town(t, 100*size, 20*size, 400*size).write(t),
				directory.Options{Allow: map[string]int{"grants-gone": 10000}},
			)
			require.NoError(t, err)
			assert.Less(t, w.writes.Swap(0), int64(300), "for %d rows", 520*size)
		}
	})

	t.Run("directory of a real size is imported", func(t *testing.T) {
		c := newCompany(t)
		dir := town(t, 1504, 782, 6298).write(t)
		importsInBulk(t, c, dir)
		assert.Equal(t, 1504, c.count(t, `select count(*) from people`))
		assert.Equal(t, 782, c.count(t, `select count(*) from entitlements`))
		assert.Equal(t, 6298, c.count(t, `select count(*) from claims where source = 'imported' and ended_at is null`))
	})

	t.Run("directory of a real organization is imported", func(t *testing.T) {
		dir := realOrganization(t)
		c := newCompany(t)
		importsInBulk(t, c, dir)
		assert.Equal(t, 1504, c.count(t, `select count(*) from people`))
		assert.Equal(t, 782, c.count(t, `select count(*) from entitlements`))
		assert.Equal(t, 6298, c.count(t, `select count(*) from claims where source = 'imported' and ended_at is null`))
		assert.Zero(t, c.count(t, `select count(*) from entitlements where octet_length(target) > 63`))
	})
}

// bulk is how long the import of about 1,500 people and 6,300 grants may take. It takes under a second on an idle machine, and
// minutes with a query that compares every row with every other one.
const bulk = 20 * time.Second

// realOrganization returns the folder with the Kubernetes organization's directory, and skips the test if there is none.
func realOrganization(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ACCESSBOT_KUBERNETES_DATA")
	if dir == "" {
		dir = "../../../shared/data/kubernetes-org" // next to the checkout
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		t.Skip("no copy of the Kubernetes organization's directory: set ACCESSBOT_KUBERNETES_DATA to its folder")
	}
	return dir
}

func importsInBulk(t *testing.T, c company, dir string) {
	t.Helper()
	for _, what := range []string{"imported", "imported again"} {
		start := time.Now()
		summary, err := directory.Import(context.Background(), c.importer, dir, directory.Options{})
		require.NoError(t, err)
		took := time.Since(start)
		t.Logf("%s in %v\n%s", what, took.Round(time.Millisecond), summary)
		assert.Less(t, took, bulk)
		assert.Equal(t, what == "imported", summary.Changed())
	}
}

func BenchmarkImport(b *testing.B) {
	dir := town(b, 1504, 782, 6298).write(b)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			c := newCompany(b)
			b.StartTimer()
			_, err := directory.Import(context.Background(), c.importer, dir, directory.Options{})
			require.NoError(b, err)
		}
	})
	b.Run("again", func(b *testing.B) {
		c := newCompany(b)
		for b.Loop() {
			_, err := directory.Import(context.Background(), c.importer, dir, directory.Options{})
			require.NoError(b, err)
		}
	})
}
