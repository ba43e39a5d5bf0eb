package postgresql

import (
	"context"
	"database/sql"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema/pgdial"
)

// newPool opens a connection only when one is needed.
func newPool(config pq.Config) *sqlx.DB {
	pool := sql.OpenDB(pgdial.NewConnector(config, pgdial.Options{Bound: callTimeout, CheckIdle: true}))
	pool.SetMaxOpenConns(4)
	pool.SetMaxIdleConns(1)
	pool.SetConnMaxIdleTime(time.Minute)
	return sqlx.NewDb(pool, "postgres")
}

// inTx runs f in a transaction, so that what it looks at and what it does are
// one thing, and nothing is done by a call that was given up before its commit.
func inTx(ctx context.Context, pool *sqlx.DB, f func(tx *sqlx.Tx) error) error {
	tx, err := pool.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // where it fails, the connection is lost, and the server rolls back
		return err
	}
	return tx.Commit()
}
