package main

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/slackapp/slacksim"
)

// failures are the ways in which one call of Slack's Web API fails.
var failures = map[string]slacksim.Fault{
	"502":                        {Kind: "status", Status: 502},
	"503 after it was done":      {Kind: "status", Status: 503, After: true},
	"a connection that ends":     {Kind: "cut"},
	"an answer that is lost":     {Kind: "cut", After: true},
	"internal_error":             {Kind: "error", Error: "internal_error"},
	"a rate limit of one second": {Kind: "ratelimited", RetryAfter: 1},
}

// failing lets a method fail that often; 0: always.
func (s *stage) failing(method string, f slacksim.Fault, times int) {
	s.Helper()
	f.Method, f.Times = method, times
	require.NoError(s, s.slack.Break(f))
}

func TestSlackFailure(t *testing.T) {
	t.Run("one failed call is repeated unseen", func(t *testing.T) {
		for name, fault := range failures {
			t.Run(name, func(t *testing.T) {
				s := newStage(t, 1, false)
				alice := s.as("alice")
				s.failing("users.info", fault, 1)
				s.failing("views.publish", fault, 1)
				alice.VisitHome()
				require.Contains(t, alice.WaitForHome("Alice Martin"), "Request Access")
				s.failing("views.update", fault, 1)
				alice.Press("Request Access")
				alice.WaitForModal("Access Like")
				s.drawn(alice)
				s.failing("views.update", fault, 1) // with the hash of what is shown
				alice.Pick("Person", "priya", "Priya Nair")
				alice.WaitForModal("Select all access grants (6)")
				s.drawn(alice)
				require.Empty(t, alice.Messages(), "nothing is wrong that she could see")
			})
		}
	})

	t.Run("modal that cannot be updated says so", func(t *testing.T) {
		for name, fault := range failures {
			t.Run("the form, for "+name, func(t *testing.T) {
				s := newStage(t, 1, false)
				alice := s.as("alice")
				alice.OpenHome()
				fault.After = false // the change is shown
				s.failing("views.update", fault, 0)
				alice.Press("Request Access")
				alice.WaitForMessage(formNotShown)
				require.Contains(t, alice.Modal(), "If this doesn't change within 30 seconds, close it and try again.")
				require.Contains(t, s.log.String(), "draw form failed")
				require.NoError(t, s.slack.Mend())
				alice.CloseAllModals()
				s.openForm(alice)
			})
		}
		fault := failures["502"]
		t.Run("the form, because the database is away", func(t *testing.T) {
			s := newStage(t, 1, false)
			alice := s.as("alice")
			alice.OpenHome()
			s.do(`revoke select on reasons from accessbot_slackapp`) // only drawing the form reads it
			alice.Press("Request Access")
			alice.WaitForMessage(formNotShown)
		})
		t.Run("the form after a choice in it", func(t *testing.T) {
			s := newStage(t, 1, false)
			alice := s.as("alice")
			s.openForm(alice)
			s.failing("views.update", fault, 0)
			alice.Pick("Person", "priya", "Priya Nair")
			alice.WaitForMessage(formNotShown)
			require.NoError(t, s.slack.Mend())
			alice.Choose("Duration", "Temporary") // the next choice draws both
			alice.WaitForModal("Select all access grants (6)")
		})
		t.Run("the form whose list has changed", func(t *testing.T) {
			s := newStage(t, 1, false)
			alice := s.as("alice")
			s.openForm(alice)
			alice.Pick("Person", "priya", "Priya Nair")
			alice.WaitForModal("Select all access grants (6)")
			s.drawn(alice)
			s.do(`update form_drafts set generation = generation + 1, revision = revision + 1`)
			s.failing("views.update", fault, 0)
			alice.Choose("Reason", "Project work")
			require.NotEmpty(t, alice.Submit())
			alice.WaitForMessage(formNotShown)
		})
		t.Run("a list", func(t *testing.T) {
			s := newStage(t, 1, false)
			s.grantMany("alice", 33)
			alice := s.as("alice")
			alice.OpenHome()
			s.failing("views.update", fault, 0)
			alice.Press("Show all 35")
			alice.WaitForMessage(modalNotShown)
			require.Contains(t, alice.Modal(), "If this doesn't change within 30 seconds")
		})
	})

	t.Run("Home tab that cannot be published says so", func(t *testing.T) {
		for name, fault := range failures {
			t.Run(name, func(t *testing.T) {
				s := newStage(t, 1, false)
				fault.After = false
				alice := s.as("alice")
				s.failing("views.publish", fault, 0)
				alice.VisitHome()
				alice.WaitForMessage(homeNotShown)
				require.Contains(t, s.log.String(), "publish Home tab failed")
				require.NoError(t, s.slack.Mend())
				alice.OpenHome()
			})
		}
	})

	t.Run("modal that does not open says so", func(t *testing.T) {
		for name, fault := range failures {
			t.Run(name, func(t *testing.T) {
				s := newStage(t, 1, false)
				alice := s.as("alice")
				s.grantMany("alice", 33)
				alice.OpenHome()
				for press, told := range map[string]string{
					"Request Access": "We couldn't open the form. Press “Request Access” again.",
					"Show all 35":    modalNotOpened,
				} {
					before := s.traffic("views.open")
					s.failing("views.open", fault, 1)
					alice.Press(press)
					alice.WaitForMessage(told)
					s.eventually("a trigger is used once", func() bool { return s.traffic("views.open")-before == 1 })
					if fault.After { // it was posted
						alice.WaitForModal("If this doesn't change within 30 seconds")
						alice.CloseModal()
					}
				}
			})
		}
		t.Run("for good", func(t *testing.T) {
			s := newStage(t, 1, false)
			bob := s.as("bob") // an owner
			bob.OpenHome()
			s.failing("views.open", failures["502"], 0)
			bob.Press("Review access…")
			bob.WaitForMessage("We couldn't open the form. Press “Review access…” again.")
		})
	})

	t.Run("text is told once", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice, log := s.as("alice"), slog.New(slog.DiscardHandler)
		alice.OpenHome()
		a := &app{slack: newSlack(testConfig(botToken, s.slack.Address()), log), log: log}
		for name, fault := range failures {
			before := len(alice.Messages())
			s.failing("chat.postMessage", fault, 1)
			a.write(t.Context(), slacksim.UserID("alice@example.com"), name)
			require.LessOrEqual(t, len(alice.Messages())-before, 1, name)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		a.write(over, slacksim.UserID("alice@example.com"), "after the work's time")
		alice.WaitForMessage("after the work's time")
	})
}
