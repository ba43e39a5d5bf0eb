package connectortest

import (
	"bytes"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// weather is what a proxy does with what passes through it.
type weather int

const (
	fair       weather = iota
	swallowing         // connections are taken, nothing comes through
	cutting            // every connection is closed, old ones too
)

// proxy is a network of our own making between a connector and its target.
type proxy struct {
	listener net.Listener
	target   string

	mu       sync.Mutex
	weather  weather
	loseFrom string        // once the client has sent this, its answers are lost
	lost     bool          // ... and it has
	heard    chan struct{} // closed at the next bytes from a client
	conns    map[net.Conn]struct{}
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, target: target, heard: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	var running sync.WaitGroup
	running.Go(func() { p.accept(&running) })
	t.Cleanup(func() {
		_ = listener.Close() // ends accept
		p.turn(cutting)      // ends the rest
		running.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// turn changes the weather for all connections, those that are open too.
func (p *proxy) turn(w weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	p.loseFrom, p.lost = "", false
	if w == cutting {
		p.closeAll()
	}
}

// closeAll cuts what is open now. The caller holds mu.
func (p *proxy) closeAll() {
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// cutOnce closes all open connections; new ones are fine.
func (p *proxy) cutOnce() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeAll()
}

// loseAnswersFrom lets everything through to the target, but nothing back once
// a client has sent marker.
func (p *proxy) loseAnswersFrom(marker string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather, p.loseFrom, p.lost = fair, marker, false
}

// nextHeard is closed when a client sends something from now on.
func (p *proxy) nextHeard() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = make(chan struct{})
	return p.heard
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
	if p.weather == cutting {
		_, _ = client.Close(), server.Close()
		return false
	}
	p.conns[client], p.conns[server] = struct{}{}, struct{}{}
	return true
}

// pipe carries what passes from one side to the other, until either is closed.
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
	case <-p.heard:
	default:
		close(p.heard)
	}
	if p.loseFrom != "" && bytes.Contains(data, []byte(p.loseFrom)) {
		p.lost = true
	}
	return p.weather == fair
}

func (p *proxy) fromServer([]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weather == fair && !p.lost
}
