package slacksim_test

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"accessbot/slackapp/slacksim"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"
)

func TestDelivery(t *testing.T) {
	// Source: authentication/verifying-requests-from-slack, checked by slack-go's SecretsVerifier in the app.
	t.Run("request is signed and a tampered one fails", func(t *testing.T) {
		in := install(t, "http", sample())
		send := func(req *http.Request) int {
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			return resp.StatusCode
		}
		payload := m{"type": "view_closed", "user": m{"id": slacksim.UserID(ann)}}
		for _, route := range []string{"interactivity", "options"} {
			req, err := in.ws.SignedRequest(route, payload)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, send(req), route)
		}
		req, err := in.ws.SignedRequest("interactivity", payload, slacksim.SignedAt(time.Now().Add(-6*time.Minute)))
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, send(req), "stale")
		req, err = in.ws.SignedRequest("interactivity", payload)
		require.NoError(t, err)
		req.Body = io.NopCloser(bytes.NewReader([]byte("payload=%7B%7D")))
		req.ContentLength = 14
		require.Equal(t, http.StatusUnauthorized, send(req), "tampered")
		req, err = in.ws.SignedRequest(
			"interactivity",
			nil,
			slacksim.SignedBody([]byte("payload=%7B%22type%22%3A%22view_closed%22%7D")),
		)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, send(req), "another body")
		_, err = in.ws.SignedRequest("commands", payload)
		require.ErrorContains(t, err, "no address")
	})

	t.Run("any payload can be delivered", func(t *testing.T) {
		onEach(t, func(t *testing.T, transport string) {
			in := install(t, transport, sample())
			d, err := in.ws.Deliver(
				"interactivity",
				m{"type": "block_suggestion", "value": "an", "user": m{"id": "U0EVIL0000", "team_id": "T0ELSEWHERE"}},
			)
			require.NoError(t, err)
			require.True(t, d.Acked)
			require.Contains(t, d.Body, "Anna")
			require.Equal(t, "U0EVIL0000", in.app.of(slack.InteractionTypeBlockSuggestion)[0].User.ID)
			_, err = in.ws.Deliver("commands", m{})
			require.ErrorContains(t, err, "routes")
		})
	})

	// Source: apis/events-api, "Retries": three times, with x-slack-retry-num and -reason.
	t.Run("event is retried until it is acknowledged", func(t *testing.T) {
		a := sample()
		var tries atomic.Int32
		a.status = func(kind string) int {
			if kind == "events" && tries.Add(1) < 3 {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		}
		in := install(t, "http", a, func(c *slacksim.Config) { c.EventRetryDelays = make([]time.Duration, 3) })
		require.ErrorContains(t, in.ws.As(ann).VisitHome(), "503", "the first attempt fails")
		in.ws.As(ann).Must(t).WaitForHome("Request Access")
		require.EqualValues(t, 3, tries.Load())
		a.mu.Lock()
		defer a.mu.Unlock()
		require.Empty(t, a.headers[0].Get("X-Slack-Retry-Num"))
		require.Equal(t, "1", a.headers[1].Get("X-Slack-Retry-Num"))
		require.Equal(t, "http_error", a.headers[1].Get("X-Slack-Retry-Reason"))
		require.Equal(t, "2", a.headers[2].Get("X-Slack-Retry-Num"))
	})

	t.Run("event without an acknowledgement is sent four times", func(t *testing.T) {
		a := sample()
		a.status = func(string) int { return http.StatusInternalServerError }
		in := install(t, "http", a, func(c *slacksim.Config) { c.EventRetryDelays = make([]time.Duration, 3) })
		require.Error(t, in.ws.As(ann).VisitHome())
		waitForTraffic(t, in.ws, func(t slacksim.Traffic) bool { return t.Name == "app_home_opened" && t.Retry == 3 })
		a.mu.Lock()
		defer a.mu.Unlock()
		require.Len(t, a.headers, 4)
	})

	// Source: apis/events-api: an event may be delivered twice, with the same event_id.
	t.Run("event can be delivered twice with one ID", func(t *testing.T) {
		onEach(t, func(t *testing.T, transport string) {
			ids := make(chan string, 2)
			a := &app{onEvent: func(e slackevents.EventsAPIEvent) { ids <- e.Data.(*slackevents.EventsAPICallbackEvent).EventID }}
			in := install(t, transport, a)
			require.NoError(t, in.ws.Break(slacksim.Fault{Method: "app_home_opened", Kind: "twice", Times: 1}))
			require.NoError(t, in.ws.As(ann).VisitHome())
			first, second := <-ids, <-ids
			require.Equal(t, first, second)
		})
	})

	// Source: reference/events/app_home_opened.
	t.Run("opening a tab sends the tab and its view", func(t *testing.T) {
		onEach(t, func(t *testing.T, transport string) {
			opened := make(chan *slackevents.AppHomeOpenedEvent, 1)
			a := &app{onEvent: func(e slackevents.EventsAPIEvent) { opened <- e.InnerEvent.Data.(*slackevents.AppHomeOpenedEvent) }}
			in := install(t, transport, a)
			u := in.ws.As(ann).Must(t)
			u.VisitHome()
			e := <-opened
			require.Equal(t, slacksim.UserID(ann), e.User)
			require.Equal(t, "home", e.Tab)
			require.Nil(t, e.View, "nothing is published yet")
			view, err := a.api.PublishView(e.User, home(slack.NewDividerBlock()), "")
			require.NoError(t, err)
			u.VisitHome()
			require.Equal(t, view.ID, (<-opened).View.ID)
			u.OpenMessages()
			require.Equal(t, "messages", (<-opened).Tab)
		})
	})

	t.Run("app that publishes no Home tab is an error", func(t *testing.T) {
		in := install(t, "http", &app{})
		require.ErrorContains(t, in.ws.As(ann).Within(20*time.Millisecond).OpenHome(), "did not publish")
	})
}

