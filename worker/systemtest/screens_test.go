package systemtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScreens(t *testing.T) {
	t.Parallel()
	t.Run("question, reminder, an administrator's denial and the new request are shown", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.policy(
			"rules: [{name: The owners, ask: [{approvers: [application owners]}], remind_after: 12h, escalate_after: 10d, expire_after: 30d}]",
		)
		s.startWorker()
		s.startSlackApp()
		alice := s.request("alice")
		alice.Pick("Person", "priya", "Priya Nair")
		alice.Tick("Marketing marts")
		alice.Choose("Temporary")
		alice.See("End date")
		alice.Set("End date", inDays(60))
		alice.Pick("Reason", "", "Project work")
		alice.Fill("Note", "For the spring campaign")
		alice.Press("Submit")
		alice.NoDialog()
		request := s.newest()
		s.ask("zoe", "warehouse", "raw-events", 40*24*time.Hour)
		s.ask("kenji", "dashboards", "publisher", 0)

		bob := alice.Another()
		bob.Visit(s.email("bob"), "messages")
		approvalMessage := "Alice Martin requests 1 access grant"
		for _, m := range []string{approvalMessage, "Zoë Laurent requests 1 access grant", "Kenji Tanaka (田中 健二) requests 1 access grant"} {
			bob.Message(m) // wait for all: messages that arrive later move the buttons
		}
		bob.PressIn(approvalMessage, "Ask a question…")
		bob.Dialog("Ask a question")
		bob.Fill("Question", "Which campaign is that, and is the finance view not enough?")
		s.keepPicture(bob, "question-form")
		bob.Press("Send")
		bob.NoDialog()

		alice.Press("Messages")
		alice.Message("Bob Fischer asks about your request")
		s.keepPicture(alice, "question")
		alice.PressIn("Bob Fischer asks about your request", "Answer…")
		alice.Dialog("Answer")
		alice.Fill("Answer", "The one for the new shop. It has no numbers of single campaigns.")
		s.keepPicture(alice, "answer-form")
		alice.Press("Send")
		alice.NoDialog()
		alice.Message("You answered")
		s.keepPicture(alice, "question-answered")
		bob.Message("Alice Martin answered your question")
		bob.See("Alice Martin answered,")
		bob.Wait(
			`[...document.querySelectorAll('article')].find((m) => m.innerText.includes('Alice Martin answered,')).scrollIntoView() ?? true`,
		)
		s.keepPicture(bob, "answer-in-the-copy")

		s.toTheMorning("bob", 24*time.Hour)
		bob.Message("3 requests are waiting for your approval")
		s.keepPicture(bob, "reminder")
		bob.PressIn("3 requests are waiting for your approval", "Show all")
		bob.Dialog("Waiting for my approval")
		s.keepPicture(bob, "reminder-show-all")

		s.shiftClock(10 * 24 * time.Hour)
		noor := bob.Another()
		noor.Visit(s.email("noor"), "messages")
		noor.Message(approvalMessage)
		noor.See("No response for")
		s.keepPicture(noor, "no-response-messages")
		noor.Press("Home")
		noor.SeeIn("#panel-home", fmt.Sprintf("#%d", request))
		noor.Wait(
			`[...document.querySelectorAll('#panel-home button')].find((b) => b.innerText === 'Decide as administrator…').scrollIntoView() ?? true`,
		)
		s.keepPicture(noor, "no-response-home")
		noor.SeeIn("#panel-home", "1 high risk")
		noor.SeeIn("#panel-home", "No response for")
		noor.Press("Decide as administrator…")
		noor.Dialog("Decide as administrator")
		noor.See("until the end of")
		s.keepPicture(noor, "no-response-form")
		noor.Choose("Deny")
		noor.Fill("Reason for your decision", "Bob is on leave, and the finance view is enough")
		noor.Press("Submit")
		noor.NoDialog()

		alice.See("Request again")
		s.keepPicture(alice, "denied-by-an-administrator")
		alice.PressIn("was denied", "Request again")
		alice.Dialog("Request again")
		alice.See("Access from request") // the form is filled once it is open
		require.Equal(t, []string{"Marketing marts"}, firstWords(alice.Ticked()))
		s.keepPicture(alice, "request-again-form")
		alice.Set("End date", inDays(30))
		alice.Press("Submit")
		alice.NoDialog()
		alice.Message(fmt.Sprintf("#%d has been successfully created", s.newest()))
		require.NotEqual(t, request, s.newest())
	})

	// Submitter and requester both see the request, and the requester gets every notification.
	t.Run("manager requests for a report", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker("SWEEP_EVERY=2s")
		s.startSlackApp()
		bob := s.request("bob")
		s.keepPicture(bob, "for-me-form")
		bob.Pick("For", "alice", "Alice Martin")
		bob.See("they don't")
		bob.Pick("Person", "priya", "Priya Nair")
		bob.Tick("Dashboard editor") // of which Bob and Lucía are the owners
		bob.Choose("Temporary")
		bob.See("End date")
		bob.Set("End date", inDays(3))
		bob.Pick("Reason", "", "Project work")
		bob.Fill("Note", "She starts on the reports")
		s.keepPicture(bob, "for-another-form")
		bob.Press("Submit")
		bob.NoDialog()
		request := s.newest()
		bob.Press("Messages")
		bob.Message("for Alice Martin has been successfully created and sent for approval")
		s.keepPicture(bob, "for-another-submitter-card")
		bob.Press("Home")
		bob.SeeIn("#panel-home", fmt.Sprintf("#%d", request))
		s.keepPicture(bob, "for-another-submitter-home")

		alice := bob.Another()
		alice.Visit(s.email("alice"), "messages")
		alice.Message(fmt.Sprintf("Bob Fischer's request #%d for you has been successfully created", request))
		s.keepPicture(alice, "for-another-requester-card")

		lucia := bob.Another()
		lucia.Visit(s.email("lucia"), "messages")
		asked := "Bob Fischer requests 1 access grant"
		lucia.Message(asked)
		s.keepPicture(lucia, "for-another-approval")
		lucia.PressIn(asked, "Ask a question…")
		lucia.Dialog("Ask a question")
		lucia.Fill("Question", "Which reports are those?")
		s.keepPicture(lucia, "for-another-ask-form")
		lucia.Press("Send")
		lucia.NoDialog()
		alice.Message("Lucía Gómez asks about")
		s.keepPicture(alice, "for-another-question-requester")
		bob.Press("Messages")
		bob.PressIn("Lucía Gómez asks about", "Answer…")
		bob.Dialog("Answer")
		bob.Fill("Answer", "The weekly ones")
		s.keepPicture(bob, "for-another-answer-form")
		bob.Press("Send")
		bob.NoDialog()
		alice.See("The weekly ones")
		s.keepPicture(alice, "for-another-answered-requester")
		lucia.Message("Bob Fischer answered")
		s.keepPicture(lucia, "for-another-answered")
		lucia.PressIn(asked, "Approve")
		lucia.See("Approved by you")
		s.keepPicture(lucia, "for-another-decided")
		alice.Message(fmt.Sprintf("Bob Fischer's request #%d for you is active", request))
		bob.Message(fmt.Sprintf("Your request #%d for Alice Martin is active", request))
		s.keepPicture(alice, "for-another-requester-active")
		s.keepPicture(bob, "for-another-submitter-active")
		alice.Press("Home")
		alice.SeeIn("#panel-home", fmt.Sprintf("from request #%d", request))
		s.keepPicture(alice, "for-another-requester-home")
	})
}
