package postgresql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// A target may swallow what is sent to it. lib/pq then waits for an answer even
// after its context has ended, so here the end of a context closes the socket:
// a call never outlasts its context, and is over when it returns.

// newPool opens a connection only when one is needed.
func newPool(config pq.Config) *sqlx.DB {
	pool := sql.OpenDB(opener{config})
	pool.SetMaxOpenConns(4)
	pool.SetMaxIdleConns(1)
	pool.SetConnMaxIdleTime(time.Minute)
	return sqlx.NewDb(pool, "postgres")
}

// inTx runs f in a transaction, so that what it looks at and what it does are
// one thing, and nothing is done by a call that was given up before its commit.
func inTx(ctx context.Context, pool *sqlx.DB, f func(tx *sqlx.Tx) error) error {
	conn, err := pool.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // hands it back to the pool; a dead one is dropped there

	var s *session
	if err := conn.Raw(func(c any) error {
		var ours bool
		if s, ours = c.(*session); !ours {
			return fmt.Errorf("the pool holds a %T", c)
		}
		return nil
	}); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, s.socket.close)()

	tx, err := conn.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // where it fails, the connection is lost, and the server rolls back
		return err
	}
	return tx.Commit()
}

// opener is lib/pq's connector, keeping the socket of each connection.
type opener struct{ config pq.Config }

func (o opener) Driver() driver.Driver { return &pq.Driver{} }

func (o opener) Connect(ctx context.Context) (_ driver.Conn, err error) {
	inner, err := pq.NewConnectorConfig(o.config)
	if err != nil {
		return nil, err
	}
	kept := &socket{}
	defer kept.guard(&err)
	inner.Dialer(kept)
	// lib/pq's handshake knows connect_timeout, but no context.
	stop := context.AfterFunc(ctx, kept.close)
	defer stop()
	conn, err := inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	kept.seal()
	ours, ok := conn.(pqConn)
	if !ok {
		return nil, fmt.Errorf("lib/pq opened a %T", conn)
	}
	return &session{pqConn: ours, socket: kept}, nil
}

// session is a connection of lib/pq and its socket.
type session struct {
	pqConn
	socket *socket
}

// pqConn is all of lib/pq's connection that database/sql makes use of.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// ResetSession runs before a pooled connection is used again. One that died
// while it lay idle is found here, where database/sql takes another instead.
func (s *session) ResetSession(ctx context.Context) error {
	if err := s.pqConn.ResetSession(ctx); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, s.socket.close)()
	return s.Ping(ctx)
}

// socket dials for one session and keeps what it dialled. Once sealed, it keeps
// the session's: lib/pq dials again to send a cancel request.
type socket struct {
	net.Dialer
	mu     sync.Mutex
	conn   net.Conn
	sealed bool
}

func (s *socket) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := s.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sealed {
		s.conn = conn
	}
	return conn, nil
}

// DialTimeout is only here because lib/pq's Dialer has it: DialContext is used.
func (s *socket) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.DialContext(ctx, network, address)
}

func (s *socket) seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
}

// close cuts the connection under whoever waits on it; they learn it from there.
func (s *socket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
	}
}
