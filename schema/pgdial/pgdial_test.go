package pgdial_test

import (
	"bytes"
	"context"
	"database/sql"
	"net"
	"net/url"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/pgdial"
	"accessbot/schema/schematest"
)

const (
	// limit is the deadline of every call, and moment how much later it may return on a busy machine.
	limit  = 500 * time.Millisecond
	moment = 2 * time.Second
)

func open(t *testing.T, url string, conns int, bound time.Duration) *sql.DB {
	t.Helper()
	config, err := pq.NewConfig(url)
	require.NoError(t, err)
	db := sql.OpenDB(pgdial.NewConnector(config, pgdial.Options{Bound: bound}))
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	t.Cleanup(func() { _ = db.Close() }) // the test is over
	return db
}

// within runs a call that must fail at its deadline.
func within(t *testing.T, what string, call func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	err := call(ctx)
	assert.Error(t, err, what)
	assert.Less(t, time.Since(began), limit+moment, "%s: %v", what, err)
}

func TestSilentServer(t *testing.T) {
	server := schematest.StartServer(t)
	const conns = 6
	db := open(t, server.URL+"&connect_timeout=1", conns, limit)
	exec := func(query string) error {
		_, err := db.ExecContext(t.Context(), query)
		return err
	}
	require.NoError(t, exec(`create table kept (n int)`))

	t.Run("no call outlives its context, and all works again without a restart", func(t *testing.T) {
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close() // it may be gone
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), `insert into kept values (1)`)
		require.NoError(t, err)
		bounded, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		ending, err := db.BeginTx(bounded, nil)
		require.NoError(t, err)
		prepared, err := db.PrepareContext(t.Context(), `select 1`)
		require.NoError(t, err)
		t.Cleanup(func() { _ = prepared.Close() })                                                                           // as above
		reading, err := db.QueryContext(bounded, `select pg_sleep(0.01), repeat('x', 100000) from generate_series(1, 1000)`) //nolint:rowserrcheck,sqlclosecheck // closed below, and what is read is lost
		require.NoError(t, err)
		defer reading.Close() // as above

		server.Stop()
		var group sync.WaitGroup
		for what, call := range map[string]func(ctx context.Context) error{
			"a query on a pinned connection":       func(ctx context.Context) error { _, err := conn.ExecContext(ctx, `select 1`); return err },
			"a commit without a deadline":          func(context.Context) error { return tx.Commit() },
			"a commit at the deadline":             func(context.Context) error { return ending.Commit() },
			"a prepared statement":                 func(ctx context.Context) error { _, err := prepared.ExecContext(ctx); return err },
			"a ping, and with it a new connection": func(ctx context.Context) error { return db.PingContext(ctx) },
			"rows that were being read": func(context.Context) error {
				for reading.Next() {
				}
				return reading.Err()
			},
		} {
			group.Go(func() { within(t, what, call) })
		}
		for range 3 * conns { // more than the pool has
			group.Go(func() {
				within(t, "a transaction", func(ctx context.Context) error {
					tx, err := db.BeginTx(ctx, nil)
					if err != nil {
						return err
					}
					return tx.Commit()
				})
			})
		}
		group.Wait()
		within(t, "a query without a deadline", func(context.Context) error { return exec(`select 1`) })

		server.Continue()
		require.Eventually(t, func() bool { return exec(`select 1`) == nil }, 30*time.Second, 50*time.Millisecond)
	})

	t.Run("nothing is left behind", func(t *testing.T) {
		require.Eventually(t, func() bool { return db.Stats().InUse == 0 }, 30*time.Second, 50*time.Millisecond, "connections of the pool")
		require.Eventually(t, func() bool {
			var n int
			err := db.QueryRowContext(t.Context(), `select count(*) from pg_stat_activity where backend_type = 'client backend'`).Scan(&n)
			return err == nil && n <= conns
		}, 30*time.Second, 100*time.Millisecond, "connections on the server")
		db.SetMaxIdleConns(0)
		stacks := make([]byte, 1<<20)
		require.Eventually(t, func() bool {
			return !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("lib/pq"))
		}, 30*time.Second, 100*time.Millisecond, "goroutines of lib/pq")
	})
}

func TestStatementBound(t *testing.T) {
	server := schematest.ServerURL(t).String()
	t.Run("a statement without a deadline ends at the bound, and on the server too", func(t *testing.T) {
		db := open(t, server, 1, limit)
		began := time.Now()
		_, err := db.ExecContext(t.Context(), `select pg_sleep(60) /* bounded */`)
		require.Error(t, err)
		assert.Less(t, time.Since(began), limit+moment)
		require.Eventually(t, func() bool {
			var running bool
			err := db.QueryRowContext(t.Context(), `select exists (select from pg_stat_activity
				where query like '%/* bounded */' and pid <> pg_backend_pid() and state = 'active')`).Scan(&running)
			return err == nil && !running
		}, 10*time.Second, 50*time.Millisecond, "the server was asked to cancel it")
	})
	t.Run("a deadline that is later than the bound holds", func(t *testing.T) {
		db := open(t, server, 1, 100*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := db.ExecContext(ctx, `select pg_sleep(0.3)`)
		require.NoError(t, err)
	})
	t.Run("a transaction may take longer than the bound of its operations", func(t *testing.T) {
		db := open(t, server, 1, 500*time.Millisecond)
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		for range 4 {
			_, err = tx.ExecContext(t.Context(), `select pg_sleep(0.2)`)
			require.NoError(t, err)
		}
		require.NoError(t, tx.Commit())
	})
}

func TestServerThatAcceptsAndNeverAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() }) // its backlog accepts connections
	u := url.URL{Scheme: "postgres", User: url.User("ann"), Host: listener.Addr().String(), Path: "/none", RawQuery: "sslmode=disable"}
	db := open(t, u.String(), 2, time.Minute)
	for range 3 {
		within(t, "a connection", db.PingContext)
	}
	u.RawQuery += "&connect_timeout=1"
	db = open(t, u.String(), 2, time.Minute)
	began := time.Now()
	require.Error(t, db.PingContext(t.Context()))
	assert.Less(t, time.Since(began), 10*time.Second, "connect_timeout holds without a deadline")
}
