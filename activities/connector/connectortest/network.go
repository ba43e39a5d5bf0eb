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

// promptly is how late a call may be that should return at once, on a machine
// that is busy.
const promptly = 2 * time.Second

// within calls f and fails t if that takes longer.
func within(t *testing.T, limit time.Duration, f func() error) error {
	t.Helper()
	start := time.Now()
	err := f()
	require.Less(t, time.Since(start), limit, "%v", err)
	return err
}

// calls are all calls that act on an assignment.
func calls(c connector.Connector, a connector.Assignment) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Read":  func(ctx context.Context) error { _, err := c.Read(ctx, a); return err },
		"Grant": func(ctx context.Context) error { return c.Grant(ctx, a) },
		"Take":  func(ctx context.Context) error { return c.Revoke(ctx, a) },
	}
}

func opensWhileDown(t *testing.T, h Harness) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())

	c := openAt(t, h, addr)
	for _, call := range calls(c, fresh(t, h)) {
		requireClass(t, connector.ClassUnavailable, within(t, h.Bound()+promptly, func() error { return call(t.Context()) }))
	}
}

func swallowed(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), fresh(t, h)
	c := openAt(t, h, p.addr())
	p.turn(swallowing)
	for _, held := range []bool{true, false} {
		requireClass(t, connector.ClassUnavailable, within(t, h.Bound()+promptly, func() error {
			return connector.Ensure(t.Context(), c, a, held)
		}))
	}
	p.turn(fair)
	require.NoError(t, connector.Ensure(t.Context(), c, a, true))
	requireHeld(t, h, c, a, true)
}

func fallsSilent(t *testing.T, h Harness) {
	a := fresh(t, h)
	var running sync.WaitGroup
	for name := range calls(nil, a) {
		p := newProxy(t, h.Addr())
		c := openAt(t, h, p.addr())
		_, err := c.Read(t.Context(), a) // there is a connection now
		require.NoError(t, err)
		p.turn(swallowing)
		running.Go(func() {
			start := time.Now()
			err := calls(c, a)[name](t.Context())
			assert.Equal(t, connector.ClassUnavailable, connector.ClassOf(err), "%s: %v", name, err)
			assert.Less(t, time.Since(start), h.Bound()+promptly, name)
		})
	}
	running.Wait()
	require.False(t, h.Holds(t, a))
}

func cut(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), fresh(t, h)
	c := openAt(t, h, p.addr())
	for _, held := range []bool{true, false} {
		p.turn(cutting)
		for _, call := range calls(c, a) {
			requireClass(t, connector.ClassUnavailable, within(t, h.Bound()+promptly, func() error { return call(t.Context()) }))
		}
		p.turn(fair)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		requireHeld(t, h, c, a, held)
	}
}

func diedWhileIdle(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), fresh(t, h)
	c := openAt(t, h, p.addr())
	for range 3 {
		for name, call := range calls(c, a) {
			require.NoError(t, call(t.Context()))
			p.cutOnce()
			require.NoError(t, call(t.Context()), name)
		}
	}
}

func lostAnswer(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), fresh(t, h)
	c := openAt(t, h, p.addr())
	for _, held := range []bool{true, false} {
		p.loseAnswersFrom(h.FinalBytes())
		requireClass(t, connector.ClassUnavailable, within(t, h.Bound()+promptly, func() error {
			return connector.Ensure(t.Context(), c, a, held)
		}))
		require.Equal(t, held, h.Holds(t, a), "it was done, only the answer is missing")
		p.turn(fair)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		requireHeld(t, h, c, a, held)
	}
}

func cancelled(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), fresh(t, h)
	c := openAt(t, h, p.addr())
	for _, connected := range []bool{false, true} {
		for _, call := range calls(c, a) {
			if connected {
				p.turn(fair)
				_, err := c.Read(t.Context(), a)
				require.NoError(t, err)
			}
			p.turn(swallowing)
			ctx, cancel := context.WithCancel(t.Context())
			heard, answer := p.nextHeard(), make(chan error, 1)
			go func() { answer <- call(ctx) }()
			<-heard
			cancel()
			requireCancelled(t, within(t, promptly, func() error { return <-answer }))
			requireCancelled(t, call(ctx)) // cancelled before it begins
			p.turn(cutting)                // what is left of the swallowed connections
		}
	}
	require.False(t, h.Holds(t, a))
}

// requireCancelled: the context's error, and not a class of its own.
func requireCancelled(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, context.Canceled)
	var unavailable *connector.Unavailable
	require.NotErrorAs(t, err, &unavailable)
}

func deadline(t *testing.T, h Harness) {
	p, a := newProxy(t, h.Addr()), fresh(t, h)
	c := openAt(t, h, p.addr())
	p.turn(swallowing)
	for _, call := range calls(c, a) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := within(t, promptly, func() error { return call(ctx) })
		cancel()
		requireClass(t, connector.ClassUnavailable, err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
}

func badCredentials(t *testing.T, h Harness) {
	c, secret := h.OpenBadly(t)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	for _, call := range calls(c, fresh(t, h)) {
		err := call(t.Context())
		requireClass(t, connector.ClassDenied, err)
		require.NotContains(t, err.Error(), secret)
	}
}
