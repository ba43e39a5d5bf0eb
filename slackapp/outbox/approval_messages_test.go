package outbox_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"

	"accessbot/slackapp/slacksim"
)

func TestApprovalMessage(t *testing.T) {
	t.Run("items that reach an approver later need a new message", func(t *testing.T) {
		s := newCompany(t)
		olga := s.Person("Olga")
		asked := s.Request(s.ann, 0, s.admin, s.Entitlement(s.crm, "reader", olga))
		s.advance(asked.ID)
		s.synced(asked.ID)
		require.Len(t, s.reads("owen"), 1)
		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.synced(asked.ID)
		require.Empty(t, s.buttons("owen", 0))

		s.Do(`update people set status = 'suspended' where id = $1`, olga)
		s.advance(asked.ID)
		s.synced(asked.ID)
		require.Len(t, s.reads("owen"), 2, "an edit would notify no one")
		assert.Equal(t, []string{"Approve", "Deny…", "Approve with changes…", "Ask a question…"}, s.buttons("owen", 1))
		assert.Empty(t, s.buttons("owen", 0), "one place to decide")
		assert.Contains(t, s.reads("owen")[0], "the newer message")
		assert.Contains(t, s.reads("owen")[0], "Approved by you")
		decided, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		assert.Equal(t, asked.Items[1:], decided.Items)
		s.advance(asked.ID)
		s.synced(asked.ID)
		assert.Len(t, s.reads("owen"), 2)
		assert.Empty(t, s.buttons("owen", 0))
		assert.Empty(t, s.buttons("owen", 1))
	})

	t.Run("unchanged approval is not sent twice", func(t *testing.T) {
		s := newCompany(t)
		olga := s.Person("Olga")
		s.Do(`insert into application_owners values ($1, $2)`, s.crm, olga)
		asked := s.posted(0)
		s.Do(`update people set status = 'suspended' where id = $1`, olga)
		s.advance(asked.ID)
		require.Len(t, s.approvals(asked.ID), 2)
		s.synced(asked.ID)
		assert.Len(t, s.reads("owen"), 1)
		assert.Equal(t, []string{"Approve", "Deny…", "Approve with changes…", "Ask a question…"}, s.buttons("owen", 0))
		assert.Empty(t, s.buttons("olga", 0))
	})

	// Also while Slack shows an older version of the message than the database has.
	t.Run("button decides only what its message shows", func(t *testing.T) {
		s := newCompany(t)
		olga := s.Person("Olga")
		reader := s.Entitlement(s.crm, "reader", olga)
		asked := s.Request(s.ann, 0, s.admin, reader)
		s.advance(asked.ID)
		s.synced(asked.ID)
		// Olga leaves and her approval moves to Owen, but Slack does not accept the edit of his message.
		s.Do(`update people set status = 'left' where id = $1`, olga)
		s.advance(asked.ID)
		s.breakSlack(slacksim.Fault{Method: "*", Kind: "status", Status: 503})
		_, err := s.sync(asked.ID)
		require.Error(t, err)
		decided, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		assert.Equal(t, asked.Items[:1], decided.Items)
		require.NoError(t, s.slack.Mend())
		s.advance(asked.ID)
		s.synced(asked.ID)
		decided, err = s.press("owen", s.owen, true)
		require.NoError(t, err)
		assert.Equal(t, asked.Items[1:], decided.Items)
	})

	t.Run("approver asked again in a later stage is notified", func(t *testing.T) {
		s := newCompany(t)
		olga := s.Person("Olga")
		s.Manages(olga, s.ann)
		s.Policy(`
rules:
  - name: All
    ask:
      - approvers: [manager]
      - approvers: [application owners]
        escalate_to: [manager]
    remind_after: 5d
    escalate_after: 2d
`)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.synced(asked.ID)
		_, err := s.press("olga", olga, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.synced(asked.ID)
		s.Shift(48*time.Hour + time.Minute)
		next := s.advance(asked.ID)
		s.synced(asked.ID)
		require.Contains(t, next.Approvers, "olga@example.com")
		assert.Len(t, s.reads("olga"), 2, "Slack does not notify of an edit")
	})

	// The manager grants three days of a permanent request. The owner sees that, and it expires after three days.
	t.Run("earlier end from the first stage applies in the second", func(t *testing.T) {
		s := newCompany(t)
		olga := s.Person("Olga")
		s.Manages(olga, s.ann)
		s.Policy(`
rules:
  - name: All
    ask:
      - approvers: [manager]
      - approvers: [application owners]
`)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.synced(asked.ID)
		earlier := s.Now().Add(3 * 24 * time.Hour)
		_, err := s.decides("olga", schema.Answer{PersonID: olga, Approve: true, EndsAt: sql.NullTime{Time: earlier, Valid: true}})
		require.NoError(t, err)
		s.advance(asked.ID)
		s.synced(asked.ID)
		texts := s.reads("owen")
		assert.Contains(t, texts[0], "sooner than requested")
		assert.Contains(t, s.reads("ann")[0], "sooner than requested", "the requester is told")
		s.Shift(4 * 24 * time.Hour)
		_, err = s.press("owen", s.owen, true)
		require.ErrorIs(t, err, schema.ErrEndPassed, "too late for Owen")
		assert.Equal(t, "expired", s.advance(asked.ID).State, "the granted end has passed")
	})
}
