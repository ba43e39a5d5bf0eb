package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/postgresql"
	"accessbot/schema/directory"
	"accessbot/schema/schematest"
)

func TestCommands(t *testing.T) {
	t.Run("databases belong to owners without superuser rights", func(t *testing.T) {
		onEachTarget(t, func(t *testing.T, target targetServer) {
			require.NoError(t, run(t.Context(), []string{"databases", "-admin", target.adminURL}, nil))

			var owned []struct {
				Name, Owner      string
				Super, MakesRole bool
			}
			require.NoError(t, target.admin.Select(&owned, `
			select d.datname as name, r.rolname as owner, r.rolsuper as super, r.rolcreaterole as makesrole
			  from pg_database d join pg_roles r on r.oid = d.datdba
			 where d.datname in ('accessbot', 'target') order by d.datname`))
			require.Len(t, owned, 2)
			require.Equal(t, "accessbot accessbot_owner", owned[0].Name+" "+owned[0].Owner)
			require.Equal(t, "target target_admin", owned[1].Name+" "+owned[1].Owner)
			for _, database := range owned {
				require.True(t, database.MakesRole && !database.Super, database.Owner)
			}
		})
	})

	t.Run("instances are listed once each", func(t *testing.T) {
		db := schematest.New(t)
		importFiles(t, db, map[string]string{
			"people.csv":       "email,name,job_title,department,manager_email,status\nann@x.test,Ann,,,,active\n",
			"applications.csv": "slug,name,connector,owners,instance\na,A,postgresql,ann@x.test,\nb,B,postgresql,ann@x.test,\nc,C,postgresql,ann@x.test,LEDGER\n",
		})
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), []string{"instances", "-database", db.URL}, &out))
		require.Equal(t, "LEDGER\nPOSTGRESQL\n", out.String())
	})

	t.Run("unknown command is refused with the usage", func(t *testing.T) {
		require.ErrorIs(t, run(t.Context(), nil, nil), errUsage)
		require.ErrorContains(t, run(t.Context(), []string{"dance"}, nil), `there is no command "dance"`)
	})
}

func TestSeed(t *testing.T) {
	t.Run("roles, accounts and memberships of the directory are created", func(t *testing.T) {
		onEachTarget(t, func(t *testing.T, target targetServer) {
			c := newCompany(t, target)
			require.Equal(t, "created 2 of 2 roles, 2 of 2 accounts, 3 of 3 memberships\n", c.seed(t))
			require.Equal(t, []string{"ann on reader", "ann on writer", "ben on reader"}, c.held(t))

			pg, err := postgresql.Open(target.connectorURL)
			require.NoError(t, err)
			defer func() { require.NoError(t, pg.Close()) }()
			wanted := connector.Assignment{Account: c.email("ben"), Object: c.role("writer")}
			require.NoError(t, pg.Grant(t.Context(), wanted))
			require.NoError(t, pg.Revoke(t.Context(), connector.Assignment{Account: c.email("ann"), Object: c.role("writer")}))
			require.Equal(t, []string{"ann on reader", "ben on reader", "ben on writer"}, c.held(t))
		})
	})

	t.Run("second run changes nothing and grants no ended access", func(t *testing.T) {
		onEachTarget(t, func(t *testing.T, target targetServer) {
			c := newCompany(t, target)
			c.seed(t)
			_, err := c.db.Exec(`
			update claims set revoked_at = app_now(), ended_at = app_now(), end_reason = 'revoked', removed_at = app_now()
			 where account_id = (select id from accounts where account = $1)
			   and entitlement_id = (select id from entitlements where key = 'writer')`, c.email("ann"))
			require.NoError(t, err)
			_, err = target.admin.Exec(fmt.Sprintf(`revoke %s from %s granted by target_admin; grant %[1]s to %[3]s`,
				pq.QuoteIdentifier(c.role("writer")), pq.QuoteIdentifier(c.email("ann")), pq.QuoteIdentifier(c.email("ben"))))
			require.NoError(t, err)

			require.Equal(t, "created 0 of 2 roles, 0 of 2 accounts, 0 of 2 memberships\n", c.seed(t))
			require.Equal(t, []string{"ann on reader", "ben on reader", "ben on writer"}, c.held(t))
		})
	})

	t.Run("other targets are not changed", func(t *testing.T) {
		onEachTarget(t, func(t *testing.T, target targetServer) {
			c := newCompany(t, target)
			require.Equal(t, "created 0 of 0 roles, 0 of 0 accounts, 0 of 0 memberships\n", c.seed(t, "ELSEWHERE"))
		})
	})
}

