package main

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/worker/program"
)

// quiet is a proxy for PostgreSQL that can withhold its responses: connections stay open without an answer.
type quiet struct {
	address string

	mu     sync.Mutex
	silent bool
	speak  chan struct{} // closed when it is not silent
	after  string        // it falls silent when a client has sent this; empty: never
}

func newQuiet(t *testing.T, server string) *quiet {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	q := &quiet{address: listener.Addr().String(), speak: make(chan struct{})}
	close(q.speak)
	t.Cleanup(func() {
		_ = listener.Close() // the test is over
		q.be(false)
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go q.serve(client, server)
		}
	}()
	return q
}

// be makes it silent, or ends that.
func (q *quiet) be(silent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if silent == q.silent {
		return
	}
	if q.silent = silent; silent {
		q.speak = make(chan struct{})
	} else {
		close(q.speak)
	}
}

// silenceAfter makes it silent once a client has sent a text, which reaches the server.
func (q *quiet) silenceAfter(text string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.after = text
}

// sent looks at what a client sends.
func (q *quiet) sent(b []byte) {
	q.mu.Lock()
	falls := q.after != "" && bytes.Contains(b, []byte(q.after))
	if falls {
		q.after = ""
	}
	q.mu.Unlock()
	if falls {
		q.be(true)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func (q *quiet) serve(client net.Conn, server string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close()
	go func() {
		_, _ = io.Copy(upstream, readerFunc(func(b []byte) (int, error) {
			n, err := client.Read(b)
			q.sent(b[:n])
			return n, err
		})) // the connection is closed then
		_ = upstream.Close() // ends the other direction too
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := upstream.Read(buffer)
		if err != nil {
			return
		}
		q.mu.Lock()
		speak := q.speak
		q.mu.Unlock()
		<-speak
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// onBothTransportsSilent is onBothTransports with a database that can be made silent.
func onBothTransportsSilent(t *testing.T, test func(s *stage, q *quiet)) {
	for _, socket := range []bool{false, true} {
		t.Run(transport(socket), func(t *testing.T) {
			var q *quiet
			s := newStage(t, 1, socket, func(c *config) {
				u, err := url.Parse(c.DatabaseURL.Reveal())
				require.NoError(t, err)
				q = newQuiet(t, u.Host)
				u.Host = q.address
				c.DatabaseURL = program.Secret(u.String())
			})
			test(s, q)
		})
	}
}
