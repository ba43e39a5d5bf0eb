package ldap

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

// ways returns the settings for encrypted connections.
func ways(s *server) map[string]func(*Settings) {
	return map[string]func(*Settings){
		"ldaps":    func(settings *Settings) { settings.URL, settings.CAFile = "ldaps://"+s.encrypted, s.caFile },
		"StartTLS": func(settings *Settings) { settings.StartTLS, settings.CAFile = true, s.caFile },
	}
}

func TestSession(t *testing.T) {
	t.Run("access is granted, listed and revoked over TLS", func(t *testing.T) {
		s := newServer(t, true)
		for name, way := range ways(s) {
			for _, class := range classes {
				t.Run(name+" "+class.name, func(t *testing.T) {
					h := harness{s, class}
					c, a := h.connect(t, way), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
					report, err := c.Check(t.Context())
					require.NoError(t, err)
					require.Contains(t, report, "1 groups")
					require.NoError(t, connector.Ensure(t.Context(), c, a, true))
					require.True(t, h.Holds(t, a))
					require.Equal(t, map[connector.Assignment]int{a: 1}, h.list(t, c))
					require.NoError(t, connector.Ensure(t.Context(), c, a, false))
					require.False(t, h.Holds(t, a))
				})
			}
		}
	})

	t.Run("server without a valid certificate is denied", func(t *testing.T) {
		s, other := newServer(t, true), newServer(t, true)
		h, plain := harness{s, classes[0]}, harness{newServer(t, false), classes[0]}
		a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
		for name, way := range ways(s) {
			for problem, change := range map[string]func(*Settings){
				"of another authority":    func(settings *Settings) { settings.CAFile = other.caFile },
				"of an unknown authority": func(settings *Settings) { settings.CAFile = "" },
			} {
				c := h.connect(t, func(settings *Settings) { way(settings); change(settings) })
				_, err := c.Read(t.Context(), a)
				requireClass(t, connector.ClassDenied, err, "check url and ca_file")
				require.NotContains(t, err.Error(), testPassword, "%s %s", name, problem)
			}
		}
		c := h.connect(t, func(settings *Settings) {
			_, port, err := net.SplitHostPort(s.encrypted)
			require.NoError(t, err)
			settings.URL, settings.CAFile = "ldaps://localhost:"+port, s.caFile // the certificate says 127.0.0.1
		})
		_, err := c.Read(t.Context(), a)
		requireClass(t, connector.ClassDenied, err, "check url and ca_file")

		_, err = plain.connect(t, func(settings *Settings) { settings.StartTLS, settings.CAFile = true, s.caFile }).Read(t.Context(), a)
		requireClass(t, connector.ClassDenied, err, "does not support StartTLS")
	})

	t.Run("silent server is unavailable in time and cancelled call returns at once", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts connections, and nothing answers
		require.NoError(t, err)
		defer silent.Close()
		addr := silent.Addr().String()
		for name, change := range map[string]func(*Settings){
			"not encrypted": nil,
			"ldaps":         func(s *Settings) { s.URL = "ldaps://" + addr },
			"StartTLS":      func(s *Settings) { s.StartTLS = true },
		} {
			t.Run(name, func(t *testing.T) {
				c := openWith(t, addr, change)
				c.bound = 100 * time.Millisecond
				for call, err := range everyCall(t.Context(), c) {
					requireClass(t, connector.ClassUnavailable, err, "in time")
					require.ErrorIs(t, err, context.DeadlineExceeded, call)
				}
				c.bound = time.Minute
				start := time.Now()
				ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, nil)
				defer cancel()
				for call, err := range everyCall(ctx, c) {
					require.ErrorIs(t, err, context.DeadlineExceeded, call)
				}
				ctx, cancel = context.WithCancel(t.Context())
				time.AfterFunc(100*time.Millisecond, cancel)
				for call, err := range everyCall(ctx, c) {
					assert.Equal(t, context.Canceled, err, call)
				}
				require.Less(t, time.Since(start), 10*time.Second)
			})
		}
	})
}

// everyCall returns the error of each call of the connector.
func everyCall(ctx context.Context, c *Connector) map[string]error {
	a := connector.Assignment{Account: "ann@example.org", Object: "admins"}
	_, read := c.Read(ctx, a)
	_, check := c.Check(ctx)
	return map[string]error{
		"Read": read, "Check": check, "Grant": c.Grant(ctx, a), "Revoke": c.Revoke(ctx, a),
		"List": c.List(ctx, func(connector.Assignment) error { return nil }),
	}
}
