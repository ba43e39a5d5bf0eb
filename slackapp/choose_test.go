package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

// decided returns the decisions as "name outcome reason", in order.
func (s *stage) decided() []string {
	s.Helper()
	decided := []string{}
	require.NoError(s, s.db.Select(&decided, `
		select trim(e.name || ' ' || d.outcome || ' ' || d.reason) from decisions d
		  join request_items i on i.id = d.item_id join entitlements e on e.id = i.entitlement_id order by 1`))
	return decided
}

func TestApproveWithChanges(t *testing.T) {
	t.Run("ticked items are approved, the rest waits or is denied", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			number, approvalMessage := s.approvalMessage()
			bob := s.as("bob")
			bob.PressIn(approvalMessage, "Approve with changes…")
			bob.WaitForModal("Select the ones to approve")
			require.Contains(s, bob.Submit()["Data Warehouse"], "Select what to approve")
			bob.Tick("Analyst sandbox")
			bob.SubmitAccepted()
			bob.WaitForNoModal()
			require.Equal(s, []string{"Analyst sandbox approve"}, s.decided(), "items that are not ticked still wait")
			s.work(number)

			approvalMessage = bob.Again(approvalMessage)
			require.Contains(s, approvalMessage.Text(), "Marketing marts")
			require.Contains(s, approvalMessage.Buttons(), "Approve")
			bob.PressIn(approvalMessage, "Approve with changes…")
			bob.WaitForModal("Select the ones to approve")
			require.Equal(s, []string{"Marketing marts"}, bob.Boxes())
			bob.Choose("Access grants not selected", "Deny")
			require.Contains(s, bob.Submit()["Reason"], "Enter a reason")
			bob.Fill("Reason", "not for analysts")
			bob.SubmitAccepted()
			require.Equal(s, []string{"Analyst sandbox approve", "Marketing marts deny not for analysts"}, s.decided())
			s.work(number)
			require.NotContains(s, bob.Again(approvalMessage).Buttons(), "Approve with changes…")
		})
	})

	t.Run("sooner end is granted and the requester is told", func(t *testing.T) {
		s := newStage(t, 1, false)
		number, approvalMessage := s.approvalMessage()
		bob := s.as("bob")
		bob.PressIn(approvalMessage, "Approve with changes…")
		bob.WaitForModal("Requested: permanent")
		bob.Tick("Analyst sandbox", "Marketing marts")
		bob.PickDate("Earlier end date", "2020-02-28")
		require.Contains(t, bob.Submit()["Earlier end date"], "This day has passed")
		bob.PickDate("Earlier end date", time.Now().AddDate(0, 0, 9).Format(time.DateOnly))
		bob.SubmitAccepted()
		require.Equal(
			t,
			2,
			one[int](
				s,
				`select count(*) from decisions where ends_at between app_now() + interval '8 days' and app_now() + interval '11 days'`,
			),
		)
		s.work(number)
		card := s.as("alice").WaitForMessage("sooner than requested")
		require.Contains(t, card.Text(), "approved by Bob")
		require.Contains(t, bob.Again(approvalMessage).Text(), "sooner than requested")
	})

	t.Run("end later than requested is an error at its field", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, approvalMessage := s.approvalMessage()
		s.do(`alter table access_requests disable trigger user`)
		s.do(`update access_requests set ends_at = app_now() + interval '3 days'`)
		bob := s.as("bob")
		bob.PressIn(approvalMessage, "Approve with changes…")
		bob.WaitForModal("Select the ones to approve")
		bob.Tick("Analyst sandbox")
		bob.PickDate("Earlier end date", time.Now().AddDate(0, 0, 9).Format(time.DateOnly))
		require.Contains(t, bob.Submit()["Earlier end date"], "later than requested")
		require.Zero(t, s.decisions())
	})

	t.Run("forged choice of other items decides nothing", func(t *testing.T) {
		s := newStage(t, 1, false)
		number, approvalMessage := s.approvalMessage()
		other := s.asks("alice", "priya", "Priya Nair", "Dashboard editor") // not bob's message
		bob := s.as("bob")
		bob.PressIn(approvalMessage, "Approve with changes…")
		bob.WaitForModal("Select the ones to approve")
		bob.Tick("Analyst sandbox")
		theirs := one[string](s, `select string_agg(id::text, ',') from request_items where request_id = $1`, other)
		bob.SubmitAccepted()
		_, payload, err := s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		view := payload["view"].(map[string]any)
		value, _, _ := strings.Cut(view["private_metadata"].(string), ";")
		view["private_metadata"] = value + ";" + theirs
		view["state"] = map[string]any{"values": map[string]any{
			"chosen-0": map[string]any{
				"chosen": map[string]any{"type": "checkboxes", "selected_options": []any{map[string]any{"value": theirs}}},
			},
		}}
		before := s.decisions()
		_, err = s.slack.Deliver("interactivity", payload)
		require.NoError(t, err)
		view["private_metadata"] = value + ";" // ticked, and never shown
		_, err = s.slack.Deliver("interactivity", payload)
		require.NoError(t, err)
		s.eventually("it is audited", func() bool { return s.alerts(schema.ButtonRefused) > 0 })
		require.Equal(t, before, s.decisions())
		require.Zero(
			t,
			one[int](s, `select count(*) from decisions d join request_items i on i.id = d.item_id where i.request_id = $1`, other),
		)
		_ = number
	})

	t.Run("only the reader of the message decides", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, approvalMessage := s.approvalMessage()
		s.as("bob") // the stage's other people
		require.NoError(t, s.slack.As("lucia@example.com").PressForwarded(approvalMessage, "Approve with changes…"))
		s.eventually("it is audited", func() bool { return s.alerts(schema.ButtonRefused) > 0 })
		require.Zero(t, s.decisions())
	})

	t.Run("forged submission for another approver's message is audited, with an end date too", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, approvalMessage := s.approvalMessage()
		bob := s.as("bob")
		bob.PressIn(approvalMessage, "Approve with changes…")
		bob.WaitForModal("Select the ones to approve")
		bob.Tick("Analyst sandbox")
		bob.PickDate("Earlier end date", time.Now().AddDate(0, 0, 1).Format(time.DateOnly))
		bob.SubmitAccepted()
		_, submitted, err := s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		s.eventually("bob's decision is recorded", func() bool { return s.decisions() > 0 })
		before := s.decisions()
		s.as("lucia").OpenHome()
		submitted["user"] = map[string]any{"id": one[string](s, `
			select s.user_id from slack_identities s join people p on p.id = s.person_id where p.email like 'lucia@%'`)}
		_, err = s.slack.Deliver("interactivity", submitted)
		require.NoError(t, err)
		s.eventually("it is audited", func() bool { return s.alerts(schema.DecisionRefused) > 0 })
		require.Equal(t, before, s.decisions())
	})
}
