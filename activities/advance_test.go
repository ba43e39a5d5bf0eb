package activities_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

// approvals returns all approvals of a request.
func (c *company) approvals(request int64) []schema.Approval {
	c.t.Helper()
	r, err := schema.RequestByID(context.Background(), c.Worker, request)
	require.NoError(c.t, err)
	return r.Approvals
}

// open returns the open approvals of a request.
func (c *company) open(request int64) []schema.Approval {
	c.t.Helper()
	var open []schema.Approval
	for _, a := range c.approvals(request) {
		if a.State == "open" {
			open = append(open, a)
		}
	}
	return open
}

func candidates(a schema.Approval) (all, asked []int64) {
	for _, c := range a.Candidates {
		all = append(all, c.PersonID)
		if c.AskedAt.Valid {
			asked = append(asked, c.PersonID)
		}
	}
	return all, asked
}

// decide records a person's decision about all items that they can decide now.
func (c *company) decide(by, request int64, outcome string) {
	c.t.Helper()
	for _, a := range c.open(request) {
		if all, _ := candidates(a); !contains(all, by) {
			continue
		}
		require.NoError(c.t, c.Decide(by, a.ID, outcome, a.ItemIDs...))
	}
}

func contains(ids []int64, id int64) bool {
	for _, i := range ids {
		if i == id {
			return true
		}
	}
	return false
}

