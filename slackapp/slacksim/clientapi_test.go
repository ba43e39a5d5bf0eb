package slacksim_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"accessbot/slackapp/slacksim"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

func TestServer(t *testing.T) {
	t.Run("only loopback is served", func(t *testing.T) {
		s, err := slacksim.New(slacksim.Config{BotToken: botToken, AppToken: appToken})
		require.NoError(t, err)
		defer s.Close()
		for _, c := range []struct {
			from, host, origin string
			want               int
		}{
			{"127.0.0.1:5", "127.0.0.1:3002", "", 200},
			{"[::1]:5", "localhost:3002", "http://localhost:3002", 200},
			{"192.0.2.1:5", "127.0.0.1:3002", "", 403},
			{"127.0.0.1:5", "slack.evil.example", "", 403},
			{"127.0.0.1:5", "127.0.0.1:3002", "https://evil.example", 403},
		} {
			r := httptest.NewRequest(http.MethodGet, "/client/users", nil)
			r.RemoteAddr, r.Host = c.from, c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			require.Equal(t, c.want, w.Code, "%v", c)
		}
	})

	t.Run("inconsistent configuration is refused", func(t *testing.T) {
		for want, cfg := range map[string]slacksim.Config{
			"no bot token":         {AppToken: appToken},
			"needs an app token":   {BotToken: botToken},
			"needs a signing":      {BotToken: botToken, EventsURL: "http://x/1", InteractivityURL: "http://x/2", OptionsURL: "http://x/3"},
			"none of them":         {BotToken: botToken, AppToken: appToken, EventsURL: "http://x/1"},
			"is not an app's URL":  {BotToken: botToken, AppToken: appToken, EventsURL: "nowhere"},
			"two users with the I": {BotToken: botToken, AppToken: appToken, Users: []slacksim.User{{ID: "U1"}, {ID: "U1"}}},
			"needs an id or an e":  {BotToken: botToken, AppToken: appToken, Users: []slacksim.User{{Name: "Ann"}}},
			"time zone of":         {BotToken: botToken, AppToken: appToken, Users: []slacksim.User{{ID: "U1", TZ: "Mars/Base"}}},
		} {
			_, err := slacksim.New(cfg)
			require.ErrorContains(t, err, want)
		}
	})

	t.Run("users are read from the directory", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "people.csv")
		require.NoError(t, os.WriteFile(path, []byte(
			"email,name,job_title,department,manager_email,status,time_zone,slack_user_id\n"+
				"ann@example.com,Ann,Engineer,R&D,,active,Europe/Berlin,U0ANN00000\n"+
				"sue@example.com,Sue,Engineer,R&D,ann@example.com,suspended,,\n"+
				"lee@example.com,Lee,Engineer,R&D,ann@example.com,left,,\n"), 0o600))
		users, err := slacksim.UsersFromDirectory(path)
		require.NoError(t, err)
		require.Equal(t, []slacksim.User{
			{ID: "U0ANN00000", Email: "ann@example.com", Name: "Ann", TZ: "Europe/Berlin"},
			{Email: "sue@example.com", Name: "Sue"},
		}, users)
		require.Equal(t, slacksim.UserID("Sue@Example.com"), slacksim.UserID("sue@example.com"), "the same in any case")
		require.Regexp(t, `^U[A-Z2-7]{10}$`, slacksim.UserID("sue@example.com"))

		require.NoError(t, os.WriteFile(path, []byte("email,name\nann@example.com\n"), 0o600))
		_, err = slacksim.UsersFromDirectory(path)
		require.ErrorContains(t, err, "line 2")
	})

	t.Run("impossible action is an error", func(t *testing.T) {
		api, ws := alone(t)
		_, err := api.PublishView(slacksim.UserID(ann), home(slack.NewActionBlock("x", button("b", "", "Button"))), "")
		require.NoError(t, err)
		require.ErrorContains(t, ws.As("no-one@example.com").VisitHome(), "no user no-one@example.com")
		status := func(path, body string) (int, string) {
			resp, err := http.Post(ws.Address()+path, "application/json", strings.NewReader(body))
			require.NoError(t, err)
			raw, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			return resp.StatusCode, string(raw)
		}
		id := ws.As(ann).Must(t).Screen().Home.ID
		_, ts, err := api.PostMessage(
			slacksim.UserID(ben),
			say("for Ben"),
			slack.MsgOptionBlocks(slack.NewActionBlock("x", button("b", "", "Button"))),
		)
		require.NoError(t, err)
		for _, c := range []struct {
			path, body string
			want       int
			says       string
		}{
			{"/open", `{"tab":"about"}`, 400, "tabs home and messages"},
			{"/open", `{"tabs":"home"}`, 400, "unknown field"},
			{"/press", `{"view_id":"V0NOWHERE"}`, 409, "no such view"},
			{"/press", `{"ts":"1.2","action_id":"x"}`, 409, "no such message"},
			{"/press", `{"ts":"` + ts + `","block_id":"x","action_id":"b"}`, 409, "no such message"}, // Ben's message
			{"/press", `{"view_id":"` + id + `","block_id":"x","action_id":"c"}`, 409, "no element c"},
			{"/set", `{"view_id":"` + id + `","block_id":"x","action_id":"b","change":{"text":"x"}}`, 400, "cannot fill in a button"},
			{"/submit", `{"view_id":"` + id + `"}`, 400, "nothing to submit"},
			{"/close", ``, 409, "no modal is open"},
		} {
			got, says := status("/client/users/"+ann+c.path, c.body)
			require.Equal(t, c.want, got, "%v: %s", c, says)
			require.Contains(t, says, c.says)
		}
		_, err = ws.ChangeUser(ann, map[string]any{"deleted": true})
		require.NoError(t, err)
		require.ErrorContains(t, ws.As(ann).VisitHome(), "is deactivated")
	})
}

