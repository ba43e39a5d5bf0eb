package httptarget_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector/httptarget"
)

func TestBounded(t *testing.T) {
	// get reads a response of size bytes through a bounded transport. closed receives when the connection is closed.
	get := func(t *testing.T, size int, limit int64) (client *http.Client, closed chan struct{}, err error) {
		t.Helper()
		closed = make(chan struct{}, 1)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, size))
		}))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				closed <- struct{}{}
			}
		}
		server.Start()
		t.Cleanup(server.Close)
		client = &http.Client{Transport: httptarget.Bounded(httptarget.Transport(), limit)}
		response, err := client.Get(server.URL)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, response.Body.Close())
		if err == nil {
			require.Len(t, text, size)
		}
		return client, closed, err
	}

	t.Run("response that is too long is an error", func(t *testing.T) {
		_, _, err := get(t, 1<<20, 4)
		require.ErrorContains(t, err, "too long")
	})

	t.Run("closing idle connections reaches the transport", func(t *testing.T) {
		client, closed, err := get(t, 10, 100)
		require.NoError(t, err) // its connection is idle now
		client.CloseIdleConnections()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Fatal("the idle connection stays open")
		}
	})
}
