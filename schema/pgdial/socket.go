package pgdial

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// cancelTimeout bounds the connections on which lib/pq asks for the end of a statement, and waits for the server to
// close them.
const cancelTimeout = 5 * time.Second

// socket dials for one session and keeps what it dialled. Once sealed, it keeps the session's: lib/pq dials again to
// send a cancel request.
type socket struct {
	dialer net.Dialer
	mu     sync.Mutex
	conn   net.Conn
	sealed bool
	closed bool
}

func newSocket() *socket {
	return &socket{dialer: net.Dialer{
		// A host that is gone is found also while nothing is sent.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
		Control:         setUserTimeout,
	}}
}

// DialContext implements pq.DialerContext.
func (s *socket) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := s.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed {
		return conn, conn.SetDeadline(time.Now().Add(cancelTimeout))
	}
	s.conn = conn
	return conn, nil
}

// Dial and DialTimeout are only here because lib/pq's Dialer has them: DialContext is used.
func (s *socket) Dial(network, address string) (net.Conn, error) {
	return s.DialTimeout(network, address, connectTimeout)
}

// DialTimeout is like Dial.
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

// close cuts the connection under its user, who learns it from there.
func (s *socket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn != nil {
		_ = s.conn.Close() // it is to be gone, and that is all
	}
}

func (s *socket) open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed
}

// guard turns a panic into an error, and ends the connection, on which nothing can be understood any more. It is to be
// deferred. lib/pq panics where a server's message is shorter than it has to be, also in goroutines of database/sql,
// where that would end the program.
func (s *socket) guard(err *error) {
	if p := recover(); p != nil {
		s.close()
		*err = fmt.Errorf("PostgreSQL answered with something that makes no sense: %v", p)
	}
}
