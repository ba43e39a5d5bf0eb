package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
)

// slackID returns someone's user ID in Slack.
func (s *stage) slackID(name string) string {
	s.Helper()
	users, err := s.slack.Users()
	require.NoError(s, err)
	n := slices.IndexFunc(users, func(u slacksim.User) bool { return u.Email == name+"@example.com" })
	require.GreaterOrEqual(s, n, 0)
	return users[n].ID
}

// askQuestion asks the requester a question as an approver, in their approval message.
func (s *stage) askQuestion(who string, approvalMessage slacksim.Message, text string) {
	s.Helper()
	a := s.as(who)
	a.PressIn(approvalMessage, "Ask a question…")
	a.WaitForModal("your question about request")
	a.Fill("Question", text)
	a.SubmitAccepted()
	a.WaitForNoModal()
}

func TestQuestion(t *testing.T) {
	t.Run("answer of the requester reaches every approver", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			number := s.asks("alice", "priya", "Priya Nair", "Dashboard editor") // of bob and lucia
			s.work(number)
			bob, lucia, alice := s.as("bob"), s.as("lucia"), s.as("alice")
			his, hers := bob.WaitForMessage(fmt.Sprintf("#%d", number)), lucia.WaitForMessage(fmt.Sprintf("#%d", number))
			card := alice.WaitForMessage("successfully created")

			bob.PressIn(his, "Ask a question…")
			bob.WaitForModal("your question about request")
			require.Contains(s, bob.Submit()["Question"], "complete this required field", "it is not sent empty")
			bob.Fill("Question", "\u2060")
			require.Contains(s, bob.Submit()["Question"], "Enter a text")
			bob.Fill("Question", "What for, <!channel>?")
			bob.SubmitAccepted()
			s.eventually("the request is due", func() bool {
				return one[bool](s, `select due_at <= app_now() and messages_due_at <= app_now() from access_requests where id = $1`, number)
			})
			s.work(number)
			asked := alice.WaitForMessage("Bob Fischer asks about your request")
			require.Contains(s, asked.Text(), "What for, <!channel>?", "as it was written, in plain text")
			require.Equal(s, []string{"Answer…"}, asked.Buttons())
			require.Contains(s, alice.Again(card).Text(), "Bob Fischer asks: “What for")
			require.Contains(s, lucia.Again(hers).Text(), "Not answered yet.")

			alice.PressIn(asked, "Answer…")
			alice.WaitForModal("What for")
			alice.Fill("Answer", "The board’s report & more")
			alice.SubmitAccepted()
			s.work(number)
			asked = alice.Again(asked)
			require.Empty(s, asked.Buttons())
			require.Contains(s, asked.Text(), "The board’s report & more")
			require.NotContains(s, alice.Again(card).Text(), "asks: What for")
			for _, text := range []string{bob.Again(his).Text(), lucia.Again(hers).Text()} {
				require.Contains(s, text, "Alice Martin answered")
				require.Contains(s, text, "The board’s report & more")
			}
			require.Contains(s, bob.WaitForMessage("Alice Martin answered your question").Text(), "The board’s report & more")
			messages := lucia.Messages()
			require.NotContains(s, messages[len(messages)-1].Text(), "answered your question", "only the one who asked is notified")
			require.Contains(s, bob.Again(his).Buttons(), "Approve", "it still waits")
			const sent = `select string_agg(id || ts || digest || sent_at, ' ' order by id) from slack_messages`
			before := one[string](s, sent)
			s.work(number)
			require.Equal(s, before, one[string](s, sent), "nothing is said twice, nor again")
		})
	})

	t.Run("only an approver asks and only the requester answers, once", func(t *testing.T) {
		s := newStage(t, 1, false)
		number, approvalMessage := s.approvalMessage()
		require.NoError(t, s.slack.As("lucia@example.com").PressForwarded(approvalMessage, "Ask a question…"))
		s.eventually("it is audited", func() bool { return s.alerts(schema.ButtonRefused) == 1 })

		s.askQuestion("bob", approvalMessage, "What for?")
		_, payload, err := s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		payload["user"] = map[string]any{"id": s.slackID("lucia"), "team_id": payload["user"].(map[string]any)["team_id"]}
		s.as("lucia").OpenHome() // she is known
		_, err = s.slack.Deliver("interactivity", payload)
		require.NoError(t, err)
		s.eventually("a forged one is audited", func() bool { return s.alerts(schema.QuestionRefused) == 1 })
		require.Equal(t, 1, one[int](s, `select count(*) from questions`))

		s.work(number)
		alice := s.as("alice")
		asked := alice.WaitForMessage("Bob Fischer asks about your request")
		require.NoError(t, s.slack.As("lucia@example.com").PressForwarded(asked, "Answer…"))
		s.eventually("it is audited", func() bool { return s.alerts(schema.ButtonRefused) == 2 })
		alice.PressIn(asked, "Answer…")
		alice.WaitForModal("What for?")
		alice.Fill("Answer", "A report")
		alice.SubmitAccepted()
		_, payload, err = s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		reply, err := s.slack.Deliver("interactivity", payload)
		require.NoError(t, err)
		require.Contains(t, fmt.Sprint(reply), "This question is already answered.")
		payload["user"] = map[string]any{"id": s.slackID("lucia"), "team_id": payload["user"].(map[string]any)["team_id"]}
		_, err = s.slack.Deliver("interactivity", payload)
		require.NoError(t, err)
		s.eventually("a forged answer is audited", func() bool { return s.alerts(schema.AnswerRefused) == 1 })
		require.Equal(t, "A report", one[string](s, `select text from question_answers`))
	})

	t.Run("decided request takes no question and no answer", func(t *testing.T) {
		s := newStage(t, 1, false)
		number, approvalMessage := s.approvalMessage()
		s.askQuestion("bob", approvalMessage, "What for?")
		s.work(number)
		alice, bob := s.as("alice"), s.as("bob")
		asked := alice.WaitForMessage("Bob Fischer asks about your request")
		alice.PressIn(asked, "Answer…")
		alice.WaitForModal("What for?")
		bob.PressIn(approvalMessage, "Ask a question…")
		bob.WaitForModal("your question about request")
		// It was decided meanwhile, with the same button in another window.
		_, err := s.db.As(t, "accessbot_slackapp").Decide(t.Context(), schema.Answer{
			MessageID: one[int64](s, `select id from slack_messages where kind = 'approval'`), PersonID: s.person("bob").ID,
			Terms: one[string](s, `select request_terms($1)`, number), Approve: true,
		})
		require.NoError(t, err)

		alice.Fill("Answer", "Too late")
		require.Contains(t, alice.Submit()["Answer"], "no answer is needed")
		bob.Fill("Question", "And why?")
		require.Contains(t, bob.Submit()["Question"], "nothing to ask")
		alice.CloseAllModals()
		s.work(number)
		asked = alice.Again(asked)
		require.Empty(t, asked.Buttons())
		require.Contains(t, asked.Text(), "no answer is needed")
		require.Contains(t, bob.Again(approvalMessage).Text(), "Not answered.")
		require.Zero(t, one[int](s, `select count(*) from question_answers`))
	})

	t.Run("sixth unanswered question is refused", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, approvalMessage := s.approvalMessage()
		for n := range 5 {
			s.askQuestion("bob", approvalMessage, fmt.Sprintf("What for, %d?", n))
		}
		bob := s.as("bob")
		bob.PressIn(approvalMessage, "Ask a question…")
		bob.WaitForModal("your question about request")
		bob.Fill("Question", "And why?")
		require.Contains(t, bob.Submit()["Question"], "5 questions about this request already wait for an answer.")
		require.Equal(t, 5, one[int](s, `select count(*) from questions`))
	})

	// The requester is not in Slack.
	t.Run("requester who cannot be reached delays nothing", func(t *testing.T) {
		s := newStage(t, 1, false)
		number, approvalMessage := s.approvalMessage()
		s.askQuestion("bob", approvalMessage, "What for?")
		require.NoError(t, s.slack.Break(slacksim.Fault{Method: "chat.postMessage", Kind: "error", Error: "user_disabled", Times: 2}))
		s.work(number) // the other time, the app tells bob that it continues shortly
		require.Equal(t, 1, s.alerts(schema.MessageUndelivered))
		bob := s.as("bob")
		require.Contains(t, bob.Again(approvalMessage).Text(), "Not answered yet.")
		require.Contains(t, bob.Again(approvalMessage).Buttons(), "Approve")
	})

	t.Run("question is asked from Home and from the whole list", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			s.approvalMessage()
			s.againAndAgain(11) // so many that Home does not show them all
			bob, alice := s.as("bob"), s.as("alice")
			bob.OpenHome()
			bob.PressBeside("#1001", "Ask a question…")
			bob.WaitForModal("your question about request")
			bob.Fill("Question", "Asked on Home?")
			bob.SubmitAccepted()
			bob.WaitForNoModal()
			s.work(1001)
			require.Contains(s, alice.WaitForMessage("asks about your request").Text(), "Asked on Home?")

			bob.Press("Show all 12")
			bob.WaitForModal("12 in total")
			bob.PressBeside("#1012", "Ask a question…")
			bob.WaitForModal("your question about request")
			bob.Fill("Question", "Asked in the list?")
			bob.SubmitAccepted()
			s.work(1012)
			require.Contains(s, alice.WaitForMessage("Asked in the list?").Text(), "#1012")
			bob.WaitForModal("12 in total") // the one below
			require.Equal(s, 2, one[int](s, `select count(*) from questions`))
		})
	})
}
