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

// RunHTTP runs what connectors must keep whose target speaks HTTP, its tests in
// parallel: what may stand between them and it, or come over it.
func RunHTTP(t *testing.T, h Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"a target that asks for fewer calls is rate limited, for as long as it says":     rateLimited,
		"a target in trouble is unavailable":                                             inTrouble,
		"a page of something else, with status 200, is no answer":                        otherPages,
		"an answer that is cut short is none":                                            cutShort,
		"an answer without an end is given up":                                           endless,
		"a redirect is not followed, and credentials go to no one else":                  redirected,
		"what the target does not let us is denied, without telling the credentials":     denied,
		"a change that is answered with success and not made is found out":               changeIsALie,
		"a target that answers after a minute is unavailable, in bounded time":           slow,
		"what was out of order leaves nothing behind: afterwards all is as it should be": recovers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

// gateway stands before a target and speaks HTTP itself.
type gateway struct {
	server *httptest.Server
	mu     sync.Mutex
	fault  http.HandlerFunc // nil: what comes is passed on
}

func newGateway(t *testing.T, h Harness) *gateway {
	t.Helper()
	g := &gateway{}
	on := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: h.Addr()})
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		fault := g.fault
		g.mu.Unlock()
		if fault != nil {
			fault(w, r)
			return
		}
		on.ServeHTTP(w, r)
	}))
	t.Cleanup(g.server.Close)
	return g
}

func (g *gateway) addr() string { return g.server.Listener.Addr().String() }

func (g *gateway) answer(fault http.HandlerFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault = fault
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for n := 0; n < len(header); n += 2 {
			w.Header().Set(header[n], header[n+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // whoever asked may be gone
	}
}

func rateLimited(t *testing.T, h Harness) {
	g, a := newGateway(t, h), fresh(t, h)
	c := openAt(t, h, g.addr())
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for after, wait := range map[string]time.Duration{
			"7": 7 * time.Second,
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
		} {
			g.answer(says(status, "slow down", "Retry-After", after))
			for name, call := range calls(c, a) {
				var limited *connector.RateLimited
				require.ErrorAs(t, call(t.Context()), &limited, "%s: %d, %s", name, status, after)
				require.InDelta(t, wait.Seconds(), limited.RetryAfter.Seconds(), 10, after)
			}
		}
	}
}

func inTrouble(t *testing.T, h Harness) {
	g, a := newGateway(t, h), fresh(t, h)
	c := openAt(t, h, g.addr())
	for _, status := range []int{500, 502, 503, 504} {
		g.answer(says(status, "<h1>Out of order</h1>", "Content-Type", "text/html"))
		for name, call := range calls(c, a) {
			err := call(t.Context())
			require.Equal(t, connector.ClassUnavailable, connector.ClassOf(err), "%s: %d: %v", name, status, err)
		}
	}
}

// requireNoAnswer: an error that no one takes for "held", "not held" or "gone".
func requireNoAnswer(t *testing.T, err error, about ...any) {
	t.Helper()
	require.Contains(t, []connector.Class{connector.ClassUnavailable, connector.ClassDenied}, connector.ClassOf(err), append(about, err)...)
}

func otherPages(t *testing.T, h Harness) {
	g, a := newGateway(t, h), fresh(t, h)
	c := openAt(t, h, g.addr())
	for _, held := range []bool{false, true} {
		g.answer(nil)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		for _, page := range []string{"<!doctype html><title>Log in</title>", "", "{}", "[]", "null", `"ok"`, "{\"id\":"} {
			g.answer(says(http.StatusOK, page, "Content-Type", "application/json"))
			_, err := c.Read(t.Context(), a)
			requireNoAnswer(t, err, page)
			requireNoAnswer(t, connector.Ensure(t.Context(), c, a, !held), page)
		}
		require.Equal(t, held, h.Holds(t, a))
	}
}

func cutShort(t *testing.T, h Harness) {
	g, a := newGateway(t, h), fresh(t, h)
	c := openAt(t, h, g.addr())
	for _, held := range []bool{true, false} {
		g.answer(nil)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		g.answer(func(w http.ResponseWriter, r *http.Request) {
			seen := httptest.NewRecorder()
			httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: h.Addr()}).ServeHTTP(seen, r)
			for name, values := range seen.Header() {
				w.Header()[name] = values
			}
			w.Header().Del("Content-Length") // in chunks, and the last one never comes
			w.WriteHeader(seen.Code)
			_, _ = w.Write(seen.Body.Bytes()[:seen.Body.Len()/2])
			panic(http.ErrAbortHandler)
		})
		_, err := c.Read(t.Context(), a)
		requireNoAnswer(t, err)
	}
}

