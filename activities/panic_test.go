package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

func TestConnectorPanic(t *testing.T) {
	t.Run("panic is an error and the assignment can be retried", func(t *testing.T) {
		panics := func(context.Context, func()) error { panic("a slice bounds out of range") }
		s := newSmall(t)
		asked := s.approved(time.Hour)
		s.target.next("grant", panics)
		err := s.reconcile(asked.Items[0])
		require.ErrorContains(t, err, "panicked")
		assert.Equal(t, connector.ClassUnavailable, connector.ClassOf(err))

		require.NoError(t, s.reconcile(asked.Items[0]), "lock and slot are released")
		assert.Equal(t, "active", s.State(asked.Items[0]))
		s.Shift(2 * time.Hour)
		s.target.next("read", panics)
		require.Error(t, s.reconcile(asked.Items[0]))
		require.NoError(t, s.reconcile(asked.Items[0]))
		assert.False(t, s.held())
	})
}
