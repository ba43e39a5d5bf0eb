package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// bare returns the app without a database and without Slack. It still reads payloads.
func bare(t testing.TB, log *syncBuffer) *app {
	db, err := schema.Open("postgres://no-one@127.0.0.1:1/none?connect_timeout=1", 1)
	require.NoError(t, err)
	logger := slog.New(slog.NewTextHandler(log, nil))
	c := testConfig(botToken, "http://127.0.0.1:1")
	a := &app{config: c, log: logger, db: db, slack: newSlack(c, logger), home: workspace{teamID: "T1", botID: "B1", appID: "A1"},
		users: &users{}, recording: &sync.WaitGroup{},
		limiter: newLimiter(unlimited), places: make(chan struct{}, 10),
		jobs: newJobs(1, 10, 10, logger), opens: newJobs(1, 10, 10, logger), signals: newJobs(1, 10, 10, logger)}
	a.later = a.with(db)
	return a
}

// FuzzRoutes sends any body, signed, to each route, and lets what follows from it begin: nothing panics, and nothing is answered
// but what Slack understands.
func FuzzRoutes(f *testing.F) {
	for _, seed := range []string{
		`{"type":"url_verification","challenge":"x"}`,
		`{"type":"event_callback","team_id":"T1","api_app_id":"A1","event_id":"E","event":{"type":"app_home_opened","tab":"home","user":"U1"}}`,
		`{"type":"block_actions","team":{"id":"T1"},"api_app_id":"A1","user":{"id":"U1"},"trigger_id":"t","actions":[{"action_id":"approve","value":"1:x"}]}`,
		`{"type":"block_actions","team":{"id":"T1"},"api_app_id":"A1","user":{"id":"U1"},"actions":[{"action_id":"show_all","value":"access:1"}],"container":{"type":"message"}}`,
		`{"type":"block_actions","team":{"id":"T1"},"api_app_id":"A1","user":{"id":"U1"},"view":{"callback_id":"request","id":"V1","state":{"values":{"grants.1.0":{"grants":{"selected_options":[{"value":"7"}]}}}}},"actions":[{"action_id":"grants","block_id":"grants.1.0","selected_options":[{"value":"7"}]}]}`,
		`{"type":"view_submission","team":{"id":"T1"},"api_app_id":"A1","user":{"id":"U1"},"view":{"callback_id":"deny","private_metadata":"1:x","state":{"values":{"reason":{"reason":{"value":"no"}}}}}}`,
		`{"type":"view_submission","team":{"id":"T1"},"api_app_id":"A1","user":{"id":"U1"},"view":{"callback_id":"choose","private_metadata":"1:x;1,2"}}`,
		`{"type":"view_submission","team":{"id":"T1"},"api_app_id":"A1","user":{"id":"U1"},"view":{"callback_id":"request","id":"V1","state":null}}`,
		`{"type":"block_suggestion","team":{"id":"T1"},"api_app_id":"A1","user":{"id":"U1"},"action_id":"subject","value":"a"}`,
		`null`, `[]`, `{"actions":[null]}`, "\x00", "{",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		log := &syncBuffer{}
		a := bare(t, log)
		defer a.db.Close()
		s := a.server()
		s.open()
		for _, route := range []string{"events", "interactivity", "options"} {
			body := payload
			if route != "events" {
				body = []byte(url.Values{"payload": {string(payload)}}.Encode())
			}
			for _, signed := range []bool{true, false} {
				r := httptest.NewRequest(http.MethodPost, "/slack/"+route, bytes.NewReader(body))
				if signed {
					sign(r, string(body))
				}
				w := httptest.NewRecorder()
				ctx, cancel := context.WithCancel(context.Background())
				cancel() // the database and Slack return errors at once
				s.http.Handler.ServeHTTP(w, r.WithContext(ctx))
				if !signed {
					require.Equal(t, http.StatusUnauthorized, w.Code)
					continue
				}
				require.Contains(t, []int{200, 400, 403, 413}, w.Code, w.Body.String())
				if w.Code == 200 && w.Body.Len() > 0 {
					require.True(t, json.Valid(w.Body.Bytes()), w.Body.String())
				}
			}
		}
		a.jobs.wait(t.Context())
		a.opens.wait(t.Context())
		require.NotContains(t, log.String(), "panic")
		require.NotContains(t, log.String(), secret)
		require.NotContains(t, log.String(), botToken)
	})
}

// FuzzSignature: only the correct and recent signature is accepted.
func FuzzSignature(f *testing.F) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	sign(r, "body")
	f.Add(r.Header.Get("X-Slack-Request-Timestamp"), r.Header.Get("X-Slack-Signature"), []byte("body"))
	f.Add("", "", []byte{})
	f.Add("9999999999999999999", "v0=", []byte("x"))
	f.Add("-1", "v0=zz", []byte("x"))
	f.Fuzz(func(t *testing.T, timestamp, signature string, body []byte) {
		h := http.Header{}
		h.Set("X-Slack-Request-Timestamp", timestamp)
		h.Set("X-Slack-Signature", signature)
		if verify(h, body, secret) != nil {
			return
		}
		at, err := strconv.ParseInt(timestamp, 10, 64)
		require.NoError(t, err)
		require.InDelta(t, time.Now().Unix(), at, 301)
		want := httptest.NewRequest(http.MethodPost, "/", nil)
		signAt(want, string(body), timestamp)
		got, err := hex.DecodeString(strings.TrimPrefix(signature, "v0="))
		require.NoError(t, err)
		require.Equal(t, want.Header.Get("X-Slack-Signature"), "v0="+hex.EncodeToString(got))
	})
}

