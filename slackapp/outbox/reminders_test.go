package outbox_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

// remindersTo counts a person's reminders.
func (s *company) remindersTo(person int64) int {
	s.t.Helper()
	return schematest.Value[int](s.World, `select count(*) from notifications where kind = 'reminder' and person_id = $1`, person)
}

// reminders are the texts of a person's reminders in Slack.
func (s *company) reminders(name string) (texts []string) {
	s.t.Helper()
	for _, text := range s.reads(name) {
		if strings.Contains(text, "waiting for your approval") {
			texts = append(texts, text)
		}
	}
	return texts
}

// sleep waits until the request is due, and advances it.
func (s *company) sleep(request int64, next activities.Next) activities.Next {
	s.t.Helper()
	require.Positive(s.t, next.DueIn)
	s.Shift(time.Duration(next.DueIn) * time.Second)
	return s.advance(request)
}

func TestReminders(t *testing.T) {
	t.Run("reminders back off and stop after three", func(t *testing.T) {
		s := newCompany(t)
		s.at("2026-12-01 10:00+00") // a Tuesday
		asked := s.Request(s.ann, 0, s.admin)
		next := s.advance(asked.ID)
		s.synced(asked.ID)
		reminded := []string{}
		for range 3 {
			require.Contains(t, next.DueFor, "Remind Owen at")
			next = s.sleep(asked.ID, next)
			require.True(t, next.MessagesDue)
			s.synced(asked.ID)
			reminded = append(reminded, s.Now().UTC().Format("Mon 2 Jan 15h"))
			assert.False(t, s.advance(asked.ID).MessagesDue, "and no other sync is due")
		}
		assert.Equal(t, []string{"Wed 2 Dec 10h", "Fri 4 Dec 10h", "Tue 8 Dec 10h"}, reminded)
		assert.Contains(t, next.DueFor, "Expire without a decision at", "at most three reminders")
		reminders := s.reminders("owen")
		require.Len(t, reminders, 3)
		assert.Contains(t, reminders[0], "1 request is waiting for your approval")
		assert.Contains(t, reminders[0], "Ann: Crm: Admin (waiting for 1 day, respond by Tue 15 Dec 2026, 10:00 UTC)")
		assert.Contains(t, reminders[2], "(waiting for 7 days")
		assert.Empty(t, s.reminders("ann"))
		assert.Equal(t, 3, s.Audited(schema.ReminderSent))
	})

	t.Run("no reminder is sent at night or at the weekend", func(t *testing.T) {
		s := newCompany(t)
		s.Do(`update people set time_zone = 'Asia/Tokyo' where id = $1`, s.owen)
		s.at("2026-12-03 10:00+00") // a Thursday, evening in Tokyo
		asked := s.posted(0)
		next := s.advance(asked.ID)
		assert.Contains(t, next.DueFor, "Remind Owen at 2026-12-07 00:00 UTC", "Monday at nine")
		s.at("2026-12-06 23:59:30+00")
		assert.False(t, s.advance(asked.ID).MessagesDue)

		// It was due in working hours, but Slack was down until the evening.
		s.at("2026-12-07 00:00+00")
		require.True(t, s.advance(asked.ID).MessagesDue)
		s.at("2026-12-07 08:30+00")
		s.synced(asked.ID)
		assert.Empty(t, s.reminders("owen"))
		s.at("2026-12-07 23:59+00")
		require.NoError(t, s.outbox.SendNotifications(context.Background(), 0, 10))
		assert.Empty(t, s.reminders("owen"))
		s.at("2026-12-08 00:01+00")
		require.NoError(t, s.outbox.SendNotifications(context.Background(), 0, 10))
		assert.Len(t, s.reminders("owen"), 1)
	})

	t.Run("Slack profile's time zone applies if the directory has none", func(t *testing.T) {
		s := newCompany(t)
		s.at("2026-12-01 10:00+00")
		asked := s.posted(0)
		zone := schematest.Value[string](s.World, `select time_zone from slack_addresses where person_id = $1`, s.owen)
		require.NotEmpty(t, zone)
		s.Do(`update slack_addresses set time_zone = 'America/Los_Angeles' where person_id = $1`, s.owen)
		assert.Contains(t, s.advance(asked.ID).DueFor, "Remind Owen at 2026-12-02 17:00 UTC")
	})

	t.Run("five requests make one reminder", func(t *testing.T) {
		s := newCompany(t)
		s.at("2026-12-01 10:00+00")
		var requests []int64
		for range 5 {
			asked := s.Request(s.ann, 0, s.Entitlement(s.crm, string(rune('a'+len(requests)))))
			s.advance(asked.ID)
			s.synced(asked.ID)
			requests = append(requests, asked.ID)
			s.Shift(time.Hour)
		}
		s.at("2026-12-02 10:01+00")
		for range 2 {
			for _, id := range requests {
				s.advance(id)
				s.synced(id)
			}
			s.Shift(4 * time.Hour)
		}
		reminders := s.reminders("owen")
		require.Len(t, reminders, 1)
		assert.Contains(t, reminders[0], "5 requests are waiting for your approval")
		for _, id := range requests[1:] {
			assert.Contains(t, s.advance(id).DueFor, "Remind Owen at 2026-12-04 10:", "the reminder counts for each request")
		}
		assert.Equal(t, 1, s.remindersTo(s.owen))
	})

	t.Run("decided request is left out of the reminder", func(t *testing.T) {
		s := newCompany(t)
		s.at("2026-12-01 10:00+00")
		first, second := s.posted(0), s.Request(s.ann, 0, s.Entitlement(s.crm, "reader"))
		s.advance(second.ID)
		s.synced(second.ID)
		s.at("2026-12-02 10:01+00")
		require.True(t, s.advance(first.ID).MessagesDue)
		s.decide(s.owen, first.ID, "approve") // between being due and being sent
		s.synced(first.ID)
		reminders := s.reminders("owen")
		require.Len(t, reminders, 1)
		assert.Contains(t, reminders[0], "1 request is waiting for your approval")
		assert.NotContains(t, reminders[0], "Crm: Admin")

		s.at("2026-12-04 10:02+00")
		require.True(t, s.advance(second.ID).MessagesDue)
		s.decide(s.owen, second.ID, "deny")
		s.synced(second.ID)
		assert.Len(t, s.reminders("owen"), 1, "nothing is left to remind of")
		assert.Zero(t, schematest.Value[int](s.World, `select count(*) from notifications where messages_due_at is not null`))
	})

	t.Run("absent approver is not reminded and the delegate is", func(t *testing.T) {
		s := newCompany(t)
		olga := s.Person("Olga")
		s.at("2026-12-01 10:00+00")
		asked := s.posted(0)
		s.at("2026-12-02 10:01+00")
		require.True(t, s.advance(asked.ID).MessagesDue)
		s.away(s.owen, olga, 10*24*time.Hour) // between being due and being sent
		s.synced(asked.ID)
		assert.Empty(t, s.reminders("owen"))
		s.advance(asked.ID)
		s.synced(asked.ID)
		s.at("2026-12-03 10:02+00")
		s.advance(asked.ID)
		s.synced(asked.ID)
		assert.Empty(t, s.reminders("owen"))
		assert.Len(t, s.reminders("olga"), 1, "the delegate is reminded")
	})

	t.Run("unreachable approver does not stop reminders to others", func(t *testing.T) {
		s := newCompany(t)
		olga := s.Person("Olga")
		s.Do(`insert into application_owners values ($1, $2)`, s.crm, olga)
		s.at("2026-12-01 10:00+00")
		asked := s.posted(0)
		_, err := s.slack.ChangeUser("owen@example.com", map[string]any{"deleted": true})
		require.NoError(t, err)
		s.at("2026-12-02 10:01+00")
		require.True(t, s.advance(asked.ID).MessagesDue)
		s.synced(asked.ID)
		assert.Len(t, s.reminders("olga"), 1)
		assert.Equal(t, 1, s.Alerts(schema.MessageUndelivered))
		assert.Zero(
			t,
			schematest.Value[int](s.World, `select count(*) from notifications where messages_due_at is not null`),
			"it is not retried",
		)
	})
}
