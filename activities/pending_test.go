package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/schematest"
)

// invited returns a request whose invitation is not accepted yet.
func invited(t *testing.T, lasts time.Duration) (small, schematest.Asked) {
	t.Helper()
	s := newSmall(t)
	s.target.invite = true
	asked := s.approved(lasts)
	require.NoError(t, s.grant(asked.Items[0]), "waiting is not an error")
	return s, asked
}

func TestInvitation(t *testing.T) {
	t.Run("pending invitation is checked less and less often", func(t *testing.T) {
		s, asked := invited(t, 0)
		assert.Equal(t, "provisioning", s.State(asked.Items[0]))
		assert.Equal(t, "invitation", s.problem(asked.Items[0]))

		var sleeps []int64
		for range 8 {
			next := s.advance(asked.ID)
			require.Empty(t, next.Grant, "no check before it is due")
			require.False(t, next.Complete)
			sleeps = append(sleeps, next.DueIn)
			s.Shift(time.Duration(next.DueIn) * time.Second)
			require.Len(t, s.advance(asked.ID).Grant, 1)
			require.NoError(t, s.grant(asked.Items[0]))
		}
		assert.IsIncreasing(t, sleeps[:6])
		assert.InDelta(t, 60, sleeps[0], 1)
		assert.InDelta(t, 3600, sleeps[7], 1)
		assert.Equal(t, 1, s.target.called("grant"), "one invitation, and then only checks")

		s.target.accept()
		require.NoError(t, s.grant(asked.Items[0]))
		assert.Equal(t, "active", s.State(asked.Items[0]))
		s.targetsMatchClaims()
	})

	t.Run("invitation that is never accepted is withdrawn", func(t *testing.T) {
		s, asked := invited(t, 0)
		s.Shift(15 * 24 * time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		assert.Equal(t, "failed", s.State(asked.Items[0]))
		assert.Equal(t, "waited_too_long", s.problem(asked.Items[0]))
		next := s.advance(asked.ID)
		require.Len(t, next.Revoke, 1)
		require.NoError(t, s.revoke(next.Revoke[0].ID))
		s.target.accept()
		assert.False(t, s.held(), "the invitation is withdrawn")
	})

	t.Run("invitation is withdrawn at the end of the access", func(t *testing.T) {
		s, asked := invited(t, time.Hour)
		s.Shift(time.Hour)
		next := s.advance(asked.ID)
		require.Empty(t, next.Grant)
		require.Len(t, next.Revoke, 1)
		require.NoError(t, s.revoke(next.Revoke[0].ID))
		s.target.accept()
		assert.False(t, s.held())
		assert.Equal(t, "failed", s.State(asked.Items[0]), "it was never active, so it failed")
		assert.Equal(t, "end_passed", s.problem(asked.Items[0]))
	})
}
