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

// session is one connection, bound as bind_dn. The LDAP library knows no
// contexts, so the end of a step's context closes the socket under it.
type session struct {
	conn  *ldap.Conn
	bound time.Duration // of a step

	mu     sync.Mutex
	socket *socket
}

// call runs f on a connection of its own, all of it in at most c.bound, for an
// assignment whose names can be meant.
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

// long runs f on a connection of its own, for as long as its steps take.
func (c *Connector) long(ctx context.Context, f func(s *session) error) error {
	s := &session{bound: c.bound}
	defer s.close()
	if err := s.step(ctx, func(ctx context.Context) error { return c.connect(ctx, s) }); err != nil {
		return err
	}
	return f(s)
}

// step runs f, which talks to the server, in at most s.bound.
func (s *session) step(ctx context.Context, f func(ctx context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, s.bound)
	defer cancel()
	defer context.AfterFunc(bounded, s.cut)()
	err := bounded.Err()
	if err == nil {
		err = f(bounded)
	}
	if err != nil && bounded.Err() != nil && !errors.Is(err, bounded.Err()) {
		err = fmt.Errorf("%w: %w", bounded.Err(), err)
	}
	return err
}

func (s *session) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket != nil {
		_ = s.socket.Close() // who waits on it learns it from there
	}
}

// close ends the connection. It cuts it first: a polite end could wait for a
// server that takes nothing any more.
func (s *session) close() {
	s.cut()
	if s.conn != nil {
		_ = s.conn.Close() // its socket is closed already, and says so
	}
}

// connect dials, encrypts and binds.
func (c *Connector) connect(ctx context.Context, s *session) error {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	kept := &socket{Conn: raw}
	s.mu.Lock()
	s.socket = kept
	s.mu.Unlock()
	if ctx.Err() != nil { // ended before there was something to cut
		s.cut()
	}
	var network net.Conn = kept
	if c.tls != nil && !c.startTLS {
		encrypted := tls.Client(kept, c.tls)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return kept.tlsError(ctx, err)
		}
		network = encrypted
	}
	s.conn = ldap.NewConn(network, c.tls != nil && !c.startTLS)
	s.conn.Start()
	if c.startTLS {
		if err := s.conn.StartTLS(c.tls); err != nil {
			return startTLSError(ctx, kept, err)
		}
	}
	return s.conn.Bind(c.bindDN, c.password.Reveal())
}

func startTLSError(ctx context.Context, kept *socket, err error) error {
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultProtocolError):
		return &connector.Denied{Err: err, Do: "grant the server a certificate, or set url to ldaps://: it knows no StartTLS"}
	case ldap.IsErrorWithCode(err, ldap.ErrorNetwork):
		return kept.tlsError(ctx, err)
	default:
		return err
	}
}

// socket remembers whether the network failed, which tells it apart from a TLS
// handshake that did: the library makes one error of both.
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
	return &connector.Denied{Err: err, Do: "check url and ca_file: the server there does not prove by TLS that it is that one"}
}
