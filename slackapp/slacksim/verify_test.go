package slacksim_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"accessbot/slackapp/slacksim"

	"github.com/stretchr/testify/require"
)

var challenge = regexp.MustCompile(`"challenge":"([^"]+)"`)

func TestURLVerification(t *testing.T) {
	// Source: "url_verification event", "Using the Events API", request URL verification.
	t.Run("answer must repeat the challenge", func(t *testing.T) {
		for what, c := range map[string]struct {
			answer func(challenge string) (int, string)
			says   string
		}{
			"as it is":       {func(c string) (int, string) { return 200, c }, ""},
			"as JSON":        {func(c string) (int, string) { return 200, `{"challenge":"` + c + `"}` }, ""},
			"as a form":      {func(c string) (int, string) { return 200, "challenge=" + c }, ""},
			"something else": {func(string) (int, string) { return 200, "ok" }, "the value of the challenge parameter"},
			"an error":       {func(c string) (int, string) { return 500, c }, "didn't respond properly"},
		} {
			t.Run(what, func(t *testing.T) {
				app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body) // a local connection does not fail
					status, text := c.answer(challenge.FindStringSubmatch(string(body))[1])
					w.WriteHeader(status)
					_, _ = io.WriteString(w, text) // as above
				}))
				t.Cleanup(app.Close)
				server, err := slacksim.New(
					slacksim.Config{BotToken: "xoxb-x", SigningSecret: "x", EventsURL: app.URL, InteractivityURL: app.URL, OptionsURL: app.URL},
				)
				require.NoError(t, err)
				listener := httptest.NewServer(server.Handler())
				t.Cleanup(func() { server.Close(); listener.Close() })
				err = slacksim.Dial(listener.URL).VerifyURL()
				if c.says == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, c.says)
			})
		}
	})
}
