package ldap

import (
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

func TestPacket(t *testing.T) {
	t.Parallel()
	// One server must not use up the memory of the program.
	t.Run("message over the size limit is not read", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() }) // the test is over
		var sent atomic.Int64
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			piece := make([]byte, 1<<20)
			if _, err := conn.Read(piece); err != nil {
				return
			}
			// A message of 1 GiB, all of it in one value.
			_, err = conn.Write([]byte{0x30, 0x84, 0x40, 0, 0, 6, 0x04, 0x84, 0x40, 0, 0, 0})
			for err == nil {
				var n int
				n, err = conn.Write(piece)
				sent.Add(int64(n))
			}
		}()
		s := &Settings{
			URL: "ldap://" + listener.Addr().String(), BindDN: "cn=accessbot,dc=example,dc=org", Password: connector.NewSecret("secret"),
			PeopleBase: "ou=people,dc=example,dc=org", GroupsBase: "ou=groups,dc=example,dc=org",
		}
		c, err := s.Open()
		require.NoError(t, err)
		_, err = c.Read(t.Context(), connector.Assignment{Account: "ann@example.org", Object: "readers"})
		require.Error(t, err)
		assert.Equal(t, connector.ClassUnavailable, connector.ClassOf(err))
		assert.Less(t, sent.Load(), int64(maxMessage))
	})
}
