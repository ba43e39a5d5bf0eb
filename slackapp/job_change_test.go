package main

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
)

// moved makes Mateusz, a data engineer, an analyst whose manager is Priya, who looks after nothing. It answers her message.
func (s *stage) moved() slacksim.Message {
	s.Helper()
	s.do(`update people set manager_id = (select id from people where email = 'priya@example.com'), job_title_id = (select id from job_titles where name = 'Data Analyst')
	       where email = 'mateusz@example.com'`)
	s.sendNotifications()
	return s.as("priya").WaitForMessage("Mateusz Wójcik was Data Engineer and is Data Analyst now")
}

func (s *stage) sendNotifications() {
	s.Helper()
	require.NoError(s, s.worker.SendNotifications(s.Context(), 0, 100))
}

func TestJobChange(t *testing.T) {
	t.Run("manager revokes what the earlier job title gave", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			message := s.moved()
			require.Contains(s, message.Text(), "Warehouse writer")
			require.NotContains(s, message.Text(), "Warehouse reader", "analysts have it")
			priya := s.as("priya")
			priya.PressIn(message, "Revoke…")
			modal := priya.WaitForModal("Warehouse writer")
			require.NotContains(s, modal, "Dashboard viewer", "it is not of his title")
			priya.PressBeside("Warehouse writer", "Revoke…")
			priya.WaitForModal("The access ends now")
			priya.Fill("Reason", "an analyst reads")
			priya.SubmitAccepted()
			priya.WaitForModal("Being removed")
			_, again, err := s.slack.LastPayload("view_submission")
			require.NoError(s, err)
			answer, err := s.slack.Deliver("interactivity", again)
			require.NoError(s, err)
			require.NotContains(s, answer.Body, "errors", "twice is once")
			require.Equal(s, "revoked an analyst reads priya@example.com writer", one[string](s, `select string_agg(r.kind || ' ' || r.reason || ' ' || p.email || ' ' || e.key, ', ')
			from stop_orders r join people p on p.id = r.person_id join claims c on c.id = r.claim_id join entitlements e on e.id = c.entitlement_id`))
			require.Equal(s, 1, one[int](s, `select count(*) from audit_events where action = 'revocation.recorded'`))
			s.sendNotifications()
			require.Contains(s, priya.Again(message).Text(), "revoked by you")
		})
	})

	t.Run("other people and other access are refused", func(t *testing.T) {
		s := newStage(t, 1, false)
		message := s.moved()
		zoe := s.as("zoe")
		zoe.OpenHome()
		require.NoError(t, zoe.Actor().PressForwarded(message, "Revoke…"))
		require.NotContains(t, zoe.WaitForModal("This person has no access that you can revoke"), "Warehouse writer")

		priya := s.as("priya")
		priya.PressIn(message, "Revoke…")
		priya.PressBeside("Warehouse writer", "Revoke…")
		priya.WaitForModal("The access ends now")
		priya.Fill("Reason", "an analyst reads")
		priya.SubmitAccepted()
		_, payload, err := s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		submit := func(who, application, key string) string {
			t.Helper()
			payload["user"].(map[string]any)["id"] = one[string](s, `select user_id from slack_identities where person_id = $1`, s.person(who).ID)
			payload["view"].(map[string]any)["private_metadata"] = strconv.FormatInt(one[int64](s, `select c.id from claims c where c.person_id = $1 and c.entitlement_id = $2`,
				s.person("mateusz").ID, s.entitlement(application, key)), 10)
			answer, err := s.slack.Deliver("interactivity", payload)
			require.NoError(t, err)
			return answer.Body
		}
		require.Contains(t, submit("zoe", "warehouse", "scheduler"), "Only owners and administrators")
		require.Contains(t, submit("priya", "dashboards", "viewer"), "Only owners and administrators")
		require.Contains(t, submit("priya", "warehouse", "reader"), "Only owners and administrators")
		require.Equal(t, 3, s.alerts(schema.RevocationRefused))
		require.Equal(t, 1, one[int](s, `select count(*) from stop_orders`))
		require.NotContains(t, submit("priya", "warehouse", "scheduler"), "Only owners")
		require.Equal(t, 2, one[int](s, `select count(*) from stop_orders`))
	})
}
