package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// session is one connection, bound as bind_dn. The LDAP library does not support contexts, so when the context of a step ends,
// its socket is closed.
type session struct {
	conn  *ldap.Conn
	bound time.Duration // of a step

	mu     sync.Mutex
	socket *socket
}

// call checks the names of an assignment and runs f on a new connection, all within c.bound.
func (c *Connector) call(ctx context.Context, a connector.Assignment, f func(s *session) error) error {
	if err := checkNames(a); err != nil {
		return err
	}
	s := &session{bound: c.bound}
	defer s.close()
	return c.classify(ctx, s.step(ctx, func(ctx context.Context) error {
		if err := c.connect(ctx, s); err != nil {
			return err
		}
		return f(s)
	}))
}

// withSession runs f on a new connection, without a limit beyond that of each step.
func (c *Connector) withSession(ctx context.Context, f func(s *session) error) error {
	s := &session{bound: c.bound}
	defer s.close()
	if err := s.step(ctx, func(ctx context.Context) error { return c.connect(ctx, s) }); err != nil {
		return err
	}
	return f(s)
}

// step runs f, which calls the server, within s.bound.
func (s *session) step(ctx context.Context, f func(ctx context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, s.bound)
	defer cancel()
	defer context.AfterFunc(bounded, s.closeSocket)()
	err := bounded.Err()
	if err == nil {
		err = f(bounded)
	}
	if err != nil && bounded.Err() != nil && !errors.Is(err, bounded.Err()) {
		err = fmt.Errorf("%w: %w", bounded.Err(), err)
	}
	return err
}

func (s *session) closeSocket() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket != nil {
		_ = s.socket.Close() // pending reads and writes fail
	}
}

// close closes the connection. It closes the socket first, as an unbind could block on a server that no longer reads.
func (s *session) close() {
	s.closeSocket()
	if s.conn != nil {
		_ = s.conn.Close() // its socket is already closed
	}
}

// connect dials, encrypts and binds.
func (c *Connector) connect(ctx context.Context, s *session) error {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	sock := &socket{Conn: raw}
	s.mu.Lock()
	s.socket = sock
	s.mu.Unlock()
	if ctx.Err() != nil { // it ended before s.socket was set
		s.closeSocket()
	}
	var network net.Conn = sock
	if c.tls != nil && !c.startTLS {
		encrypted := tls.Client(sock, c.tls)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return sock.tlsError(ctx, err)
		}
		network = encrypted
	}
	s.conn = ldap.NewConn(network, c.tls != nil && !c.startTLS)
	s.conn.Start()
	if c.startTLS {
		if err := s.conn.StartTLS(c.tls); err != nil {
			return startTLSError(ctx, sock, err)
		}
	}
	return s.conn.Bind(c.bindDN, c.password.Reveal())
}

func startTLSError(ctx context.Context, sock *socket, err error) error {
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultProtocolError):
		return &connector.Denied{Err: err, Fix: "give the server a certificate, or set url to ldaps://: it does not support StartTLS"}
	case ldap.IsErrorWithCode(err, ldap.ErrorNetwork):
		return sock.tlsError(ctx, err)
	default:
		return err
	}
}

// socket records whether the network failed. The library returns the same error for that and for a failed TLS handshake.
type socket struct {
	net.Conn
	broken atomic.Bool
}

func (s *socket) Read(data []byte) (int, error) {
	n, err := s.Conn.Read(data)
	if err != nil {
		s.broken.Store(true)
	}
	return n, err
}

func (s *socket) Write(data []byte) (int, error) {
	n, err := s.Conn.Write(data)
	if err != nil {
		s.broken.Store(true)
	}
	return n, err
}

func (s *socket) tlsError(ctx context.Context, err error) error {
	if ctx.Err() != nil || s.broken.Load() {
		return err
	}
	return &connector.Denied{Err: err, Fix: "check url and ca_file: the server's certificate is not valid for it"}
}
