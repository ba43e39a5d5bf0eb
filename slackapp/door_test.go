package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
)

// writes counts everything that a request could have written.
func (s *stage) writes() int {
	s.Helper()
	return one[int](
		s,
		`select (select count(*) from access_requests) + (select count(*) from audit_events) + (select count(*) from form_drafts)
		+ (select count(*) from slack_events) + (select count(*) from slack_identities) + (select count(*) from decisions) + (select count(*) from stop_orders)`,
	)
}

// send sends a request and returns its status and text.
func send(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestSignature(t *testing.T) {
	t.Run("unsigned, stale or tampered request is refused on every route", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		alice.OpenHome()
		s.openForm(alice)
		alice.Search("Person", "pri")
		before := s.writes()
		for _, c := range []struct{ route, payload string }{{"events", "app_home_opened"}, {"interactivity", "block_actions"}, {"options", "block_suggestion"}} {
			_, payload, err := s.slack.LastPayload(c.payload)
			require.NoError(t, err)
			payload["event_id"] = "Ev0NEW"
			signed := func(options ...slacksim.SignOption) *http.Request {
				r, err := s.slack.SignedRequest(c.route, payload, options...)
				require.NoError(t, err)
				return r
			}
			unsigned := signed()
			unsigned.Header.Del("X-Slack-Signature")
			untimed := signed()
			untimed.Header.Del("X-Slack-Request-Timestamp")
			tampered := signed()
			tampered.Body = io.NopCloser(strings.NewReader("payload=%7B%7D"))
			tampered.ContentLength = -1
			short := signed()
			short.Header.Set("X-Slack-Signature", "v0=00")
			for what, r := range map[string]*http.Request{
				"unsigned": unsigned, "without a time": untimed, "tampered": tampered, "with a short signature": short,
				"stale": signed(slacksim.SignedAt(time.Now().Add(-6 * time.Minute))), "from the future": signed(slacksim.SignedAt(time.Now().Add(6 * time.Minute))),
			} {
				got, _ := send(t, r)
				require.Equal(t, http.StatusUnauthorized, got, "%s on %s", what, c.route)
			}
			require.Equal(t, before, s.writes(), c.route)
			got, _ := send(t, signed())
			require.Equal(t, http.StatusOK, got, "signed, as a check of this test")
			before = s.writes()
		}
	})

	t.Run("payload in the query string is refused", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.as("alice").OpenHome()
		s.openForm(s.as("alice"))
		_, payload, err := s.slack.LastPayload("block_actions")
		require.NoError(t, err)
		raw, err := json.Marshal(payload)
		require.NoError(t, err)
		before := s.writes()
		for _, route := range []string{"interactivity", "options"} {
			for _, body := range []string{"", "other=1"} {
				r, err := http.NewRequest(
					http.MethodPost,
					s.apps[0]+"/slack/"+route+"?"+url.Values{"payload": {string(raw)}}.Encode(),
					strings.NewReader(body),
				)
				require.NoError(t, err)
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				sign(r, body)
				got, said := send(t, r)
				require.Equal(t, http.StatusBadRequest, got, said)
				require.Contains(t, said, "no payload in the body")
			}
		}
		require.Equal(t, before, s.writes())
	})

	t.Run("body over a megabyte is not read", func(t *testing.T) {
		s := newStage(t, 1, false)
		r, err := http.NewRequest(http.MethodPost, s.apps[0]+"/slack/interactivity", bytes.NewReader(bytes.Repeat([]byte("x"), 2<<20)))
		require.NoError(t, err)
		got, _ := send(t, r)
		require.Equal(t, http.StatusRequestEntityTooLarge, got)
	})

	t.Run("URL verification of Slack is answered", func(t *testing.T) {
		s := newStage(t, 1, false)
		require.NoError(t, s.slack.VerifyURL())
	})
}

// sign signs a body as Slack does.
func sign(r *http.Request, body string) { signAt(r, body, strconv.FormatInt(time.Now().Unix(), 10)) }

