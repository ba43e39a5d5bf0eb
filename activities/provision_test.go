package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

func TestProvisioning(t *testing.T) {
	t.Run("item that cannot be granted fails alone", func(t *testing.T) {
		s := newSmall(t)
		reader := s.Entitlement(s.crm, "reader")
		asked := s.Request(s.ann, time.Hour, s.admin, reader)
		s.Approve(s.owen, asked)
		s.target.next("grant", hasNoObject)
		require.NoError(t, s.grant(asked.Items[0]))
		require.NoError(t, s.grant(asked.Items[1]))
		assert.Equal(t, "failed", s.State(asked.Items[0]))
		assert.Equal(t, "object_gone", s.problem(asked.Items[0]))
		assert.Equal(t, "active", s.State(asked.Items[1]))

		next := s.advance(asked.ID)
		require.Len(t, next.Revoke, 1, "the target is checked once more")
		require.NoError(t, s.revoke(next.Revoke[0].ID))
		assert.Empty(t, s.advance(asked.ID).Revoke)
		s.targetsMatchClaims()
	})

	t.Run("grant that takes effect after its recorded end is revoked", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		s.target.always("grant", refusesConnection) // the target still works on the request
		require.Error(t, s.grant(asked.Items[0]))
		s.Shift(2 * time.Hour)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		assert.Equal(t, "failed", s.State(asked.Items[0]))
		assert.True(t, s.advance(asked.ID).Complete, "the run does not wait for the second check")
		s.target.set("ann", "crm/admin", true) // now it takes effect

		due, err := schema.DueClaims(context.Background(), s.Worker, 10)
		require.NoError(t, err)
		assert.Empty(t, due, "not yet")
		s.Shift(6 * time.Minute)
		due, err = schema.DueClaims(context.Background(), s.Worker, 10)
		require.NoError(t, err)
		require.Len(t, due, 1)
		require.NoError(t, s.do.Reconciler.Reconcile(context.Background(), due[0].Assignment))
		assert.False(t, s.held())
		due, err = schema.DueClaims(context.Background(), s.Worker, 10)
		require.NoError(t, err)
		assert.Empty(t, due, "only once")
	})

	t.Run("failing an active item does nothing", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		require.NoError(t, s.grant(asked.Items[0]))
		require.NoError(t, s.Worker.FailItem(context.Background(), asked.Items[0], schema.Problem{Code: schema.NotSetUpInTime}, false))
		assert.Equal(t, "active", s.State(asked.Items[0]))
		s.targetsMatchClaims()
	})

	t.Run("end that passes during the grant revokes at once", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.duringGrant(asked.Items[0], func() { s.Shift(time.Hour) }))
		assert.False(t, s.held())
		assert.Equal(t, "failed", s.State(asked.Items[0]))
		assert.Equal(t, "end_passed", s.problem(asked.Items[0]))
	})

	t.Run("removal by the holder during the grant revokes at once", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		require.NoError(t, s.duringGrant(asked.Items[0], func() {
			_, err := s.SlackApp.RemoveAccess(context.Background(), s.Claim(asked.Items[0]), s.ann)
			require.NoError(t, err)
		}))
		assert.False(t, s.held())
		assert.Equal(t, "revoked", s.State(asked.Items[0]))
		// A run that is reset to before its grant changes nothing.
		require.NoError(t, s.grant(asked.Items[0]))
		assert.False(t, s.held())
		assert.Equal(t, "revoked", s.State(asked.Items[0]))
	})

	t.Run("failure during the grant revokes at once", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		require.NoError(t, s.duringGrant(asked.Items[0], func() {
			require.NoError(t, s.Worker.FailItem(context.Background(), asked.Items[0], schema.Problem{Code: schema.NotSetUpInTime}, false))
		}))
		assert.False(t, s.held())
		assert.Equal(t, "failed", s.State(asked.Items[0]))
	})

	t.Run("item whose access is being revoked does not fail", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		s.target.next("grant", lostAnswer)
		require.Error(t, s.grant(asked.Items[0]))
		_, err := s.SlackApp.RemoveAccess(context.Background(), s.Claim(asked.Items[0]), s.ann)
		require.NoError(t, err)
		fail := func() {
			t.Helper()
			require.NoError(t, s.Worker.FailItem(context.Background(), asked.Items[0], schema.Problem{Code: schema.NotSetUpInTime}, false))
		}
		fail()
		assert.Equal(t, "provisioning", s.State(asked.Items[0]))
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		fail()
		assert.Equal(t, "revoked", s.State(asked.Items[0]))
		assert.False(t, s.held())
	})
}

// duringGrant runs f during the grant of an item, and returns the grant's error.
func (s small) duringGrant(item int64, f func()) error {
	s.t.Helper()
	slow := newBlocked()
	s.target.next("grant", slow.do)
	done := make(chan error, 1)
	go func() { done <- s.grant(item) }()
	<-slow.reached
	f()
	close(slow.release)
	return <-done
}
