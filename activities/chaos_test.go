package activities_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

func TestInvariants(t *testing.T) {
	// After concurrent work and faults, targets match the claims (I1), nothing outlives its end (I2), and nothing was granted
	// without a decision (I3).
	t.Run("concurrent work and faults leave targets matching the claims", func(t *testing.T) {
		c := newCompany(t)
		ctx := context.Background()
		owen := c.Person("Owen")
		var people, entitlements []int64
		for i := range 4 {
			people = append(people, c.Person(fmt.Sprintf("P%d", i)))
		}
		for n := range 2 {
			app := c.Application(fmt.Sprintf("app%d", n), owen)
			entitlements = append(entitlements, c.Entitlement(app, "reader"), c.Entitlement(app, "admin"))
			target := c.target(fmt.Sprintf("APP%d", n))
			target.always("grant", failsOften)
			target.always("revoke", failsOften)
			target.always("read", refusesOften) // a target that shows something false cannot be corrected
		}
		var requests []schematest.Asked
		for n := range 32 {
			lasts := time.Duration(n%4) * 10 * time.Minute // a quarter of them permanent
			asked := c.Request(people[n%len(people)], lasts, entitlements[n/4%4], entitlements[(n/4+1)%4])
			requests = append(requests, asked)
			c.advance(asked.ID)
		}

		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 150 {
					err := c.randomStep(ctx, owen, requests[rand.IntN(len(requests))])
					assert.False(t, err != nil && strings.Contains(err.Error(), "deadlock"), "%v", err)
				}
			})
		}
		group.Wait()
		c.finish(ctx, requests)

		c.targetsMatchClaims()
		assert.Zero(t, schematest.Value[int](c.World, `select count(*) from claims where ended_at is null and ends_at <= app_now()`))
		assert.Zero(t, schematest.Value[int](c.World, `
		select count(*) from claims c join request_items i on i.id = c.item_id join access_requests r on r.id = i.request_id
		 where not exists (select from decisions d where d.item_id = i.id and d.outcome = 'approve' and d.decided_by <> r.requester_id)`))
		assert.Zero(t, schematest.Value[int](c.World, `
		select count(*) from request_items i left join claims c on c.item_id = i.id
		 where (i.state = 'active') <> (c.id is not null and c.ended_at is null and c.revoked_at is null)`))
		assert.Zero(
			t,
			schematest.Value[int](c.World, `select count(*) from claims where source = 'unexpected'`),
			"all access was granted by us",
		)
		for _, happened := range []schema.AuditAction{schema.AccessGranted, schema.AccessRevoked, schema.AccessKept} {
			assert.NotZero(t, c.Audited(happened), happened)
		}
	})
}

// failsOften makes a target's changes fail often.
func failsOften(ctx context.Context, apply func()) error {
	<-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond) // a target's latency
	switch rand.IntN(8) {
	case 0:
		return doesNothing(ctx, apply)
	case 1:
		return lostAnswer(ctx, apply)
	case 2:
		return refusesConnection(ctx, apply)
	}
	apply()
	return nil
}

func refusesOften(ctx context.Context, apply func()) error {
	if rand.IntN(8) == 0 {
		return refusesConnection(ctx, apply)
	}
	apply()
	return nil
}

// randomStep does something that can happen to a request at any moment.
func (c *company) randomStep(ctx context.Context, owen int64, asked schematest.Asked) error {
	item := asked.Items[rand.IntN(len(asked.Items))]
	switch rand.IntN(20) {
	case 0:
		c.Shift(30 * time.Second)
	case 1:
		if rand.IntN(8) == 0 {
			_, err := c.SlackApp.Withdraw(ctx, asked.ID, c.requester(asked))
			return err
		}
	case 2:
		if claim := c.Claim(item); claim != 0 && rand.IntN(3) == 0 {
			_, err := c.SlackApp.RemoveAccess(ctx, claim, c.requester(asked))
			return err
		}
	case 3:
		claim := c.Claim(item)
		if _, err := c.Worker.AlertOverdue(ctx, claim, 0, "Unavailable"); err != nil {
			return err
		}
		_, err := c.Worker.NoteProblem(ctx, item, schema.Problem{Code: schema.TargetUnavailable}, time.Minute)
		return err
	case 4:
		if rand.IntN(6) == 0 {
			// A connection breaks, and an assignment's lock with it.
			c.Do(
				`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()) limit 1`,
			)
		}
	case 5, 6, 7, 8:
		r, err := schema.RequestByID(ctx, c.Worker, asked.ID)
		if err != nil {
			return err
		}
		for _, a := range r.Approvals {
			if a.State == "open" && contains(a.ItemIDs, item) {
				return c.Decide(owen, a.ID, []string{"approve", "approve", "approve", "deny"}[rand.IntN(4)], item)
			}
		}
	default:
		next, err := c.do.Advance(ctx, activities.AdvanceInput{RequestID: asked.ID})
		if err != nil {
			return err
		}
		for _, step := range next.Grant {
			if err = c.grant(step.ID); err != nil && rand.IntN(4) == 0 {
				err = c.Worker.FailItem(ctx, step.ID, schema.Problem{Code: schema.NotSetUpInTime}, true)
			}
		}
		for _, step := range next.Revoke {
			err = c.revoke(step.ID)
		}
		return err
	}
	return nil
}

func (c *company) requester(asked schematest.Asked) int64 {
	return schematest.Value[int64](c.World, `select requester_id from access_requests where id = $1`, asked.ID)
}

// finish repairs the targets, lets all ends pass, and runs workflows and sweep until nothing is left.
func (c *company) finish(ctx context.Context, requests []schematest.Asked) {
	c.t.Helper()
	for _, target := range c.targets {
		target.repair()
	}
	c.Shift(24 * time.Hour)
	left := 1
	for range 20 {
		left = 0
		for _, asked := range requests {
			next := c.advance(asked.ID)
			left += len(next.Grant) + len(next.Revoke)
			for _, step := range next.Grant {
				require.NoError(c.t, c.grant(step.ID))
			}
			for _, step := range next.Revoke {
				require.NoError(c.t, c.revoke(step.ID))
			}
		}
		due, err := schema.DueClaims(ctx, c.Worker, 100)
		require.NoError(c.t, err)
		left += len(due)
		for _, claim := range due {
			require.NoError(c.t, c.do.Reconciler.Reconcile(ctx, claim.Assignment))
			require.NoError(c.t, schema.RecordAttempt(ctx, c.Worker, claim.ID))
		}
		if left == 0 {
			return
		}
	}
	require.Zero(c.t, left, "work is left after 20 rounds")
}
