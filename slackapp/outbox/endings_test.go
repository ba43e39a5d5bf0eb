package outbox_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/views"
)

// approveItem approves one item with the buttons of the approver's newest copy, until ends if that is set.
func (s *company) approveItem(name string, person, item int64, ends time.Time) {
	s.t.Helper()
	messages, err := s.slack.As(name + "@example.com").Messages()
	require.NoError(s.t, err)
	answer := schema.Answer{
		PersonID: person,
		Choice:   map[int64]bool{item: true},
		EndsAt:   sql.NullTime{Time: ends, Valid: !ends.IsZero()},
	}
	for _, m := range messages {
		for _, b := range m.Blocks {
			elements, _ := b["elements"].([]any) // other blocks have none
			for _, e := range elements {
				if button, ok := e.(map[string]any); ok && button["action_id"] == views.ActionApprove {
					answer.MessageID, answer.Terms, err = views.ParseDecisionValue(button["value"].(string))
					require.NoError(s.t, err)
				}
			}
		}
	}
	_, err = s.SlackApp.Decide(context.Background(), answer)
	require.NoError(s.t, err)
}

// endNotifications are Ann's notifications before an end, the newest last.
func (s *company) endNotifications() (texts []string) {
	s.t.Helper()
	for _, text := range s.reads("ann") {
		if strings.Contains(text, "ends soon") {
			texts = append(texts, text)
		}
	}
	return texts
}

// granted is a request of Ann's whose access was granted.
func (s *company) granted(lasts time.Duration, entitlements ...int64) schematest.Asked {
	s.t.Helper()
	asked := s.Request(s.ann, lasts, entitlements...)
	s.advance(asked.ID)
	s.decide(s.owen, asked.ID, "approve")
	s.advance(asked.ID)
	for _, item := range asked.Items {
		require.NoError(s.t, s.grant(item))
	}
	s.advance(asked.ID)
	s.synced(asked.ID)
	return asked
}

func TestEndNotification(t *testing.T) {
	t.Run("each end has its notification", func(t *testing.T) {
		s := newCompany(t)
		asked := s.Request(s.ann, 30*24*time.Hour, s.admin, s.Entitlement(s.crm, "reader"))
		s.advance(asked.ID)
		s.synced(asked.ID)
		s.approveItem("owen", s.owen, asked.Items[0], s.Now().Add(10*24*time.Hour))
		s.advance(asked.ID)
		s.synced(asked.ID)
		s.approveItem("owen", s.owen, asked.Items[1], time.Time{})
		s.advance(asked.ID)
		for _, item := range asked.Items {
			require.NoError(t, s.grant(item))
		}
		next := s.advance(asked.ID)
		assert.Contains(t, next.DueFor, "Notify before access ends at")
		s.synced(asked.ID)

		s.Shift(9*24*time.Hour + time.Minute)
		next = s.advance(asked.ID)
		assert.True(t, next.MessagesDue)
		s.synced(asked.ID)
		require.Len(t, s.endNotifications(), 1)
		assert.Contains(t, s.endNotifications()[0], "Admin")
		assert.NotContains(t, s.endNotifications()[0], "Reader", "it ends in three weeks")

		s.Shift(24 * time.Hour)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		next = s.advance(asked.ID)
		assert.Contains(t, next.DueFor, "Notify before access ends at", "for the other item")
		s.synced(asked.ID)
		s.Shift(19 * 24 * time.Hour)
		s.advance(asked.ID)
		s.synced(asked.ID)
		s.synced(asked.ID)
		require.Len(t, s.endNotifications(), 2)
		assert.Contains(t, s.endNotifications()[1], "Reader")
		assert.NotContains(t, s.endNotifications()[1], "Admin", "it is over")
	})

	t.Run("access that was extended is left out", func(t *testing.T) {
		s := newCompany(t)
		asked := s.granted(5*24*time.Hour, s.admin, s.Entitlement(s.crm, "reader"))
		s.granted(20*24*time.Hour, s.admin)
		other := s.granted(5*24*time.Hour, s.Entitlement(s.crm, "writer"))
		s.granted(20*24*time.Hour, schematest.Value[int64](s.World, `select id from entitlements where key = 'writer'`))

		s.Shift(4*24*time.Hour + time.Minute)
		for _, id := range []int64{asked.ID, other.ID} {
			s.advance(id)
			s.synced(id)
		}
		require.Len(t, s.endNotifications(), 1, "another claim keeps the other access for two weeks more")
		assert.Contains(t, s.endNotifications()[0], "Reader")
		assert.NotContains(t, s.endNotifications()[0], "Admin", "another claim keeps it for two weeks more")
	})

	t.Run("notification sent by an earlier version is not repeated", func(t *testing.T) {
		s := newCompany(t)
		asked := s.granted(5*24*time.Hour, s.admin)
		s.Shift(4*24*time.Hour + time.Minute)
		s.Do(
			`insert into slack_messages (request_id, person_id, kind, channel, ts, digest) values ($1, $2, 'ending_soon', 'D', '1.1', 'x')`,
			asked.ID,
			s.ann,
		)
		s.advance(asked.ID)
		s.synced(asked.ID)
		assert.Empty(t, s.endNotifications(), "it was sent earlier")
	})
}
