package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/views"
)

// asksFor lets a person request grants by name for another person, like a third one and permanently. It returns the request's
// number.
func (s *stage) asksFor(who, whom, whomName, like, likeName string, grants ...string) int64 {
	s.Helper()
	a := s.as(who)
	s.openForm(a)
	a.WaitForModal("For")
	a.Pick("For", whom, whomName)
	a.Pick("Person", like, likeName)
	a.WaitForModal("Select all access grants")
	a.Tick(grants...)
	a.Choose("Reason", "Project work")
	a.SubmitAccepted()
	return s.newest()
}

func TestSubmitter(t *testing.T) {
	t.Run("manager's request is told to the requester, neither decides it", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			number := s.asksFor("bob", "alice", "Alice Martin", "priya", "Priya Nair", "Dashboard editor") // of bob and lucia
			require.Equal(s, "alice@example.com bob@example.com", one[string](s, `
			select p.email || ' ' || b.email from access_requests r join people p on p.id = r.requester_id join people b on b.id = r.submitted_by where r.id = $1`, number))
			require.Equal(s, "alice@example.com", one[string](s, `
			select p.email from request_items i join accounts a on a.id = i.account_id join people p on p.id = a.person_id where i.request_id = $1`, number), "it is her account")
			s.work(number)
			alice, bob, lucia := s.as("alice"), s.as("bob"), s.as("lucia")
			hers := alice.WaitForMessage(fmt.Sprintf("Bob Fischer's request #%d for you has been successfully created", number))
			his := bob.WaitForMessage(fmt.Sprintf("Your request #%d for Alice Martin has been successfully created", number))
			approvalMessage := lucia.WaitForMessage("Bob Fischer requests 1 access grant")
			require.Contains(s, approvalMessage.Text(), "for Alice Martin")
			for _, m := range bob.Messages() {
				require.NotContains(s, m.Buttons(), "Approve", "bob owns it, and asked for it")
			}
			alice.OpenHome()
			require.Contains(s, alice.Home(), fmt.Sprintf("#%d by *Bob Fischer*:", number))
			bob.OpenHome()
			require.Contains(s, bob.Home(), fmt.Sprintf("#%d for *Alice Martin*", number))
			lucia.OpenHome()
			require.Contains(s, lucia.Home(), "Bob Fischer for Alice Martin")

			s.askQuestion("lucia", approvalMessage, "What for?")
			s.work(number)
			toBob, toAlice := bob.WaitForMessage(
				fmt.Sprintf("asks about your request #%d for Alice Martin", number),
			), alice.WaitForMessage(
				fmt.Sprintf("asks about Bob Fischer's request #%d for you", number),
			)
			bob.PressIn(toBob, "Answer…")
			bob.WaitForModal("What for?")
			bob.Fill("Answer", "The board's report")
			bob.SubmitAccepted()
			s.work(number)
			require.Contains(s, bob.Again(toBob).Text(), "You answered")
			require.Contains(s, alice.Again(toAlice).Text(), "Bob Fischer answered")
			require.Contains(s, lucia.Again(approvalMessage).Text(), "Bob Fischer answered")

			lucia.PressIn(lucia.Again(approvalMessage), "Approve")
			s.eventually("it is approved", func() bool { return s.decisions() == 1 })
			s.work(number)
			s.grant(number)
			s.do(`update access_requests set messages_due_at = app_now() where id = $1`, number)
			s.work(number)
			require.Contains(s, alice.Again(hers).Text(), fmt.Sprintf("Bob Fischer's request #%d for you is active", number))
			require.Contains(s, bob.Again(his).Text(), fmt.Sprintf("Your request #%d for Alice Martin is active", number))
			require.NotEqual(
				s,
				his.TS,
				bob.WaitForMessage(fmt.Sprintf("Your request #%d for Alice Martin is active", number)).TS,
				"and told again",
			)
			alice.OpenHome()
			require.Contains(s, alice.Home(), "[Remove my access…]")
			bob.OpenHome()
			require.NotContains(s, bob.Home(), "[Remove my access…]", "it is not his access")
		})
	})

	t.Run("submitter and requester withdraw it, another person cannot", func(t *testing.T) {
		s := newStage(t, 1, false)
		for _, who := range []string{"bob", "alice"} {
			number := s.asksFor("bob", "alice", "Alice Martin", "priya", "Priya Nair", "Dashboard editor")
			s.work(number)
			a := s.as(who)
			card := a.WaitForMessage(fmt.Sprintf("#%d for ", number))
			lucia := s.as("lucia")
			if who == "bob" {
				require.NoError(t, lucia.Actor().PressForwarded(card, "Withdraw"))
				lucia.WaitForMessage("Only the requester can do this")
			}
			a.PressIn(card, "Withdraw")
			s.eventually("it is withdrawn", func() bool {
				return one[int](
					s,
					`select count(*) from stop_orders l join request_items i on i.id = l.item_id where i.request_id = $1 and l.kind = 'withdrawn'`,
					number,
				) == 1
			})
			s.work(number)
		}
	})

	t.Run("only own reports are offered and accepted", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		s.openForm(alice)
		require.NotContains(t, alice.Modal(), "For:", "she manages no one")
		alice.CloseModal()

		lucia := s.as("lucia") // manages mateusz alone
		s.openForm(lucia)
		require.Equal(t, []string{"Myself", "Mateusz Wójcik – Data Engineer"}, lucia.Search("For", ""))
		require.Equal(t, []string{"Myself"}, lucia.Search("For", "alice"))
		lucia.Pick("For", "mateusz", "Mateusz Wójcik")
		lucia.WaitUntil("the form is for him", func(slacksim.Screen) bool { return strings.Contains(lucia.Modal(), "they don't") })

		// A submission contains what was never offered.
		draft := one[string](s, `select view_id from form_drafts where person_id = $1`, s.person("lucia").ID)
		_, payload, err := s.slack.LastPayload("block_actions")
		require.NoError(t, err)
		payload["actions"].([]any)[0].(map[string]any)["selected_option"].(map[string]any)["value"] = fmt.Sprint(s.person("alice").ID)
		_, err = s.slack.Deliver("interactivity", payload)
		require.NoError(t, err)
		s.eventually("an alert", func() bool { return s.alerts(schema.SelectionRefused) == 1 })
		require.Equal(t, s.person("mateusz").ID, one[int64](s, `select for_person_id from form_drafts where view_id = $1`, draft))

		// A person who was their report when the form was filled in, and no longer is.
		lucia.Pick("Person", "priya", "Priya Nair")
		lucia.WaitForModal("Select all access grants")
		lucia.Tick("Analyst sandbox")
		lucia.Choose("Reason", "Project work")
		s.drawn(lucia)
		s.do(`update people set manager_id = $1 where id = $2`, s.person("bob").ID, s.person("mateusz").ID)
		require.Contains(t, lucia.Submit()["For"], "You can't request access for this person")
		require.Zero(t, s.newest())

		// The form's own text does not decide who the list is about.
		_, payload, err = s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		payload["view"].(map[string]any)["state"].(map[string]any)["values"].(map[string]any)[views.BlockFor].(map[string]any)[views.ActionFor].(map[string]any)["selected_option"].(map[string]any)["value"] = fmt.Sprint(
			s.person("alice").ID,
		)
		answer, err := s.slack.Deliver("interactivity", payload)
		require.NoError(t, err)
		require.Contains(t, answer.Body, "We couldn't save this choice")

		// For herself, the list is her own again.
		lucia.Pick("For", "", "Myself")
		lucia.WaitUntil("the form is for her", func(slacksim.Screen) bool { return strings.Contains(lucia.Modal(), "you don't") })
		s.drawn(lucia)
		require.Equal(
			t,
			schema.LikePerson,
			one[string](s, `select mode from form_drafts where view_id = $1 and for_person_id is null`, draft),
		)
	})

	t.Run("administrator requests for any person", func(t *testing.T) {
		s := newStage(t, 1, false)
		number := s.asksFor("dana", "diego", "Diego Ramírez", "priya", "Priya Nair", "Dashboard editor")
		require.Equal(t, s.person("dana").ID, one[int64](s, `select submitted_by from access_requests where id = $1`, number))
		// Like herself too, which a newcomer needs.
		s.openForm(s.as("dana"))
		s.as("dana").Pick("For", "diego", "Diego Ramírez")
		require.Contains(t, s.as("dana").Search("Person", "dana")[0], "Dana Levi")
	})
}