func TestApproval(t *testing.T) {
	t.Run("items of one application with the same approvers share one approval", func(t *testing.T) {
		c := newCompany(t)
		ann, owen, olga, max := c.Person("Ann"), c.Person("Owen"), c.Person("Olga"), c.Person("Max")
		c.Manages(max, ann)
		crm, wiki, free := c.Application("crm", owen), c.Application("wiki", owen), c.Application("free")
		entitlements := []int64{
			c.Entitlement(
				crm,
				"reader",
			),
			c.Entitlement(crm, "writer"),
			c.Entitlement(crm, "admin", olga),
			c.Entitlement(wiki, "reader"),
			c.Entitlement(free, "reader"),
		}
		asked := c.Request(ann, 0, entitlements...)
		next := c.advance(asked.ID)

		assert.Equal(t, "awaiting_approval", next.State)
		assert.Equal(t, []string{"max@example.com", "olga@example.com", "owen@example.com"}, next.Approvers)
		assert.Equal(t, []string{"crm", "free", "wiki"}, next.Applications)
		byBasis := map[string][][]int64{}
		for _, a := range c.open(asked.ID) {
			byBasis[a.Candidates[0].Basis] = append(byBasis[a.Candidates[0].Basis], a.ItemIDs)
		}
		assert.Equal(t, [][]int64{asked.Items[:2], asked.Items[3:4]}, byBasis["application owner"])
		assert.Equal(t, [][]int64{asked.Items[2:3]}, byBasis["entitlement owner"])
		assert.Equal(t, [][]int64{asked.Items[4:]}, byBasis["manager"])

		c.advance(asked.ID)
		assert.Len(t, c.approvals(asked.ID), 4, "a second call opens no approval")
		assert.Equal(t, 4, c.Audited(schema.ApprovalOpened))
	})

	t.Run("manager and two others are asked first, the rest a day later", func(t *testing.T) {
		c := newCompany(t)
		c.at("2026-12-01 10:00+00")
		ann := c.Person("Ann")
		var owners []int64
		for _, name := range []string{"B", "C", "D", "E", "F"} {
			owners = append(owners, c.Person(name+"ob"))
		}
		c.Manages(owners[4], ann)
		asked := c.Request(ann, 0, c.Entitlement(c.Application("crm", owners...), "admin"))
		next := c.advance(asked.ID)
		all, first := candidates(c.open(asked.ID)[0])
		assert.Equal(t, []int64{owners[4], owners[0], owners[1], owners[2], owners[3]}, all)
		assert.Equal(t, all[:3], first)
		assert.InDelta(t, (24 * time.Hour).Seconds(), next.DueIn, 5)
		assert.Contains(t, next.DueFor, "Ask other approvers at")

		c.Shift(24*time.Hour - time.Minute)
		c.advance(asked.ID)
		_, first = candidates(c.open(asked.ID)[0])
		assert.Len(t, first, 3, "not early")
		c.Shift(time.Minute)
		next = c.advance(asked.ID)
		_, first = candidates(c.open(asked.ID)[0])
		assert.Equal(t, all, first)
		assert.InDelta(t, (24 * time.Hour).Seconds(), next.DueIn, 5)
		assert.Contains(t, next.DueFor, "Remind ")
		c.advance(asked.ID)
		assert.Equal(t, 1, c.Audited(schema.ApprovalWidened))
	})

	t.Run("approver who leaves is replaced by the next", func(t *testing.T) {
		s := newSmall(t)
		max := s.Person("Max")
		s.Manages(max, s.ann)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.Do(`update access_requests set due_at = app_now() + interval '1 day'`)
		s.Do(`update people set status = 'left' where id = $1`, s.owen)
		assert.True(t, schematest.Value[bool](s.World, `select due_at <= app_now() from access_requests`), "the request is due at once")
		next := s.advance(asked.ID)
		assert.Equal(t, []string{"max@example.com"}, next.Approvers)
		all := s.approvals(asked.ID)
		require.Len(t, all, 2)
		assert.Equal(t, []string{"moved", "open"}, []string{all[0].State, all[1].State})
		assert.Equal(t, "manager", all[1].Candidates[0].Basis)
		assert.Error(t, s.Decide(s.owen, all[0].ID, "approve", asked.Items...))
		s.decide(max, asked.ID, "approve")
		assert.Len(t, s.advance(asked.ID).Grant, 1)
	})

	t.Run("manager who changes is replaced and the basis of both is recorded", func(t *testing.T) {
		c := newCompany(t)
		ann, max, mia := c.Person("Ann"), c.Person("Max"), c.Person("Mia")
		c.Manages(max, ann)
		asked := c.Request(ann, 0, c.Entitlement(c.Application("crm"), "admin"))
		c.advance(asked.ID)
		c.Do(`update access_requests set due_at = app_now() + interval '1 day'`)
		c.Manages(mia, ann)
		assert.True(t, schematest.Value[bool](c.World, `select due_at <= app_now() from access_requests`), "the request is due at once")
		c.advance(asked.ID)
		all := c.approvals(asked.ID)
		require.Len(t, all, 2)
		for i, manager := range []int64{max, mia} {
			assert.Equal(t, "manager", all[i].Candidates[0].Basis)
			assert.Equal(t, manager, all[i].Candidates[0].PersonID)
			assert.JSONEq(
				t,
				fmt.Sprintf(`[{"basis": "manager", "person": %d}]`, manager),
				schematest.Value[string](
					c.World,
					`select details ->> 'candidates' from audit_events where action = 'approval.opened' and approval_id = $1`,
					all[i].ID,
				),
			)
		}
		assert.Equal(t, []string{"moved", "open"}, []string{all[0].State, all[1].State})

		// The decision stores her basis.
		terms := schematest.Value[string](c.World, `select request_terms($1)`, asked.ID)
		m, err := schema.ReserveMessage(
			context.Background(),
			c.Worker,
			schema.Message{RequestID: asked.ID, PersonID: mia, Kind: "approval", ItemIDs: asked.Items, Terms: terms},
		)
		require.NoError(t, err)
		_, err = c.SlackApp.Decide(context.Background(), schema.Answer{MessageID: m.ID, PersonID: mia, Terms: terms, Approve: true})
		require.NoError(t, err)
		assert.Equal(
			t,
			fmt.Sprint("manager ", mia),
			schematest.Value[string](c.World, `select basis || ' ' || decided_by from decisions`),
		)
		assert.Len(t, c.advance(asked.ID).Grant, 1)
	})

	t.Run("approver who is not in Slack is left out until they can be reached", func(t *testing.T) {
		c := newCompany(t)
		ann, owen, olga := c.Person("Ann"), c.Person("Owen"), c.Person("Olga")
		asked := c.Request(ann, 0, c.Entitlement(c.Application("crm", owen, olga), "admin"))
		c.advance(asked.ID)
		c.Do(`insert into slack_addresses (person_id, user_id) values ($1, null)`, owen)
		assert.Equal(t, []string{"olga@example.com"}, c.advance(asked.ID).Approvers)
		// An approver who uses the app is in Slack. Slack is asked again after a week.
		c.Do(`insert into slack_identities (team_id, user_id, person_id, basis) values ('T', 'U', $1, 'directory')`, owen)
		assert.Len(t, c.advance(asked.ID).Approvers, 2)
		c.Do(`delete from slack_identities`)
		assert.Len(t, c.advance(asked.ID).Approvers, 1)
		c.Shift(7 * 24 * time.Hour)
		assert.Len(t, c.advance(asked.ID).Approvers, 2)
	})

	t.Run("request without an approver alerts once and recovers", func(t *testing.T) {
		c := newCompany(t)
		ann := c.Person("Ann")
		asked := c.Request(ann, 0, c.Entitlement(c.Application("crm"), "admin"))
		for range 3 {
			next := c.advance(asked.ID)
			assert.InDelta(t, time.Hour.Seconds(), next.DueIn, 5)
			assert.Contains(t, next.DueFor, "Look for approvers at")
		}
		problem := func() string {
			return schematest.Value[string](c.World, `select problem from request_items where id = $1`, asked.Items[0])
		}
		assert.Equal(t, "no_approver", problem())
		assert.Equal(t, 1, c.Alerts(schema.ApprovalUnassigned))
		c.Administrator(c.Person("Dana"))
		assert.Equal(t, []string{"dana@example.com"}, c.advance(asked.ID).Approvers)
		assert.Empty(t, problem())
	})
}