// FuzzSubmission reads any state of a form: errors are at fields that are shown, texts fit into the database, an end is later
// than now and within what is allowed.
func FuzzSubmission(f *testing.F) {
	for _, seed := range []string{
		`{"values":{"access_like":{"access_like":{"selected_option":{"value":"custom"}}},"duration":{"duration":{"selected_option":{"value":"temporary"}}},"end_date":{"end_date":{"selected_date":"2026-12-01"}},"end_time":{"end_time":{"selected_time":"02:30"}},"reason":{"reason":{"selected_option":{"value":"project"}}},"note":{"note":{"value":"x"}},"grants.1.0":{"grants":{"selected_options":[{"value":"7"}]}}}}`,
		`{"values":{"duration":{"duration":{"selected_option":{"value":"permanent"}}},"grants.-1.99":{"grants":{}},"reason":{"reason":{"selected_option":{"value":"other"}}},"note":{"note":{"value":"\u0000\u202e"}}}}`,
		`{"values":{"end_date":{"end_date":{"selected_date":"0000-01-01"}}}}`, `{"values":null}`, `{}`, `null`,
	} {
		f.Add([]byte(seed), "Europe/Berlin", int64(1790000000))
		f.Add([]byte(seed), "Pacific/Apia", int64(1325203200))
	}
	f.Fuzz(func(t *testing.T, raw []byte, zone string, unix int64) {
		var state *slack.ViewState
		if json.Unmarshal(raw, &state) != nil || unix < 0 || unix > 1<<34 {
			return
		}
		for _, mode := range []string{schema.LikePerson, schema.LikeJobTitle, schema.Custom, schema.Extend, schema.Again} {
			d := &schema.Draft{Mode: mode, TimeZone: zone, Generation: 1, OfferGeneration: 1, Page: 1}
			d.Shown = [][]int64{{7, 8}}
			s := submissionOf(&slack.View{State: state})
			now := time.Unix(unix, 0)
			_ = takeBoxes(d, s.shown) // an error is one of the ways to refuse it
			for _, id := range d.Chosen {
				require.Contains(t, []int64{7, 8}, id, "chosen and never shown")
			}
			s.checkShown(d)
			key, note := s.why([]schema.Reason{{Key: "project"}, {Key: "other", NoteRequired: true}})
			end, day := s.ends(d, now, 365)
			for at, text := range s.errors {
				require.True(t, s.shown[at] != nil || at == s.first(), at)
				require.NotEmpty(t, text)
				require.True(t, utf8.ValidString(text))
			}
			require.True(t, utf8.ValidString(note) && !strings.ContainsRune(note, 0))
			if len(s.errors) > 0 {
				continue
			}
			require.Contains(t, []string{"project", "other"}, key)
			require.LessOrEqual(t, utf8.RuneCountInString(note), views.MaxNote)
			if end.Valid {
				z, err := time.LoadLocation(zone)
				require.NoError(t, err)
				require.True(t, end.Time.After(now) && !end.Time.After(lastEnd(now, 365, z)))
			}
			require.False(t, day.Valid && !end.Valid)
		}
	})
}

// FuzzEnds: a day and a time of day are an instant at which clocks there show them, or the first one after a gap.
func FuzzEnds(f *testing.F) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "UTC"} {
		f.Add("2026-03-29", "02:30", zone)
		f.Add("2026-10-25", "02:30", zone)
		f.Add("2011-12-30", "00:00", zone)
		f.Add("0000-01-01", "23:59", zone)
		f.Add("9999-12-31", "24:00", zone)
	}
	f.Fuzz(func(t *testing.T, date, clock, zone string) {
		z, err := time.LoadLocation(zone)
		if err != nil || zone == "Local" {
			return
		}
		if at, err := endAt(date, clock, z); err == nil {
			shown := at.In(z).Format("2006-01-02 15:04")
			of, err := time.Parse("15:04", clock)
			require.NoError(t, err)
			wall := date + " " + of.Format("15:04")
			if shown != wall { // skipped: clocks show a later time, and an earlier one an instant before
				require.Greater(t, shown, wall)
				require.Less(t, at.Add(-time.Second).In(z).Format("2006-01-02 15:04"), wall)
			}
		}
		if end, day, err := endOfDay(date, z); err == nil {
			require.Equal(t, date, day.Format(time.DateOnly))
			require.LessOrEqual(t, end.Add(-time.Nanosecond).In(z).Format(time.DateOnly), date)
		}
	})
}

func FuzzIDs(f *testing.F) {
	for _, seed := range []string{"7", "-1", "0", "+7", "9223372036854775808", "7 ", "", "1e3", "٧"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		id, err := idOf(value)
		if err != nil {
			require.ErrorIs(t, err, schema.ErrNotOffered)
			return
		}
		require.Positive(t, id)
		ids, err := chosenIDs(slices.Repeat([]slack.OptionBlockObject{{Value: value}}, 2))
		require.NoError(t, err)
		require.Equal(t, []int64{id, id}, ids)
	})
}
