package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/slacksim"
	"accessbot/worker/program"
	"accessbot/workflows"
)

func TestStartup(t *testing.T) {
	t.Run("every wrong setting is reported at once", func(t *testing.T) {
		_, err := configure(
			program.Environment{
				"SLACK_API_URL":          "http://127.0.0.1:3002/api",
				"MAX_ACTIONS_PER_MINUTE": "0",
				"DEFAULT_TIME_ZONE":      "Mars/Olympus",
			},
		)
		for _, name := range []string{"DATABASE_URL", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_API_URL", "MAX_ACTIONS_PER_MINUTE", "DEFAULT_TIME_ZONE"} {
			require.ErrorContains(t, err, name+": ")
		}
		settings := program.Environment{"DATABASE_URL": "postgres://x@localhost/x", "SLACK_BOT_TOKEN": "xoxb-1"}
		_, err = configure(settings)
		require.ErrorContains(t, err, "SLACK_SIGNING_SECRET", "over HTTP it does not start without")
		settings["SLACK_APP_TOKEN"] = "xapp-1"
		c, err := configure(settings)
		require.NoError(t, err)
		require.True(t, c.socketMode())
		require.Equal(t, "127.0.0.1:3000", string(c.ListenAddr))
		require.Equal(t, "UTC", string(c.DefaultTimeZone))
		require.Equal(t, workflows.DefaultTaskQueue, c.TaskQueue)
		require.Equal(t, userLimit, c.limit)
		require.True(t, c.ShowPeople)
		settings["TEMPORAL_SHOW_PEOPLE"] = "false"
		c, err = configure(settings)
		require.NoError(t, err)
		require.False(t, c.ShowPeople)
	})

	t.Run("tokens in each other's place are refused and not shown", func(t *testing.T) {
		_, err := configure(
			program.Environment{
				"DATABASE_URL":    "postgres://x@localhost/x",
				"SLACK_BOT_TOKEN": "xapp-hunter2",
				"SLACK_APP_TOKEN": "xoxb-hunter2",
			},
		)
		require.ErrorContains(
			t,
			err,
			"SLACK_BOT_TOKEN: the value is something else: set it to the app's bot token, which starts with xoxb-",
		)
		require.ErrorContains(
			t,
			err,
			"SLACK_APP_TOKEN: the value is something else: set it to an app-level token, which starts with xapp-",
		)
		require.NotContains(t, err.Error(), "hunter2")
	})

	t.Run("limits are in range and in order", func(t *testing.T) {
		_, err := configure(
			program.Environment{"MAX_OPEN_REQUESTS": "10001", "MAX_REQUESTS_PER_MINUTE": "200", "MAX_ACTIONS_PER_MINUTE": "199"},
		)
		require.ErrorContains(t, err, `MAX_OPEN_REQUESTS: "10001" is too large: set it to a number from 1 to 10000`)
		require.ErrorContains(
			t,
			err,
			"MAX_REQUESTS_PER_MINUTE: 200 is more than MAX_ACTIONS_PER_MINUTE (199): set it to at most MAX_ACTIONS_PER_MINUTE",
		)
	})

	t.Run("program explains itself, and starts without arguments", func(t *testing.T) {
		var out bytes.Buffer
		started := func(args ...string) error {
			return start(t.Context(), &program.Process{Args: args, Stdout: &out, Stderr: &out})
		}
		require.NoError(t, started("--help"))
		require.Contains(t, out.String(), "as accessbot_slackapp")
		require.NoError(t, started("--version"))
		require.Contains(t, out.String(), "commit")
		require.ErrorContains(t, started("migrate"), "unexpected argument migrate")
		require.ErrorContains(t, started(), "DATABASE_URL: not set")
	})

	t.Run("removed setting stops the start", func(t *testing.T) {
		for _, name := range []string{"REMIND_AFTER", "ESCALATE_AFTER", "EXPIRE_AFTER", "MAX_DAYS", "BIND_BY_EMAIL"} {
			settings := program.Environment{
				"DATABASE_URL":    "postgres://x@localhost/x",
				"SLACK_BOT_TOKEN": "xoxb-1",
				"SLACK_APP_TOKEN": "xapp-1",
			}
			_, err := configure(settings)
			require.NoError(t, err)
			settings[name] = "true"
			_, err = configure(settings)
			require.ErrorContains(t, err, name+": no longer a setting")
		}
	})

	t.Run("token that Slack refuses ends the program and is not shown", func(t *testing.T) {
		_, c := alone(t, "xoxb-wrong")
		err := run(context.Background(), c, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "SLACK_BOT_TOKEN: Slack refuses it (invalid_auth)")
		require.NotContains(t, err.Error(), "xoxb-wrong")
	})

	t.Run("old development database stops the start", func(t *testing.T) {
		db := schematest.New(t)
		_, err := db.Exec(`create table goose_db_version ()`)
		require.NoError(t, err)
		_, c := alone(t, botToken)
		c.DatabaseURL = program.Secret(db.RoleURL("accessbot_slackapp"))
		require.ErrorIs(t, run(t.Context(), c, slog.New(slog.DiscardHandler)), schema.ErrOldDatabase)
	})

	t.Run("app starts while Slack and the database are away", func(t *testing.T) {
		slack, c := alone(t, botToken)
		require.NoError(t, slack.Away(true))
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, c, slog.New(slog.DiscardHandler)) }()
		base := "http://" + c.listener.Addr().String()
		wait := func(what string, so func() bool) {
			t.Helper()
			require.Eventually(t, so, 15*time.Second, 20*time.Millisecond, what)
		}
		wait("it is alive", func() bool { return status(base+"/healthz") == http.StatusOK })
		require.Equal(t, http.StatusServiceUnavailable, status(base+"/readyz"))
		post := func() int {
			body := `{"type":"url_verification","challenge":"x"}`
			r, err := http.NewRequest(http.MethodPost, base+"/slack/events", strings.NewReader(body))
			require.NoError(t, err)
			sign(r, body)
			got, _ := send(t, r)
			return got
		}
		require.Equal(t, http.StatusServiceUnavailable, post(), "no one is let in before it knows whose app it is")
		require.NoError(t, slack.Away(false))
		wait("it accepts payloads once Slack is up", func() bool { return post() == http.StatusOK })
		require.Equal(t, http.StatusServiceUnavailable, status(base+"/readyz"), "the database is away")
		stop()
		require.NoError(t, <-ended)
	})

	t.Run("Socket Mode reconnects", func(t *testing.T) {
		s := newStage(t, 1, true)
		s.as("alice").OpenHome()
		for _, reason := range []string{"warning", "refresh_requested"} {
			before := s.traffic("apps.connections.open")
			require.NoError(t, s.slack.Disconnect(reason))
			s.eventually("it asks for another connection", func() bool { return s.traffic("apps.connections.open") > before })
			require.NoError(t, s.slack.WaitForSockets(1, 10*time.Second))
			s.openForm(s.as("alice"))
			s.as("alice").CloseAllModals()
		}
	})

	t.Run("rate limit of Slack is obeyed", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		s.openForm(alice)
		require.NoError(t, s.slack.Break(slacksim.Fault{Method: "views.update", Kind: "ratelimited", RetryAfter: 1, Times: 1}))
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("Select all access grants (6)")
	})
}

