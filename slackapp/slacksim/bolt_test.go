package slacksim_test

import (
	"bufio"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"accessbot/slackapp/slacksim"

	"github.com/stretchr/testify/require"
)

func TestBolt(t *testing.T) {
	// An app made with Slack's own library, @slack/bolt, over Socket Mode: it does not know that this is not Slack.
	t.Run("Slack's own library works with the simulator", func(t *testing.T) {
		modules := os.Getenv("TEST_BOLT_MODULES")
		if modules == "" {
			t.Skip("TEST_BOLT_MODULES names no folder in which boltcheck's node_modules are: ./temporal-dev.sh test fetches them from npm, and says so where it cannot")
		}
		server, err := slacksim.New(slacksim.Config{BotToken: "xoxb-bolt", AppToken: "xapp-bolt", Users: []slacksim.User{{Email: "ann@example.com", Name: "Ann"}}})
		require.NoError(t, err)
		listener := httptest.NewServer(server.Handler())
		t.Cleanup(func() { server.Close(); listener.Close() })

		// Node looks for modules beside the script.
		dir := t.TempDir()
		script, err := os.ReadFile("boltcheck/app.js")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "app.js"), script, 0o600))
		require.NoError(t, os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(dir, "node_modules")))
		cmd := exec.Command("node", filepath.Join(dir, "app.js"))
		cmd.Env = append(os.Environ(), "SLACK_API_URL="+listener.URL+"/api/", "SLACK_BOT_TOKEN=xoxb-bolt", "SLACK_APP_TOKEN=xapp-bolt")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := make(chan string, 100)
		go func() {
			for s := bufio.NewScanner(out); s.Scan(); {
				lines <- s.Text()
			}
		}()
		t.Cleanup(func() {
			_ = cmd.Process.Kill() // it may have ended
			_ = cmd.Wait()         // killed is how it ends
		})
		says := func() string {
			select {
			case line := <-lines:
				return line
			case <-time.After(30 * time.Second):
				t.Fatal("the app says nothing")
				return ""
			}
		}

		workspace := slacksim.Dial(listener.URL)
		require.JSONEq(t, `{"started": true}`, says())
		require.NoError(t, workspace.WaitForSockets(1, 30*time.Second))
		ann := workspace.As("ann@example.com").Within(30 * time.Second).Must(t)
		ann.OpenHome()
		ann.Press("Begin")
		ann.WaitForModal("A form")
		require.Equal(t, []string{"Found by x"}, ann.Search("Who", "x"))
		ann.Pick("Who", "y", "Found by y")
		ann.Fill("Why", "bad")
		require.Equal(t, map[string]string{"Why": "Say something better"}, ann.Submit())
		ann.Fill("Why", "a good reason")
		ann.SubmitAccepted()
		require.JSONEq(t, `{"who": "found", "why": "a good reason", "team": "T0LOCALSIM"}`, says())
		ann.WaitForMessage("Thank you again, ann@example.com")
		require.Empty(t, lines, "the library had nothing to complain about")
	})
}
