package connectortest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

// RunHTTP runs the tests for connectors to HTTP targets, in parallel: errors of the target, and of proxies in front of it.
func RunHTTP(t *testing.T, h Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"target that asks for fewer calls is rate limited for as long as it says": rateLimited,
		"target with a server error is unavailable":                               serverErrors,
		"unrelated page with status 200 says nothing":                             unrelatedPages,
		"truncated response says nothing":                                         truncated,
		"endless response is aborted":                                             endless,
		"redirect is not followed, and no other host gets the credentials":        redirected,
		"missing permission is denied and the credentials are not shown":          denied,
		"change reported as successful and not made is detected":                  changeNotMade,
		"target that answers after a minute is unavailable in time":               slow,
		"connector recovers after each fault":                                     recovers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

// gateway is an HTTP proxy in front of a target.
type gateway struct {
	server *httptest.Server
	mu     sync.Mutex
	fault  http.HandlerFunc // nil: requests are forwarded
}

func newGateway(t *testing.T, h Harness) *gateway {
	t.Helper()
	g := &gateway{}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: h.Addr()})
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		fault := g.fault
		g.mu.Unlock()
		if fault != nil {
			fault(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(g.server.Close)
	return g
}

func (g *gateway) addr() string { return g.server.Listener.Addr().String() }

func (g *gateway) setFault(fault http.HandlerFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault = fault
}

func responds(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client may be gone
	}
}

func rateLimited(t *testing.T, h Harness) {
	g, a := newGateway(t, h), newAssignment(t, h)
	c := openAt(t, h, g.addr())
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for after, wait := range map[string]time.Duration{
			"7": 7 * time.Second,
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
		} {
			g.setFault(responds(status, "slow down", "Retry-After", after))
			for name, call := range calls(c, a) {
				var limited *connector.RateLimited
				require.ErrorAs(t, call(t.Context()), &limited, "%s: %d, %s", name, status, after)
				require.InDelta(t, wait.Seconds(), limited.RetryAfter.Seconds(), 10, after)
			}
		}
	}
}

func serverErrors(t *testing.T, h Harness) {
	g, a := newGateway(t, h), newAssignment(t, h)
	c := openAt(t, h, g.addr())
	for _, status := range []int{500, 502, 503, 504} {
		g.setFault(responds(status, "<h1>Out of order</h1>", "Content-Type", "text/html"))
		for name, call := range calls(c, a) {
			err := call(t.Context())
			require.Equal(t, connector.ClassUnavailable, connector.ClassOf(err), "%s: %d: %v", name, status, err)
		}
	}
}

// requireNoState requires an error that says nothing about the assignment.
func requireNoState(t *testing.T, err error, about ...any) {
	t.Helper()
	require.Contains(
		t,
		[]connector.Class{connector.ClassUnavailable, connector.ClassDenied},
		connector.ClassOf(err),
		append(about, err)...)
}

func unrelatedPages(t *testing.T, h Harness) {
	g, a := newGateway(t, h), newAssignment(t, h)
	c := openAt(t, h, g.addr())
	for _, held := range []bool{false, true} {
		g.setFault(nil)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		for _, page := range []string{"<!doctype html><title>Log in</title>", "", "{}", "[]", "null", `"ok"`, "{\"id\":"} {
			g.setFault(responds(http.StatusOK, page, "Content-Type", "application/json"))
			_, err := c.Read(t.Context(), a)
			requireNoState(t, err, page)
			requireNoState(t, connector.Ensure(t.Context(), c, a, !held), page)
		}
		require.Equal(t, held, h.Holds(t, a))
	}
}

func truncated(t *testing.T, h Harness) {
	g, a := newGateway(t, h), newAssignment(t, h)
	c := openAt(t, h, g.addr())
	for _, held := range []bool{true, false} {
		g.setFault(nil)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		g.setFault(func(w http.ResponseWriter, r *http.Request) {
			seen := httptest.NewRecorder()
			httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: h.Addr()}).ServeHTTP(seen, r)
			for name, values := range seen.Header() {
				w.Header()[name] = values
			}
			w.Header().Del("Content-Length") // chunked, without the last chunk
			w.WriteHeader(seen.Code)
			_, _ = w.Write(seen.Body.Bytes()[:seen.Body.Len()/2])
			panic(http.ErrAbortHandler)
		})
		_, err := c.Read(t.Context(), a)
		requireNoState(t, err)
	}
}

