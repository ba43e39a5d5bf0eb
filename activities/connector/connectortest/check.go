package connectortest

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

// checker skips the test if the connector cannot check.
func checker(t *testing.T, c connector.Connector) connector.Checker {
	t.Helper()
	checker, ok := c.(connector.Checker)
	if !ok {
		t.Skip("this connector checks nothing")
	}
	return checker
}

func checks(t *testing.T, h assignments) {
	c, a := open(t, h), newAssignment(t, h)
	for _, held := range []bool{true, false} {
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		report, err := checker(t, c).Check(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, report)
		require.NotContains(t, report, "\n", "one line for operators")
		requireHeld(t, h, c, a, held)
	}
}

func checksBadCredentials(t *testing.T, h Harness) {
	c, secret := h.OpenWithBadCredentials(t)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	report, err := checker(t, c).Check(t.Context())
	requireClass(t, connector.ClassDenied, err)
	require.NotContains(t, err.Error()+report, secret)
}

func checksWhatIsDown(t *testing.T, h Harness) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	c := openAt(t, h, addr)
	requireClass(t, connector.ClassUnavailable, within(t, h.CallTimeout()+promptly, func() error {
		_, err := checker(t, c).Check(t.Context())
		return err
	}))
}
