package pgdial

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lib/pq"
)

// session is a connection of lib/pq and its socket.
type session struct {
	pqConn
	socket  *socket
	options Options
}

// pqConn is what database/sql uses of lib/pq's connection.
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

// cancelFirst is how long the server has to cancel a statement before the socket is closed.
const cancelFirst = 100 * time.Millisecond

// during closes the socket when ctx ends, until stop is called. It sets a deadline if ctx has none.
func (s *session) during(ctx context.Context) (bounded context.Context, stop func()) {
	cancel := func() {}
	if _, has := ctx.Deadline(); !has {
		ctx, cancel = context.WithTimeout(ctx, s.options.Bound)
	}
	over := make(chan struct{})
	unneeded := context.AfterFunc(ctx, func() {
		// Not at once: lib/pq asks the server to cancel the statement only while the socket is open.
		late := time.NewTimer(cancelFirst)
		defer late.Stop()
		select {
		case <-late.C:
			s.socket.close()
		case <-over:
		}
	})
	return ctx, sync.OnceFunc(func() {
		unneeded()
		close(over)
		cancel()
	})
}

// ended returns the context's error if that caused err. It hides driver.ErrBadConn, or database/sql would run the statement
// again.
func ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || pq.As(err) != nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: PostgreSQL did not answer in time (%v)", ctx.Err(), err) //nolint:errorlint // hidden on purpose
}

func (s *session) BeginTx(ctx context.Context, options driver.TxOptions) (_ driver.Tx, err error) {
	defer s.socket.guard(&err)
	bounded, stop := s.during(ctx)
	defer stop()
	inner, err := s.pqConn.BeginTx(ctx, options) // it watches ctx until the transaction is over
	if err != nil {
		return nil, ended(bounded, err)
	}
	return transaction{inner, s, ctx}, nil
}

func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (_ driver.Result, err error) {
	defer s.socket.guard(&err)
	ctx, stop := s.during(ctx)
	defer stop()
	result, err := s.pqConn.ExecContext(ctx, query, args)
	return result, ended(ctx, err)
}

func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return s.query(ctx, func(ctx context.Context) (driver.Rows, error) { return s.pqConn.QueryContext(ctx, query, args) })
}

// query also watches the rows, until they are closed.
func (s *session) query(ctx context.Context, do func(ctx context.Context) (driver.Rows, error)) (_ driver.Rows, err error) {
	ctx, stop := s.during(ctx)
	defer func() {
		if err != nil {
			stop()
		}
	}()
	defer s.socket.guard(&err)
	inner, err := do(ctx)
	if err != nil {
		return nil, ended(ctx, err)
	}
	return rows{inner, s, ctx, stop}, nil
}

func (s *session) PrepareContext(ctx context.Context, query string) (_ driver.Stmt, err error) {
	defer s.socket.guard(&err)
	ctx, stop := s.during(ctx)
	defer stop()
	inner, err := s.pqConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, ended(ctx, err)
	}
	return statement{inner, s}, nil
}

func (s *session) Ping(ctx context.Context) (err error) {
	defer s.socket.guard(&err)
	ctx, stop := s.during(ctx)
	defer stop()
	return ended(ctx, s.pqConn.Ping(ctx))
}

// ResetSession runs before a pooled connection is used again.
func (s *session) ResetSession(ctx context.Context) error {
	if !s.socket.open() {
		return driver.ErrBadConn
	}
	if err := s.pqConn.ResetSession(ctx); err != nil || !s.options.CheckIdle {
		return err
	}
	return s.Ping(ctx)
}

// IsValid implements driver.Validator: a closed socket does not go back to the pool.
func (s *session) IsValid() bool { return s.socket.open() && s.pqConn.IsValid() }

func (s *session) Close() (err error) {
	defer s.socket.guard(&err)
	late := time.AfterFunc(closeTimeout, s.socket.close)
	defer late.Stop()
	return s.pqConn.Close()
}

// transaction ends within the context in which it began.
type transaction struct {
	driver.Tx
	session *session
	ctx     context.Context // database/sql's Commit and Rollback have none
}

func (t transaction) Commit() error   { return t.end(t.Tx.Commit) }
func (t transaction) Rollback() error { return t.end(t.Tx.Rollback) }

func (t transaction) end(do func() error) (err error) {
	defer t.session.socket.guard(&err)
	ctx, stop := t.session.during(t.ctx)
	defer stop()
	return ended(ctx, do())
}

// rows are read within the context of their query.
type rows struct {
	driver.Rows
	session *session
	ctx     context.Context // database/sql's Next and Close have none
	stop    func()
}

func (r rows) Next(values []driver.Value) (err error) {
	defer r.session.socket.guard(&err)
	return ended(r.ctx, r.Rows.Next(values)) // io.EOF too: rows may be missing
}

func (r rows) Close() (err error) {
	defer r.stop()
	defer r.session.socket.guard(&err)
	return r.Rows.Close()
}

// statement is a prepared statement or a COPY.
type statement struct {
	driver.Stmt
	session *session
}

func (st statement) ExecContext(ctx context.Context, args []driver.NamedValue) (result driver.Result, err error) {
	defer st.session.socket.guard(&err)
	ctx, stop := st.session.during(ctx)
	defer stop()
	if inner, ok := st.Stmt.(driver.StmtExecContext); ok {
		result, err = inner.ExecContext(ctx, args)
	} else {
		result, err = st.Exec(values(args)) // lib/pq's COPY has nothing else
	}
	return result, ended(ctx, err)
}

func (st statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return st.session.query(ctx, func(ctx context.Context) (driver.Rows, error) {
		if inner, ok := st.Stmt.(driver.StmtQueryContext); ok {
			return inner.QueryContext(ctx, args)
		}
		return st.Query(values(args)) // as above
	})
}

func (st statement) Close() (err error) {
	defer st.session.socket.guard(&err)
	late := time.AfterFunc(closeTimeout, st.session.socket.close)
	defer late.Stop()
	return st.Stmt.Close()
}

func values(args []driver.NamedValue) []driver.Value {
	list := make([]driver.Value, len(args))
	for i, a := range args {
		list[i] = a.Value
	}
	return list
}
