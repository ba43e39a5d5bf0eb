package postgresql

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// lib/pq panics where a server's message is shorter than it has to be. It is called in goroutines of database/sql and of
// the sweep, in which that would end the program, and with it all other targets' taking back: so it ends here, and with it
// the connection, on which nothing can be understood any more.

// guard turns a panic into an error. It is to be deferred.
func (s *socket) guard(err *error) {
	if p := recover(); p != nil {
		s.close()
		*err = fmt.Errorf("PostgreSQL answered with something that makes no sense: %v", p)
	}
}

func (s *session) BeginTx(ctx context.Context, options driver.TxOptions) (tx driver.Tx, err error) {
	defer s.socket.guard(&err)
	if tx, err = s.pqConn.BeginTx(ctx, options); err != nil {
		return nil, err
	}
	return guardedTx{tx, s.socket}, nil
}

func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	defer s.socket.guard(&err)
	return s.pqConn.ExecContext(ctx, query, args)
}

func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	defer s.socket.guard(&err)
	if rows, err = s.pqConn.QueryContext(ctx, query, args); err != nil {
		return nil, err
	}
	return guardedRows{rows, s.socket}, nil
}

func (s *session) Ping(ctx context.Context) (err error) {
	defer s.socket.guard(&err)
	return s.pqConn.Ping(ctx)
}

type guardedTx struct {
	driver.Tx
	socket *socket
}

func (t guardedTx) Commit() (err error) {
	defer t.socket.guard(&err)
	return t.Tx.Commit()
}

func (t guardedTx) Rollback() (err error) {
	defer t.socket.guard(&err)
	return t.Tx.Rollback()
}

type guardedRows struct {
	driver.Rows
	socket *socket
}

func (r guardedRows) Next(values []driver.Value) (err error) {
	defer r.socket.guard(&err)
	return r.Rows.Next(values)
}

func (r guardedRows) Close() (err error) {
	defer r.socket.guard(&err)
	return r.Rows.Close()
}
