package postgresql

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClosingASessionsSocketIsNotLedAstrayByALaterDial(t *testing.T) {
	harnesses(t, func(t *testing.T, h *harness) {
		conn, err := h.connect(t).pool.Connx(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.PingContext(t.Context()))
		require.NoError(t, conn.Raw(func(c any) error {
			socket := c.(*session).socket
			later, err := socket.DialContext(t.Context(), "tcp", h.Addr()) // as for a cancel request
			require.NoError(t, err)
			defer later.Close()
			socket.close()
			return nil
		}))
		require.Error(t, conn.PingContext(t.Context()))
	})
}
