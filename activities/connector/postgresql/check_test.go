package postgresql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

func TestCheck(t *testing.T) {
	t.Run("check reports what the login can grant", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			h.Object(t)
			c := h.Open(t, h.Addr())
			t.Cleanup(func() { require.NoError(t, c.Close()) })
			report, err := c.(connector.Checker).Check(t.Context())
			require.NoError(t, err)
			require.Contains(t, report, "PostgreSQL 1")
			require.NotContains(t, report, " 0 of them")
		})
	})

	t.Run("login that cannot create accounts is denied", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			if h.login == nil {
				return
			}
			h.exec(t, "ALTER ROLE %s NOCREATEROLE", h.login.Username())
			c := h.Open(t, h.Addr())
			t.Cleanup(func() { require.NoError(t, c.Close()) })
			_, err := c.(connector.Checker).Check(t.Context())
			require.Equal(t, connector.ClassDenied, connector.ClassOf(err))
			require.ErrorContains(t, err, "CREATEROLE")
		})
	})
}
