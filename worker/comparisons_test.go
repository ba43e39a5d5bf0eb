package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

// listing is a target whose List blocks until let is closed.
type listing struct {
	*memory
	let chan struct{}
}

func (l listing) List(ctx context.Context, each func(connector.Assignment) error) error {
	select {
	case <-l.let:
	case <-ctx.Done():
		return ctx.Err()
	}
	return each(connector.Assignment{Account: "stranger", Object: "wiki/admin"})
}

func TestComparison(t *testing.T) {
	t.Run("target with a slow list delays no other", func(t *testing.T) {
		o := newOffice(t)
		at := map[string]listing{"CRM": {o.targets["CRM"], make(chan struct{})}, "WIKI": {o.targets["WIKI"], make(chan struct{})}}
		close(at["WIKI"].let)
		log := slog.New(slog.DiscardHandler)
		reconciler := &activities.Reconciler{DB: o.Worker, Log: log, Targets: &activities.Targets{
			Open: func(_, instance string) (connector.Connector, connector.Limits, error) {
				return at[instance], connector.Limits{}, nil
			},
		}}
		c := newComparisons(o.Worker, reconciler, time.Hour, log)
		o.Do(`insert into comparisons (instance, started_at, next_at) values ('WIKI', app_now(), app_now() - interval '1 hour')`)
		due, err := schema.ComparisonsDue(t.Context(), o.Worker)
		require.NoError(t, err)
		require.Equal(t, "CRM", due[0].Instance)

		c.once(t.Context())
		finished := func(instance string) bool {
			return schematest.Value[int](
				o.World,
				`select count(*) from comparisons where instance = $1 and finished_at is not null`,
				instance,
			) == 1
		}
		require.Eventually(t, func() bool { return finished("WIKI") }, 30*time.Second, 20*time.Millisecond)
		assert.False(t, finished("CRM"))
		o.Do(`update comparisons set next_at = app_now(), finished_at = null where instance = 'WIKI'`)
		c.once(t.Context())
		require.Eventually(t, func() bool { return finished("WIKI") }, 30*time.Second, 20*time.Millisecond, "nor the next comparison")
		close(at["CRM"].let)
		c.group.Wait()
		assert.True(t, finished("CRM"))
	})
}
