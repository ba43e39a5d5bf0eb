package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

// at sets the database's clock.
func (c *company) at(instant string) {
	c.t.Helper()
	c.Do(`update clock set shift = $1::timestamptz - clock_timestamp()`, instant)
}

// remindersTo counts a person's reminders.
func (c *company) remindersTo(person int64) int {
	c.t.Helper()
	return schematest.Value[int](c.World, `select count(*) from notifications where kind = 'reminder' and person_id = $1`, person)
}

// sleep waits until the request is due, and advances it.
func (c *company) sleep(request int64, next activities.Next) activities.Next {
	c.t.Helper()
	require.Positive(c.t, next.DueIn)
	c.Shift(time.Duration(next.DueIn) * time.Second)
	return c.advance(request)
}

func TestReminders(t *testing.T) {
	t.Run("requests that fall due together remind once", func(t *testing.T) {
		s := newSmall(t)
		olga := s.Person("Olga")
		s.Do(`insert into application_owners values ($1, $2)`, s.crm, olga)
		s.at("2026-12-01 10:00+00")
		var requests []int64
		for i := range 8 {
			asked := s.Request(s.ann, 0, s.Entitlement(s.crm, string(rune('a'+i))))
			s.advance(asked.ID)
			requests = append(requests, asked.ID)
		}
		s.at("2026-12-02 10:10+00")
		first, err := s.Beginx() // one of them holds the lock
		require.NoError(t, err)
		defer first.Rollback() //nolint:errcheck // it is rolled back below
		_, err = first.Exec(`select pg_advisory_xact_lock(hashtextextended('remind:' || $1::bigint, 0))`, s.owen)
		require.NoError(t, err)
		errs := make(chan error, len(requests))
		for _, id := range requests {
			go func() {
				_, err := s.do.Advance(context.Background(), activities.AdvanceInput{RequestID: id})
				errs <- err
			}()
		}
		require.Eventually(t, func() bool {
			return schematest.Value[int](
				s.World,
				`select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())`,
			) == len(
				requests,
			)
		}, 10*time.Second, 10*time.Millisecond, "all requests want to remind")
		require.NoError(t, first.Rollback())
		for range requests {
			assert.NoError(t, <-errs)
		}
		assert.Equal(t, 1, s.remindersTo(s.owen))
		assert.Equal(t, 1, s.remindersTo(olga))
	})

	t.Run("absent approver without a valid delegate is reminded on return", func(t *testing.T) {
		s := newSmall(t)
		s.at("2026-12-01 10:00+00")
		s.away(s.owen, s.ann, 0, 10*24*time.Hour)
		asked := s.Request(s.ann, 0, s.admin)
		next := s.advance(asked.ID)
		require.Equal(t, []string{"owen@example.com"}, next.Approvers, "Ann cannot decide her own request")
		assert.Contains(t, next.DueFor, "Update approvers for a delegation at 2026-12-11")
		s.at("2026-12-11 10:01+00")
		assert.True(t, s.advance(asked.ID).MessagesDue)
		assert.Equal(t, 1, s.remindersTo(s.owen))
	})

	t.Run("two reminders are at least twenty hours apart", func(t *testing.T) {
		s := newSmall(t)
		s.Policy(schematest.WithDefaults("remind_after: 4h"))
		s.at("2026-12-01 11:00+00")
		first := s.Request(s.ann, 0, s.admin)
		s.advance(first.ID)
		s.at("2026-12-01 15:01+00")
		s.advance(first.ID)
		require.Equal(t, 1, s.remindersTo(s.owen))
		second := s.Request(s.ann, 0, s.Entitlement(s.crm, "reader"))
		assert.Contains(t, s.advance(second.ID).DueFor, "Remind Owen at 2026-12-02 11:01")
		s.at("2026-12-02 10:00+00")
		s.advance(second.ID)
		assert.Equal(t, 1, s.remindersTo(s.owen))
		s.at("2026-12-02 11:02+00")
		s.advance(second.ID)
		assert.Equal(t, 2, s.remindersTo(s.owen))
	})

	t.Run("reassigned approval keeps its reminders", func(t *testing.T) {
		s := newSmall(t)
		olga := s.Person("Olga")
		s.at("2026-12-01 10:00+00")
		asked := s.Request(s.ann, 0, s.admin)
		next := s.advance(asked.ID)
		for range 3 {
			next = s.sleep(asked.ID, next)
		}
		require.Equal(t, 3, s.remindersTo(s.owen))
		s.Do(`insert into application_owners values ($1, $2)`, s.crm, olga)
		next = s.advance(asked.ID)
		for range 4 {
			if s.Now().After(time.Date(2026, 12, 14, 0, 0, 0, 0, time.UTC)) {
				break
			}
			next = s.sleep(asked.ID, next)
		}
		assert.Equal(t, 3, s.remindersTo(s.owen), "at most three")
	})
}

func TestEscalation(t *testing.T) {
	t.Run("escalation that is due before the first reminder does not wait for it", func(t *testing.T) {
		s := newSmall(t)
		s.Policy(schematest.WithDefaults("escalate_after: 20h"))
		olga := s.Person("Olga")
		s.Manages(olga, s.ann)
		s.at("2026-12-04 18:00+00") // a Friday
		asked := s.Request(s.ann, 0, s.admin)
		next := s.advance(asked.ID)
		require.Contains(t, next.DueFor, "Escalate to the next approvers at 2026-12-05 14:00 UTC")
		assert.Equal(t, []string{"olga@example.com", "owen@example.com"}, s.sleep(asked.ID, next).Approvers)
		assert.Zero(t, s.remindersTo(s.owen))
	})

	t.Run("approver who voted is not waited for", func(t *testing.T) {
		b := newBoard(t, `
defaults: {remind_after: 4h, escalate_after: 6h}
rules:
  - name: All
    ask:
      - approvers: [application owners]
        escalate_to: [manager]
        required_approvals: 2
`)
		b.at("2026-12-04 08:00+00")                                                    // a Friday
		b.Do(`update people set time_zone = 'Pacific/Auckland' where id = $1`, b.owen) // where Saturday begins
		asked := b.Request(b.ann, 0, b.admin)
		b.advance(asked.ID)
		b.Shift(4*time.Hour + time.Minute)
		require.Contains(t, b.advance(asked.ID).DueFor, "Remind Owen at 2026-12-06 20:00 UTC", "his Monday morning")
		b.decideOnly(b.owen, asked, "approve")
		require.Contains(t, b.advance(asked.ID).DueFor, "Escalate to the next approvers at 2026-12-04 14:00 UTC")
	})

	t.Run("escalation waits for the first reminder", func(t *testing.T) {
		s := newSmall(t)
		olga := s.Person("Olga")
		s.Manages(olga, s.ann)
		s.at("2026-12-03 18:00+00") // a Thursday
		asked := s.Request(s.ann, 0, s.admin)
		next := s.advance(asked.ID)
		for s.remindersTo(s.owen) == 0 {
			require.Zero(t, s.Audited(schema.ApprovalEscalated))
			next = s.sleep(asked.ID, next)
		}
		assert.Equal(t, "Mon 09:00", s.Now().UTC().Format("Mon 15:04"))
		assert.Contains(t, next.DueFor, "Escalate to the next approvers at 2026-12-07 10:00 UTC", "an hour after the reminder")
		next = s.sleep(asked.ID, next)
		assert.Equal(t, []string{"olga@example.com", "owen@example.com"}, next.Approvers)
		assert.Equal(t, 1, s.Audited(schema.ApprovalEscalated))
	})
}
