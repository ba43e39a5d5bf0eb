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

// away lets somebody be away for a while, from an instant in so long.
func (s small) away(who, delegate int64, in, lasts time.Duration) {
	s.t.Helper()
	starts := s.Now().Add(in)
	_, err := s.SlackApp.Delegate(context.Background(), schema.Delegation{PersonID: who, DelegateID: sql.NullInt64{Int64: delegate, Valid: true}, StartsAt: starts, EndsAt: starts.Add(lasts)})
	require.NoError(s.t, err)
}

func TestAQuestionMovesToTheStandInAndComesBack(t *testing.T) {
	s := newSmall(t)
	max := s.Person("Max")
	asked := s.Request(s.ann, 0, s.admin)
	s.advance(asked.ID)
	s.Do(`update access_requests set due_at = app_now() + interval '1 day'`)

	s.away(s.owen, max, 0, 20*time.Hour)
	assert.True(t, schematest.Value[bool](s.World, `select due_at <= app_now() from access_requests`), "the request is looked at at once")
	next := s.advance(asked.ID)
	assert.Equal(t, []string{"max@example.com"}, next.Approvers)
	open := s.open(asked.ID)
	require.Len(t, open, 1)
	assert.Equal(t, "application owner", open[0].Candidates[0].Basis)
	assert.Equal(t, "Owen", open[0].Candidates[0].InPlaceOfName)
	assert.Contains(t, next.WakeFor, "somebody who decides goes away or comes back")
	assert.InDelta(t, (20 * time.Hour).Seconds(), next.WakeIn, 60)
	assert.Len(t, s.approvals(asked.ID), 2, "asked once more, and once only")
	s.advance(asked.ID)
	assert.Len(t, s.approvals(asked.ID), 2)

	s.Shift(5*24*time.Hour + time.Minute)
	next = s.advance(asked.ID)
	assert.Equal(t, []string{"owen@example.com"}, next.Approvers)
	s.decide(s.owen, asked.ID, "approve")
	assert.Equal(t, "approved", s.advance(asked.ID).State)
}

func TestAnAbsenceThatIsToComeMovesTheQuestionWhenItBegins(t *testing.T) {
	s := newSmall(t)
	max := s.Person("Max")
	s.away(s.owen, max, 3*24*time.Hour, 24*time.Hour)
	asked := s.Request(s.ann, 0, s.admin)
	next := s.advance(asked.ID)
	assert.Equal(t, []string{"owen@example.com"}, next.Approvers)
	s.Shift(3*24*time.Hour + time.Minute)
	assert.Equal(t, []string{"max@example.com"}, s.advance(asked.ID).Approvers)
	assert.Error(t, s.Decide(s.owen, s.approvals(asked.ID)[0].ID, "approve", s.approvals(asked.ID)[0].ItemIDs...), "the one who is away was asked before, and is not now")
}

func TestWhoComesBackSoonerIsAskedAgain(t *testing.T) {
	s := newSmall(t)
	max := s.Person("Max")
	s.away(s.owen, max, 0, 5*24*time.Hour)
	asked := s.Request(s.ann, 0, s.admin)
	assert.Equal(t, []string{"max@example.com"}, s.advance(asked.ID).Approvers)
	requests, err := s.SlackApp.Delegate(context.Background(), schema.Delegation{PersonID: s.owen, StartsAt: s.Now(), EndsAt: s.Now()})
	require.NoError(t, err)
	assert.Equal(t, []int64{asked.ID}, requests)
	assert.Equal(t, []string{"owen@example.com"}, s.advance(asked.ID).Approvers)
	assert.Equal(t, 1, s.Audited("delegated"))
	assert.Equal(t, 1, s.Audited("delegation ended"))
}

func TestAStandInWhoLeavesHandsTheQuestionBack(t *testing.T) {
	s := newSmall(t)
	max := s.Person("Max")
	s.away(s.owen, max, 0, 5*24*time.Hour)
	asked := s.Request(s.ann, 0, s.admin)
	s.advance(asked.ID)
	s.Do(`update access_requests set due_at = app_now() + interval '1 day'`)
	s.Do(`update people set status = 'left' where id = $1`, max)
	assert.True(t, schematest.Value[bool](s.World, `select due_at <= app_now() from access_requests`))
	assert.Equal(t, []string{"owen@example.com"}, s.advance(asked.ID).Approvers)
	_, err := s.SlackApp.Delegate(context.Background(), schema.Delegation{PersonID: s.owen, DelegateID: sql.NullInt64{Int64: max, Valid: true}, StartsAt: s.Now(), EndsAt: s.Now().Add(time.Hour)})
	require.ErrorIs(t, err, schema.ErrNotActive)
	_, err = s.SlackApp.Delegate(context.Background(), schema.Delegation{PersonID: s.owen, DelegateID: sql.NullInt64{Int64: 424242, Valid: true}, StartsAt: s.Now(), EndsAt: s.Now().Add(time.Hour)})
	require.ErrorIs(t, err, schema.ErrNotActive)
}

func TestTheMiddleOfAChainOfStandInsComesBack(t *testing.T) {
	s := newSmall(t)
	dan, carl := s.Person("Dan"), s.Person("Carl")
	s.away(s.owen, dan, 0, 5*24*time.Hour)
	s.away(dan, carl, 0, 5*24*time.Hour)
	asked := s.Request(s.ann, 0, s.admin)
	require.Equal(t, []string{"carl@example.com"}, s.advance(asked.ID).Approvers)
	s.Do(`update access_requests set due_at = app_now() + interval '4 days'`)
	requests, err := s.SlackApp.Delegate(context.Background(), schema.Delegation{PersonID: dan, StartsAt: s.Now(), EndsAt: s.Now()})
	require.NoError(t, err)
	assert.Equal(t, []int64{asked.ID}, requests, "the Slack app wakes it")
	var due bool
	require.NoError(t, s.Get(&due, `select due_at <= app_now() from access_requests`))
	assert.True(t, due, "and so does the record")
	assert.Equal(t, []string{"dan@example.com"}, s.advance(asked.ID).Approvers)
}
