package activities_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// away delegates a person's approvals, from a time on and for a while.
func (s small) away(who, delegate int64, in, lasts time.Duration) {
	s.t.Helper()
	starts := s.Now().Add(in)
	_, err := s.SlackApp.Delegate(
		context.Background(),
		schema.Delegation{
			PersonID:   who,
			DelegateID: sql.NullInt64{Int64: delegate, Valid: true},
			StartsAt:   starts,
			EndsAt:     starts.Add(lasts),
		},
	)
	require.NoError(s.t, err)
}

func TestDelegation(t *testing.T) {
	t.Run("approval moves to the delegate, and returns", func(t *testing.T) {
		s := newSmall(t)
		max := s.Person("Max")
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.Do(`update access_requests set due_at = app_now() + interval '1 day'`)

		s.away(s.owen, max, 0, 20*time.Hour)
		assert.True(t, schematest.Value[bool](s.World, `select due_at <= app_now() from access_requests`), "the request is due at once")
		next := s.advance(asked.ID)
		assert.Equal(t, []string{"max@example.com"}, next.Approvers)
		open := s.open(asked.ID)
		require.Len(t, open, 1)
		assert.Equal(t, "application owner", open[0].Candidates[0].Basis)
		assert.Equal(t, "Owen", open[0].Candidates[0].InPlaceOfName)
		assert.Contains(t, next.DueFor, "Update approvers for a delegation at")
		assert.InDelta(t, (20 * time.Hour).Seconds(), next.DueIn, 60)
		assert.Len(t, s.approvals(asked.ID), 2, "one new approval")
		s.advance(asked.ID)
		assert.Len(t, s.approvals(asked.ID), 2)

		s.Shift(5*24*time.Hour + time.Minute)
		next = s.advance(asked.ID)
		assert.Equal(t, []string{"owen@example.com"}, next.Approvers)
		s.decide(s.owen, asked.ID, "approve")
		assert.Equal(t, "approved", s.advance(asked.ID).State)
	})

	t.Run("planned absence moves the approval when it begins", func(t *testing.T) {
		s := newSmall(t)
		max := s.Person("Max")
		s.away(s.owen, max, 3*24*time.Hour, 24*time.Hour)
		asked := s.Request(s.ann, 0, s.admin)
		next := s.advance(asked.ID)
		assert.Equal(t, []string{"owen@example.com"}, next.Approvers)
		s.Shift(3*24*time.Hour + time.Minute)
		assert.Equal(t, []string{"max@example.com"}, s.advance(asked.ID).Approvers)
		assert.Error(
			t,
			s.Decide(s.owen, s.approvals(asked.ID)[0].ID, "approve", s.approvals(asked.ID)[0].ItemIDs...),
			"Owen is away and no longer asked",
		)
	})

	t.Run("approver who returns early is asked again", func(t *testing.T) {
		s := newSmall(t)
		max := s.Person("Max")
		s.away(s.owen, max, 0, 5*24*time.Hour)
		asked := s.Request(s.ann, 0, s.admin)
		assert.Equal(t, []string{"max@example.com"}, s.advance(asked.ID).Approvers)
		requests, err := s.SlackApp.Delegate(
			context.Background(),
			schema.Delegation{PersonID: s.owen, StartsAt: s.Now(), EndsAt: s.Now()},
		)
		require.NoError(t, err)
		assert.Equal(t, []int64{asked.ID}, requests)
		assert.Equal(t, []string{"owen@example.com"}, s.advance(asked.ID).Approvers)
		assert.Equal(t, 1, s.Audited(schema.DelegationRecorded))
		assert.Equal(t, 1, s.Audited(schema.DelegationEnded))
	})

	t.Run("approval of a delegate who leaves returns to the approver", func(t *testing.T) {
		s := newSmall(t)
		max := s.Person("Max")
		s.away(s.owen, max, 0, 5*24*time.Hour)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.Do(`update access_requests set due_at = app_now() + interval '1 day'`)
		s.Do(`update people set status = 'left' where id = $1`, max)
		assert.True(t, schematest.Value[bool](s.World, `select due_at <= app_now() from access_requests`))
		assert.Equal(t, []string{"owen@example.com"}, s.advance(asked.ID).Approvers)
		_, err := s.SlackApp.Delegate(
			context.Background(),
			schema.Delegation{
				PersonID:   s.owen,
				DelegateID: sql.NullInt64{Int64: max, Valid: true},
				StartsAt:   s.Now(),
				EndsAt:     s.Now().Add(time.Hour),
			},
		)
		require.ErrorIs(t, err, schema.ErrNotActive)
		_, err = s.SlackApp.Delegate(
			context.Background(),
			schema.Delegation{
				PersonID:   s.owen,
				DelegateID: sql.NullInt64{Int64: 424242, Valid: true},
				StartsAt:   s.Now(),
				EndsAt:     s.Now().Add(time.Hour),
			},
		)
		require.ErrorIs(t, err, schema.ErrNotActive)
	})

	// Two owners have to approve. One of them and their own delegate are not two.
	t.Run("approver who voted is not asked again through a delegate", func(t *testing.T) {
		b := newBoard(t, managerThenTwoOwners)
		asked := b.Request(b.ann, 0, b.admin)
		b.advance(asked.ID)
		b.decideOnly(b.max, asked, "approve")
		open := b.open(asked.ID)
		require.NoError(t, b.Decide(b.owen, open[0].ID, "approve", asked.Items...))
		b.advance(asked.ID)
		carl := b.Person("Carl")
		_, err := b.SlackApp.Delegate(
			context.Background(),
			schema.Delegation{
				PersonID:   b.owen,
				DelegateID: sql.NullInt64{Int64: carl, Valid: true},
				StartsAt:   b.Now(),
				EndsAt:     b.Now().Add(48 * time.Hour),
			},
		)
		require.NoError(t, err)
		assert.NotContains(t, b.advance(asked.ID).Approvers, "carl@example.com", "Owen has already approved")
		open = b.open(asked.ID)
		require.Error(t, b.Decide(carl, open[0].ID, "approve", asked.Items...))
		assert.Empty(t, b.advance(asked.ID).Grant, "only Owen of the three owners has approved")
		require.NoError(t, b.grant(asked.Items[0]))
		assert.NotEqual(t, "active", b.State(asked.Items[0]))
	})

	// One owner has two delegates in turn.
	t.Run("two delegates of one owner have one vote", func(t *testing.T) {
		b := newBoard(t, managerThenTwoOwners)
		one, two := b.Person("One"), b.Person("Two")
		asked := b.Request(b.ann, 0, b.admin)
		b.advance(asked.ID)
		b.decide(b.max, asked.ID, "approve")
		for _, delegate := range []int64{one, two} {
			small{company: b.company}.away(b.owen, delegate, 0, 5*24*time.Hour)
			b.advance(asked.ID)
			err := b.Decide(delegate, b.open(asked.ID)[0].ID, "approve", asked.Items[0])
			assert.Equal(t, delegate == one, err == nil, "%v", err)
		}
		if len(b.advance(asked.ID).Grant) > 0 {
			require.NoError(t, b.grant(asked.Items[0]))
		}
		assert.NotEqual(t, "active", b.State(asked.Items[0]), "one vote of the two that are required")
	})

	t.Run("delegate in the middle of a chain returns and is asked", func(t *testing.T) {
		s := newSmall(t)
		dan, carl := s.Person("Dan"), s.Person("Carl")
		s.away(s.owen, dan, 0, 5*24*time.Hour)
		s.away(dan, carl, 0, 5*24*time.Hour)
		asked := s.Request(s.ann, 0, s.admin)
		require.Equal(t, []string{"carl@example.com"}, s.advance(asked.ID).Approvers)
		s.Do(`update access_requests set due_at = app_now() + interval '4 days'`)
		requests, err := s.SlackApp.Delegate(context.Background(), schema.Delegation{PersonID: dan, StartsAt: s.Now(), EndsAt: s.Now()})
		require.NoError(t, err)
		assert.Equal(t, []int64{asked.ID}, requests, "the Slack app signals its run")
		var due bool
		require.NoError(t, s.Get(&due, `select due_at <= app_now() from access_requests`))
		assert.True(t, due, "and it is due in the database")
		assert.Equal(t, []string{"dan@example.com"}, s.advance(asked.ID).Approvers)
	})

	t.Run("votes of one owner and their delegate prove no approval", func(t *testing.T) {
		b := newBoard(t, "rules: [{name: All, ask: [{approvers: [application owners], required_approvals: 2}]}]")
		asked := b.Request(b.ann, 0, b.admin)
		b.advance(asked.ID)
		approval, carl := b.open(asked.ID)[0].ID, b.Person("Carl")
		b.Do(`alter table decisions disable trigger user`)
		b.Do(
			`insert into approval_candidates (approval_id, person_id, for_person_id, basis, position) values ($1, $2, $3, 'application owner', 9)`,
			approval,
			carl,
			b.owen,
		)
		b.Do(`insert into decisions (item_id, approval_id, decided_by, outcome, basis, policy_version, terms, required_approvals)
		select $1, $2, p.id, 'approve', 'application owner', r.policy_version, request_terms(r.id), 2 from access_requests r, people p where p.id in ($3, $4)`, asked.Items[0], approval, b.owen, carl)
		b.Do(`alter table decisions enable trigger user`)
		b.Do(`update request_items set state = 'approved'`)
		require.NoError(t, b.grant(asked.Items[0]))
		assert.Equal(t, "failed", b.State(asked.Items[0]))
		assert.Zero(t, b.Claim(asked.Items[0]))
	})
}
