package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

// expired fails an item that has waited too long for its target, which cannot be read.
func (s small) expired(item int64) {
	s.t.Helper()
	s.target.next("read", refusesConnection)
	s.Shift(15 * 24 * time.Hour)
	require.NoError(s.t, s.grant(item))
	assert.Equal(s.t, "not_set_up_in_time", s.problem(item))
}

func TestOutage(t *testing.T) {
	t.Run("approved access waits for its target", func(t *testing.T) {
		for name, c := range map[string]struct {
			fault func(context.Context, func()) error
			code  string
		}{
			"down":                             {refusesConnection, "target_unavailable"},
			"rate limited":                     {limitsRate, "target_rate_limited"},
			"bad credentials or configuration": {denies, "target_denied"},
			"answering without effect":         {doesNothing, "target_not_as_wanted"},
		} {
			t.Run(name+" for hours and then granted without a new approval", func(t *testing.T) {
				s := newSmall(t)
				asked := s.approved(24 * time.Hour)
				item := asked.Items[0]
				operation := "read"
				if name == "answering without effect" {
					operation = "grant"
				}
				s.target.always(operation, c.fault)
				for range 4 {
					require.Error(t, s.grant(item))
					assert.Equal(t, c.code, s.problem(item))
					next := s.advance(asked.ID)
					require.Len(t, next.Grant, 1, "it is tried again")
					assert.Contains(t, next.DueFor, "Stop provisioning at")
					s.Shift(time.Hour)
					s.do = s.activities(s.Worker) // another worker, which does not know the target's rate limit
				}
				s.target.repair()
				require.NoError(t, s.grant(item))
				assert.Equal(t, "active", s.State(item))
				assert.Empty(t, s.problem(item))
				assert.Equal(t, 1, schematest.Value[int](s.World, `select count(*) from decisions`))
				s.Shift(24 * time.Hour)
				require.NoError(t, s.revoke(s.Claim(item)), "its end was scheduled")
				assert.Equal(t, "ended", s.State(item))
			})
		}
		t.Run("item whose end passes without a grant attempt fails", func(t *testing.T) {
			s := newSmall(t)
			asked := s.approved(time.Hour)
			s.target.always("read", refusesConnection)
			require.Error(t, s.grant(asked.Items[0]))
			s.Shift(time.Hour)
			next := s.advance(asked.ID)
			assert.True(t, next.Complete)
			assert.Equal(t, "failed", next.State)
			assert.Equal(t, "end_passed", s.problem(asked.Items[0]))
			assert.Equal(t, 1, s.Alerts(schema.ProvisioningFailed))
			require.NoError(t, s.grant(asked.Items[0]), "a scheduled attempt ends without reading the target")
			assert.Equal(t, 1, s.target.called("read"))
			s.target.repair()
			require.NoError(t, s.grant(asked.Items[0]))
			assert.False(t, s.held())
		})
		t.Run("item whose end passes after an uncertain grant fails once the target shows no access", func(t *testing.T) {
			s := newSmall(t)
			asked := s.approved(time.Hour)
			s.target.always("grant", lostAnswer)
			s.target.next("read", func(_ context.Context, apply func()) error { apply(); return nil })
			s.target.next("read", refusesConnection)
			require.Error(t, s.grant(asked.Items[0]))
			require.True(t, s.held())
			s.Shift(time.Hour)
			s.target.always("read", refusesConnection)
			next := s.advance(asked.ID)
			assert.Empty(t, next.Grant)
			require.Len(t, next.Revoke, 1)
			require.Error(t, s.revoke(next.Revoke[0].ID))
			assert.Equal(t, "provisioning", s.State(asked.Items[0]), "the access may exist, so the state stays until the target is read")
			s.target.repair()
			require.NoError(t, s.revoke(next.Revoke[0].ID))
			assert.False(t, s.held())
			assert.Equal(t, "failed", s.State(asked.Items[0]))
			assert.Equal(t, "end_passed", s.problem(asked.Items[0]))
		})
	})

	t.Run("approved access without an end expires", func(t *testing.T) {
		t.Run("without a grant attempt it fails", func(t *testing.T) {
			s := newSmall(t)
			asked := s.approved(0)
			s.target.always("read", refusesConnection)
			s.Shift(13 * 24 * time.Hour)
			require.Error(t, s.grant(asked.Items[0]))
			assert.Equal(t, "approved", s.State(asked.Items[0]))
			s.Shift(24 * time.Hour)
			require.NoError(t, s.grant(asked.Items[0]), "after one more read of the target")
			assert.Equal(t, "failed", s.State(asked.Items[0]))
			assert.Equal(t, "not_set_up_in_time", s.problem(asked.Items[0]))
			assert.JSONEq(
				t,
				`{"cause": "target_unavailable"}`,
				schematest.Value[string](s.World, `select problem_details from request_items`),
			)
			assert.True(t, s.advance(asked.ID).Complete)
		})
		t.Run("access that the last attempt finds is active", func(t *testing.T) {
			s := newSmall(t)
			asked := s.approved(0)
			s.target.next("grant", lostAnswer)
			require.Error(t, s.grant(asked.Items[0]))
			s.Shift(15 * 24 * time.Hour)
			require.NoError(t, s.grant(asked.Items[0]))
			assert.Equal(t, "active", s.State(asked.Items[0]))
		})
		t.Run("after an uncertain grant it fails once the target shows no access", func(t *testing.T) {
			s := newSmall(t)
			asked := s.approved(0)
			s.target.next("grant", lostAnswer)
			require.Error(t, s.grant(asked.Items[0]))
			s.expired(asked.Items[0])
			require.True(t, s.held())
			assert.Equal(t, "provisioning", s.State(asked.Items[0]), "it does not fail while the target may show the access")
			next := s.advance(asked.ID)
			require.Empty(t, next.Grant)
			require.Len(t, next.Revoke, 1)
			require.NoError(t, s.revoke(next.Revoke[0].ID))
			assert.False(t, s.held())
			assert.Equal(t, "failed", s.State(asked.Items[0]))
			assert.Equal(t, "not_set_up_in_time", s.problem(asked.Items[0]))
			assert.True(t, s.advance(asked.ID).Complete)
		})
	})

	t.Run("refusal by a target", func(t *testing.T) {
		refuses := func(_ context.Context, apply func()) error {
			apply()
			return &connector.Refused{Part: connector.Account, Name: "ann", Reason: "is reserved"}
		}
		t.Run("that shows the access makes the item active", func(t *testing.T) {
			s := newSmall(t)
			asked := s.approved(time.Hour)
			s.target.next("grant", refuses)
			require.NoError(t, s.grant(asked.Items[0]))
			assert.Equal(t, "active", s.State(asked.Items[0]))
			s.Shift(time.Hour)
			require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
			assert.False(t, s.held())
		})
		t.Run("that does not answer is retried", func(t *testing.T) {
			s := newSmall(t)
			asked := s.approved(time.Hour)
			s.target.next("grant", refuses)
			s.target.next("read", func(_ context.Context, apply func()) error { apply(); return nil })
			s.target.next("read", refusesConnection)
			require.Error(t, s.grant(asked.Items[0]))
			assert.Equal(t, "provisioning", s.State(asked.Items[0]))
			require.NoError(t, s.grant(asked.Items[0]))
			assert.Equal(t, "active", s.State(asked.Items[0]))
		})
		t.Run("that shows no access fails the item", func(t *testing.T) {
			s := newSmall(t)
			asked := s.approved(time.Hour)
			s.target.next("grant", func(context.Context, func()) error {
				return &connector.Refused{Part: connector.Account, Name: "ann", Reason: "is reserved"}
			})
			require.NoError(t, s.grant(asked.Items[0]))
			assert.Equal(t, "failed", s.State(asked.Items[0]))
			assert.Equal(t, "target_refused", s.problem(asked.Items[0]))
		})
	})

	t.Run("Retry now", func(t *testing.T) {
		ctx := context.Background()
		t.Run("by an administrator is audited and makes the run due", func(t *testing.T) {
			s, olga, asked := outage(t)
			require.Error(t, s.grant(asked[0].Items[0]))
			before := s.advance(asked[0].ID).Retry
			require.NoError(t, s.SlackApp.OrderRetry(ctx, asked[0].ID, olga))
			assert.Equal(t, 1, s.Audited(schema.RetryOrdered))
			assert.True(
				t,
				schematest.Value[bool](s.World, `select due_at <= app_now() from access_requests where id = $1`, asked[0].ID),
				"so that the sweep signals the run",
			)
			next := s.advance(asked[0].ID)
			assert.Greater(t, next.Retry, before)
			assert.Equal(t, next, s.advance(asked[0].ID), "a second call returns the same")
		})
		t.Run("by others is refused, also in SQL", func(t *testing.T) {
			s, olga, asked := outage(t)
			require.Error(t, s.grant(asked[0].Items[0]))
			for _, person := range []int64{s.ann, s.owen} {
				require.ErrorIs(t, s.SlackApp.OrderRetry(ctx, asked[0].ID, person), schema.ErrNotAllowed)
			}
			s.Do(`update people set status = 'suspended' where id = $1`, olga)
			require.ErrorIs(t, s.SlackApp.OrderRetry(ctx, asked[0].ID, olga), schema.ErrNotAllowed)
			assert.Equal(t, 3, s.Alerts(schema.RetryRefused))
			assert.Zero(t, s.advance(asked[0].ID).Retry)
		})
		t.Run("is refused if nothing waits for a target", func(t *testing.T) {
			s, olga, asked := outage(t)
			require.ErrorIs(t, s.SlackApp.OrderRetry(ctx, asked[0].ID, olga), schema.ErrNotOpen)
		})
	})

	t.Run("database allows exactly the problem codes", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		for _, code := range schema.ProblemCodes {
			_, err := s.Worker.NoteProblem(
				context.Background(),
				asked.Items[0],
				schema.Problem{Code: code, Details: schema.ProblemDetails{People: []string{"Owen"}}},
				time.Hour,
			)
			require.NoError(t, err, code)
			r, err := schema.RequestByID(context.Background(), s.Worker, asked.ID)
			require.NoError(t, err)
			assert.Equal(t, code, r.Items[0].Problem.Code)
			assert.Equal(t, []string{"Owen"}, r.Items[0].Problem.Details.People)
		}
		_, err := s.Worker.NoteProblem(context.Background(), asked.Items[0], schema.Problem{Code: "a sentence"}, time.Hour)
		assert.Error(t, err)
	})

	t.Run("run details say what an item waits for", func(t *testing.T) {
		s := newManualTasks(t)
		s.do.Options.ShowPeople = false
		asked := s.approved(0)
		require.NoError(t, s.grant(asked.Items[0]))
		next, err := s.do.Advance(context.Background(), activities.AdvanceInput{RequestID: asked.ID})
		require.NoError(t, err)
		assert.Contains(t, next.Details, "waiting for an owner of Crm to set it up")
		assert.NotContains(t, next.Details, "Owen")
	})
}

// outage is a small company with an administrator, whose CRM is down while two approved requests wait for it.
func outage(t *testing.T) (s small, olga int64, asked []schematest.Asked) {
	t.Helper()
	s = newSmall(t)
	olga = s.Person("Olga")
	s.Administrator(olga)
	reader := s.Entitlement(s.crm, "reader")
	asked = []schematest.Asked{s.approved(24 * time.Hour), s.Request(s.ann, 24*time.Hour, reader)}
	s.Approve(s.owen, asked[1])
	s.target.always("read", refusesConnection)
	return s, olga, asked
}
