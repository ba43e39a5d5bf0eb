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
	// Whatever happens at once, and whatever goes wrong meanwhile: in the end the targets show what the claims say (I1), nothing
	// outlives its end (I2), and nothing was granted without a decision (I3).
	t.Run("faults and races at once leave targets as the claims say", func(t *testing.T) {
		c := newCompany(t)
		ctx := context.Background()
		owen := c.Person("Owen")
		var people, entitlements []int64
		for n := range 4 {
			people = append(people, c.Person(fmt.Sprintf("P%d", n)))
		}
		for n := range 2 {
			app := c.Application(fmt.Sprintf("app%d", n), owen)
			entitlements = append(entitlements, c.Entitlement(app, "reader"), c.Entitlement(app, "admin"))
			target := c.target(fmt.Sprintf("APP%d", n))
			target.always("give", goesWrongOften)
			target.always("take", goesWrongOften)
			target.always("read", breaksOffOften) // against one that shows what is not so, nothing helps
		}
		var requests []schematest.Asked
		for n := range 32 {
			lasts := time.Duration(n%4) * 10 * time.Minute // a quarter of them for good
			asked := c.Request(people[n%len(people)], lasts, entitlements[n/4%4], entitlements[(n/4+1)%4])
			requests = append(requests, asked)
			c.advance(asked.ID)
		}

		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 150 {
					err := c.happens(ctx, owen, requests[rand.IntN(len(requests))])
					assert.False(t, err != nil && strings.Contains(err.Error(), "deadlock"), "%v", err)
				}
			})
		}
		group.Wait()
		c.quiet(ctx, requests)

		c.targetsShowWhatClaimsSay()
		assert.Zero(t, schematest.Value[int](c.World, `select count(*) from claims where ended_at is null and ends_at <= app_now()`))
		assert.Zero(t, schematest.Value[int](c.World, `
		select count(*) from claims c join request_items i on i.id = c.item_id join access_requests r on r.id = i.request_id
		 where not exists (select from decisions d where d.item_id = i.id and d.outcome = 'approve' and d.decided_by <> r.requester_id)`))
		assert.Zero(t, schematest.Value[int](c.World, `
		select count(*) from request_items i left join claims c on c.item_id = i.id
		 where (i.state = 'active') <> (c.id is not null and c.ended_at is null and c.revoked_at is null)`))
		assert.Zero(t, schematest.Value[int](c.World, `select count(*) from claims where source = 'found'`), "all of it was granted by us")
		for _, happened := range []string{"given", "ended: access is gone", "ended: access stays for another reason"} {
			assert.NotZero(t, c.Audited(happened), happened)
		}
	})
}

// goesWrongOften is a target on a bad day.
func goesWrongOften(ctx context.Context, apply func()) error {
	<-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond) // as targets do
	switch rand.IntN(8) {
	case 0:
		return lies(ctx, apply)
	case 1:
		return lostAnswer(ctx, apply)
	case 2:
		return refusesConnection(ctx, apply)
	}
	apply()
	return nil
}

func breaksOffOften(ctx context.Context, apply func()) error {
	if rand.IntN(8) == 0 {
		return refusesConnection(ctx, apply)
	}
	apply()
	return nil
}

// happens is one of the things that may happen to a request at any moment.
func (c *company) happens(ctx context.Context, owen int64, asked schematest.Asked) error {
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
			// A connection goes, and with it an assignment's lock.
			c.Do(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()) limit 1`)
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

// quiet mends the targets, lets all ends pass, and lets runs and sweep do what is left.
func (c *company) quiet(ctx context.Context, requests []schematest.Asked) {
	c.t.Helper()
	for _, target := range c.targets {
		target.mend()
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
	require.Zero(c.t, left, "it never comes to rest")
}