func TestScreen(t *testing.T) {
	t.Run("waiting client is notified of the next change", func(t *testing.T) {
		api, ws := alone(t)
		seq := ws.As(ann).Must(t).Screen().Seq
		notified := make(chan error, 1)
		go func() {
			_, err := ws.As(ann).WaitForMessage("news")
			notified <- err
		}()
		_, _, err := api.PostMessage(slacksim.UserID(ann), say("news"))
		require.NoError(t, err)
		require.NoError(t, <-notified)
		require.Greater(t, ws.As(ann).Must(t).Screen().Seq, seq)
		_, err = ws.As(ann).Within(time.Millisecond).WaitForMessage("no such news")
		require.ErrorContains(t, err, "news", "the error shows the screen")
	})

	t.Run("screen of another user does not change", func(t *testing.T) {
		api, ws := alone(t)
		_, _, err := api.PostMessage(slacksim.UserID(ann), say("for Ann"))
		require.NoError(t, err)
		require.Empty(t, ws.As(ben).Must(t).Messages())
	})

	// Source: messaging/formatting-message-text.
	t.Run("mrkdwn is shown as its reader sees it", func(t *testing.T) {
		api, ws := alone(t)
		ws1 := ws.As(ann).Must(t)
		for sent, seen := range map[string]string{
			"Hello <@" + slacksim.UserID(ben) + ">":                      "Hello @Ben Example",
			"a &lt;b&gt; &amp;amp; c":                                    "a <b> &amp; c",
			"<https://example.com/x|the page> and <https://example.com>": "the page and https://example.com",
			"until <!date^1764608400^{date}|1 December, 17:00 UTC>":      "until 1 December, 17:00 UTC",
			"<!channel> look":                                            "@channel look",
			"&lt;!channel&gt; look":                                      "<!channel> look",
			"<mailto:ann@example.com|Ann>":                               "Ann",
			"<@U0UNKNOWN0>":                                              "@U0UNKNOWN0",
			"<!subteam^S1|@admins> and <#C1>":                            "@admins and #",
		} {
			_, _, err := api.PostMessage(slacksim.UserID(ann), say(sent))
			require.NoError(t, err)
			all := ws1.Messages()
			require.Equal(t, seen, all[len(all)-1].Text())
		}
	})

	t.Run("pings are the mentions that notify people", func(t *testing.T) {
		api, ws := alone(t)
		id := slacksim.UserID(ann)
		for _, c := range []struct {
			options []slack.MsgOption
			want    []string
		}{
			{[]slack.MsgOption{say("<!channel> and <@" + id + ">")}, []string{"!channel", "@" + id}},
			{[]slack.MsgOption{slack.MsgOptionText("<!channel>", true)}, nil},
			{[]slack.MsgOption{slack.MsgOptionBlocks(slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "<!here>", false, false), nil, nil))}, []string{"!here"}},
			{[]slack.MsgOption{slack.MsgOptionBlocks(slack.NewSectionBlock(text("<!here>"), nil, nil))}, nil},
			{[]slack.MsgOption{say("<!date^1^{date}|then>")}, nil},
		} {
			_, _, err := api.PostMessage(id, c.options...)
			require.NoError(t, err)
			all := ws.As(ann).Must(t).Messages()
			require.Equal(t, c.want, all[len(all)-1].Pings())
		}
	})

	t.Run("form is shown as its user sees it", func(t *testing.T) {
		in := install(t, "http", sample())
		u := in.ws.As(ann).Must(t)
		u.OpenHome()
		u.Press("Request Access")
		u.Tick("Grant2")
		require.Equal(t, `== Request Access ==
Access Like: ◉ Person  ○ Custom
Person (optional): ‹Search›
Access Grants (optional):
  ☐ Grant1
  ☑ Grant2
[Next]
Reason: ‹Why›
[Cancel] [Send]`, u.Modal())
		u.Untick("Grant2")
		require.Empty(t, u.Ticked())
		require.ErrorContains(t, u.Actor().Within(time.Millisecond).TickIn("Other", "Grant1"), `no checkbox "Grant1"`)
		require.ErrorContains(t, u.Actor().Tick("Grant"), "2 of the checkboxes match")
	})
}
