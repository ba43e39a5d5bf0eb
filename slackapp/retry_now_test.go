package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/views"
)

func TestRetryNow(t *testing.T) {
	t.Run("administrator orders an attempt, and others cannot", func(t *testing.T) {
		t.Run("an administrator orders an attempt, and no one else can", func(t *testing.T) {
			s := newStage(t, 1, false)
			number := s.asks("alice", "priya", "Priya Nair", "Dashboard editor")
			s.work(number)
			bob := s.as("bob")
			bob.PressIn(bob.WaitForMessage("Alice Martin requests"), "Approve")
			s.eventually("it is decided", func() bool { return one[int](s, `select count(*) from decisions`) == 1 })
			s.work(number)
			item := one[int64](s, `select id from request_items where request_id = $1`, number)
			opened, err := s.worker.DB.NoteProblem(s.Context(), item, schema.Problem{Code: schema.TargetUnavailable}, 0)
			require.NoError(t, err)
			require.True(t, opened)
			require.NoError(t, s.outbox.SendNotifications(s.Context(), 0, 10))
			require.Empty(
				t,
				bob.WaitForMessage("Approved requests are waiting for Dashboards").Buttons(),
				"he owns it, and is no administrator",
			)
			dana := s.as("dana")
			waiting := dana.WaitForMessage("Approved requests are waiting for Dashboards")

			orders := func() int { return one[int](s, `select count(*) from retry_orders where request_id = $1`, number) }
			s.do(`update access_requests set due_at = app_now() + interval '1 hour' where id = $1`, number)
			dana.PressIn(waiting, "Retry now")
			dana.WaitForEphemeral(fmt.Sprintf("Retrying request #%d", number))
			require.Equal(t, 1, orders())
			require.True(
				t,
				one[bool](s, `select due_at <= app_now() from access_requests where id = $1`, number),
				"Temporal is away here: the sweep has it tried",
			)
			dana.WaitForEphemeral(fmt.Sprintf("We'll retry request #%d as soon as our systems are back", number))

			_, click, err := s.slack.LastPayload("block_actions")
			require.NoError(t, err)
			press := func(who, value string) {
				t.Helper()
				click["user"] = map[string]any{"id": slacksim.UserID(who + "@example.com"), "team_id": "T0LOCALSIM"}
				action := click["actions"].([]any)[0].(map[string]any)
				action["action_id"], action["value"] = views.ActionRetry, value
				_, err := s.slack.Deliver("interactivity", click)
				require.NoError(t, err)
			}
			for n, who := range []string{"alice", "bob"} { // who asked for it, and who approved it
				press(who, fmt.Sprint(number))
				s.eventually(who+" is refused", func() bool { return s.alerts(schema.RetryRefused) == n+1 })
			}
			press("dana", "1; drop table retry_orders")
			s.eventually("a value of its own is refused", func() bool { return s.alerts(schema.ButtonRefused) == 1 })

			// An administrator no longer still has the button before them.
			s.do(`update people set administrator = false where id = $1`, s.person("dana").ID)
			dana.PressIn(waiting, "Retry now")
			dana.WaitForEphemeral("Only administrators can retry a request.")
			require.Equal(t, 1, orders())
		})
		t.Run("nothing waits any more", func(t *testing.T) {
			s := newStage(t, 1, false)
			number := s.asks("alice", "priya", "Priya Nair", "Dashboard editor")
			s.work(number)
			require.ErrorIs(t, s.db.As(t, "accessbot_slackapp").OrderRetry(s.Context(), number, s.person("dana").ID), schema.ErrNotOpen)
		})
	})

	t.Run("Home says that approved access waits", func(t *testing.T) {
		s := newStage(t, 1, false)
		number := s.asks("alice", "priya", "Priya Nair", "Dashboard editor")
		s.work(number)
		bob := s.as("bob")
		bob.PressIn(bob.WaitForMessage("Alice Martin requests"), "Approve")
		s.eventually("it is decided", func() bool { return one[int](s, `select count(*) from decisions`) == 1 })
		s.work(number)
		item := one[int64](s, `select id from request_items where request_id = $1`, number)
		_, err := s.worker.DB.NoteProblem(s.Context(), item, schema.Problem{Code: schema.TargetUnavailable}, time.Hour)
		require.NoError(t, err)
		alice := s.as("alice")
		alice.OpenHome()
		alice.WaitForHome("Being set up")
	})
}
