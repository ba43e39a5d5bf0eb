package outbox_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema/schematest"
	"accessbot/slackapp/slacksim"
)

// The confirmation says who was asked, and is edited when that changes.
func TestSentForApproval(t *testing.T) {
	t.Run("request with an approver", func(t *testing.T) {
		s := newCompany(t)
		s.posted(0)
		require.Contains(t, s.reads("ann")[0], "#1001 has been successfully created and sent for approval")
		require.Zero(t, s.calls("chat.update"), "in the first version")
	})
	t.Run("request whose run has not started", func(t *testing.T) {
		s := newCompany(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.synced(asked.ID) // the sweep does this
		require.Contains(t, s.reads("ann")[0], "#1001 has been created. We'll send it for approval as soon as our systems are back.")
		s.advance(asked.ID)
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 1)
		require.Contains(t, s.reads("ann")[0], "successfully created and sent for approval")
	})
	// Two approvals are required and only one administrator is left, who is not an approver but is notified.
	twoApprovals := `
rules:
  - name: All
    ask: [{approvers: [application owners], required_approvals: 2}]
`
	t.Run("request without an approver and an administrator in Slack", func(t *testing.T) {
		s := newCompany(t)
		s.Policy(twoApprovals)
		olga := s.Person("Olga")
		s.Administrator(olga)
		reader := s.Entitlement(s.Application("wiki"), "reader")
		asked := s.Request(s.ann, 0, reader)
		s.advance(asked.ID)
		s.synced(asked.ID)
		require.Contains(t, s.reads("ann")[0], "#1001 has been created. No approver is available. An administrator has been notified.")
		require.Len(t, s.reads("ann"), 1)
		require.Len(t, s.reads("olga"), 1)
		require.Contains(t, s.reads("olga")[0], "No approver is available for 1 access grant in Wiki that Ann requested: request #1001")
		require.Equal(t, []string{"Decide as administrator…"}, s.buttons("olga", 0))
		s.synced(asked.ID)
		require.Len(t, s.reads("olga"), 1, "notified once")

		s.Administrator(s.owen) // now two approvers are left
		s.advance(asked.ID)
		s.synced(asked.ID)
		require.Contains(t, s.reads("ann")[0], "successfully created and sent for approval")
	})
	t.Run("request without an approver and no administrator in Slack", func(t *testing.T) {
		s := newCompany(t)
		s.Policy(twoApprovals)
		s.Administrator(s.Person("Zoe"))
		asked := s.Request(s.ann, 0, s.Entitlement(s.Application("wiki"), "reader"))
		s.advance(asked.ID)
		s.synced(asked.ID)
		require.Contains(t, s.reads("ann")[0], "No approver is available, and we couldn't reach an administrator in Slack.")
		require.NotContains(t, s.reads("ann")[0], "has been notified")
	})
	t.Run("request without an approver while the notification fails", func(t *testing.T) {
		s := newCompany(t)
		s.Policy(twoApprovals)
		s.Administrator(s.Person("Olga"))
		asked := s.Request(s.ann, 0, s.Entitlement(s.Application("wiki"), "reader"))
		s.advance(asked.ID)
		s.breakSlack(slacksim.Fault{Method: "chat.postMessage", Kind: "status", Status: 503, Times: 1})
		_, err := s.sync(asked.ID)
		require.Error(t, err)
		require.NotContains(t, s.reads("ann")[0], "has been notified")
		s.synced(asked.ID)
		require.Contains(t, s.reads("ann")[0], "An administrator has been notified.")
	})
	t.Run("request approved by policy", func(t *testing.T) {
		s := newCompany(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.Do(`insert into decisions (item_id, stage, stages, required_approvals, outcome, basis, policy_version, terms)
		      select $1, 1, 1, 1, 'approve', 'a rule', policy_version, request_terms(id) from access_requests`, asked.Items[0])
		s.advance(asked.ID)
		s.synced(asked.ID)
		require.Contains(t, s.reads("ann")[0], "#1001 was approved by policy")
		require.NotContains(t, s.reads("ann")[0], "sent for approval")
		require.Equal(t, "approved", schematest.Value[string](s.World, `select state from request_items`))
	})
}