// targetServer is a PostgreSQL server to seed.
type targetServer struct {
	admin                  *sqlx.DB
	adminURL, connectorURL string
}

// onEachTarget runs the test on this machine's server and, if there is one, on PostgreSQL 16 or newer: since 16, the creator of
// a role needs the ADMIN option, and a membership has a grantor.
func onEachTarget(t *testing.T, test func(t *testing.T, target targetServer)) {
	t.Helper()
	servers := map[string]string{"": os.Getenv("TEST_TARGET_URL")}
	require.NotEmpty(t, servers[""], "TEST_TARGET_URL is not set: run ./temporal-dev.sh test")
	if newer := os.Getenv("TEST_TARGET_URL_16"); newer != "" && newer != servers[""] {
		servers["16"] = newer
	}
	for _, url := range servers {
		admin, err := sqlx.Connect("postgres", url)
		require.NoError(t, err)
		defer admin.Close()
		var version string
		require.NoError(t, admin.Get(&version, `show server_version`))
		require.NoError(t, run(t.Context(), []string{"databases", "-admin", url}, nil))
		t.Run("PostgreSQL "+strings.Fields(version)[0], func(t *testing.T) {
			test(t, targetServer{admin, url, strings.Replace(url, "postgres@", "target_admin@", 1)})
		})
	}
}

// company is a directory of two people and two roles, with names that no other test on the server uses.
type company struct {
	name   string
	db     *schematest.Database
	target targetServer
}

func newCompany(t *testing.T, target targetServer) *company {
	t.Helper()
	c := &company{name: strings.ToLower(rand.Text()[:12]), db: schematest.New(t), target: target}
	ann, ben := c.email("ann"), c.email("ben")
	importFiles(t, c.db, map[string]string{
		"people.csv":       "email,name,job_title,department,manager_email,status\n" + ann + ",Ann,,,,active\n" + ben + ",Ben,,," + ann + ",active\n",
		"applications.csv": "slug,name,connector,owners\n" + c.name + ",Warehouse,postgresql," + ann + "\n",
		"entitlements.csv": "application,key,name,kind,description,risk,owners\n" + c.name + ",reader,Reader,role,,low,\n" + c.name + ",writer,Writer,role,,low,\n",
		"grants.csv":       "email,application,key\n" + ann + "," + c.name + ",reader\n" + ann + "," + c.name + ",writer\n" + ben + "," + c.name + ",reader\n",
	})
	t.Cleanup(func() {
		// Roles belong to the server, so dropping the test's database keeps them.
		for _, role := range []string{ann, ben, c.role("reader"), c.role("writer")} {
			_, err := target.admin.Exec(`drop role if exists ` + pq.QuoteIdentifier(role))
			require.NoError(t, err)
		}
	})
	return c
}

func importFiles(t *testing.T, db *schematest.Database, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	_, err := directory.Import(context.Background(), db.As(t, "accessbot_directory"), dir, directory.Options{})
	require.NoError(t, err)
}

func (c *company) email(name string) string { return name + "@" + c.name + ".test" }
func (c *company) role(key string) string   { return c.name + "/" + key }

// seed seeds the given instances, by default the directory's only one, and returns the output.
func (c *company) seed(t *testing.T, instances ...string) string {
	t.Helper()
	if len(instances) == 0 {
		instances = []string{"POSTGRESQL"}
	}
	var out bytes.Buffer
	args := []string{"seed-target", "-database", c.db.RoleURL("accessbot_auditor"), "-target", c.target.connectorURL}
	require.NoError(t, run(t.Context(), append(args, instances...), &out))
	return out.String()
}

// held lists the memberships in the target, as "ann on reader".
func (c *company) held(t *testing.T) []string {
	t.Helper()
	var held []string
	require.NoError(t, c.target.admin.Select(&held, `
		select distinct split_part(account.rolname, '@', 1) || ' on ' || split_part(role.rolname, '/', 2) as held
		  from pg_auth_members m
		  join pg_roles account on account.oid = m.member
		  join pg_roles role on role.oid = m.roleid
		 where role.rolname like $1 and account.rolname like $2
		 order by held`, c.role("%"), c.email("%")))
	return held
}
