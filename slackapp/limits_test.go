package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUserLimit(t *testing.T) {
	t.Run("limiter lets bursts through and refuses the excess", func(t *testing.T) {
		t.Run("a user is let through until the burst is used up, and told once", func(t *testing.T) {
			l := newLimiter(limit{perMinute: 1, burst: 3, atOnce: 9})
			for range 3 {
				ok, _ := l.enter("U1", acts)
				require.True(t, ok)
				l.leave("U1")
			}
			ok, first := l.enter("U1", acts)
			require.False(t, ok)
			require.True(t, first)
			for range 5 {
				ok, first = l.enter("U1", acts)
				require.False(t, ok)
				require.False(t, first)
			}
			l.of["U1"].refusedAt = time.Now().Add(-2 * episode)
			_, first = l.enter("U1", acts)
			require.True(t, first, "another time")
			ok, _ = l.enter("U1", searches)
			require.True(t, ok, "each kind has a limit of its own")
			ok, _ = l.enter("U2", acts)
			require.True(t, ok, "as has each user")
		})
		t.Run("only so many of a user are recorded at once", func(t *testing.T) {
			l := newLimiter(limit{perMinute: 60, burst: 100, atOnce: 2})
			for _, kind := range []string{acts, visits} {
				ok, _ := l.enter("U1", kind)
				require.True(t, ok)
			}
			ok, _ := l.enter("U1", acts)
			require.False(t, ok)
			l.leave("U1")
			ok, _ = l.enter("U1", acts)
			require.True(t, ok)
		})
		t.Run("its memory is bounded", func(t *testing.T) {
			l := newLimiter(limit{perMinute: 60, burst: 1, atOnce: 1})
			ok, _ := l.enter("busy", acts)
			require.True(t, ok)
			for n := range usersLimited + 10 {
				user := fmt.Sprint("U", n)
				ok, _ := l.enter(user, acts)
				require.True(t, ok)
				l.leave(user)
			}
			require.LessOrEqual(t, len(l.of), usersLimited)
			l.leave("busy")
		})
	})

	t.Run("jobs of one user are bounded", func(t *testing.T) {
		j := newJobs(1, 10, 2, slog.New(slog.DiscardHandler))
		goOn := make(chan bool)
		block := func(context.Context) { <-goOn }
		require.True(t, j.do("alice", "a", block))
		require.True(t, j.do("alice", "b", block))
		require.False(t, j.do("alice", "c", block))
		require.True(t, j.do("bob", "d", block), "the places of others are theirs")
		require.True(t, j.waits("d"), "there is one to do at once")
		require.False(t, j.waits("e"))
		close(goOn)
		j.wait(context.Background())
		require.True(t, j.do("alice", "c", block))
		j.wait(context.Background())
		require.Empty(t, j.of)
	})

	t.Run("excess is answered at once", func(t *testing.T) {
		const of = `"team":{"id":"T1"},"api_app_id":"A1","user":{"id":"U1"}`
		for name, c := range map[string]struct{ route, payload, answer string }{
			"a click":      {"interactivity", `{"type":"block_actions",` + of + `,"actions":[{"action_id":"approve","value":"1:x"}]}`, ""},
			"a submission": {"interactivity", `{"type":"view_submission",` + of + `,"view":{"callback_id":"deny","private_metadata":"1:x","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"x"}},{"type":"input","block_id":"why","label":{"type":"plain_text","text":"Why"},"element":{"type":"plain_text_input","action_id":"a"}}],"state":{"values":{"why":{"a":{"type":"plain_text_input","value":"no"}}}}}}`, `{"response_action":"errors","errors":{"why":"` + tooFastField + `"}}`},
			"a search":     {"options", `{"type":"block_suggestion",` + of + `,"action_id":"subject","value":"a"}`, `{"options":[]}`},
			"an event":     {"events", `{"type":"event_callback","team_id":"T1","api_app_id":"A1","event_id":"E","event":{"type":"app_home_opened","tab":"home","user":"U1"}}`, ""},
		} {
			t.Run(name, func(t *testing.T) {
				log := &syncBuffer{}
				a := bare(t, log)
				defer a.db.Close()
				a.limiter = newLimiter(limit{perMinute: 1, burst: 1, atOnce: 1})
				s := a.server()
				s.open()
				body := c.payload
				if c.route != "events" {
					body = url.Values{"payload": {c.payload}}.Encode()
				}
				post := func() *httptest.ResponseRecorder {
					r := httptest.NewRequest(http.MethodPost, "/slack/"+c.route, strings.NewReader(body))
					sign(r, body)
					w := httptest.NewRecorder()
					s.http.Handler.ServeHTTP(w, r)
					require.Equal(t, http.StatusOK, w.Code)
					return w
				}
				post()
				require.NotContains(t, log.String(), "rate limit exceeded")
				for range 3 {
					require.Equal(t, c.answer, strings.TrimSpace(post().Body.String()))
				}
				require.Equal(t, 1, strings.Count(log.String(), "rate limit exceeded"))
				for _, j := range []*jobs{a.jobs, a.opens, a.signals} {
					j.wait(t.Context())
				}
			})
		}
	})

	t.Run("fast clicker locks no one else out", func(t *testing.T) {
		for _, socket := range []bool{false, true} {
			t.Run(transport(socket), func(t *testing.T) {
				s := newStage(t, 1, socket, func(c *config) { c.limit = userLimit })
				s.work(s.asks("alice", "priya", "Priya Nair", "Dashboard editor"))
				alice := s.as("alice")
				card := alice.WaitForMessage("#1001")
				alice.PressIn(card, "Withdraw")
				alice.WaitForEphemeral("Withdrawing request #")
				_, click, err := s.slack.LastPayload("block_actions")
				require.NoError(t, err)
				start := time.Now()
				var clicks sync.WaitGroup
				for range 4 {
					clicks.Go(func() {
						for range 50 {
							answer, err := s.slack.Deliver("interactivity", click)
							if err != nil || !answer.Acked {
								t.Errorf("a click has no ack: %v %v", answer, err)
							}
						}
					})
				}
				for _, name := range others {
					s.custom(s.as(name), "Support desk") // fails at any error
					s.as(name).SubmitAccepted()
				}
				clicks.Wait()
				most := userLimit.burst + int(time.Since(start).Minutes()*float64(userLimit.perMinute)) + 1
				var slower, done int
				s.eventually("the clicker is told", func() bool {
					slower, done = 0, 0
					for _, m := range alice.Ephemerals() {
						switch {
						case strings.Contains(m.Text(), tooFast):
							slower++
						case strings.Contains(m.Text(), "nothing left to withdraw"):
							done++
						}
					}
					return slower > 0
				})
				require.Equal(t, 1, slower, "once, not for each click")
				require.LessOrEqual(t, done, most)
			})
		}
	})

	t.Run("work after acks leaves connections to work before them", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.addOwners(
			"building",
			slices.DeleteFunc(slices.Clone(others), func(name string) bool { return name == "dana" })...) // who owns it
		for _, name := range others {
			s.as(name).OpenHome()
		}
		tx, err := s.db.Beginx()
		require.NoError(t, err)
		defer tx.Rollback() //nolint:errcheck // it only holds the lock
		_, err = tx.Exec(`lock table manual_tasks`)
		require.NoError(t, err)
		for _, name := range others { // each has a Home tab to be drawn, which reads manual_tasks
			s.as(name).VisitHome()
		}
		waiting := func() int {
			return one[int](
				s,
				`select count(*) from pg_stat_activity where datname = $1 and usename = 'accessbot_slackapp' and wait_event_type = 'Lock'`,
				s.db.Name,
			)
		}
		s.eventually("the pool for what is done after acks is used up", func() bool { return waiting() == laterConnections })
		_, payload, err := s.slack.LastPayload("app_home_opened")
		require.NoError(t, err)
		for n := range 2 * laterConnections {
			payload["event_id"] = fmt.Sprint("EvPOOL", n)
			answer, err := s.slack.Deliver("events", payload)
			require.NoError(t, err)
			require.True(t, answer.Acked)
		}
		require.Equal(
			t,
			2*laterConnections,
			one[int](s, `select count(*) from slack_events where event_id like 'EvPOOL%'`),
			"recorded before their acks",
		)
		require.Equal(t, laterConnections, waiting())
	})
}

// others are ten people who act at normal speed.
var others = []string{"bob", "priya", "lucia", "dana", "noor", "zoe", "tom", "mateusz", "ingrid", "mia"}
