package systemtest

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// temporalServer is a development server of the test's own, on a file: it can be killed.
type temporalServer struct {
	t       *testing.T
	address string
	file    string
	cmd     *exec.Cmd
}

func startTemporal(t *testing.T) *temporalServer {
	t.Helper()
	s := &temporalServer{t: t, address: freeAddress(t), file: filepath.Join(t.TempDir(), "temporal.db")}
	s.start()
	t.Cleanup(func() {
		if s.cmd != nil {
			s.kill()
		}
	})
	return s
}

// start starts it, or starts it again on its file.
func (s *temporalServer) start() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.address)
	require.NoError(s.t, err)
	s.cmd = exec.Command(setting(s.t, "TEST_TEMPORAL_CLI"), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", port,
		"--db-filename", s.file, "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL", "--log-level", "error")
	require.NoError(s.t, s.cmd.Start())
	require.Eventually(s.t, func() bool {
		conn, err := net.DialTimeout("tcp", s.address, time.Second)
		if err != nil {
			return false
		}
		_ = conn.Close() // it was only to see that someone listens
		return exec.Command(setting(s.t, "TEST_TEMPORAL_CLI"), "operator", "cluster", "health", "--address", s.address).Run() == nil
	}, 60*time.Second, 200*time.Millisecond, "Temporal does not come up")
}

// kill is kill -9.
func (s *temporalServer) kill() {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Kill())
	_ = s.cmd.Wait() // killed is how it ends
	s.cmd = nil
}

// proxy stands before a target and can keep its answers to itself.
type proxy struct {
	url      string
	mutex    sync.Mutex
	triggers []string // once clients have sent these, one after the other, no answer reaches them any more
	silent   atomic.Bool
	away     atomic.Bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	u, err := url.Parse(target)
	require.NoError(t, err)
	server := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() }) // the test is over
	u.Host = listener.Addr().String()
	p := &proxy{url: u.String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client, server)
		}
	}()
	return p
}

func (p *proxy) swallowAnswersAfter(texts ...string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.triggers = texts
}

// cut takes the target away, or brings it back: connections end, and no new one comes through.
func (p *proxy) cut(away bool) { p.away.Store(away) }

// answer lets answers through again.
func (p *proxy) answer() { p.silent.Store(false) }

// sent looks at what a client sends on its way to the target.
func (p *proxy) sent(b []byte) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if len(p.triggers) > 0 && bytes.Contains(bytes.ToUpper(b), []byte(p.triggers[0])) {
		p.triggers = p.triggers[1:]
		p.silent.Store(len(p.triggers) == 0)
	}
}

func (p *proxy) serve(client net.Conn, server string) {
	defer client.Close()
	if p.away.Load() {
		return
	}
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close()
	go func() {
		_, _ = io.Copy(upstream, readerFunc(func(b []byte) (int, error) {
			n, err := client.Read(b)
			p.sent(b[:n])
			return n, err
		})) // the connection is over then
		_ = upstream.Close() // so that the other direction ends too
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := upstream.Read(buffer)
		if err != nil {
			return
		}
		if p.away.Load() {
			return
		}
		if p.silent.Load() {
			continue
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