func endless(t *testing.T, h Harness) {
	g, a := newGateway(t, h), fresh(t, h)
	c := openAt(t, h, g.addr())
	var sent atomic.Int64
	g.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := bytes.Repeat([]byte(" "), 1<<16)
		for r.Context().Err() == nil {
			n, err := w.Write(chunk)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	requireNoAnswer(t, within(t, h.Bound()+promptly, func() error { _, err := c.Read(t.Context(), a); return err }))
	require.Less(t, sent.Load(), int64(256<<20), "what is read is bounded")
}

func redirected(t *testing.T, h Harness) {
	var heard atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	t.Cleanup(elsewhere.Close)
	g, a := newGateway(t, h), fresh(t, h)
	c := openAt(t, h, g.addr())
	for _, status := range []int{301, 302, 303, 307, 308} {
		g.answer(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)+r.URL.Path, status)
		})
		for name, call := range calls(c, a) {
			requireNoAnswer(t, call(t.Context()), name, status)
		}
	}
	require.Zero(t, heard.Load(), "no one else hears anything")
}

func denied(t *testing.T, h Harness) {
	g, a := newGateway(t, h), fresh(t, h)
	c := openAt(t, h, g.addr())
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		var credentials atomic.Value
		credentials.Store("")
		g.answer(func(w http.ResponseWriter, r *http.Request) {
			if _, credential, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
				credentials.Store(credential)
			}
			says(status, `{"detail":"no `+r.Header.Get("Authorization")+`","message":"no `+r.Header.Get("Authorization")+`"}`, "Content-Type", "application/json")(w, r)
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

func changeIsALie(t *testing.T, h Harness) {
	g := newGateway(t, h)
	c := openAt(t, h, g.addr())
	on := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: h.Addr()})
	for _, held := range []bool{true, false} {
		a := fresh(t, h)
		g.answer(nil)
		require.NoError(t, connector.Ensure(t.Context(), c, a, !held))
		var lies atomic.Int64
		g.answer(func(w http.ResponseWriter, r *http.Request) {
			seen, err := httputil.DumpRequest(r, true)
			if !assert.NoError(t, err) || !strings.Contains(string(seen), h.FinalBytes()) {
				on.ServeHTTP(w, r)
				return
			}
			lies.Add(1)
			says(http.StatusOK, "{}", "Content-Type", "application/json")(w, r)
		})
		err := connector.Ensure(t.Context(), c, a, held)
		require.Contains(t, []connector.Class{connector.ClassNotAsWanted, connector.ClassUnavailable}, connector.ClassOf(err), "%v", err)
		require.Positive(t, lies.Load())
		require.Equal(t, !held, h.Holds(t, a))
	}
}

func slow(t *testing.T, h Harness) {
	g, a := newGateway(t, h), fresh(t, h)
	c := openAt(t, h, g.addr())
	g.answer(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is it noticed that the client is gone
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
	})
	requireClass(t, connector.ClassUnavailable, within(t, h.Bound()+promptly, func() error { return c.Grant(t.Context(), a) }))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, within(t, promptly, func() error { return c.Revoke(ctx, a) }))
}

func recovers(t *testing.T, h Harness) {
	g, a := newGateway(t, h), fresh(t, h)
	c := openAt(t, h, g.addr())
	for _, held := range []bool{true, false} {
		for _, fault := range []http.HandlerFunc{says(500, ""), says(429, ""), says(200, "<html>")} {
			g.answer(fault)
			require.Error(t, connector.Ensure(t.Context(), c, a, held))
		}
		g.answer(nil)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		requireHeld(t, h, c, a, held)
	}
}
