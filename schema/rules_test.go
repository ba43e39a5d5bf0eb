package schema_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// installedRules are all triggers, views and functions, extensions' excepted, with hashes of their definitions and rights.
func installedRules(t *testing.T, db *schema.DB) (rules []string) {
	t.Helper()
	require.NoError(t, db.Select(&rules, `
		select name || ' ' || md5(definition) from (
		    select tgrelid::regclass || ' ' || tgname as name, tgenabled::text || pg_get_triggerdef(oid) as definition
		      from pg_trigger where not tgisinternal
		    union all
		    select oid::regclass::text, pg_get_viewdef(oid) || coalesce(relacl::text, '') from pg_class
		     where relnamespace = 'public'::regnamespace and relkind = 'v'
		    union all
		    select oid::regprocedure::text, pg_get_functiondef(oid) || coalesce(proacl::text, '') from pg_proc p
		     where pronamespace = 'public'::regnamespace and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
		    ) rules order by 1`))
	return rules
}

// ruleFiles is a copy of the rules, to change.
func ruleFiles(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(schema.Rules, "rules/*.sql")
	require.NoError(t, err)
	for _, name := range names {
		text, err := schema.Rules.ReadFile(name)
		require.NoError(t, err)
		files[filepath.Base(name)] = &fstest.MapFile{Data: text}
	}
	return files
}

// spellings match the definitions of predicates over rows, and what would be a second one.
var spellings = map[string]*regexp.Regexp{
	"a person is active": regexp.MustCompile(`\.status\s*(=|<>)\s*'active'\s+(and|or)\s|Status [!=]= "active"`),
	"a claim is revocable": regexp.MustCompile(`ended_at is (not )?null\s+(and|or)\s+\S*revoked_at is (not )?null|` +
		`revoked_at is (not )?null\s+(and|or)\s+\S*ended_at is (not )?null|(Ended|Revoked)At\.Valid( \|\||,) \S*(Ended|Revoked)At\.Valid`),
	"a claim is live": regexp.MustCompile(
		`ends_at is null or \S*ends_at > (at|app_now)|coalesce\(c\.ends_at, 'infinity'\) > app_now`,
	),
	"a stage is passed": regexp.MustCompile(`>= max\((\S*\.)?required_approvals\)|max\(required, `),
	"an item awaits decision": regexp.MustCompile(`state in \('submitted', 'awaiting_approval'\)\s+and (item_outcome|not exists)|` +
		`State == (schema\.)?AwaitingApproval\) && `),
	"who asked": regexp.MustCompile(`array\[\S*requester_id, \S*submitted_by\]|RequesterID \|\| \S*SubmittedBy|` +
		`submitted_by (= new|is distinct from \$)|decided_by = \S*requester_id`),
}