func endless(t *testing.T, h Harness) {
	g, a := newGateway(t, h), newAssignment(t, h)
	c := openAt(t, h, g.addr())
	var sent atomic.Int64
	g.setFault(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := bytes.Repeat([]byte(" "), 1<<16)
		for r.Context().Err() == nil {
			n, err := w.Write(chunk)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	requireNoState(t, within(t, h.CallTimeout()+promptly, func() error { _, err := c.Read(t.Context(), a); return err }))
	require.Less(t, sent.Load(), int64(256<<20), "the connector stops reading")
}

func redirected(t *testing.T, h Harness) {
	var requests atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	t.Cleanup(elsewhere.Close)
	g, a := newGateway(t, h), newAssignment(t, h)
	c := openAt(t, h, g.addr())
	for _, status := range []int{301, 302, 303, 307, 308} {
		g.setFault(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)+r.URL.Path, status)
		})
		for name, call := range calls(c, a) {
			requireNoState(t, call(t.Context()), name, status)
		}
	}
	require.Zero(t, requests.Load(), "no other host is called")
}

func denied(t *testing.T, h Harness) {
	g, a := newGateway(t, h), newAssignment(t, h)
	c := openAt(t, h, g.addr())
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		var credentials atomic.Value
		credentials.Store("")
		g.setFault(func(w http.ResponseWriter, r *http.Request) {
			if _, credential, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
				credentials.Store(credential)
			}
			responds(
				status,
				`{"detail":"no `+r.Header.Get("Authorization")+`","message":"no `+r.Header.Get("Authorization")+`"}`,
				"Content-Type",
				"application/json",
			)(
				w,
				r,
			)
		})
		for name, call := range calls(c, a) {
			err := call(t.Context())
			require.Equal(t, connector.ClassDenied, connector.ClassOf(err), "%s: %v", name, err)
			if secret, _ := credentials.Load().(string); secret != "" {
				require.NotContains(t, err.Error(), secret)
			}
		}
	}
}

func changeNotMade(t *testing.T, h Harness) {
	g := newGateway(t, h)
	c := openAt(t, h, g.addr())
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: h.Addr()})
	for _, held := range []bool{true, false} {
		a := newAssignment(t, h)
		g.setFault(nil)
		require.NoError(t, connector.Ensure(t.Context(), c, a, !held))
		var falseSuccesses atomic.Int64
		g.setFault(func(w http.ResponseWriter, r *http.Request) {
			seen, err := httputil.DumpRequest(r, true)
			if !assert.NoError(t, err) || !strings.Contains(string(seen), h.ChangeMarker()) {
				proxy.ServeHTTP(w, r)
				return
			}
			falseSuccesses.Add(1)
			responds(http.StatusOK, "{}", "Content-Type", "application/json")(w, r)
		})
		err := connector.Ensure(t.Context(), c, a, held)
		require.Contains(
			t,
			[]connector.Class{connector.ClassNotConfirmed, connector.ClassUnavailable},
			connector.ClassOf(err),
			"%v",
			err,
		)
		require.Positive(t, falseSuccesses.Load())
		require.Equal(t, !held, h.Holds(t, a))
	}
}

func slow(t *testing.T, h Harness) {
	g, a := newGateway(t, h), newAssignment(t, h)
	c := openAt(t, h, g.addr())
	g.setFault(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices only then that the client is gone
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
	})
	requireClass(t, connector.ClassUnavailable, within(t, h.CallTimeout()+promptly, func() error { return c.Grant(t.Context(), a) }))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, within(t, promptly, func() error { return c.Revoke(ctx, a) }))
}

func recovers(t *testing.T, h Harness) {
	g, a := newGateway(t, h), newAssignment(t, h)
	c := openAt(t, h, g.addr())
	for _, held := range []bool{true, false} {
		for _, fault := range []http.HandlerFunc{responds(500, ""), responds(429, ""), responds(200, "<html>")} {
			g.setFault(fault)
			require.Error(t, connector.Ensure(t.Context(), c, a, held))
		}
		g.setFault(nil)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		requireHeld(t, h, c, a, held)
	}
}
