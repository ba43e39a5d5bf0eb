package main

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

func TestWaitingList(t *testing.T) {
	// From the Home tab.
	t.Run("a hundred clicks on Home are one decision", func(t *testing.T) {
		s := newStage(t, 2, false)
		s.approvalMessage()
		bob := s.as("bob")
		bob.OpenHome()
		bob.WaitForHome("*Reason:* Project work")
		bob.PressBeside("#1001", "Approve")
		s.eventually("both items are decided", func() bool { return s.decisions() == 2 })
		_, click, err := s.slack.LastPayload("block_actions")
		require.NoError(t, err)
		var clicks sync.WaitGroup
		for range 100 {
			clicks.Go(func() {
				if _, err := s.slack.Deliver("interactivity", click); err != nil {
					t.Error(err)
				}
			})
		}
		clicks.Wait()
		bob.WaitForHome("Nothing is waiting for you.")
		require.Equal(t, 2, s.decisions(), "one for each item")
		require.Equal(t, 1, one[int](s, `select count(*) from audit_events where action = 'decision.recorded'`))
	})

	// From the Home tab.
	t.Run("button of another person's Home does nothing", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, approvalMessage := s.approvalMessage()
		bob := s.as("bob")
		bob.OpenHome()
		bob.PressBeside("#1001", "Deny…")
		bob.WaitForModal("Reason")
		bob.CloseModal()
		_, click, err := s.slack.LastPayload("block_actions")
		require.NoError(t, err)
		action, ok := click["actions"].([]any)[0].(map[string]any)
		require.True(t, ok)
		require.NotEmpty(t, approvalMessage.Buttons())
		s.as("priya").OpenHome()
		priya := one[string](
			s,
			`select user_id from slack_identities i join people p on p.id = i.person_id where p.email = 'priya@example.com'`,
		)
		user, ok := click["user"].(map[string]any)
		require.True(t, ok)
		user["id"], action["action_id"] = priya, "approve"
		_, err = s.slack.Deliver("interactivity", click)
		require.NoError(t, err)
		s.eventually("it is refused", func() bool { return s.alerts(schema.DecisionRefused) == 1 })
		require.Zero(t, s.decisions())
	})

	// The other approver denies in their message.
	t.Run("first of approval on Home and denial wins", func(t *testing.T) {
		s := newStage(t, 1, false)
		number := s.asks("alice", "priya", "Priya Nair", "Dashboard editor") // bob and lucia own it
		s.work(number)
		bob, lucia := s.as("bob"), s.as("lucia")
		bob.OpenHome()
		lucia.OpenHome()
		lucia.PressBeside("#1001", "Deny…")
		lucia.WaitForModal("Reason")
		lucia.Fill("Reason", "not now")
		bob.PressBeside("#1001", "Approve")
		s.eventually("bob's is recorded", func() bool { return s.decisions() == 1 })
		require.Contains(t, lucia.Submit()["Reason"], "Bob Fischer approved this on ")
		require.Equal(t, []string{"approve"}, s.verdicts())
		lucia.CloseModal()
		lucia.WaitForHome("Nothing is waiting for you.")
	})

	t.Run("approval is decided from the whole list too", func(t *testing.T) {
		s := newStage(t, 1, false)
		for _, grant := range []string{"Analyst sandbox", "Marketing marts"} {
			s.work(s.asks("alice", "priya", "Priya Nair", grant))
		}
		s.againAndAgain(10) // so many that Home does not show them all
		bob := s.as("bob")
		bob.OpenHome()
		waiting, _, _ := strings.Cut(bob.Home(), "My requests")
		require.Contains(t, waiting, "Waiting for my approval (12)")
		require.NotContains(t, waiting, "#1011")
		bob.Press("Show all 12")
		bob.WaitForModal("12 in total")
		bob.PressBeside("#1002", "Approve")
		s.eventually("it is recorded", func() bool { return s.decisions() == 1 })
		require.Equal(
			t,
			1,
			one[int](
				s,
				`select count(*) from decisions d join request_items i on i.id = d.item_id where i.request_id = 1002 and d.outcome = 'approve'`,
			),
		)
		bob.WaitForModal("Your decision is recorded.") // Temporal is away
		bob.CloseModal()
		bob.WaitForModal("11 in total")
		bob.PressBeside("#1003", "Deny…")
		bob.WaitForModal("Reason")
		bob.Fill("Reason", "not now")
		bob.SubmitAccepted()
		s.eventually("it is recorded", func() bool { return s.decisions() == 2 })
	})

	t.Run("list below shows what was decided above", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			s.work(s.asks("alice", "priya", "Priya Nair", "Dashboard editor")) // bob and lucia own it
			s.againAndAgain(17)
			bob, lucia := s.as("bob"), s.as("lucia")
			lucia.OpenHome()
			bob.OpenHome()
			bob.Press("Show all 18")
			bob.WaitForModal("18 in total, page 1 of 2")
			bob.Press("Next")
			bob.WaitForModal("page 2 of 2")

			bob.PressBeside("#1017", "Deny…")
			bob.WaitForModal("The requester will see it")
			bob.Fill("Reason", "not now")
			bob.SubmitAccepted()
			require.NotContains(s, bob.WaitForModal("17 in total, page 2 of 2"), "#1017")

			bob.PressBeside("#1016", "Approve with changes…")
			bob.WaitForModal("Select the ones to approve")
			bob.Tick("Dashboard editor")
			bob.SubmitAccepted()
			require.NotContains(s, bob.WaitForModal("16 in total, page 2 of 2"), "#1016")
			require.Equal(s, []string{"approve", "deny"}, s.verdicts())

			// If another approver was first, the list shows that too. A page that no longer exists is replaced by the last one.
			bob.PressBeside("#1018", "Deny…")
			bob.WaitForModal("The requester will see it")
			bob.Fill("Reason", "not now")
			lucia.PressIn(lucia.WaitForMessage("#1018"), "Approve")
			s.eventually("lucia's is recorded", func() bool { return s.decisions() == 3 })
			require.NotEmpty(s, bob.Submit())
			bob.CloseModal()
			require.NotContains(s, bob.WaitForModal("15 in total, page 1 of 1"), "#1018")
			bob.CloseModal()
			bob.WaitForHome("Waiting for my approval (15)")
		})
	})

	t.Run("message that has not arrived has no button", func(t *testing.T) {
		s := newStage(t, 1, false)
		number, _ := s.approvalMessage()
		s.do(`delete from slack_messages where kind = 'approval'`)
		bob := s.as("bob")
		bob.OpenHome()
		require.Contains(t, bob.Home(), "is on its way")
		require.NotContains(t, bob.Home(), "[Approve]")
		s.do(`update access_requests set messages_due_at = app_now()`)
		s.work(number)
		bob.OpenHome()
		bob.PressBeside("#1001", "Approve")
		s.eventually("it is decided", func() bool { return s.decisions() == 2 })
	})
}

// againAndAgain asks n times more for what the first request asks for.
func (s *stage) againAndAgain(n int) {
	s.Helper()
	for range n {
		s.do(`with r as (insert into access_requests (view_id, requester_id, access_like, time_zone, reason_key)
		                 select 'W' || max(id), min(requester_id), 'custom', 'UTC', 'project' from access_requests returning id, requester_id)
		      insert into request_items (request_id, entitlement_id, account_id)
		      select r.id, i.entitlement_id, i.account_id from r, request_items i where i.request_id = 1001`)
		s.work(s.newest())
	}
}