func TestRules(t *testing.T) {
	t.Parallel()
	t.Run("objects of a removed file are dropped", func(t *testing.T) {
		t.Parallel()
		db := schematest.New(t)
		before := installedRules(t, db.DB)
		files := ruleFiles(t)
		files["zz.sql"] = &fstest.MapFile{Data: []byte(`
			create view leavers as select * from people where status = 'left';
			create function count_leavers() returns bigint language sql as 'select count(*) from leavers';
			create function refuse() returns trigger language plpgsql as 'begin return null; end';
			create trigger refuse before delete on people for each row execute function refuse();`)}
		require.NoError(t, schema.ApplyRules(t.Context(), db.DB, files))
		assert.Len(t, installedRules(t, db.DB), len(before)+4)
		delete(files, "zz.sql")
		require.NoError(t, schema.ApplyRules(t.Context(), db.DB, files))
		assert.Equal(t, before, installedRules(t, db.DB))
	})

	t.Run("unknown trigger, view and function are dropped", func(t *testing.T) {
		t.Parallel()
		db := schematest.New(t)
		before := installedRules(t, db.DB)
		must(t, db, `create trigger extra before insert on claims for each row execute function refuse_change()`)
		must(t, db, `create view extra as select id from claims`)
		must(t, db, `create function request_terms(request text) returns text language sql as 'select ''forged'''`)
		assert.Len(t, installedRules(t, db.DB), len(before)+3)
		_, err := schema.Migrate(t.Context(), db.URL)
		require.NoError(t, err)
		assert.Equal(t, before, installedRules(t, db.DB))
	})

	t.Run("changed and missing rules are restored", func(t *testing.T) {
		t.Parallel()
		db := schematest.New(t)
		before := installedRules(t, db.DB)
		must(t, db, `drop trigger checked on decisions`)
		must(t, db, `alter table claims disable trigger guard`)
		must(t, db, `create or replace function refuse_change() returns trigger language plpgsql as 'begin return null; end'`)
		must(t, db, `grant execute on function decisions_check() to public`)
		_, err := schema.Migrate(t.Context(), db.URL)
		require.NoError(t, err)
		assert.Equal(t, before, installedRules(t, db.DB))
	})

	t.Run("failing file leaves everything as it was", func(t *testing.T) {
		t.Parallel()
		db := schematest.New(t)
		before := installedRules(t, db.DB)
		files := ruleFiles(t)
		delete(files, "audit_events.sql")
		files["decisions.sql"].Data = append([]byte(`drop trigger checked on decisions;`), files["decisions.sql"].Data...)
		files["zz.sql"] = &fstest.MapFile{
			Data: []byte(`create function new_rule() returns int language sql as 'select 1'; create trigger missing;`),
		}
		err := schema.ApplyRules(t.Context(), db.DB, files)
		require.ErrorContains(t, err, "apply schema/rules/zz.sql")
		assert.Equal(t, before, installedRules(t, db.DB))
	})

	t.Run("trigger functions of any file can be executed by no role", func(t *testing.T) {
		t.Parallel()
		db := schematest.New(t)
		files := ruleFiles(t)
		files["zz.sql"] = &fstest.MapFile{
			Data: []byte(`create function refuse() returns trigger language plpgsql as 'begin return null; end'`),
		}
		require.NoError(t, schema.ApplyRules(t.Context(), db.DB, files))
		var executable bool
		require.NoError(t, db.Get(&executable, `select has_function_privilege('accessbot_worker', 'refuse()', 'execute')`))
		assert.False(t, executable)
	})

	// An update of the audit is refused at every moment, while the rules are replaced again and again.
	t.Run("running system never lacks its triggers", func(t *testing.T) {
		t.Parallel()
		db := schematest.New(t)
		must(t, db, `insert into audit_events (actor, action) values ('worker', 'x')`)
		ctx, stop := context.WithCancel(t.Context())
		files := ruleFiles(t)
		done := make(chan error, 1)
		go func() {
			defer stop()
			for range 5 {
				if err := schema.ApplyRules(t.Context(), db.DB, files); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for ctx.Err() == nil {
			_, err := db.Exec(`update audit_events set action = 'y'`)
			require.ErrorContains(t, err, "never changed")
		}
		require.NoError(t, <-done)
	})

	t.Run("every file is named after a table", func(t *testing.T) {
		t.Parallel()
		db := schematest.New(t)
		for name := range ruleFiles(t) {
			var exists bool
			require.NoError(t, db.Get(&exists, `select to_regclass($1) is not null`, name[:len(name)-len(".sql")]))
			assert.True(t, exists, name)
		}
	})

	// Migrate applies them unchecked, because they name functions of other files.
	t.Run("bodies of SQL functions are valid", func(t *testing.T) {
		t.Parallel()
		db := schematest.New(t)
		for name, file := range ruleFiles(t) {
			_, err := db.Exec(`set check_function_bodies = on; ` + string(file.Data))
			assert.NoError(t, err, name)
		}
	})

	t.Run("each predicate is spelled in one place", func(t *testing.T) {
		t.Parallel()
		places := map[string][]string{}
		for _, dir := range []string{"rules", ".", "directory", "../activities", "../slackapp", "../slackapp/views", "../worker"} {
			for _, pattern := range []string{"/*.go", "/*.sql"} {
				names, err := filepath.Glob(dir + pattern)
				require.NoError(t, err)
				for _, name := range names {
					if strings.HasSuffix(name, "_test.go") {
						continue
					}
					text, err := os.ReadFile(name)
					require.NoError(t, err)
					for predicate, spelling := range spellings {
						for range spelling.FindAllIndex(text, -1) {
							places[predicate] = append(places[predicate], name)
						}
					}
				}
			}
		}
		assert.Equal(t, map[string][]string{
			"a person is active":      {"rules/people.sql"},
			"a claim is revocable":    {"rules/claims.sql"},
			"a claim is live":         {"rules/claims.sql"},
			"a stage is passed":       {"rules/decisions.sql"},
			"an item awaits decision": {"rules/request_items.sql"},
			"who asked":               {"rules/access_requests.sql"},
		}, places)
	})

	t.Run("migrations make no rules", func(t *testing.T) {
		t.Parallel()
		names, err := filepath.Glob("migrations/*.sql")
		require.NoError(t, err)
		require.NotEmpty(t, names)
		for _, name := range names {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			assert.NotRegexp(t, `(?i)create\s+(or\s+replace\s+)?(trigger|view)|security definer|plpgsql`, string(text), name)
		}
	})
}
