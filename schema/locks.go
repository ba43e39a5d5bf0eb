package schema

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Lock names an advisory lock in the database. It lives as long as the connection on which it was taken: no row says that
// someone holds it who is gone.
type Lock string

// The locks that there is one of. See Assignment.Lock.
const SweepLock Lock = "sweep"

// MessagesLock lets one at a time bring a request's messages up to date, NotificationLock those of a notification.
func MessagesLock(requestID int64) Lock { return Lock(fmt.Sprintf("messages:%d", requestID)) }
func NotificationLock(id int64) Lock    { return Lock(fmt.Sprintf("notification:%d", id)) } //nolint:revive // said above

// Try takes the lock on a pinned connection. False: someone else holds it.
func (l Lock) Try(ctx context.Context, conn *sqlx.Conn) (bool, error) {
	var locked bool
	if err := conn.GetContext(ctx, &locked, `select pg_try_advisory_lock(hashtextextended($1, 0))`, string(l)); err != nil {
		return false, fmt.Errorf("take the lock %s: %w", l, err)
	}
	return locked, nil
}

// Release removes the lock , whatever became of ctx. On an error the connection is dropped, and never used again: the
// lock may have been lost before, or would stay with it.
func (l Lock) Release(ctx context.Context, conn *sqlx.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	var held bool
	err := conn.GetContext(ctx, &held, `select pg_advisory_unlock(hashtextextended($1, 0))`, string(l))
	if err == nil && held {
		return nil
	}
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // this is how database/sql is told to drop it
	if err == nil {
		return fmt.Errorf("the lock %s was lost", l)
	}
	return fmt.Errorf("grant the lock %s back: %w", l, err)
}

// Holding does something on a connection that holds the lock. It answers false, and does nothing, while someone else
// holds it.
func (db *DB) Holding(ctx context.Context, l Lock, do func(conn *sqlx.Conn) error) (bool, error) {
	conn, err := db.Connx(ctx)
	if err != nil {
		return false, fmt.Errorf("take the lock %s: %w", l, err)
	}
	defer conn.Close() // it goes back to the pool, or is gone: both are fine
	locked, err := l.Try(ctx, conn)
	if err != nil || !locked {
		return false, err
	}
	defer l.Release(ctx, conn) //nolint:errcheck // what could not be released is dropped, and what was done is done
	return true, do(conn)
}
