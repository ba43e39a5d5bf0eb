package postgresql

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	// A compromised target must not crash the program that revokes access in all targets.
	t.Run("invalid response is an error and no panic", func(t *testing.T) {
		t.Parallel()
		const (
			welcome   = "R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I"
			begun     = "C\x00\x00\x00\x0aBEGIN\x00Z\x00\x00\x00\x05T"
			parsed    = "1\x00\x00\x00\x04t\x00\x00\x00\x0e\x00\x02\x00\x00\x00\x19\x00\x00\x00\x19"
			described = parsed + "T\x00\x00\x00\x06\x00\x00Z\x00\x00\x00\x05T"
			bound     = "2\x00\x00\x00\x04"
			tooShort  = "R\x00\x00\x00\x00"         // the length is less than the size of the length field
			column    = "T\x00\x00\x00\x06\x00\x01" // one column, without its description
			row       = "D\x00\x00\x00\x04"         // without the number of columns
		)
		for name, responses := range map[string][]string{
			"to the first message":              {tooShort},
			"to the beginning of a transaction": {welcome, tooShort},
			"to a statement":                    {welcome, begun, tooShort},
			"about its columns":                 {welcome, begun, parsed + column},
			"in its rows, and after them":       {welcome, begun, described, bound + row + row + tooShort},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				listener, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				t.Cleanup(func() { _ = listener.Close() }) // the test is over
				go func() {
					for {
						conn, err := listener.Accept()
						if err != nil {
							return
						}
						go respond(conn, responses)
					}
				}()
				c, err := Open("postgres://someone@" + listener.Addr().String() + "/target?sslmode=disable")
				require.NoError(t, err)
				t.Cleanup(func() { _ = c.Close() }) // its connections are broken
				for range 3 {                       // no connection stays in use
					_, err = c.Read(t.Context(), connector.Assignment{Account: "ann", Object: "reader"})
					require.ErrorContains(t, err, "invalid message")
					assert.Equal(t, connector.ClassUnavailable, connector.ClassOf(err))
				}
				assert.Zero(t, c.pool.Stats().InUse)
			})
		}
	})
}

// respond sends one response for each message that it receives.
func respond(conn net.Conn, responses []string) {
	defer conn.Close()
	buffer := make([]byte, 64<<10)
	for _, response := range responses {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
		if _, err := io.WriteString(conn, response); err != nil {
			return
		}
	}
	_, _ = io.Copy(io.Discard, conn) // until the client closes the connection
}
