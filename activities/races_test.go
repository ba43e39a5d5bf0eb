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

	// The second request comes in after the requests of the assignment were locked.
	t.Run("withdrawal that is being recorded is waited for", func(t *testing.T) {
		s := newSmall(t)
		old := s.approved(0)
		hold := s.MustBegin()
		defer hold.Rollback() //nolint:errcheck // the test ends
		hold.MustExec(`select from access_requests where id = $1 for update`, old.ID)
		done := make(chan error, 1)
		go func() { done <- s.grant(old.Items[0]) }()
		s.waitForLock()
		// While reconciling waits for the first request, a second one is approved.
		second := s.approved(0)
		withdrawal := s.SlackApp.MustBegin()
		defer withdrawal.Rollback() //nolint:errcheck // does nothing after the commit
		withdrawal.MustExec(`insert into stop_orders (item_id, person_id, kind) values ($1, $2, 'withdrawn')`, second.Items[0], s.ann)
		var withdrawing int
		require.NoError(t, withdrawal.Get(&withdrawing, `select pg_backend_pid()`))
		require.NoError(t, hold.Rollback())
		require.Eventually(t, func() bool {
			return s.State(old.Items[0]) == "active" ||
				schematest.Value[bool](
					s.World,
					`select exists (select from pg_stat_activity where $1 = any(pg_blocking_pids(pid)))`,
					withdrawing,
				)
		}, 10*time.Second, 5*time.Millisecond)
		require.NoError(t, withdrawal.Commit())
		require.NoError(t, <-done)
		assert.Zero(t, s.Claim(second.Items[0]))
		s.advance(second.ID)
		assert.Equal(t, "withdrawn", s.State(second.Items[0]))
		assert.Equal(t, "active", s.State(old.Items[0]))
	})

	t.Run("revocation of an imported claim that is being recorded is waited for", func(t *testing.T) {
		s := newSmall(t)
		claim := s.Imported(s.ann, s.admin)
		s.target.set("ann", "crm/admin", true)
		revocation := s.SlackApp.MustBegin()
		defer revocation.Rollback() //nolint:errcheck // does nothing after the commit
		revocation.MustExec(`insert into stop_orders (claim_id, person_id, kind) values ($1, $2, 'removed_by_holder')`, claim, s.ann)
		done := make(chan error, 1)
		go func() { done <- s.revoke(claim) }()
		s.waitForLock()
		require.NoError(t, revocation.Commit())
		require.NoError(t, <-done)
		assert.False(t, s.held())
		assert.True(t, schematest.Value[bool](s.World, `select removed_at is not null from claims where id = $1`, claim))
	})

	// The clock advances between any two statements of an attempt.
	t.Run("end that passes between any two statements is kept", func(t *testing.T) {
		s := newSmall(t)
		for calls := range 30 {
			asked := s.approved(time.Duration(calls+1) * time.Minute)
			item := asked.Items[0]
			// Every call of app_now is a minute later.
			s.Do(`create sequence looks; grant usage on sequence looks to public`)
			s.Do(
				`create or replace function app_now() returns timestamptz language sql stable security definer set search_path = pg_catalog, public, pg_temp
			as $$ select clock_timestamp() + (select shift from public.clock) + nextval('public.looks') * interval '1 minute' $$`,
			)
			err := s.grant(item)
			s.Do(`update clock set shift = shift + nextval('looks') * interval '1 minute'`)
			s.Do(
				`create or replace function app_now() returns timestamptz language sql stable security definer set search_path = pg_catalog, public, pg_temp
			as $$ select clock_timestamp() + (select shift from public.clock) $$`,
			)
			s.Do(`drop sequence looks`)
			if err != nil {
				require.ErrorContains(t, err, schema.ErrNoProof.Error(), "the end passed while the claim was recorded")
			}
			s.advance(asked.ID)
			s.Shift(1000 * time.Hour)
			for _, step := range s.advance(asked.ID).Revoke {
				require.NoError(t, s.revoke(step.ID))
			}
			require.False(t, s.held(), "end after %d calls of app_now", calls+1)
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
				assert.InDelta(t, 2.5, retryDelay(t, err).Seconds(), 0.5, "soon, with jitter")
			})
		}
		group.Wait()
		assert.Empty(
			t,
			schematest.Value[string](s.World, `select problem from request_items where id = $1`, asked.Items[0]),
			"being busy is not a problem",
		)
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
			_ = s.do.Reconciler.Reconcile(ctx, assignment) // it may succeed or fail
			cancel()
		}
		require.Eventually(t, func() bool {
			return schematest.Value[int](
				s.World,
				`select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
			) == 0
		}, 10*time.Second, 5*time.Millisecond)
		require.NoError(t, s.reconcile(asked.Items[0]))
		assert.True(t, s.held())
	})

	// Another order of locks could deadlock.
	t.Run("alerts and problems lock the request first", func(t *testing.T) {
		for name, record := range map[string]func(s small, item, claim int64) error{
			"overdue alert": func(s small, _, claim int64) error {
				_, err := s.Worker.AlertOverdue(context.Background(), claim, time.Minute, "Unavailable")
				return err
			},
			"problem": func(s small, item, _ int64) error {
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
				defer hold.Rollback() //nolint:errcheck // does nothing after the commit
				hold.MustExec(`select from access_requests where id = $1 for update`, asked.ID)
				done := make(chan error, 1)
				go func() { done <- record(s, item, claim) }()
				s.waitForLock()
				_, err := hold.Exec(`select from request_items i join claims c on c.item_id = i.id for update nowait`)
				require.NoError(t, err)
				require.NoError(t, hold.Commit())
				require.NoError(t, <-done)
			})
		}
	})
}

// waitingForLock counts the sessions of this database that wait for a lock.
func (c *company) waitingForLock() int {
	return schematest.Value[int](
		c.World,
		`select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
	)
}

func (c *company) waitForLock() {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return c.waitingForLock() > 0 }, 10*time.Second, 2*time.Millisecond)
}
