package main

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// held returns what alice was granted of the warehouse, which bob owns: claim IDs.
func (s *stage) held() []int64 {
	s.Helper()
	number, approvalMessage := s.approvalMessage()
	s.as("bob").PressIn(approvalMessage, "Approve")
	s.eventually("it is approved", func() bool { return s.decisions() == 2 })
	s.work(number)
	s.grant(number)
	var claims []int64
	require.NoError(s, s.db.Select(&claims, `select id from claims where item_id is not null order by id`))
	return claims
}

func TestRevocation(t *testing.T) {
	t.Run("owner revokes access with a reason", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			s.held()
			bob := s.as("bob")
			bob.OpenHome()
			bob.Press("Review access…")
			bob.WaitForModal("Shows the access that you can revoke")
			bob.Pick("Person", "alice", "Alice Martin")
			bob.WaitForModal("Marketing marts")
			bob.PressBeside("Marketing marts", "Revoke…")
			bob.WaitForModal("The access ends now")
			require.Contains(s, bob.Modal(), "*Alice Martin*, Data Analyst, Data, manager Bob Fischer")
			require.Contains(s, bob.Modal(), "Data Warehouse: *Marketing marts*")
			_, pressed, err := s.slack.LastPayload("block_actions")
			require.NoError(s, err)
			bob.Fill("Reason", "\u200b")
			require.Contains(s, bob.Submit()["Reason"], "Enter a reason")
			bob.Fill("Reason", "not needed any more")
			bob.SubmitAccepted()
			require.Equal(s, "revoked not needed any more", one[string](s, `select kind || ' ' || reason from stop_orders`))
			bob.WaitForModal("Being removed")
			_, err = s.slack.Deliver("interactivity", pressed)
			require.NoError(s, err)
			bob.WaitForMessage("already being removed") // the trigger of the press is used up
		})
	})

	t.Run("only an owner or administrator revokes", func(t *testing.T) {
		s := newStage(t, 1, false)
		claims := s.held()
		alice := s.as("alice")
		alice.OpenHome()
		require.NotContains(t, alice.Home(), "Review access…")

		lucia := s.as("lucia") // owns the dashboards, not the warehouse
		lucia.OpenHome()
		lucia.Press("Review access…")
		lucia.Pick("Person", "alice", "Alice Martin")
		lucia.WaitForModal("in total, page 1")
		require.NotContains(t, lucia.Modal(), "Marketing marts")
		lucia.PressBeside("Dashboard viewer", "Revoke…")
		lucia.WaitForModal("The access ends now")
		_, payload, err := s.slack.LastPayload("block_actions")
		require.NoError(t, err)
		payload["actions"].([]any)[0].(map[string]any)["value"] = strconv.FormatInt(claims[0], 10)
		_, err = s.slack.Deliver("interactivity", payload)
		require.NoError(t, err)
		require.NotContains(t, lucia.WaitForMessage("Only owners and administrators can revoke this access.").Text(), "Alice")
		require.Equal(t, 1, s.alerts(schema.RevocationRefused))
		delete(payload, "actions")
		payload["type"] = "view_submission"
		payload["view"] = map[string]any{
			"type":             "modal",
			"callback_id":      views.CallbackRevoke,
			"id":               "V1",
			"private_metadata": strconv.FormatInt(claims[0], 10),
			"state": map[string]any{"values": map[string]any{
				"reason": map[string]any{"reason": map[string]any{"type": "plain_text_input", "value": "because"}}}},
		}
		answer, err := s.slack.Deliver("interactivity", payload)
		require.NoError(t, err)
		require.Contains(t, answer.Body, "Only owners and administrators")
		require.Equal(t, 2, s.alerts(schema.RevocationRefused))
		require.Zero(t, one[int](s, `select count(*) from stop_orders`))

		s.do(`update people set administrator = true where email = 'lucia@example.com'`)
		answer, err = s.slack.Deliver("interactivity", payload)
		require.NoError(t, err)
		require.NotContains(t, answer.Body, "Only owners")
		require.Equal(t, 1, one[int](s, `select count(*) from stop_orders`))
	})
}
