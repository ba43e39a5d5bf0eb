// Package postgresql is the connector to PostgreSQL (tested with 15, 17, 18). An object is a role, and an account is a role that
// can log in and holds an object if it is a direct member. The connector creates missing accounts, never objects.
//
// Its login needs CREATEROLE and, from version 16 on, every entitlement's role WITH ADMIN OPTION. From that version on it can
// revoke only what was granted by itself or by roles whose privileges it has. Any other membership is connector.Denied.
package postgresql

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"accessbot/activities/connector"
)

// Connector implements connector.Connector, connector.AccountCreator, connector.Checker and connector.Lister.
type Connector struct {
	pool     *sqlx.DB
	login    string        // the user in the target's URL
	bound    time.Duration // of every call, including the wait for a connection
	pageSize int           // of List
}

// Default timeouts. The URL can set connect_timeout (seconds), statement_timeout and idle_in_transaction_session_timeout
// (milliseconds). The server enforces the latter two, so a lost call cannot hold locks.
const (
	statementTimeout  = "10000"
	idleInTransaction = "15000"
	callTimeout       = 15 * time.Second
)

// Settings are the address of a cluster.
type Settings struct {
	URL connector.Secret `yaml:"url"`
}

// SetURL implements kinds.URLSetter.
func (s *Settings) SetURL(url string) { s.URL = connector.NewSecret(url) }

// Open returns the connector.
func (s *Settings) Open() (connector.Connector, error) {
	c, err := Open(s.URL.Reveal())
	if err != nil {
		return nil, err // not a nil of the connector's own type
	}
	return c, nil
}

// Open returns a connector for the cluster at target, a URL such as
// postgres://login:password@host:5432/postgres?sslmode=verify-full. It does not connect yet. An invalid URL is *connector.Denied,
// whose text does not contain it.
func Open(target string) (*Connector, error) {
	// An error of url.Parse quotes the URL, and with a stray / or # parts of the password. So it is not passed on.
	parsed, err := url.Parse(target)
	if err != nil || (parsed.Scheme != "postgres" && parsed.Scheme != "postgresql") {
		return nil, &connector.Denied{Fix: "set the target's URL to postgres://USER:PASSWORD@HOST:PORT/DATABASE, " +
			"with special characters in the password percent-encoded"}
	}
	config, err := pq.NewConfig(target)
	if err != nil {
		return nil, &connector.Denied{Err: err, Fix: "correct the parameters in the target's URL"}
	}
	if config.ApplicationName == "" {
		config.ApplicationName = "accessbot"
	}
	defaults := map[string]string{
		"statement_timeout":                   statementTimeout,
		"idle_in_transaction_session_timeout": idleInTransaction,
	}
	for name, value := range config.Runtime {
		defaults[name] = value
	}
	config.Runtime = defaults
	return &Connector{pool: newPool(config), login: config.User, bound: callTimeout, pageSize: 1000}, nil
}

// Close closes all connections to the target.
func (c *Connector) Close() error { return c.pool.Close() }

// call runs f in a transaction of at most c.bound and classifies its error.
func (c *Connector) call(ctx context.Context, f func(ctx context.Context, tx *sqlx.Tx) error) error {
	bounded, cancel := context.WithTimeout(ctx, c.bound)
	defer cancel()
	err := inTx(bounded, c.pool, func(tx *sqlx.Tx) error { return f(bounded, tx) })
	if err != nil && bounded.Err() != nil && !errors.Is(err, bounded.Err()) {
		err = fmt.Errorf("%w: %w", bounded.Err(), err)
	}
	return c.classify(ctx, err)
}

// Read reports whether the account is a direct member of the object, no matter who granted it.
func (c *Connector) Read(ctx context.Context, a connector.Assignment) (connector.State, error) {
	if err := checkNames(a); err != nil {
		return connector.State{}, err
	}
	var state connector.State
	err := c.call(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		found, err := readRoles(ctx, tx, a)
		if err != nil {
			return err
		}
		if err := found.requireBoth(a); err != nil {
			return err
		}
		return tx.GetContext(ctx, &state.Held, `
			SELECT EXISTS (
				SELECT FROM pg_auth_members
				WHERE roleid = (SELECT oid FROM pg_roles WHERE rolname = $2::text)
				  AND member = (SELECT oid FROM pg_roles WHERE rolname = $1::text))`, a.Account, a.Object)
	})
	if err != nil {
		return connector.State{}, err
	}
	return state, nil
}

