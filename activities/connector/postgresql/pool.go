package postgresql

import (
	"context"
	"database/sql"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema/pgdial"
)

// newPool returns a pool that opens connections when they are needed.
func newPool(config pq.Config) *sqlx.DB {
	pool := sql.OpenDB(pgdial.NewConnector(config, pgdial.Options{Bound: callTimeout, CheckIdle: true}))
	pool.SetMaxOpenConns(4)
	pool.SetMaxIdleConns(1)
	pool.SetConnMaxIdleTime(time.Minute)
	return sqlx.NewDb(pool, "postgres")
}

// inTx runs f in a transaction, so that its reads and changes are consistent, and a call that was aborted before its commit
// changes nothing.
func inTx(ctx context.Context, pool *sqlx.DB, f func(tx *sqlx.Tx) error) error {
	tx, err := pool.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // if it fails, the connection is lost, and the server rolls back
		return err
	}
	return tx.Commit()
}
