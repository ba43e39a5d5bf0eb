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
	// An app made with Slack's own library, @slack/bolt, in Socket Mode.
	t.Run("Slack's own library works with the local Slack", func(t *testing.T) {
		modules := os.Getenv("TEST_BOLT_MODULES")
		if modules == "" {
			t.Skip("TEST_BOLT_MODULES is not set to a folder with boltcheck's node_modules: " +
				"./temporal-dev.sh test fetches them from npm, and reports if it cannot")
		}
		server, err := slacksim.New(slacksim.Config{
			BotToken: "xoxb-bolt", AppToken: "xapp-bolt", Users: []slacksim.User{{Email: "ann@example.com", Name: "Ann"}},
		})
		require.NoError(t, err)
		listener := httptest.NewServer(server.Handler())
		t.Cleanup(func() { server.Close(); listener.Close() })

		// Node looks for modules next to the script.
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
			_ = cmd.Process.Kill() // it may have ended already
			_ = cmd.Wait()         // reports that it was killed
		})
		printed := func() string {
			select {
			case line := <-lines:
				return line
			case <-time.After(30 * time.Second):
				t.Fatal("the app printed nothing")
				return ""
			}
		}

		workspace := slacksim.Dial(listener.URL)
		require.JSONEq(t, `{"started": true}`, printed())
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
		require.JSONEq(t, `{"who": "found", "why": "a good reason", "team": "T0LOCALSIM"}`, printed())
		ann.WaitForMessage("Thank you again, ann@example.com")
		require.Empty(t, lines, "the library reported no error")
	})
}
