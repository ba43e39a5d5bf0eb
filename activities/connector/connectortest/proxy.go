package connectortest

import (
	"bytes"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxyMode is what a proxy does with its connections.
type proxyMode int

const (
	forwarding proxyMode = iota
	swallowing           // accepts connections and forwards nothing
	closing              // closes every connection, including open ones
)

// proxy is a TCP proxy between a connector and its target.
type proxy struct {
	listener net.Listener
	target   string

	mu        sync.Mutex
	mode      proxyMode
	loseAfter string        // once a client has sent this, responses are lost
	losing    bool          // a client has sent loseAfter
	received  chan struct{} // closed at the next bytes from a client
	conns     map[net.Conn]struct{}
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, target: target, received: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	var running sync.WaitGroup
	running.Go(func() { p.accept(&running) })
	t.Cleanup(func() {
		_ = listener.Close() // ends accept
		p.setMode(closing)   // ends the rest
		running.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// setMode changes the mode for all connections, including open ones.
func (p *proxy) setMode(mode proxyMode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
	p.loseAfter, p.losing = "", false
	if mode == closing {
		p.closeAll()
	}
}

// closeAll closes all open connections. The caller holds mu.
func (p *proxy) closeAll() {
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// closeOnce closes all open connections and accepts new ones.
func (p *proxy) closeOnce() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeAll()
}

// loseResponsesAfter forwards everything to the target, and no response once a client has sent marker.
func (p *proxy) loseResponsesAfter(marker string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.loseAfter, p.losing = forwarding, marker, false
}

// nextReceived returns a channel that is closed when a client next sends something.
func (p *proxy) nextReceived() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.received = make(chan struct{})
	return p.received
}

func (p *proxy) accept(running *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !p.keep(client, server) {
			continue
		}
		running.Go(func() { p.pipe(client, server, p.fromClient) })
		running.Go(func() { p.pipe(server, client, p.fromServer) })
	}
}

func (p *proxy) keep(client, server net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == closing {
		_, _ = client.Close(), server.Close()
		return false
	}
	p.conns[client], p.conns[server] = struct{}{}, struct{}{}
	return true
}

// pipe copies what passes accepts from one connection to the other, until either is closed.
func (p *proxy) pipe(from, to net.Conn, passes func([]byte) bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && passes(buffer[:n]) {
			_, err = to.Write(buffer[:n])
		}
		if err != nil {
			break
		}
	}
	_, _ = from.Close(), to.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, from)
	delete(p.conns, to)
}

func (p *proxy) fromClient(data []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.received:
	default:
		close(p.received)
	}
	if p.loseAfter != "" && bytes.Contains(data, []byte(p.loseAfter)) {
		p.losing = true
	}
	return p.mode == forwarding
}

func (p *proxy) fromServer([]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode == forwarding && !p.losing
}
