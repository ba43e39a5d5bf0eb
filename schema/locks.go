package schema

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Lock names an advisory lock in the database. It ends with its connection, so a program that is gone holds none.
type Lock string

// SweepLock is held by the worker that sweeps.
const SweepLock Lock = "sweep"

// MessagesLock is held while a request's messages are synced, NotificationLock while those of a notification are.
func MessagesLock(requestID int64) Lock { return Lock(fmt.Sprintf("messages:%d", requestID)) }
func NotificationLock(id int64) Lock    { return Lock(fmt.Sprintf("notification:%d", id)) } //nolint:revive // documented above

// Try takes the lock on a pinned connection. False: another connection holds it.
func (l Lock) Try(ctx context.Context, conn *sqlx.Conn) (bool, error) {
	var locked bool
	if err := conn.GetContext(ctx, &locked, `select pg_try_advisory_lock(hashtextextended($1, 0))`, string(l)); err != nil {
		return false, fmt.Errorf("take the lock %s: %w", l, err)
	}
	return locked, nil
}

// Release releases the lock, even if ctx is done. On an error the connection is dropped: the lock may have been lost, or would
// stay with it.
func (l Lock) Release(ctx context.Context, conn *sqlx.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	var held bool
	err := conn.GetContext(ctx, &held, `select pg_advisory_unlock(hashtextextended($1, 0))`, string(l))
	if err == nil && held {
		return nil
	}
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // makes database/sql drop it
	if err == nil {
		return fmt.Errorf("the lock %s was lost", l)
	}
	return fmt.Errorf("release the lock %s: %w", l, err)
}

// Holding calls do with a connection that holds the lock. It returns false, and does nothing, while the lock is held elsewhere.
func (db *DB) Holding(ctx context.Context, l Lock, do func(conn *sqlx.Conn) error) (bool, error) {
	conn, err := db.Connx(ctx)
	if err != nil {
		return false, fmt.Errorf("take the lock %s: %w", l, err)
	}
	defer conn.Close() // back to the pool, or gone
	locked, err := l.Try(ctx, conn)
	if err != nil || !locked {
		return false, err
	}
	defer l.Release(ctx, conn) //nolint:errcheck // then the connection is dropped, and what was done stays done
	return true, do(conn)
}
