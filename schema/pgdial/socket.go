package pgdial

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// cancelTimeout limits the connections on which lib/pq asks the server to cancel a statement.
const cancelTimeout = 5 * time.Second

// socket dials for one session and keeps its connection. Once sealed, further connections are lib/pq's cancel requests.
type socket struct {
	dialer net.Dialer
	mu     sync.Mutex
	conn   net.Conn
	sealed bool
	closed bool
}

func newSocket() *socket {
	return &socket{dialer: net.Dialer{
		// Finds a host that is gone while nothing is sent.
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

// Dial and DialTimeout are part of lib/pq's Dialer, which uses DialContext.
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

// close closes the connection while it is in use: reads and writes fail.
func (s *socket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn != nil {
		_ = s.conn.Close() // it must be gone, whatever this answers
	}
}

func (s *socket) open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed
}

// guard turns a panic into an error and closes the connection. It must be deferred. lib/pq panics if a server's message is too
// short, also in goroutines of database/sql, which would end the program.
func (s *socket) guard(err *error) {
	if p := recover(); p != nil {
		s.close()
		*err = fmt.Errorf("PostgreSQL sent an invalid message: %v", p)
	}
}
