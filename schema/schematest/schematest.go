// Package schematest gives each test its own database on a real PostgreSQL server.
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

// templateLock is held in the database postgres while the template is created or copied.
const templateLock = 0x61636374

// Database is a migrated database that exists until its test ends.
type Database struct {
	*schema.DB        // as the superuser, for tests to set up and check data
	URL        string // of the superuser
	Name       string
}

// RoleURL returns the database's URL for a role of the programs, such as accessbot_worker.
func (d *Database) RoleURL(role string) string {
	u, err := url.Parse(d.URL)
	if err != nil {
		panic(err) // New parsed it before
	}
	u.User = url.User(role)
	return u.String()
}

// As opens the database as a role of the programs.
func (d *Database) As(t testing.TB, role string) *schema.DB {
	t.Helper()
	db, err := schema.Open(d.RoleURL(role), 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // the test is over: the error does not matter
	return db
}

// New creates a migrated database on the server at TEST_DATABASE_URL (a superuser's URL without a password), and drops it when
// the test ends.
func New(t testing.TB) *Database {
	t.Helper()
	server := ServerURL(t)
	admin, err := sqlx.Open("postgres", server.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() }) // as above
	ctx := context.Background()
	template := createTemplate(ctx, t, admin, server)
	name := "accessbot_test_" + randomName()
	_, err = admin.ExecContext(ctx, `create database `+pq.QuoteIdentifier(name)+` template `+pq.QuoteIdentifier(template))
	if err != nil {
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

// ServerURL returns the superuser's URL of the PostgreSQL server for tests.
func ServerURL(t testing.TB) *url.URL {
	t.Helper()
	setting := os.Getenv("TEST_DATABASE_URL")
	if setting == "" {
		t.Fatal("TEST_DATABASE_URL is not set: run ./temporal-dev.sh test, or set it to a PostgreSQL superuser's URL")
	}
	u, err := url.Parse(setting)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/postgres"
	return u
}

// createTemplate migrates one database for all tests of this version of the schema. Copying it takes milliseconds.
func createTemplate(ctx context.Context, t testing.TB, admin *sqlx.DB, server *url.URL) string {
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
	defer conn.ExecContext(ctx, `select pg_advisory_unlock($1)`, templateLock) //nolint:errcheck // Close unlocks too
	var ready bool
	err = conn.QueryRowContext(ctx, `
		select exists (select from pg_database where datname = $1 and datistemplate)`, name).Scan(&ready)
	if err != nil {
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
		panic(err) // rand.Read never fails
	}
	return hex.EncodeToString(b)
}