// alone returns a local Slack, and the configuration of an app for it without a database.
func alone(t *testing.T, token string) (*slacksim.Workspace, config) {
	t.Helper()
	sim, err := slacksim.New(slacksim.Config{BotToken: botToken, AppToken: appToken})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	web := httptest.NewServer(sim.Handler())
	t.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := testConfig(program.Secret(token), web.URL)
	c.DatabaseURL, c.listener = "postgres://someuser@127.0.0.1:1/nothing?sslmode=disable", l
	return slacksim.Dial(web.URL), c
}

func TestHomeTab(t *testing.T) {
	// For the Home tab.
	t.Run("view that Slack refuses is replaced by a small one", func(t *testing.T) {
		s := newStage(t, 1, false)
		require.NoError(t, s.slack.Break(slacksim.Fault{Method: "views.publish", Kind: "error", Error: "invalid_arguments", Times: 1}))
		alice := s.as("alice")
		alice.VisitHome()
		home := alice.WaitForHome("Alice Martin")
		require.Contains(t, home, "Request Access")
		require.Contains(t, home, "We can't show your requests and access right now")
		s.openForm(alice)
	})

	t.Run("outage of the database is shown", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		s.recordAway(true)
		alice.VisitHome()
		alice.WaitForHome("We can't show your access right now.")
		alice.Press("Request Access")
		alice.WaitForModal("We can't reach our database right now.")
		s.recordAway(false)
		alice.CloseAllModals()
		alice.OpenHome()
		require.Contains(t, alice.Home(), "Alice Martin")
	})

	t.Run("long list is shown page by page", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.grantMany("alice", 33) // in addition to the two that she has
		alice := s.as("alice")
		alice.OpenHome()
		require.Contains(t, alice.Home(), "My current access (35)")
		alice.Press("Show all 35")
		require.Contains(t, alice.WaitForModal("page 1 of 3"), "35 in total")
		alice.Press("Next")
		alice.WaitForModal("page 2 of 3")
		alice.Press("Next")
		alice.WaitForModal("page 3 of 3")
		s.do(
			`update claims set ended_at = app_now() where person_id = $1 and entitlement_id in (select id from entitlements where key like 'more-%')`,
			s.person("alice").ID,
		)
		alice.Press("Previous") // that page no longer exists
		alice.WaitForModal("2 in total, page 1 of 1")
	})
}

