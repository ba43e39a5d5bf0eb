package connectortest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

// promptly is how long a call that should return at once may take on a busy machine.
const promptly = 2 * time.Second

// within calls f and fails t if it takes longer than limit.
func within(t *testing.T, limit time.Duration, f func() error) error {
	t.Helper()
	start := time.Now()
	err := f()
	require.Less(t, time.Since(start), limit, "%v", err)
	return err
}

// calls returns every call of a connector that takes an assignment.
func calls(c connector.Connector, a connector.Assignment) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Read":   func(ctx context.Context) error { _, err := c.Read(ctx, a); return err },
		"Grant":  func(ctx context.Context) error { return c.Grant(ctx, a) },
		"Revoke": func(ctx context.Context) error { return c.Revoke(ctx, a) },
	}
}

func opensWhileDown(t *testing.T, h Harness) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())

	c := openAt(t, h, addr)
	for _, call := range calls(c, newAssignment(t, h)) {
		requireClass(t, connector.ClassUnavailable, within(t, h.CallTimeout()+promptly, func() error { return call(t.Context()) }))
	}
}

func neverAnswers(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), newAssignment(t, h)
	c := openAt(t, h, p.addr())
	p.setMode(swallowing)
	for _, held := range []bool{true, false} {
		requireClass(t, connector.ClassUnavailable, within(t, h.CallTimeout()+promptly, func() error {
			return connector.Ensure(t.Context(), c, a, held)
		}))
	}
	p.setMode(forwarding)
	require.NoError(t, connector.Ensure(t.Context(), c, a, true))
	requireHeld(t, h, c, a, true)
}

func stopsAnswering(t *testing.T, h Harness) {
	a := newAssignment(t, h)
	var running sync.WaitGroup
	for name := range calls(nil, a) {
		p := newProxy(t, h.Addr())
		c := openAt(t, h, p.addr())
		_, err := c.Read(t.Context(), a) // opens a connection
		require.NoError(t, err)
		p.setMode(swallowing)
		running.Go(func() {
			start := time.Now()
			err := calls(c, a)[name](t.Context())
			assert.Equal(t, connector.ClassUnavailable, connector.ClassOf(err), "%s: %v", name, err)
			assert.Less(t, time.Since(start), h.CallTimeout()+promptly, name)
		})
	}
	running.Wait()
	require.False(t, h.Holds(t, a))
}

func lostConnection(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), newAssignment(t, h)
	c := openAt(t, h, p.addr())
	for _, held := range []bool{true, false} {
		p.setMode(closing)
		for _, call := range calls(c, a) {
			requireClass(t, connector.ClassUnavailable, within(t, h.CallTimeout()+promptly, func() error { return call(t.Context()) }))
		}
		p.setMode(forwarding)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		requireHeld(t, h, c, a, held)
	}
}

func diesWhileIdle(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), newAssignment(t, h)
	c := openAt(t, h, p.addr())
	for range 3 {
		for name, call := range calls(c, a) {
			require.NoError(t, call(t.Context()))
			p.closeOnce()
			require.NoError(t, call(t.Context()), name)
		}
	}
}

func lostResponse(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), newAssignment(t, h)
	c := openAt(t, h, p.addr())
	for _, held := range []bool{true, false} {
		p.loseResponsesAfter(h.ChangeMarker())
		requireClass(t, connector.ClassUnavailable, within(t, h.CallTimeout()+promptly, func() error {
			return connector.Ensure(t.Context(), c, a, held)
		}))
		require.Equal(t, held, h.Holds(t, a), "the change was made, only the response is missing")
		p.setMode(forwarding)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		requireHeld(t, h, c, a, held)
	}
}

func cancelled(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), newAssignment(t, h)
	c := openAt(t, h, p.addr())
	for _, connected := range []bool{false, true} {
		for _, call := range calls(c, a) {
			if connected {
				p.setMode(forwarding)
				_, err := c.Read(t.Context(), a)
				require.NoError(t, err)
			}
			p.setMode(swallowing)
			ctx, cancel := context.WithCancel(t.Context())
			received, result := p.nextReceived(), make(chan error, 1)
			go func() { result <- call(ctx) }()
			<-received
			cancel()
			requireCancelled(t, within(t, promptly, func() error { return <-result }))
			requireCancelled(t, call(ctx)) // cancelled before it starts
			p.setMode(closing)             // closes the remaining connections
		}
	}
	require.False(t, h.Holds(t, a))
}

// requireCancelled requires the context's error, without a class.
func requireCancelled(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, context.Canceled)
	var unavailable *connector.Unavailable
	require.NotErrorAs(t, err, &unavailable)
}

func deadline(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), newAssignment(t, h)
	c := openAt(t, h, p.addr())
	p.setMode(swallowing)
	for _, call := range calls(c, a) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := within(t, promptly, func() error { return call(ctx) })
		cancel()
		requireClass(t, connector.ClassUnavailable, err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
}

func badCredentials(t *testing.T, h Harness) {
	c, secret := h.OpenWithBadCredentials(t)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	for _, call := range calls(c, newAssignment(t, h)) {
		err := call(t.Context())
		requireClass(t, connector.ClassDenied, err)
		require.NotContains(t, err.Error(), secret)
	}
}
