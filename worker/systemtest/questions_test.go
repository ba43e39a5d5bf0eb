package systemtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuestion(t *testing.T) {
	t.Parallel()
	t.Run("answer a day later reaches the approvers and access is granted", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.policy("rules: [{name: The owners, ask: [{approvers: [application owners]}], escalate_after: 20d, expire_after: 30d}]")
		s.startWorker()
		s.startSlackApp()
		alice := s.open("alice")
		alice.Pick("Person", "priya", "Priya Nair")
		alice.Tick("Dashboard editor") // of which Bob and Lucía are the owners
		alice.Choose("Reason", "Project work")
		alice.SubmitAccepted()
		card := alice.WaitForMessage("has been successfully created and sent for approval")
		request := number(t, card.Text())
		bob, lucia := s.as("bob"), s.as("lucia")
		his, hers := bob.WaitForMessage(
			"Alice Martin requests 1 access grant",
		), lucia.WaitForMessage(
			"Alice Martin requests 1 access grant",
		)
		clock := s.approvalsClock(request)

		bob.PressIn(his, "Ask a question…")
		bob.WaitForModal("We'll send your question about request")
		bob.Fill("Question", "Which dashboard, <!channel>?\nAnd until when?")
		bob.SubmitAccepted()
		asked := alice.WaitForMessage("Bob Fischer asks about your request")
		require.Contains(t, asked.Text(), "Which dashboard, <!channel>?\nAnd until when?", "exactly as written")
		require.Empty(t, asked.Pings())
		require.Contains(t, alice.WaitForEdit(card, "Bob Fischer asks").Text(), "Dashboard editor: waiting for approval")
		require.Contains(t, lucia.WaitForEdit(hers, "Not answered yet").Text(), "Which dashboard")
		bob.WaitForEdit(his, "You asked")

		s.toTheMorning("lucia", 24*time.Hour)
		require.Contains(
			t,
			lucia.WaitForMessage("1 request is waiting for your approval").Text(),
			"Alice Martin",
			"approvers are still reminded",
		)
		require.Equal(t, clock, s.approvalsClock(request), "a question does not delay escalation and expiry")

		alice.PressIn(asked, "Answer…")
		alice.WaitForModal("Bob Fischer asks about request")
		alice.Fill("Answer", "The one of the *spring* campaign")
		alice.SubmitAccepted()
		require.Empty(t, alice.WaitForEdit(asked, "You answered").Buttons(), "a question is answered once")
		bob.WaitForMessage("Alice Martin answered your question")
		for _, text := range []string{bob.WaitForEdit(his, "Alice Martin answered").Text(), lucia.WaitForEdit(hers, "Alice Martin answered").Text()} {
			require.Contains(t, text, "Which dashboard")
			require.Contains(t, text, "The one of the *spring* campaign")
		}
		require.Equal(
			t,
			[]string{"Approve", "Deny…", "Approve with changes…", "Ask a question…"},
			lucia.Again(hers).Buttons(),
			"the request can be decided",
		)
		require.Equal(t, clock, s.approvalsClock(request))

		lucia.PressIn(hers, "Approve")
		alice.WaitForEdit(card, "Dashboard editor: active")
		require.True(t, s.holds("alice", "dashboards", "editor"))
		closed := bob.WaitForEdit(his, "Approved by Lucía Gómez")
		require.Empty(t, closed.Buttons())
		require.Contains(t, closed.Text(), "The one of the *spring* campaign", "the answer is still shown after the decision")
	})
}

// approvalsClock returns when a request's only open approval was opened, and when it escalates and expires.
func (s *system) approvalsClock(request int64) (clock string) {
	s.t.Helper()
	require.NoError(s.t, s.db.Get(&clock, `
		select id || ' since ' || since || ', escalated ' || escalate_at || ', expires ' || expires_at from approvals where request_id = $1 and state = 'open'`, request))
	return clock
}