func TestAcknowledgement(t *testing.T) {
	t.Run("acknowledged work is done before the program ends", func(t *testing.T) {
		j := newJobs(1, 10, 10, slog.New(slog.DiscardHandler))
		begun, goOn, done := make(chan bool), make(chan bool), false
		require.True(t, j.do("alice", "alice", func(context.Context) {
			close(begun)
			<-goOn
			done = true
		}))
		<-begun
		waited := make(chan bool)
		go func() {
			j.wait(context.Background())
			close(waited)
		}()
		select {
		case <-waited:
			t.Fatal("it did not wait")
		default:
		}
		close(goOn)
		<-waited
		require.True(t, done)
	})

	t.Run("work after the acknowledgement is bounded and in order", func(t *testing.T) {
		j := newJobs(3, 50, 50, slog.New(slog.DiscardHandler))
		var mu sync.Mutex
		running, most := 0, 0
		order := map[string][]int{}
		for n := range 50 {
			key := fmt.Sprint(n % 5)
			require.True(t, j.do("alice", key, func(context.Context) {
				mu.Lock()
				running++
				most = max(most, running)
				mu.Unlock()
				for range 1000 {
					_ = fmt.Sprint(n) // long enough to overlap with others
				}
				mu.Lock()
				running--
				order[key] = append(order[key], n)
				mu.Unlock()
				if n%7 == 0 {
					panic("one payload must not take the others with it")
				}
			}))
		}
		j.wait(context.Background())
		require.LessOrEqual(t, most, 3)
		for key, got := range order {
			require.Len(t, got, 10)
			require.IsIncreasing(t, got, key)
		}
		goOn := make(chan bool)
		for range 50 { // exactly all places are free again
			require.True(t, j.do("alice", "alice", func(context.Context) { <-goOn }))
		}
		require.False(t, j.do("alice", "alice", func(context.Context) {}))
		close(goOn)
		j.wait(context.Background())
	})

	t.Run("panic in a handler ends nothing else", func(t *testing.T) {
		log := &syncBuffer{}
		require.True(t, guarded(slog.New(slog.NewTextHandler(log, nil)), "a payload", func() { panic(errors.New("boom")) }))
		require.Contains(t, log.String(), "boom")
	})

	t.Run("acknowledgement does not wait for Slack", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alice := s.as("alice")
			s.openForm(alice)
			require.NoError(s, s.slack.Break(slacksim.Fault{Method: "*", Kind: "slow", DelayMS: 3500, Times: 1}))
			alice.Choose("Access Like", "Custom") // fails if there is no ack within three seconds
			alice.WaitForModal("Everything that you can request")
		})
	})

	t.Run("acknowledgement does not wait for the database", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alice := s.as("alice")
			s.openForm(alice)
			blocker, err := s.db.Beginx()
			require.NoError(s, err)
			_, err = blocker.Exec(`select from form_drafts for update`)
			require.NoError(s, err)
			alice.Choose("Access Like", "Custom")
			alice.WaitForModal("We can't reach our database right now. Nothing was changed.")
			require.NoError(s, blocker.Rollback())
			alice.CloseModal()
			alice.Choose("Access Like", "Job Title")
			alice.WaitForModal("Search job titles")
		})
	})
}