// waitForTraffic waits for traffic that meets a condition.
func waitForTraffic(t testing.TB, ws *slacksim.Workspace, is func(slacksim.Traffic) bool) slacksim.Traffic {
	t.Helper()
	var found slacksim.Traffic
	err := ws.As(ann).WaitUntil("traffic", func(slacksim.Screen) bool {
		log, err := ws.Traffic(0)
		require.NoError(t, err)
		for _, entry := range log {
			if is(entry) {
				found = entry
				return true
			}
		}
		return false
	})
	require.NoError(t, err)
	return found
}

func TestSocketMode(t *testing.T) {
	// Source: apis/events-api/using-socket-mode: each payload goes to one of several connections.
	t.Run("each payload goes to one connection", func(t *testing.T) {
		a := sample()
		in := install(t, "socket", a)
		var got [2]atomic.Int32
		for i := range got {
			client := socketmode.New(slack.New(botToken, slack.OptionAPIURL(in.url+"/api/"), slack.OptionAppLevelToken(appToken)))
			done := make(chan struct{})
			ctx := t.Context()
			go func() { defer close(done); _ = client.RunContext(ctx) }()
			go func() {
				for {
					select {
					case <-ctx.Done():
						return
					case e := <-client.Events:
						if e.Type == socketmode.EventTypeInteractive {
							got[i].Add(1)
							_ = client.Ack(*e.Request)
						}
					}
				}
			}()
		}
		require.NoError(t, in.ws.WaitForSockets(3, 10*time.Second))
		for range 30 {
			d, err := in.ws.Deliver("interactivity", m{"type": "view_closed"})
			require.NoError(t, err)
			require.True(t, d.Acked)
		}
		first := len(a.of(slack.InteractionTypeViewClosed))
		require.Equal(t, 30, first+int(got[0].Load())+int(got[1].Load()), "no payload is lost or doubled")
		require.Positive(t, first)
		require.Positive(t, got[0].Load())
		require.Positive(t, got[1].Load())
	})

	// Source: using-socket-mode, "Connections": disconnect with a reason; the client reconnects.
	t.Run("client reconnects when it is told to", func(t *testing.T) {
		in := install(t, "socket", sample())
		for _, reason := range []string{"warning", "refresh_requested"} {
			require.NoError(t, in.ws.Disconnect(reason))
			require.NoError(t, in.ws.WaitForSockets(1, 10*time.Second), reason)
			in.ws.As(ann).Must(t).OpenHome()
		}
		require.Error(t, in.ws.Disconnect("boredom"))
	})

	t.Run("app reconnects when Slack is available again", func(t *testing.T) {
		in := install(t, "socket", sample())
		require.NoError(t, in.ws.Away(true))
		require.NoError(t, in.ws.WaitForSockets(0, 10*time.Second))
		require.NoError(t, in.ws.Away(false))
		require.NoError(t, in.ws.WaitForSockets(1, 20*time.Second))
		in.ws.As(ann).Must(t).OpenHome()
	})

	// Source: slack-go socketmode.maxResponseSize: Slack drops an ack of 20 KB, silently.
	t.Run("acknowledgement of 20 KB is dropped", func(t *testing.T) {
		api, ws := alone(t, func(c *slacksim.Config) { c.AckTimeout = 200 * time.Millisecond })
		conn := dial(t, api)
		var size atomic.Int64
		go func() {
			for {
				var env struct {
					EnvelopeID string `json:"envelope_id"`
					Type       string `json:"type"`
				}
				if conn.ReadJSON(&env) != nil {
					return
				}
				if env.Type == "interactive" {
					frame := `{"envelope_id":"` + env.EnvelopeID + `","payload":{"pad":"`
					_ = conn.WriteMessage(websocket.TextMessage, []byte(frame+of(int(size.Load())-len(frame)-3)+`"}}`))
				}
			}
		}()
		require.NoError(t, ws.WaitForSockets(1, 10*time.Second))
		size.Store(20 * 1024)
		d, err := ws.Deliver("options", m{"type": "block_suggestion"})
		require.NoError(t, err)
		require.False(t, d.Acked)
		require.Contains(t, waitForTraffic(t, ws, func(t slacksim.Traffic) bool { return t.Name == "ack" }).Error, "under 20480 bytes")
		size.Store(20*1024 - 1)
		d, err = ws.Deliver("options", m{"type": "block_suggestion"})
		require.NoError(t, err)
		require.True(t, d.Acked)
	})

	// Source: using-socket-mode: up to ten connections.
	t.Run("eleventh connection is refused", func(t *testing.T) {
		api, ws := alone(t)
		for range 10 {
			dial(t, api)
		}
		require.NoError(t, ws.WaitForSockets(10, 10*time.Second))
		_, address, err := api.StartSocketModeContext(t.Context())
		require.NoError(t, err)
		require.Error(t, connect(t, address))
	})

	// Source: apps.connections.open: a URL is valid for one connection.
	t.Run("ticket is valid for one connection", func(t *testing.T) {
		api, _ := alone(t)
		_, address, err := api.StartSocketModeContext(t.Context())
		require.NoError(t, err)
		require.NoError(t, connect(t, address))
		require.Error(t, connect(t, address))
	})

	t.Run("missing connection is shown to the user", func(t *testing.T) {
		api, ws := alone(t)
		_, err := api.PublishView(slacksim.UserID(ann), home(slack.NewActionBlock("x", button("open", "", "Open"))), "")
		require.NoError(t, err)
		require.ErrorContains(t, ws.As(ann).Press("Open"), "no Socket Mode connection")
		_, err = ws.As(ann).WaitForNotice("something went wrong")
		require.NoError(t, err)
	})
}
