package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
)

func TestAskAgain(t *testing.T) {
	t.Run("denied access is requested again with the same choices", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alice := s.as("alice")
			s.openForm(alice)
			alice.Pick("Person", "priya", "Priya Nair")
			alice.WaitForModal("Select all")
			alice.Tick("Analyst sandbox", "Marketing marts")
			alice.Choose("Duration", "Temporary")
			alice.WaitForModal("End date")
			alice.PickDate("End date", time.Now().AddDate(0, 0, 5).Format(time.DateOnly))
			alice.Choose("Reason", "Project work")
			alice.Fill("Note", "For <!channel>\nand the board")
			alice.SubmitAccepted()
			first := s.newest()
			alice.OpenHome()
			require.NotContains(s, alice.Home(), "[Request again]", "it waits")
			s.work(first)
			bob := s.as("bob")
			bob.PressIn(bob.WaitForMessage(fmt.Sprintf("#%d", first)), "Deny…")
			bob.WaitForModal("Reason")
			bob.Fill("Reason", "Not yet")
			bob.SubmitAccepted()
			s.work(first)

			alice.OpenHome()
			alice.PressBeside(fmt.Sprintf("#%d", first), "Request again")
			alice.WaitForModal(fmt.Sprintf("Access from request #%d that you don't have.", first))
			require.Len(s, alice.Ticked(), 2)
			require.Equal(s, "Temporary", strings.Split(alice.Value("Duration"), " (")[0], "as it was asked for")
			require.Equal(s, "Project work", alice.Value("Reason"))
			require.Equal(s, "For <!channel>\nand the board", alice.Value("Note"))
			alice.Untick("Marketing marts")
			alice.Fill("Note", "") // drawing the form again does not restore it
			alice.Choose("Duration", "Permanent")
			alice.WaitUntil("no date is asked for", func(slacksim.Screen) bool {
				return !strings.Contains(alice.Modal(), "End date")
			})
			alice.SubmitAccepted()
			second := s.newest()
			require.NotEqual(s, first, second)
			require.Equal(s, []string{"warehouse/sandbox"}, s.asked(second))
			require.Equal(
				s,
				"custom project",
				one[string](
					s,
					`select access_like || ' ' || reason_key from access_requests where id = $1 and ends_at is null and note = ''`,
					second,
				),
			)
		})
	})

	t.Run("access that is held or waiting is left out", func(t *testing.T) {
		s := newStage(t, 1, false)
		number, approvalMessage := s.approvalMessage() // for two of the warehouse
		bob, alice := s.as("bob"), s.as("alice")
		bob.PressIn(approvalMessage, "Approve")
		s.eventually("it is approved", func() bool { return s.decisions() == 2 })
		s.work(number)
		s.grant(number)
		alice.OpenHome()
		require.NotContains(t, alice.Home(), "[Request again]", "none of it is over")
		end := func(key string) {
			s.do(`update claims set ended_at = app_now(), removed_at = app_now(), revoked_at = app_now()
		       where item_id in (select i.id from request_items i join entitlements e on e.id = i.entitlement_id where i.request_id = $1 and e.key = $2)`, number, key)
			s.do(
				`update request_items i set state = 'ended' from entitlements e where e.id = i.entitlement_id and i.request_id = $1 and e.key = $2`,
				number,
				key,
			)
		}
		end("sandbox")

		// One of two has ended: only that one is offered.
		alice.OpenHome()
		alice.PressBeside(fmt.Sprintf("#%d", number), "Request again")
		alice.WaitForModal("Access from request")
		require.Len(t, alice.Boxes(), 1)
		require.Contains(t, alice.Boxes()[0], "Analyst sandbox")
		require.Equal(t, "Permanent", strings.Split(alice.Value("Duration"), " (")[0])
		alice.SubmitAccepted()
		again := s.newest()
		require.Equal(t, []string{"warehouse/sandbox"}, s.asked(again))
		s.work(again)

		// It is requested already, so nothing is left to offer.
		alice.OpenHome()
		alice.PressBeside("1 active, 1 ended", "Request again")
		nothing := alice.WaitForModal(fmt.Sprintf("Nothing from request #%d can be requested again.", number))
		require.Contains(t, nothing, "Data Warehouse: Analyst sandbox – already requested in")
		require.Contains(t, nothing, fmt.Sprintf("#%d", again))
		require.Contains(t, fmt.Sprint(alice.Screen().Modals[0].Blocks), "/archives/", "a link")
		require.NotContains(t, nothing, "Submit")
		alice.CloseModal()

		// The other one has ended too, and its entitlement is retired.
		end("mkt-marts")
		s.do(`update entitlements set gone_at = app_now() where key = 'mkt-marts'`)
		alice.OpenHome()
		alice.PressBeside(fmt.Sprintf("#%d", number), "Request again")
		alice.WaitForModal("Nothing from request")
		require.Empty(t, alice.Boxes())
	})

	t.Run("only the requester has the button", func(t *testing.T) {
		s := newStage(t, 1, false)
		number, approvalMessage := s.approvalMessage()
		bob := s.as("bob")
		bob.PressIn(approvalMessage, "Deny…")
		bob.WaitForModal("Reason")
		bob.Fill("Reason", "Not yet")
		bob.SubmitAccepted()
		s.work(number)
		alice := s.as("alice")
		outcome := alice.WaitForMessage("Not yet")
		require.Equal(t, []string{"Request again"}, outcome.Buttons())

		require.NoError(t, s.slack.As("lucia@example.com").PressForwarded(outcome, "Request again"))
		s.eventually("someone else is refused", func() bool { return s.alerts(schema.FormRefused) == 1 })
		s.as("lucia").WaitForModal("Only the requester can do this.")

		alice.PressIn(outcome, "Request again")
		alice.WaitForModal("Access from request")
		require.Len(t, alice.Ticked(), 2)
		alice.CloseModal()
		// A copied button does not open a form for her.
		require.Zero(t, one[int](s, `select count(*) from form_drafts where person_id = $1`, s.person("lucia").ID))
		require.Equal(t, 1, one[int](s, `select count(*) from access_requests`))
	})
}
