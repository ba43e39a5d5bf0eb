// Package schema is the database: the tables and the queries over them, one file for each noun.
//
// A submission, decision, withdrawal or revocation is one committed transaction here before anything else learns of it. The
// database's clock (app_now) alone decides what is due.
package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema/pgdial"
)

// DB is a pool of connections to the database.
type DB struct{ *sqlx.DB }

// Queryer runs queries: a DB, a Tx, or a pinned connection.
type Queryer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	GetContext(ctx context.Context, dest any, query string, args ...any) error
	SelectContext(ctx context.Context, dest any, query string, args ...any) error
}

// statementBound limits operations whose context has no deadline. It is longer than any role's statement_timeout (see roles), so
// that the server is the first to report what took too long.
const statementBound = 2 * time.Minute

// Open prepares a pool of at most maxConns connections to the PostgreSQL database at url. It connects lazily: if the database is
// down, the first query fails, and if it is silent, at the end of that query's context.
func Open(url string, maxConns int) (*DB, error) {
	if url == "" {
		return nil, errors.New("DATABASE_URL is not set: set it to the URL of accessbot's PostgreSQL database")
	}
	config, err := pq.NewConfig(url)
	if err != nil {
		// pq's error can quote the URL, and with it a password.
		return nil, errors.New("DATABASE_URL is not a PostgreSQL URL such as postgres://user@host:5432/accessbot")
	}
	db := sqlx.NewDb(sql.OpenDB(pgdial.NewConnector(config, pgdial.Options{Bound: statementBound})), "postgres")
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return &DB{db}, nil
}

// ErrUnclear says that the response to a commit was lost.
var ErrUnclear = errors.New("the transaction may or may not have been committed")

// InTx runs f in one transaction, which is committed if f returns nil, and rolled back otherwise. The error is ErrUnclear if only
// the answer to the commit is missing.
func (db *DB) InTx(ctx context.Context, f func(tx *sqlx.Tx) error) error { return db.inTx(ctx, nil, f) }

func (db *DB) inTx(ctx context.Context, options *sql.TxOptions, f func(tx *sqlx.Tx) error) error {
	tx, err := db.BeginTxx(ctx, options)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after a commit, and another error is returned already
	if err := f(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	err = tx.Commit()
	var refused *pq.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused), errors.Is(err, sql.ErrTxDone): // refused, or not sent
		return fmt.Errorf("commit: %w", err)
	}
	return fmt.Errorf("commit: %w", errors.Join(ErrUnclear, err))
}

// longest limits InLongTx if its context has no deadline, and each of its statements in any case.
const longest = 2 * time.Hour

// longTimeouts replace the timeouts of the role.
const longTimeouts = `
	set local statement_timeout = '2h';
	set local lock_timeout = '10min';
	set local idle_in_transaction_session_timeout = '10min'`

// InLongTx is InTx for what may exceed a role's timeouts: an import, an export, verifying the audit. f must pass its context to
// its statements, or each would end after statementBound.
func (db *DB) InLongTx(ctx context.Context, options *sql.TxOptions, f func(ctx context.Context, tx *sqlx.Tx) error) error {
	ctx, cancel := forLong(ctx)
	defer cancel()
	return db.inTx(ctx, options, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, longTimeouts); err != nil {
			return fmt.Errorf("set longer timeouts: %w", err)
		}
		return f(ctx, tx)
	})
}

// forLong sets a deadline if ctx has none.
func forLong(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, longest)
}

// Now returns the database's clock.
func Now(ctx context.Context, q Queryer) (time.Time, error) {
	var now time.Time
	err := q.GetContext(ctx, &now, `select app_now()`)
	return now, err
}
