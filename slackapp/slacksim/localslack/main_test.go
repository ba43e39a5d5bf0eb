package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"accessbot/slackapp/slacksim"

	"github.com/stretchr/testify/require"
)

// env returns a complete environment.
func env(name string) string {
	return map[string]string{
		"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "SLACK_SIGNING_SECRET": "shh",
	}[name]
}

func noEnv(string) string { return "" }

func TestLocalSlack(t *testing.T) {
	t.Run("address other than loopback is refused", func(t *testing.T) {
		for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "example.com:80"} {
			err := run(t.Context(), []string{"-listen", address}, env, io.Discard)
			require.ErrorContains(t, err, "loopback", address)
		}
	})

	t.Run("port in use names the flag", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		err = run(t.Context(), []string{"-listen", l.Addr().String()}, env, io.Discard)
		require.ErrorContains(t, err, l.Addr().String()+" is in use")
		require.ErrorContains(t, err, "-listen")
	})

	t.Run("missing token is named", func(t *testing.T) {
		require.ErrorContains(t, run(t.Context(), nil, noEnv, io.Discard), "SLACK_BOT_TOKEN")
		noApp := func(name string) string {
			if name == "SLACK_APP_TOKEN" {
				return ""
			}
			return env(name)
		}
		require.ErrorContains(t, run(t.Context(), []string{"-socket"}, noApp, io.Discard), "SLACK_APP_TOKEN")
	})

	t.Run("directory that cannot be read is an error", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "people.csv")
		require.ErrorContains(t, run(t.Context(), []string{"-people", path}, env, io.Discard), path)
		require.NoError(t, os.WriteFile(path, []byte("email,status\na@example.com,active\n"), 0o600))
		require.ErrorContains(t, run(t.Context(), []string{"-people", path}, env, io.Discard), `no column "name"`)
	})

	t.Run("people of the directory are users until the server stops", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "people.csv")
		require.NoError(
			t,
			os.WriteFile(path, []byte("email,name,status\nann@example.com,Ann,active\nbob@example.com,Bob,left\n"), 0o600),
		)
		ctx, cancel := context.WithCancel(t.Context())
		out := &output{more: make(chan struct{}, 1)}
		ended := make(chan error, 1)
		go func() {
			ended <- run(ctx, []string{"-listen", "127.0.0.1:0", "-people", path, "-socket"}, env, out)
		}()
		url := out.address(t)

		resp, err := http.Get(url + "/")
		require.NoError(t, err)
		page, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Contains(t, string(page), "A local Slack")
		resp, err = http.Get(url + "/healthz")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.NoError(t, resp.Body.Close())

		users, err := slacksim.Dial(url).Users()
		require.NoError(t, err)
		require.Len(t, users, 2, "the bot and Ann; Bob has left")
		require.Equal(t, slacksim.UserID("ann@example.com"), users[1].ID)

		cancel()
		require.NoError(t, <-ended)
	})

	t.Run("flags for the page are passed to it", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "people.csv")
		require.NoError(t, os.WriteFile(path, []byte("email,name\nann@example.com,Ann\nbob@example.com,Bob\n"), 0o600))
		ctx, cancel := context.WithCancel(t.Context())
		out := &output{more: make(chan struct{}, 1)}
		ended := make(chan error, 1)
		go func() {
			ended <- run(ctx, []string{
				"-listen", "127.0.0.1:0", "-people", path, "-socket", "-as", "bob@example.com",
				"-link", "Watch=http://127.0.0.1:8233/?a=b", "-link", "More=https://example.com",
			}, env, out)
		}()
		resp, err := http.Get(out.address(t) + "/client/workspace")
		require.NoError(t, err)
		var workspace struct {
			As    string          `json:"as"`
			Links []slacksim.Link `json:"links"`
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&workspace))
		require.NoError(t, resp.Body.Close())
		require.Equal(t, "bob@example.com", workspace.As)
		require.Equal(
			t,
			[]slacksim.Link{{Text: "Watch", URL: "http://127.0.0.1:8233/?a=b"}, {Text: "More", URL: "https://example.com"}},
			workspace.Links,
		)
		cancel()
		require.NoError(t, <-ended)
	})

	t.Run("wrong link and unknown person are errors", func(t *testing.T) {
		for _, link := range []string{"nothing", "http://127.0.0.1:8233", "Text=javascript:alert(1)", "=http://127.0.0.1"} {
			require.ErrorContains(t, run(t.Context(), []string{"-link", link}, env, io.Discard), "a link is Text=URL", link)
		}
		require.ErrorContains(
			t,
			run(t.Context(), []string{"-as", "eve@example.com"}, env, io.Discard),
			"the workspace has no user eve@example.com",
		)
	})
}

// output collects what the program prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

var printed = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

func (o *output) address(t *testing.T) string {
	t.Helper()
	for {
		o.mu.Lock()
		url := printed.FindString(o.text.String())
		o.mu.Unlock()
		if url != "" {
			return url
		}
		select {
		case <-o.more:
		case <-time.After(10 * time.Second):
			t.Fatal("the program printed no address")
		}
	}
}
