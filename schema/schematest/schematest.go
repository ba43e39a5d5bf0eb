// Package schematest grants every test a database of its own, on a real PostgreSQL.
package schematest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema"
)

// templateLock is taken in the database postgres while the template is made or copied.
const templateLock = 0x61636374

// Database is a migrated database that lives as long as its test.
type Database struct {
	*schema.DB        // as the server's superuser: tests arrange and look with it
	URL        string // the superuser's
	Name       string
}

// RoleURL is the database's URL for one of the program's roles, such as accessbot_worker.
func (d *Database) RoleURL(role string) string {
	u, err := url.Parse(d.URL)
	if err != nil {
		panic(err) // it was parsed before
	}
	u.User = url.User(role)
	return u.String()
}

// As opens the database as one of the program's roles.
func (d *Database) As(t testing.TB, role string) *schema.DB {
	t.Helper()
	db, err := schema.Open(d.RoleURL(role), 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // the test is over: nothing is left to do about an error
	return db
}

// New makes a migrated database on the server at TEST_DATABASE_URL (a superuser's URL that needs no password) and drops it when the test ends.
func New(t testing.TB) *Database {
	t.Helper()
	server := ServerURL(t)
	admin, err := sqlx.Open("postgres", server.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() }) // as above
	ctx := context.Background()
	template := makeTemplate(ctx, t, admin, server)
	name := "accessbot_test_" + randomName()
	if _, err := admin.ExecContext(ctx, `create database `+pq.QuoteIdentifier(name)+` template `+pq.QuoteIdentifier(template)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(`drop database ` + pq.QuoteIdentifier(name) + ` with (force)`); err != nil {
			t.Error(err)
		}
	})
	server.Path = "/" + name
	db, err := schema.Open(server.String(), 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // as above
	return &Database{DB: db, URL: server.String(), Name: name}
}

// ServerURL is the superuser's URL of the PostgreSQL server for tests.
func ServerURL(t testing.TB) *url.URL {
	t.Helper()
	given := os.Getenv("TEST_DATABASE_URL")
	if given == "" {
		t.Fatal("TEST_DATABASE_URL is not set: run ./temporal-dev.sh test, or grant a PostgreSQL superuser's URL")
	}
	u, err := url.Parse(given)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/postgres"
	return u
}

// makeTemplate migrates one database for all tests of this build of the schema; copying it takes milliseconds.
func makeTemplate(ctx context.Context, t testing.TB, admin *sqlx.DB, server *url.URL) string {
	t.Helper()
	name := "accessbot_template_" + schema.Fingerprint()
	conn, err := admin.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `select pg_advisory_lock($1)`, templateLock); err != nil {
		t.Fatal(err)
	}
	defer conn.ExecContext(ctx, `select pg_advisory_unlock($1)`, templateLock) //nolint:errcheck // closing the connection unlocks too
	var ready bool
	if err := conn.QueryRowContext(ctx, `select exists (select from pg_database where datname = $1 and datistemplate)`, name).Scan(&ready); err != nil {
		t.Fatal(err)
	}
	if ready {
		return name
	}
	for _, statement := range []string{
		`drop database if exists ` + pq.QuoteIdentifier(name),
		`create database ` + pq.QuoteIdentifier(name),
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	target := *server
	target.Path = "/" + name
	if _, err := schema.Migrate(ctx, target.String()); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(ctx, `alter database `+pq.QuoteIdentifier(name)+` is_template true`); err != nil {
		t.Fatal(err)
	}
	return name
}

func randomName() string {
	b := make([]byte, 8)
	if _, err := rand.Read(b); err != nil {
		panic(err) // it never fails
	}
	return hex.EncodeToString(b)
}
