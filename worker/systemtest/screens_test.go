package systemtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What people see around a question that waits: it is asked back, reminded of, stuck, denied, and asked for again.
func TestBrowserAQuestionThatWaitsUntilAnAdministratorDeniesItAndItIsAskedForAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.policy("clauses: [{name: The owners, ask: [{from: [application owners]}], remind_after: 12h, escalate_after: 10d, expire_after: 30d}]")
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
	question := "Alice Martin asks for 1 access grant"
	for _, m := range []string{question, "Zoë Laurent asks for 1 access grant", "Kenji Tanaka (田中 健二) asks for 1 access grant"} {
		bob.Message(m) // what arrives later moves what is to be pressed
	}
	bob.PressIn(question, "Ask…")
	bob.Dialog("Ask the requester")
	bob.Fill("Question", "Which campaign is that, and is the finance view not enough?")
	s.keepPicture(bob, "enquire-form")
	bob.Press("Ask")
	bob.NoDialog()

	alice.Press("Messages")
	alice.Message("Bob Fischer asks about your request")
	s.keepPicture(alice, "enquiry")
	alice.PressIn("Bob Fischer asks about your request", "Answer")
	alice.Dialog("Answer")
	alice.Fill("Answer", "The one for the new shop. It has no numbers of single campaigns.")
	s.keepPicture(alice, "answer-form")
	alice.Press("Answer")
	alice.NoDialog()
	alice.Message("You answered")
	s.keepPicture(alice, "enquiry-answered")
	bob.Message("Alice Martin answered your question")
	bob.See("Alice Martin answered,")
	bob.Wait(`[...document.querySelectorAll('article')].find((m) => m.innerText.includes('Alice Martin answered,')).scrollIntoView() ?? true`)
	s.keepPicture(bob, "answer-in-the-copy")

	s.toTheMorning("bob", 24*time.Hour)
	bob.Message("3 requests wait for you")
	s.keepPicture(bob, "reminder")
	bob.PressIn("3 requests wait for you", "Show all")
	bob.Dialog("Waiting for me")
	s.keepPicture(bob, "reminder-show-all")

	s.shiftClock(10 * 24 * time.Hour)
	noor := bob.Another()
	noor.Visit(s.email("noor"), "messages")
	noor.Message(question)
	s.keepPicture(noor, "stuck-messages")
	noor.Press("Home")
	noor.SeeIn("#panel-home", fmt.Sprintf("#%d", request))
	noor.Wait(`[...document.querySelectorAll('#panel-home button')].find((b) => b.innerText === 'Decide…').scrollIntoView() ?? true`)
	s.keepPicture(noor, "stuck-home")
	noor.SeeIn("#panel-home", "1 of high risk") // also of those that are stuck
	noor.Press("Decide…")
	noor.Dialog("Stuck request")
	noor.See("until the end of")
	s.keepPicture(noor, "stuck-form")
	noor.Choose("is denied")
	noor.Fill("Why you decide", "Bob is on leave, and the finance view is enough")
	noor.Press("Decide")
	noor.NoDialog()

	alice.See("Ask again")
	s.keepPicture(alice, "denied-by-an-administrator")
	alice.PressIn("was denied", "Ask again")
	alice.Dialog("Ask again")
	alice.See("Marketing marts")
	require.Equal(t, []string{"Marketing marts"}, firstWords(alice.Ticked()))
	s.keepPicture(alice, "ask-again-form")
	alice.Set("End date", inDays(30))
	alice.Press("Submit")
	alice.NoDialog()
	alice.Message(fmt.Sprintf("#%d has been created", s.newest()))
	require.NotEqual(t, request, s.newest())
}
