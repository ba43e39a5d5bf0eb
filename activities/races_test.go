package activities_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

func TestConcurrency(t *testing.T) {
	t.Run("request withdrawn after its approval is not granted", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		items, err := s.SlackApp.Withdraw(context.Background(), asked.ID, s.ann)
		require.NoError(t, err)
		assert.Equal(t, asked.Items, items)
		require.NoError(t, s.grant(asked.Items[0]))
		assert.Zero(t, s.target.called("grant"))
		s.advance(asked.ID)
		assert.Equal(t, "withdrawn", s.State(asked.Items[0]))
	})

	// A withdrawal that is being recorded, of a request that came in after the assignment's requests were locked, is waited for.
	t.Run("withdrawal in progress is honoured", func(t *testing.T) {
		s := newSmall(t)
		old := s.approved(0)
		hold := s.MustBegin()
		defer hold.Rollback() //nolint:errcheck // at the end of the test
		hold.MustExec(`select from access_requests where id = $1 for update`, old.ID)
		done := make(chan error, 1)
		go func() { done <- s.grant(old.Items[0]) }()
		s.waitForLock()
		// While the reconciling waits for the first request, a second one comes that far.
		young := s.approved(0)
		withdrawal := s.SlackApp.MustBegin()
		defer withdrawal.Rollback() //nolint:errcheck // after the commit it has nothing to do
		withdrawal.MustExec(`insert into releases (item_id, person_id, kind) values ($1, $2, 'withdrawn')`, young.Items[0], s.ann)
		var withdrawing int
		require.NoError(t, withdrawal.Get(&withdrawing, `select pg_backend_pid()`))
		require.NoError(t, hold.Rollback())
		require.Eventually(t, func() bool {
			return s.State(old.Items[0]) == "active" || schematest.Value[bool](s.World, `select exists (select from pg_stat_activity where $1 = any(pg_blocking_pids(pid)))`, withdrawing)
		}, 10*time.Second, 5*time.Millisecond)
		require.NoError(t, withdrawal.Commit())
		require.NoError(t, <-done)
		assert.Zero(t, s.Claim(young.Items[0]))
		s.advance(young.ID)
		assert.Equal(t, "withdrawn", s.State(young.Items[0]))
		assert.Equal(t, "active", s.State(old.Items[0]))
	})

	t.Run("revocation of an imported claim in progress is honoured", func(t *testing.T) {
		s := newSmall(t)
		claim := s.Imported(s.ann, s.admin)
		s.target.set("ann", "crm/admin", true)
		release := s.SlackApp.MustBegin()
		defer release.Rollback() //nolint:errcheck // after the commit it has nothing to do
		release.MustExec(`insert into releases (claim_id, person_id, kind) values ($1, $2, 'removed_by_holder')`, claim, s.ann)
		done := make(chan error, 1)
		go func() { done <- s.revoke(claim) }()
		s.waitForLock()
		require.NoError(t, release.Commit())
		require.NoError(t, <-done)
		assert.False(t, s.held())
		assert.True(t, schematest.Value[bool](s.World, `select removed_at is not null from claims where id = $1`, claim))
	})

	// The clock goes on between any two statements of an attempt: wherever the end falls, access does not outlive it unseen.
	t.Run("end that passes between any two statements is not outlived", func(t *testing.T) {
		s := newSmall(t)
		for looks := range 30 {
			asked := s.approved(time.Duration(looks+1) * time.Minute)
			item := asked.Items[0]
			// Every look at the clock finds it a minute later.
			s.Do(`create sequence looks; grant usage on sequence looks to public`)
			s.Do(`create or replace function app_now() returns timestamptz language sql stable security definer set search_path = pg_catalog, public, pg_temp
			as $$ select clock_timestamp() + (select shift from public.clock) + nextval('public.looks') * interval '1 minute' $$`)
			err := s.grant(item)
			s.Do(`update clock set shift = shift + nextval('looks') * interval '1 minute'`)
			s.Do(`create or replace function app_now() returns timestamptz language sql stable security definer set search_path = pg_catalog, public, pg_temp
			as $$ select clock_timestamp() + (select shift from public.clock) $$`)
			s.Do(`drop sequence looks`)
			if err != nil {
				require.ErrorContains(t, err, schema.ErrNoProof.Error(), "the end passed while the claim was written")
			}
			s.advance(asked.ID)
			s.Shift(1000 * time.Hour)
			for _, step := range s.advance(asked.ID).Revoke {
				require.NoError(t, s.revoke(step.ID))
			}
			require.False(t, s.held(), "an end %d looks away", looks+1)
		}
	})

	t.Run("concurrent attempts grant once", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		slow := newBlocked()
		s.target.next("grant", slow.do)
		first := make(chan error, 1)
		go func() { first <- s.grant(asked.Items[0]) }()
		<-slow.reached
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				err := s.grant(asked.Items[0])
				assert.ErrorContains(t, err, "another attempt")
				assert.InDelta(t, 2.5, retryDelay(t, err).Seconds(), 0.5, "soon, and not all at once")
			})
		}
		group.Wait()
		assert.Empty(t, schematest.Value[string](s.World, `select problem from request_items where id = $1`, asked.Items[0]), "nothing is wrong")
		close(slow.release)
		require.NoError(t, <-first)
		assert.Equal(t, 1, s.target.called("grant"))
		assert.Equal(t, 1, s.Claims(s.ann, s.admin, "request"))
	})

	t.Run("cancelled attempts leave no lock", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		assignment, err := schema.AssignmentOfItem(context.Background(), s.Worker, asked.Items[0])
		require.NoError(t, err)
		for after := range 20 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(after)*200*time.Microsecond)
			_ = s.do.Reconciler.Reconcile(ctx, assignment) // whether it came through is not the approval
			cancel()
		}
		require.Eventually(t, func() bool {
			return schematest.Value[int](s.World, `select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`) == 0
		}, 10*time.Second, 5*time.Millisecond)
		require.NoError(t, s.reconcile(asked.Items[0]))
		assert.True(t, s.held())
	})

	// Whoever waits for a request holds nothing of it: otherwise two would wait for each other.
	t.Run("alerts and notes lock the request first", func(t *testing.T) {
		for name, note := range map[string]func(s small, item, claim int64) error{
			"overdue": func(s small, _, claim int64) error {
				_, err := s.Worker.AlertOverdue(context.Background(), claim, time.Minute, "Unavailable")
				return err
			},
			"its target is down": func(s small, item, _ int64) error {
				_, err := s.Worker.NoteProblem(context.Background(), item, schema.Problem{Code: schema.TargetUnavailable}, time.Hour)
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				s := newSmall(t)
				asked := s.approved(time.Hour)
				s.target.next("grant", doesNothing)
				require.Error(t, s.grant(asked.Items[0]))
				s.Do(`update request_items set problem = ''`)
				s.Shift(2 * time.Hour)
				item, claim := asked.Items[0], s.Claim(asked.Items[0])
				hold := s.MustBegin()
				defer hold.Rollback() //nolint:errcheck // after the commit it has nothing to do
				hold.MustExec(`select from access_requests where id = $1 for update`, asked.ID)
				done := make(chan error, 1)
				go func() { done <- note(s, item, claim) }()
				s.waitForLock()
				_, err := hold.Exec(`select from request_items i join claims c on c.item_id = i.id for update nowait`)
				require.NoError(t, err)
				require.NoError(t, hold.Commit())
				require.NoError(t, <-done)
			})
		}
	})
}

// waiting is how many sessions of this database wait for a lock.
func (c *company) waiting() int {
	return schematest.Value[int](c.World, `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
}

func (c *company) waitForLock() {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return c.waiting() > 0 }, 10*time.Second, 2*time.Millisecond)
}