func TestRequest(t *testing.T) {
	t.Run("approved item moves on while another one waits", func(t *testing.T) {
		c := newCompany(t)
		ann, owen, olga := c.Person("Ann"), c.Person("Owen"), c.Person("Olga")
		yes, no := c.Entitlement(c.Application("crm", owen), "admin"), c.Entitlement(c.Application("wiki", olga), "admin")
		asked := c.Request(ann, 0, yes, no)
		c.advance(asked.ID)
		c.decide(owen, asked.ID, "approve")
		next := c.advance(asked.ID)
		require.Len(t, next.Grant, 1, "while the other item waits")
		assert.Equal(t, activities.Step{ID: asked.Items[0], Label: "Crm / Admin"}, next.Grant[0])
		assert.False(t, next.Complete)
		c.decide(olga, asked.ID, "deny")
		c.advance(asked.ID)
		assert.Equal(t, "denied", c.State(asked.Items[1]))
		for _, a := range c.approvals(asked.ID) {
			assert.Equal(t, "decided", a.State)
		}
		require.NoError(t, c.grant(asked.Items[0]))
		next = c.advance(asked.ID)
		assert.True(t, next.Complete)
		assert.Zero(t, next.DueIn)
		assert.True(t, schematest.Value[bool](c.World, `select due_at is null and completed_at is not null from access_requests`))
		assert.Contains(t, next.Details, "- Crm / Admin: **Active**, approved by Owen (entitlement owner)")
	})

	t.Run("undecided request expires and cannot be decided", func(t *testing.T) {
		s := newSmall(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.Shift(14 * 24 * time.Hour)
		next := s.advance(asked.ID)
		assert.Equal(t, "expired", next.State)
		assert.True(t, next.Complete)
		assert.Equal(t, "closed", s.approvals(asked.ID)[0].State)
		assert.Error(t, s.Decide(s.owen, s.approvals(asked.ID)[0].ID, "approve", asked.Items...))
	})

	t.Run("end that passes before the approval is never granted", func(t *testing.T) {
		s := newSmall(t)
		t.Run("undecided", func(t *testing.T) {
			asked := s.Request(s.ann, time.Hour, s.admin)
			next := s.advance(asked.ID)
			assert.InDelta(t, time.Hour.Seconds(), next.DueIn, 5)
			s.Shift(time.Hour)
			assert.Equal(t, "expired", s.advance(asked.ID).State)
		})
		t.Run("decided, and the run is late", func(t *testing.T) {
			asked := s.Request(s.ann, time.Hour, s.admin)
			s.advance(asked.ID)
			s.decide(s.owen, asked.ID, "approve")
			s.Shift(time.Hour)
			next := s.advance(asked.ID)
			assert.Equal(t, "failed", next.State, "not expired, as it was decided in time")
			assert.Equal(t, "end_passed", s.problem(asked.Items[0]))
			assert.Empty(t, next.Grant)
		})
		t.Run("approved, and provisioning is late", func(t *testing.T) {
			asked := s.approved(time.Hour)
			s.Shift(time.Hour)
			require.NoError(t, s.grant(asked.Items[0]))
			assert.Equal(t, "failed", s.advance(asked.ID).State)
			assert.Equal(t, "end_passed", s.problem(asked.Items[0]))
		})
		assert.Zero(t, s.target.called("grant"))
	})

	t.Run("withdrawn request is complete", func(t *testing.T) {
		s := newSmall(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		_, err := s.SlackApp.Withdraw(context.Background(), asked.ID, s.ann)
		require.NoError(t, err)
		next := s.advance(asked.ID)
		assert.Equal(t, "withdrawn", next.State)
		assert.True(t, next.Complete)
		assert.Empty(t, s.open(asked.ID))
	})

	t.Run("final state stays when a completed run is reset", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		require.NoError(t, s.grant(asked.Items[0]))
		_, err := s.SlackApp.RemoveAccess(context.Background(), s.Claim(asked.Items[0]), s.ann)
		require.NoError(t, err)
		for _, step := range s.advance(asked.ID).Revoke {
			require.NoError(t, s.revoke(step.ID))
		}
		require.Equal(t, "revoked", s.State(asked.Items[0]))
		// A completed run that is reset to before its grant repeats all of it.
		next := s.advance(asked.ID)
		assert.Empty(t, next.Grant)
		assert.Empty(t, next.Revoke)
		require.NoError(t, s.grant(asked.Items[0]))
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		assert.Equal(t, "revoked", s.State(asked.Items[0]))
		assert.False(t, s.held())
	})

	t.Run("person who leaves has requests withdrawn and access revoked", func(t *testing.T) {
		s := newSmall(t)
		permanent := s.approved(0)
		require.NoError(t, s.grant(permanent.Items[0]))
		waiting := s.Request(s.ann, 0, s.Entitlement(s.crm, "reader"))
		s.advance(waiting.ID)
		s.Do(`update people set status = 'left' where id = $1`, s.ann)
		assert.Equal(t, "withdrawn", s.advance(waiting.ID).State)
		next := s.advance(permanent.ID)
		require.Len(t, next.Revoke, 1)
		require.NoError(t, s.revoke(next.Revoke[0].ID))
		assert.False(t, s.held())
		assert.Equal(t, "revoked", s.State(permanent.Items[0]))
		assert.Equal(t, 1, s.Audited(schema.WithdrawalRecorded))
		assert.Equal(t, 1, s.Audited(schema.RevocationRecorded))
		s.advance(waiting.ID)
		assert.Equal(t, 1, s.Audited(schema.WithdrawalRecorded), "once")
	})

	t.Run("suspended person keeps what they hold", func(t *testing.T) {
		s := newSmall(t)
		held := s.approved(0)
		require.NoError(t, s.grant(held.Items[0]))
		s.Do(`update people set status = 'suspended' where id = $1`, s.ann)
		assert.Empty(t, s.advance(held.ID).Revoke)
		assert.True(t, s.held())
	})

	t.Run("cancelled run withdraws pending items and revokes temporary access", func(t *testing.T) {
		s := newSmall(t)
		wiki := s.Entitlement(s.crm, "wiki")
		permanent, temporary := s.approved(0), s.Request(s.ann, time.Hour, wiki, s.Entitlement(s.crm, "reader"))
		require.NoError(t, s.grant(permanent.Items[0]))
		part := schematest.Asked{ID: temporary.ID, Items: temporary.Items[:1]}
		s.Approve(s.owen, part)
		require.NoError(t, s.grant(part.Items[0]))
		cancel := func(id int64) activities.Next {
			next, err := s.do.Advance(context.Background(), activities.AdvanceInput{RequestID: id, Cancelled: true})
			require.NoError(t, err)
			return next
		}
		assert.Empty(t, cancel(permanent.ID).Revoke)
		assert.Equal(t, "active", s.State(permanent.Items[0]))
		next := cancel(temporary.ID)
		require.Len(t, next.Revoke, 1)
		assert.Equal(t, "withdrawn", s.State(temporary.Items[1]))
		require.NoError(t, s.revoke(next.Revoke[0].ID))
		assert.Equal(t, "revoked", s.State(temporary.Items[0]))
		assert.True(t, cancel(temporary.ID).Complete)
		assert.Equal(t, "cancelled in Temporal", schematest.Value[string](s.World, `select distinct reason from stop_orders`))
	})
}

func TestNextSteps(t *testing.T) {
	t.Run("run that is started again continues from the database", func(t *testing.T) {
		s := newSmall(t)
		asked := s.Request(s.ann, time.Hour, s.admin)
		s.advance(asked.ID)
		// Decided, granted, and past its end while no run existed: each start loads the next steps.
		s.decide(s.owen, asked.ID, "approve")
		next := s.advance(asked.ID)
		require.Len(t, next.Grant, 1)
		assert.Equal(t, next, s.advance(asked.ID), "a second call returns the same")
		require.NoError(t, s.grant(next.Grant[0].ID))
		next = s.advance(asked.ID)
		assert.Contains(t, next.DueFor, "Sleep until access ends")
		assert.InDelta(t, time.Hour.Seconds(), next.DueIn, 5)
		s.Shift(2 * time.Hour)
		next = s.advance(asked.ID)
		require.Len(t, next.Revoke, 1)
		require.NoError(t, s.revoke(next.Revoke[0].ID))
		next = s.advance(asked.ID)
		assert.True(t, next.Complete)
		assert.Equal(t, "ended", next.State)
	})

	t.Run("timer lasts at least a second and never fires before the end", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		for before, seconds := range map[string]int64{"1 microsecond": 1, "300 milliseconds": 1, "1 second": 1, "1200 milliseconds": 2} {
			// The clock stands still, as a busy machine could be late.
			s.Do(
				`create or replace function app_now() returns timestamptz language sql stable security definer set search_path = pg_catalog, public, pg_temp
			as $$ select ends_at - interval '` + before + `' from public.access_requests $$`,
			)
			next := s.advance(asked.ID)
			assert.Equal(t, seconds, next.DueIn, "%s before the end", before)
			assert.Empty(t, next.Revoke)
		}
	})

	t.Run("only the database's clock decides what is due", func(t *testing.T) {
		s := newSmall(t)
		s.Shift(-5 * time.Minute) // the database's clock is behind
		asked := s.approved(time.Minute)
		require.NoError(t, s.grant(asked.Items[0]))
		assert.InDelta(t, 60, s.advance(asked.ID).DueIn, 5)
		assert.Empty(t, s.advance(asked.ID).Revoke, "never early")
		s.Shift(10 * time.Minute) // and now ahead
		assert.Len(t, s.advance(asked.ID).Revoke, 1)
	})

	t.Run("request stores when its run is due", func(t *testing.T) {
		s := newSmall(t)
		dueIn := func() float64 {
			return schematest.Value[float64](
				s.World,
				`select coalesce(extract(epoch from due_at - app_now()), -1)::float8 from access_requests`,
			)
		}
		s.at("2026-12-01 10:00+00")
		asked := s.Request(s.ann, 48*time.Hour, s.admin)
		assert.LessOrEqual(t, dueIn(), 0.0, "at once after it was submitted")
		s.advance(asked.ID)
		assert.InDelta(t, (24 * time.Hour).Seconds(), dueIn(), 5, "the first reminder")
		s.decide(s.owen, asked.ID, "approve")
		assert.LessOrEqual(t, dueIn(), 0.0, "at once after a decision")
		s.advance(asked.ID)
		assert.InDelta(t, (10 * time.Minute).Seconds(), dueIn(), 5, "while granting")
		require.NoError(t, s.grant(asked.Items[0]))
		s.advance(asked.ID)
		assert.InDelta(t, (24 * time.Hour).Seconds(), dueIn(), 60, "the notification, a day before the end")
		s.Shift(24*time.Hour + time.Minute)
		assert.Contains(t, s.advance(asked.ID).DueFor, "Sleep until access ends")
		s.Shift(24 * time.Hour)
		s.advance(asked.ID)
		assert.InDelta(t, time.Hour.Seconds(), dueIn(), 5, "while revoking")
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		s.advance(asked.ID)
		assert.InDelta(t, -1, dueIn(), 0.1, "no longer due")
	})

	t.Run("unknown request fails without retry", func(t *testing.T) {
		c := newCompany(t)
		_, err := c.do.Advance(context.Background(), activities.AdvanceInput{RequestID: 4711})
		var e *temporal.ApplicationError
		require.ErrorAs(t, err, &e)
		assert.True(t, e.NonRetryable())
	})

	t.Run("people are not named in Temporal without ShowPeople", func(t *testing.T) {
		s := newSmall(t)
		s.do.Options.ShowPeople = false
		asked := s.Request(s.ann, 0, s.admin)
		first := s.advance(asked.ID)
		assert.Regexp(t, `^Ask approvers: p[0-9]+$`, first.MessagesFor)
		s.decide(s.owen, asked.ID, "approve")
		next := s.advance(asked.ID)
		for _, name := range []string{"wen", "nn@", "Ann"} {
			assert.NotContains(t, next.Details+next.Requester+first.Details+first.Requester, name)
		}
	})

	t.Run("messages are for the approvers without one, then for the state", func(t *testing.T) {
		c := newCompany(t)
		ann, ben, cleo := c.Person("Ann"), c.Person("Ben"), c.Person("Cleo")
		asked := c.Request(ann, 0, c.Entitlement(c.Application("crm", ben, cleo), "admin"))
		assert.Equal(t, "Ask approvers: Ben, Cleo", c.advance(asked.ID).MessagesFor)
		c.Do(`insert into slack_messages (request_id, person_id, kind, about, item_ids, ts, channel)
		      select $1, $2, 'approval', 'approval 1', array[$3::bigint], '1.1', 'D1'`, asked.ID, ben, asked.Items[0])
		assert.Equal(t, "Ask approvers: Cleo", c.advance(asked.ID).MessagesFor)
		c.decide(ben, asked.ID, "deny")
		assert.Equal(t, "Sync Slack messages: Denied", c.advance(asked.ID).MessagesFor)
	})

	t.Run("counts what came of the items", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		assert.Equal(t, activities.Counts{}, s.advance(asked.ID).Counts)
		require.NoError(t, s.grant(asked.Items[0]))
		assert.Equal(t, activities.Counts{Granted: 1}, s.advance(asked.ID).Counts)
		_, err := s.SlackApp.RemoveAccess(context.Background(), s.Claim(asked.Items[0]), s.ann)
		require.NoError(t, err)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		assert.Equal(t, activities.Counts{Granted: 1, Revoked: 1}, s.advance(asked.ID).Counts)

		mixed := s.Request(s.ann, 0, s.admin)
		s.advance(mixed.ID)
		s.decide(s.owen, mixed.ID, "deny")
		assert.Equal(t, activities.Counts{Denied: 1}, s.advance(mixed.ID).Counts)
	})

	t.Run("signal without a record raises an alert", func(t *testing.T) {
		s := newSmall(t)
		asked := s.Request(s.ann, 0, s.admin)
		advance := func(signals ...activities.Signal) activities.Next {
			next, err := s.do.Advance(context.Background(), activities.AdvanceInput{RequestID: asked.ID, Signals: signals})
			require.NoError(t, err)
			return next
		}
		const alert = schema.SignalUnconfirmed
		decision := activities.Signal{Name: "decision-recorded", Says: activities.DecisionRecorded}
		withdrawal := activities.Signal{Name: "withdrawal-recorded", Says: activities.WithdrawalRecorded}
		revocation := activities.Signal{Name: "revocation-recorded", Says: activities.RevocationRecorded}
		advance(activities.Signal{Name: "submitted"}, activities.Signal{Name: "due"})
		assert.Zero(t, s.Alerts(alert))
		assert.Empty(t, advance(decision).Grant)
		assert.Equal(t, "awaiting_approval", s.State(asked.Items[0]))
		assert.Equal(t, 1, s.Alerts(alert))
		assert.Equal(
			t,
			"decision-recorded",
			schematest.Value[string](s.World, `select details->>'signal' from audit_events where action = $1`, alert),
		)
		advance(revocation, withdrawal)
		assert.Equal(t, 3, s.Alerts(alert))
		s.decide(s.owen, asked.ID, "approve")
		assert.Len(t, advance(decision).Grant, 1)
		assert.Equal(t, 3, s.Alerts(alert))
	})
}
