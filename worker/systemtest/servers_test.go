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

// temporalServer is a development server for one test, which may kill it. A file keeps its state.
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

// start starts it, or restarts it with its state.
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
		_ = conn.Close() // only to see that the port is open
		return exec.Command(setting(s.t, "TEST_TEMPORAL_CLI"), "operator", "cluster", "health", "--address", s.address).Run() == nil
	}, 60*time.Second, 200*time.Millisecond, "Temporal is not ready")
}

// kill ends the server as kill -9 does.
func (s *temporalServer) kill() {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Kill())
	_ = s.cmd.Wait() // reports that it was killed
	s.cmd = nil
}

// proxy is in front of a target and can withhold its answers.
type proxy struct {
	url      string
	mutex    sync.Mutex
	triggers []string // once clients have sent these texts, in order, answers are withheld
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
	t.Cleanup(func() { _ = listener.Close() }) // the test is over: the error does not matter
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

// cut makes the target unavailable, or available again: connections end, and new ones are refused.
func (p *proxy) cut(away bool) { p.away.Store(away) }

// answer passes answers on again.
func (p *proxy) answer() { p.silent.Store(false) }

// sent checks what a client sends for the next trigger.
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
		})) // an error ends the connection
		_ = upstream.Close() // ends the other direction too
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