// Grant makes the account a plain member of the object, without the ADMIN option and with the account's own INHERIT setting.
func (c *Connector) Grant(ctx context.Context, a connector.Assignment) error {
	if err := checkNames(a); err != nil {
		return err
	}
	return c.call(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		found, err := readRoles(ctx, tx, a)
		if err != nil {
			return err
		}
		if err := found.mayGrant(a); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "GRANT "+pq.QuoteIdentifier(a.Object)+" TO "+pq.QuoteIdentifier(a.Account))
		return c.grantError(a, err)
	})
}

// Revoke ends the membership, no matter who granted it.
func (c *Connector) Revoke(ctx context.Context, a connector.Assignment) error {
	if err := checkNames(a); err != nil {
		return err
	}
	return c.call(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		found, err := readRoles(ctx, tx, a)
		if err != nil {
			return err
		}
		if err := found.mayRevoke(a); err != nil {
			return err
		}
		statements, err := revokeStatements(ctx, tx, a)
		if err != nil {
			return err
		}
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return c.revokeError(statement, err)
			}
		}
		return nil
	})
}

// revokeStatements returns the statements that end a membership. From version 16 on, there is a membership for each grantor,
// and a plain REVOKE only warns about those of other grantors. Before that there is one membership, and GRANTED BY has no
// effect.
func revokeStatements(ctx context.Context, tx *sqlx.Tx, a connector.Assignment) ([]string, error) {
	var grantors []string
	// What the account granted itself depends on what others granted, so it is revoked first.
	err := tx.SelectContext(ctx, &grantors, `
		SELECT pg_get_userbyid(m.grantor)
		FROM pg_auth_members m
		JOIN pg_roles account ON account.oid = m.member
		JOIN pg_roles object ON object.oid = m.roleid
		WHERE account.rolname = $1::text AND object.rolname = $2::text
		ORDER BY m.grantor = m.member DESC`, a.Account, a.Object)
	if err != nil {
		return nil, err
	}
	var statements []string
	for _, grantor := range grantors {
		statements = append(statements, "REVOKE "+pq.QuoteIdentifier(a.Object)+
			" FROM "+pq.QuoteIdentifier(a.Account)+" GRANTED BY "+pq.QuoteIdentifier(grantor))
	}
	return statements, nil
}

// CreateAccount creates a role that can log in, without a password or any privileges. Authentication is up to the target.
func (c *Connector) CreateAccount(ctx context.Context, account string) error {
	if err := checkName(connector.Account, account); err != nil {
		return err
	}
	err := c.call(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE ROLE "+pq.QuoteIdentifier(account)+
			" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
		if pq.As(err, pqerror.InsufficientPrivilege) != nil {
			return &connector.Denied{Err: err, Fix: fmt.Sprintf(
				"grant login %q CREATEROLE, or create role %q yourself", c.login, account)}
		}
		return err
	})
	if pq.As(err, pqerror.DuplicateObject) != nil {
		return nil //nolint:nilerr // the account already exists, which is success
	}
	return err
}

// List lists the memberships of all accounts that can log in, except superusers, reserved roles and the connector's login. Each
// page is a separate call, so fn may be slow. Changes made meanwhile may or may not be listed.
func (c *Connector) List(ctx context.Context, fn func(connector.Assignment) error) error {
	type membership struct {
		Object  string `db:"object"`
		Account string `db:"account"`
		RoleID  int64  `db:"roleid"`
		Member  int64  `db:"member"`
	}
	last := membership{}
	for {
		var page []membership
		err := c.call(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
			return tx.SelectContext(ctx, &page, `
				SELECT DISTINCT m.roleid, m.member, object.rolname AS object, account.rolname AS account
				FROM pg_auth_members m
				JOIN pg_roles object ON object.oid = m.roleid
				JOIN pg_roles account ON account.oid = m.member
				WHERE (m.roleid, m.member) > ($1::oid, $2::oid)
				  AND account.rolcanlogin AND NOT account.rolsuper AND NOT object.rolsuper
				  AND account.rolname !~ '^(pg|accessbot)_' AND object.rolname !~ '^(pg|accessbot)_'
				  AND account.rolname NOT IN (current_user, session_user)
				  AND object.rolname NOT IN (current_user, session_user)
				ORDER BY m.roleid, m.member
				LIMIT $3`, last.RoleID, last.Member, c.pageSize)
		})
		if err != nil {
			return err
		}
		for _, m := range page {
			if err := fn(connector.Assignment{Account: m.Account, Object: m.Object}); err != nil {
				return err
			}
		}
		if len(page) < c.pageSize {
			return nil
		}
		last = page[len(page)-1]
	}
}
