package activities_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

func TestTarget(t *testing.T) {
	t.Run("rate limit is obeyed", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		s.target.next("grant", limitsRate)
		assert.Equal(t, 42*time.Second, retryDelay(t, s.grant(asked.Items[0])))
		assert.InDelta(t, 42, retryDelay(t, s.grant(asked.Items[0])).Seconds(), 20, "no call before that")
		assert.Equal(t, 1, s.target.called("grant"))

		s.do = s.activities(s.Worker) // another worker, which does not know the limit
		require.NoError(t, s.grant(asked.Items[0]))
		s.Shift(time.Hour)
		s.target.next("revoke", limitsRate)
		assert.Equal(t, 42*time.Second, retryDelay(t, s.revoke(s.Claim(asked.Items[0]))))
	})

	t.Run("target is not called above its rate", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		s.limits = connector.Limits{Concurrency: 1, PerSecond: 0.1}
		s.do = s.activities(s.Worker)
		require.NoError(t, s.grant(asked.Items[0]))
		assert.True(t, activities.IsBusy(s.reconcile(asked.Items[0])), "the next call is allowed in ten seconds")
	})

	t.Run("unavailable target raises one alert and does not delay others", func(t *testing.T) {
		s := newSmall(t)
		wiki := s.Application("wiki", s.owen)
		other := s.Request(s.ann, time.Hour, s.Entitlement(wiki, "editor"))
		s.Approve(s.owen, other)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		require.NoError(t, s.grant(other.Items[0]))
		claim := s.Claim(asked.Items[0])
		s.target.always("read", refusesConnection)
		s.target.always("revoke", refusesConnection)
		for range 24 {
			s.Shift(time.Hour + time.Minute)
			require.Error(t, s.revoke(claim))
		}
		assert.Equal(t, 1, s.Alerts(schema.RevocationOverdue))
		require.NoError(t, s.revoke(s.Claim(other.Items[0])))
		assert.Zero(t, s.company.target("WIKI").holding())
		s.target.repair()
		require.NoError(t, s.revoke(claim))
		assert.False(t, s.held())
		assert.Greater(
			t,
			schematest.Value[float64](
				s.World,
				`select (details->>'late_by_seconds')::float8 from audit_events where action = 'access.revoked' and claim_id = $1`,
				claim,
			),
			23*3600.0,
			"its lateness is reported",
		)
	})

	t.Run("object that is gone counts as revoked", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		s.Shift(time.Hour)
		s.target.set("ann", "crm/admin", false)
		s.target.always("read", hasNoObject)
		s.target.always("revoke", hasNoObject)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		assert.Equal(t, "ended", s.State(asked.Items[0]))
	})

	t.Run("permanent access can be removed by its holder months later", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		require.NoError(t, s.grant(asked.Items[0]))
		require.True(t, s.advance(asked.ID).Complete, "the run is complete")
		claim := s.Claim(asked.Items[0])
		s.Shift(200 * 24 * time.Hour)

		check, err := s.do.CheckClaim(context.Background(), activities.ClaimInput{ClaimID: claim})
		require.NoError(t, err)
		assert.Empty(t, check.State)
		assert.Equal(t, 1, s.Alerts(schema.DeprovisioningRefused))
		require.NoError(t, s.revoke(claim))
		assert.True(t, s.held(), "the claim is not over")

		_, err = s.SlackApp.RemoveAccess(context.Background(), claim, s.ann)
		require.NoError(t, err)
		check, err = s.do.CheckClaim(context.Background(), activities.ClaimInput{ClaimID: claim})
		require.NoError(t, err)
		assert.Equal(t, activities.CheckClaimResult{State: "revoked", OfItem: true, Label: "Crm / Admin", Holder: "Ann"}, check)
		assert.Equal(t, 2, s.Alerts(schema.DeprovisioningRefused), "the request's own run ends it")
		require.NoError(t, s.revoke(claim))
		assert.False(t, s.held())
		assert.Equal(t, "revoked", s.State(asked.Items[0]))
		assert.True(t, s.advance(asked.ID).Complete)
	})

	t.Run("many ends at once do not deadlock or wait for a silent target", func(t *testing.T) {
		c := newCompany(t)
		owen := c.Person("Owen")
		const people, systems = 20, 5
		var claims, unanswered []int64
		var entitlements []int64
		for i := range systems {
			entitlements = append(entitlements, c.Entitlement(c.Application(fmt.Sprintf("app%d", i), owen), "reader"))
		}
		for n := range people {
			asked := c.Request(c.Person(fmt.Sprintf("P%d", n)), time.Hour, entitlements...)
			for i, item := range asked.Items {
				c.Approve(owen, schematest.Asked{ID: asked.ID, Items: []int64{item}})
				require.NoError(t, c.grant(item))
				if i == 0 {
					unanswered = append(unanswered, c.Claim(item))
				} else {
					claims = append(claims, c.Claim(item))
				}
			}
		}
		c.Shift(time.Hour)
		c.target("APP0").always("read", neverAnswers)
		ctx, cancelAll := context.WithCancel(context.Background())
		defer cancelAll()
		var blocked, group sync.WaitGroup
		for _, claim := range unanswered {
			blocked.Go(func() {
				_ = c.do.DeprovisionAccess(ctx, activities.ClaimInput{ClaimID: claim}) // it is cancelled
			})
		}
		for _, claim := range claims {
			group.Go(func() {
				// Temporal retries a busy attempt.
				for {
					err := c.revoke(claim)
					if err == nil {
						return
					}
					if !assert.Positive(t, retryDelay(t, err), "%v", err) {
						return
					}
				}
			})
		}
		finished := make(chan struct{})
		go func() { group.Wait(); close(finished) }()
		select {
		case <-finished:
		case <-time.After(30 * time.Second):
			t.Fatal("other targets are delayed")
		}
		for n := 1; n < systems; n++ {
			assert.Zero(t, c.target(fmt.Sprintf("APP%d", n)).holding())
		}
		cancelAll()
		blocked.Wait()
		c.target("APP0").repair()
		for _, claim := range unanswered {
			require.NoError(t, c.revoke(claim))
		}
		c.targetsMatchClaims()
	})

	t.Run("many silent targets leave database connections to others", func(t *testing.T) {
		c := newCompany(t)
		owen, ann := c.Person("Owen"), c.Person("Ann")
		pool := c.As(t, "accessbot_worker")
		pool.SetMaxOpenConns(16) // reconciling uses at most four
		c.do = c.activities(pool)
		ctx, cancelAll := context.WithCancel(context.Background())
		var blocked sync.WaitGroup
		var asked schematest.Asked
		var items []int64
		for n := range 8 {
			app := c.Application(fmt.Sprintf("app%d", n), owen)
			asked = c.Request(ann, 0, c.Entitlement(app, "reader"), c.Entitlement(app, "writer"))
			c.Approve(owen, asked)
			items = append(items, asked.Items...)
			c.target(fmt.Sprintf("APP%d", n)).always("read", neverAnswers)
		}
		for _, item := range items {
			blocked.Go(func() {
				_ = c.do.ProvisionAccess(ctx, activities.ItemInput{ItemID: item}) // it is cancelled
			})
		}
		reads := func() (n int) {
			for app := range 8 {
				n += c.target(fmt.Sprintf("APP%d", app)).called("read")
			}
			return n
		}
		require.Eventually(
			t,
			func() bool { return reads() >= 4 && pool.Stats().InUse <= 4 },
			10*time.Second,
			time.Millisecond,
			"four reads are waiting",
		)
		quick, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		for range 20 {
			_, err := c.do.Advance(quick, activities.AdvanceInput{RequestID: asked.ID})
			require.NoError(t, err)
			assert.LessOrEqual(t, pool.Stats().InUse, 4+2, "the four, and short queries")
		}
		cancelAll()
		blocked.Wait()
	})
}