func signAt(r *http.Request, body, now string) {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + now + ":" + body))
	r.Header.Set("X-Slack-Request-Timestamp", now)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
}

func TestEvents(t *testing.T) {
	t.Run("event delivered twice is handled once", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			require.NoError(s, s.slack.Break(slacksim.Fault{Method: "app_home_opened", Kind: "twice", Times: 1}))
			s.as("alice").OpenHome()
			s.eventually("both deliveries went out", func() bool { return s.traffic("app_home_opened") == 2 })
			s.stop() // acknowledged work is done by then
			require.Equal(s, 1, s.traffic("views.publish"))
		})
	})

	t.Run("unknown event is acknowledged", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			for _, event := range []map[string]any{{"type": "brand_new_event"}, {"type": "message", "user": "U1"}, {"type": "app_home_opened", "tab": "messages", "user": "U1"}} {
				answer, err := s.slack.Deliver(
					"events",
					map[string]any{"type": "event_callback", "team_id": "T0LOCALSIM", "event_id": "Ev1", "event": event},
				)
				require.NoError(s, err)
				require.True(s, answer.Acked, "%v: %s", event, answer.Problem)
			}
		})
	})

	t.Run("payload of another team or app is refused and audited", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alice := s.as("alice")
			alice.OpenHome()
			alice.Press("Request Access")
			alice.WaitForModal("Access Like")
			route, payload, err := s.slack.LastPayload("block_actions")
			require.NoError(s, err)
			opened := s.traffic("views.open")
			for n, change := range []func(p map[string]any){
				func(p map[string]any) { p["team"] = map[string]any{"id": "T0OTHER"} },
				func(p map[string]any) { p["user"].(map[string]any)["team_id"] = "T0OTHER" },
				func(p map[string]any) { p["team"] = nil },
				func(p map[string]any) { p["enterprise"] = map[string]any{"id": "E0OTHER"} },
				func(p map[string]any) { p["view"].(map[string]any)["bot_id"] = "B0OTHER" },
				func(p map[string]any) { p["view"].(map[string]any)["app_id"] = "A0OTHER" },
				func(p map[string]any) { p["api_app_id"] = "A0OTHER" },
				func(p map[string]any) { delete(p, "api_app_id") },
			} {
				var copied map[string]any
				raw, err := json.Marshal(payload)
				require.NoError(s, err)
				require.NoError(s, json.Unmarshal(raw, &copied))
				change(copied)
				_, err = s.slack.Deliver(route, copied)
				require.NoError(s, err)
				require.Equal(s, n+1, s.alerts(schema.PayloadRefused))
			}
			for n, from := range []map[string]any{
				{"team_id": "T0OTHER", "api_app_id": "A0LOCALSIM"}, {"team_id": "T0LOCALSIM", "api_app_id": "A0OTHER"}, {"team_id": "T0LOCALSIM"},
				{"team_id": "T0LOCALSIM", "api_app_id": "A0LOCALSIM", "enterprise_id": "E0OTHER"},
			} {
				from["type"], from["event_id"] = "event_callback", fmt.Sprint("EvElsewhere", n)
				from["event"] = map[string]any{"type": "app_home_opened", "tab": "home", "user": slacksim.UserID("alice@example.com")}
				_, err = s.slack.Deliver("events", from)
				require.NoError(s, err)
				require.Equal(s, 9+n, s.alerts(schema.PayloadRefused))
			}
			alice.CloseAllModals()
			alice.OpenHome()
			require.Equal(s, opened, s.traffic("views.open"), "none of them opened anything")
		})
	})
}

// traffic counts the calls or payloads of that name between the app and Slack.
func (s *stage) traffic(name string) int {
	s.Helper()
	all, err := s.slack.Traffic(0)
	require.NoError(s, err)
	n := 0
	for _, t := range all {
		if t.Name == name {
			n++
		}
	}
	return n
}
