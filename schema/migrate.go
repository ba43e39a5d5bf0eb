package schema

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"time"

	"github.com/lib/pq"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// The migrations make tables, indexes, constraints and grants. Views, functions and triggers are rules: see rules.go.
//
//go:embed migrations/*.sql
var migrations embed.FS

// versions is the table of the migrations that were applied.
const versions = "schema_versions"

// ErrOldDatabase refuses a database of a schema from before the first release, whose migrations were in goose_db_version.
var ErrOldDatabase = errors.New("this database has an old development schema, which cannot be migrated: " +
	"start again with ./temporal-dev.sh reset, or use an empty database")

// CheckDatabase returns ErrOldDatabase if the database must not be used. It waits up to five seconds for the database, and leaves
// any other problem to the first query that needs it.
func CheckDatabase(ctx context.Context, q Queryer) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var old bool
	if err := q.GetContext(ctx, &old, `select to_regclass('public.goose_db_version') is not null`); err == nil && old {
		return ErrOldDatabase
	}
	return nil
}

// role is a database role that the migrations grant rights to, with its timeouts on the server. They are set on the role, because
// poolers such as PgBouncer refuse startup parameters of connections (08P01).
type role struct {
	name      string
	statement string // statement_timeout
	lock      string // lock_timeout
	idle      string // idle_in_transaction_session_timeout
}

// roles: the Slack app has three seconds for an ack and half a minute for what follows. The worker compares whole targets with
// the claims. Commands of operators and auditors are short, except those that use InLongTx.
var roles = []role{
	{"accessbot_slackapp", "10s", "5s", "10s"},
	{"accessbot_worker", "60s", "10s", "30s"},
	{"accessbot_directory", "60s", "10s", "30s"},
	{"accessbot_auditor", "60s", "10s", "30s"},
}

// rolesLock is the advisory lock under which roles are created: they belong to the whole cluster.
const rolesLock = 0x61636373

// Migrate migrates the database at databaseURL to this program's schema, with its rules, and answers its version. It connects as the database's
// owner, who needs CREATEROLE the first time. Concurrent runs wait for each other.
func Migrate(ctx context.Context, databaseURL string) (version int64, err error) {
	ctx, cancel := forLong(ctx)
	defer cancel()
	if err := makeRoles(ctx, databaseURL); err != nil {
		return 0, err
	}
	db, err := Open(databaseURL, 2)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	if err := CheckDatabase(ctx, db); err != nil {
		return 0, err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return 0, err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return 0, fmt.Errorf("lock the migrations: %w", err)
	}
	provider, err := goose.NewProvider(
		goose.DialectPostgres,
		db.DB.DB,
		files,
		goose.WithSessionLocker(locker),
		goose.WithTableName(versions),
	)
	if err != nil {
		return 0, fmt.Errorf("read the migrations: %w", err)
	}
	// An older program would put its older rules in the place of newer ones, and drop those that it does not know.
	if current, newest, err := provider.GetVersions(ctx); err != nil {
		return 0, fmt.Errorf("read the version of the schema: %w", err)
	} else if current > newest {
		return 0, fmt.Errorf("the database has version %d of the schema, and this program only knows version %d: migrate with the newer program",
			current, newest)
	}
	if _, err := provider.Up(ctx); err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	if files, err = fs.Sub(rules, "rules"); err != nil {
		return 0, err
	}
	if err := applyRules(ctx, db, files); err != nil {
		return 0, err
	}
	// A new column, or index on an expression, has no statistics until its table is analyzed.
	if _, err := db.ExecContext(ctx, `select analyze_directory()`); err != nil {
		return 0, fmt.Errorf("update the statistics: %w", err)
	}
	return provider.GetDBVersion(ctx)
}

// makeRoles creates missing roles. Advisory locks belong to a database and roles to the cluster, so the lock is taken in the
// database postgres: otherwise migrations of two databases could create the same role at once.
func makeRoles(ctx context.Context, databaseURL string) error {
	common, err := url.Parse(databaseURL)
	if err != nil || common.Host == "" {
		return fmt.Errorf("DATABASE_URL is not a PostgreSQL URL such as postgres://user@host:5432/accessbot")
	}
	common.Path = "/postgres"
	db, err := Open(common.String(), 1)
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database postgres to create roles: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `select pg_advisory_lock($1)`, rolesLock); err != nil {
		return fmt.Errorf("lock the creation of roles: %w", err)
	}
	for _, r := range roles {
		if err := r.make(ctx, conn); err != nil {
			return err
		}
	}
	return unlock(ctx, conn)
}

// make creates the role if it is missing, and sets the timeouts that it has no value for: an operator's settings stay.
func (r role) make(ctx context.Context, conn *sql.Conn) error {
	var exists bool
	err := conn.QueryRowContext(ctx, `select exists (select from pg_roles where rolname = $1)`, r.name).Scan(&exists)
	if err != nil {
		return fmt.Errorf("look for role %s: %w", r.name, err)
	}
	if !exists {
		if _, err := conn.ExecContext(ctx, `create role `+pq.QuoteIdentifier(r.name)+` login`); err != nil {
			return fmt.Errorf("create role %s (the migration's login needs CREATEROLE, or create the role yourself): %w", r.name, err)
		}
	}
	for _, setting := range []struct{ name, value string }{
		{"statement_timeout", r.statement}, {"lock_timeout", r.lock}, {"idle_in_transaction_session_timeout", r.idle},
	} {
		var has bool
		err := conn.QueryRowContext(ctx, `
			select exists (select from pg_roles, unnest(rolconfig) c where rolname = $1 and starts_with(c, $2 || '='))`,
			r.name, setting.name).Scan(&has)
		if err != nil {
			return fmt.Errorf("look for the settings of role %s: %w", r.name, err)
		}
		if has {
			continue
		}
		statement := fmt.Sprintf(`alter role %s set %s = %s`, pq.QuoteIdentifier(r.name), setting.name, pq.QuoteLiteral(setting.value))
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("set a timeout of role %s "+
				"(the migration's login needs CREATEROLE, and ADMIN on the role; or run it yourself: %s): %w", r.name, statement, err)
		}
	}
	return nil
}

func unlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `select pg_advisory_unlock($1)`, rolesLock)
	return err
}

// Fingerprint identifies this version of the migrations and rules, in twelve hexadecimal digits.
func Fingerprint() string {
	sum := sha256.New()
	for _, files := range []embed.FS{migrations, rules} {
		err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := files.ReadFile(name)
			sum.Write(text)
			return err
		})
		if err != nil {
			panic(err) // they are embedded
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}
