package activities_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

// managerThenTwoOwners is a policy with two stages for the key admin, and one for the rest.
const managerThenTwoOwners = `
rules:
  - name: Administration
    when: entitlement.key == "admin"
    ask:
      - approvers: [manager]
        escalate_to: [manager's manager]
      - approvers: [application owners]
        required_approvals: 2
    remind_after: 12h
    escalate_after: 2d
    expire_after: 10d
  - name: The rest
    ask:
      - approvers: [application owners]
`

// board is a company with stages: Max manages Ann, Mia manages Max, and Owen, Olga and Otto own crm.
type board struct {
	*company
	ann, max, mia, owen, olga, otto, ada int64
	admin, reader                        int64
}

func newBoard(t *testing.T, policy string) board {
	t.Helper()
	c := newCompany(t)
	b := board{company: c, ann: c.Person("Ann"), max: c.Person("Max"), mia: c.Person("Mia"),
		owen: c.Person("Owen"), olga: c.Person("Olga"), otto: c.Person("Otto"), ada: c.Person("Ada")}
	c.at("2026-11-30 10:00+00") // a Monday, as weekends delay escalations
	c.Manages(b.max, b.ann)
	c.Manages(b.mia, b.max)
	c.Administrator(b.ada)
	crm := c.Application("crm", b.owen, b.olga, b.otto)
	b.admin, b.reader = c.Entitlement(crm, "admin"), c.Entitlement(crm, "reader")
	c.Policy(policy)
	return b
}

func TestStages(t *testing.T) {
	t.Run("stages are asked in turn", func(t *testing.T) {
		b := newBoard(t, managerThenTwoOwners)
		asked := b.Request(b.ann, 0, b.admin, b.reader)
		next := b.advance(asked.ID)
		assert.Equal(t, []string{"max@example.com", "olga@example.com", "otto@example.com", "owen@example.com"}, next.Approvers)
		assert.Contains(t, next.Details, "**Waiting for approval**, stage 1 of 2: 0 of 1 approvals")

		b.decide(b.max, asked.ID, "approve")
		next = b.advance(asked.ID)
		assert.Equal(t, []string{"olga@example.com", "otto@example.com", "owen@example.com"}, next.Approvers)
		assert.Empty(t, next.Grant)
		open := b.open(asked.ID)
		require.Len(t, open, 2)
		assert.Equal(t, [3]int{2, 2, 2}, [3]int{open[1].Stage, open[1].Stages, open[1].RequiredApprovals})
		assert.Equal(t, asked.Items[:1], open[1].ItemIDs)

		require.NoError(t, b.Decide(b.owen, open[1].ID, "approve", asked.Items[0]))
		next = b.advance(asked.ID)
		assert.Empty(t, next.Grant, "one of two")
		assert.Contains(t, next.Details, "stage 2 of 2: 1 of 2 approvals, approved by Max (entitlement owner), approved by Owen")
		assert.Error(t, b.Decide(b.owen, open[1].ID, "approve", asked.Items[0]), "one vote per owner")
		assert.Equal(t, "awaiting_approval", b.State(asked.Items[0]))

		require.NoError(t, b.Decide(b.otto, open[1].ID, "approve", asked.Items[0]))
		next = b.advance(asked.ID)
		require.Len(t, next.Grant, 1)
		assert.Error(t, b.Decide(b.olga, open[1].ID, "deny", asked.Items[0]), "it is already approved")
		require.NoError(t, b.grant(asked.Items[0]))
		assert.Equal(t, "active", b.State(asked.Items[0]))
		assert.Equal(t, "awaiting_approval", b.State(asked.Items[1]), "the other item still waits")
	})

	t.Run("denial in any stage is final", func(t *testing.T) {
		b := newBoard(t, managerThenTwoOwners)
		asked := b.Request(b.ann, 0, b.admin)
		b.advance(asked.ID)
		b.decide(b.max, asked.ID, "approve")
		b.advance(asked.ID)
		open := b.open(asked.ID)
		require.NoError(t, b.Decide(b.owen, open[0].ID, "approve", asked.Items...))
		require.NoError(t, b.Decide(b.olga, open[0].ID, "deny", asked.Items...))
		assert.Error(t, b.Decide(b.otto, open[0].ID, "approve", asked.Items...))
		assert.True(t, b.advance(asked.ID).Complete)
		assert.Equal(t, "denied", b.State(asked.Items[0]))
	})

	t.Run("approver who leaves in the second stage is replaced", func(t *testing.T) {
		b := newBoard(t, managerThenTwoOwners)
		asked := b.inStageTwo()
		before := b.open(asked.ID)[0]
		b.postpone()
		b.leaves(b.owen)
		assert.True(t, b.isDue(), "the request is due at once")
		assert.Equal(t, []string{"olga@example.com", "otto@example.com"}, b.advance(asked.ID).Approvers)
		open := b.open(asked.ID)
		require.Len(t, open, 1)
		assert.Equal(t, [3]int{2, 2, 2}, [3]int{open[0].Stage, open[0].Stages, open[0].RequiredApprovals})
		assert.Equal(
			t,
			[2]time.Time{before.Since, before.ExpiresAt.Time},
			[2]time.Time{open[0].Since, open[0].ExpiresAt.Time},
			"the new approval gets no more time",
		)
		assert.Error(
			t,
			b.Decide(b.owen, before.ID, "approve", asked.Items...),
			"a person who left cannot decide, with the old copy either",
		)
		assert.Error(t, b.Decide(b.owen, open[0].ID, "approve", asked.Items...))

		// Only one of the two required owners is left, so an administrator is asked too.
		require.NoError(t, b.Decide(b.olga, open[0].ID, "approve", asked.Items...))
		b.advance(asked.ID)
		b.leaves(b.otto)
		next := b.advance(asked.ID)
		assert.Contains(t, next.Approvers, "ada@example.com")
		assert.NotContains(t, next.Approvers, "otto@example.com")
		b.decide(b.ada, asked.ID, "approve")
		assert.Len(t, b.advance(asked.ID).Grant, 1, "it can still be decided")
		require.NoError(t, b.grant(asked.Items[0]))
		assert.Equal(t, "active", b.State(asked.Items[0]))
	})

	t.Run("request of a person who leaves in the second stage is withdrawn", func(t *testing.T) {
		b := newBoard(t, managerThenTwoOwners)
		asked := b.inStageTwo()
		open := b.open(asked.ID)[0]
		require.NoError(t, b.Decide(b.owen, open.ID, "approve", asked.Items...))
		b.advance(asked.ID)
		b.postpone()
		b.leaves(b.ann)
		assert.True(t, b.isDue(), "the request is due at once")
		next := b.advance(asked.ID)
		assert.Equal(t, "withdrawn", next.State)
		assert.True(t, next.Complete)
		assert.Empty(t, b.open(asked.ID), "the approval is closed")
		assert.Error(t, b.Decide(b.otto, open.ID, "approve", asked.Items...), "the second approval is refused")
		require.NoError(t, b.grant(asked.Items[0]))
		assert.Equal(t, "withdrawn", b.State(asked.Items[0]))
		assert.Zero(t, b.Claim(asked.Items[0]))
	})

	t.Run("vote of an approver deactivated between stages stands", func(t *testing.T) {
		b := newBoard(t, managerThenTwoOwners)
		asked := b.Request(b.ann, 0, b.admin)
		b.advance(asked.ID)
		b.decide(b.max, asked.ID, "approve")
		b.Do(`update people set status = 'suspended' where id in ($1, $2)`, b.max, b.otto) // before stage 2 is asked
		next := b.advance(asked.ID)
		assert.Equal(t, []string{"olga@example.com", "owen@example.com"}, next.Approvers)
		open := b.open(asked.ID)
		require.Len(t, open, 1)
		assert.Equal(t, 2, open[0].Stage, "Max's vote still counts")
		assert.Error(t, b.Decide(b.otto, open[0].ID, "approve", asked.Items...))
		b.decide(b.olga, asked.ID, "approve")
		assert.Empty(t, b.advance(asked.ID).Grant, "one of two")
		b.decide(b.owen, asked.ID, "approve")
		assert.Len(t, b.advance(asked.ID).Grant, 1)
		require.NoError(t, b.grant(asked.Items[0]))
		assert.Equal(t, "active", b.State(asked.Items[0]))
	})

	t.Run("signal for a first-stage approval raises no alert", func(t *testing.T) {
		b := newBoard(t, managerThenTwoOwners)
		asked := b.Request(b.ann, 0, b.admin)
		b.advance(asked.ID)
		b.decide(b.max, asked.ID, "approve")
		_, err := b.do.Advance(
			context.Background(),
			activities.AdvanceInput{
				RequestID: asked.ID,
				Signals:   []activities.Signal{{Name: "decision-recorded", Says: activities.DecisionRecorded}},
			},
		)
		require.NoError(t, err)
		assert.Zero(t, b.Alerts(schema.SignalUnconfirmed), "the decision is recorded")
	})
}

func TestEscalationChain(t *testing.T) {
	t.Run("approval without a response is escalated and then expires", func(t *testing.T) {
		b := newBoard(t, managerThenTwoOwners)
		asked := b.Request(b.ann, 0, b.admin)
		b.advance(asked.ID)
		first := b.open(asked.ID)[0]
		assert.WithinDuration(t, first.Since.Add(48*time.Hour), first.EscalateAt.Time, time.Second)
		b.Shift(47 * time.Hour)
		assert.Equal(t, []string{"max@example.com"}, b.advance(asked.ID).Approvers)
		b.Shift(time.Hour)
		assert.Equal(t, []string{"max@example.com", "mia@example.com"}, b.advance(asked.ID).Approvers)
		b.Shift(48 * time.Hour)
		next := b.advance(asked.ID)
		assert.Equal(t, []string{"ada@example.com", "max@example.com", "mia@example.com"}, next.Approvers)
		assert.False(t, b.open(asked.ID)[0].EscalateAt.Valid, "no one else can be asked")
		_, notified := candidates(b.open(asked.ID)[0])
		assert.Equal(t, []int64{b.max, b.mia, b.ada}, notified)
		assert.Equal(t, 2, b.Audited(schema.ApprovalEscalated))
		assert.Len(t, b.approvals(asked.ID), 1, "it remains one approval")
		b.decideOnly(b.mia, asked, "approve")
		b.Shift(143 * time.Hour)
		assert.Equal(t, "awaiting_approval", b.advance(asked.ID).State)
		b.Shift(time.Hour)
		next = b.advance(asked.ID)
		assert.Equal(t, "expired", next.State, "after the rule's ten days")
		assert.True(t, next.Complete)
	})

	t.Run("reassigned approval keeps its time", func(t *testing.T) {
		b := newBoard(t, managerThenTwoOwners)
		asked := b.Request(b.ann, 0, b.admin)
		b.advance(asked.ID)
		before := b.open(asked.ID)[0]
		b.Shift(49 * time.Hour)
		b.advance(asked.ID)
		b.Manages(b.olga, b.ann)
		b.advance(asked.ID)
		open := b.open(asked.ID)
		require.Len(t, open, 1)
		assert.NotEqual(t, before.ID, open[0].ID)
		assert.Equal(t, before.Since, open[0].Since)
		assert.Equal(t, before.ExpiresAt, open[0].ExpiresAt)
		assert.Equal(t, 1, open[0].Level, "the escalation level stays")
		_, notified := candidates(open[0])
		assert.Contains(t, notified, b.olga)
	})

	t.Run("manager's manager who returns is asked again", func(t *testing.T) {
		b := newBoard(t, "rules: [{name: all, ask: [{approvers: [manager's manager]}]}]")
		b.Do(`update people set status = 'suspended' where id = $1`, b.mia)
		asked := b.Request(b.ann, 0, b.admin)
		assert.Equal(t, []string{"ada@example.com"}, b.advance(asked.ID).Approvers)
		b.Do(`update access_requests set due_at = app_now() + interval '1 day'`)
		b.Do(`update people set status = 'active' where id = $1`, b.mia)
		assert.True(t, schematest.Value[bool](b.World, `select due_at <= app_now() from access_requests`), "the request is due at once")
		assert.Equal(t, []string{"mia@example.com"}, b.advance(asked.ID).Approvers)
	})

	t.Run("each item is escalated to its own approvers", func(t *testing.T) {
		b := newBoard(t, `
rules:
  - name: All
    ask:
      - approvers: [manager]
        escalate_to: [entitlement owners]
    escalate_after: 2d
`)
		b.Do(`insert into entitlement_owners values ($1, $2), ($3, $4)`, b.admin, b.owen, b.reader, b.olga)
		asked := b.Request(b.ann, 0, b.admin, b.reader)
		b.advance(asked.ID)
		b.Shift(48 * time.Hour)
		b.advance(asked.ID)
		r, err := schema.RequestByID(context.Background(), b.Worker, asked.ID)
		require.NoError(t, err)
		assert.Len(t, r.DecidableBy(b.owen), 1, "Owen owns one of the two")
		assert.Len(t, r.DecidableBy(b.olga), 1, "Olga owns the other")
	})

	t.Run("approval is split when the approvers of its items differ", func(t *testing.T) {
		b := newBoard(t, `
rules:
  - name: All
    ask:
      - approvers: [manager]
        escalate_to: [entitlement owners]
`)
		asked := b.Request(b.ann, 0, b.admin, b.reader)
		b.advance(asked.ID)
		one := b.open(asked.ID)
		require.Len(t, one, 1)
		b.Shift(time.Hour)
		b.Do(`insert into entitlement_owners values ($1, $2)`, b.reader, b.olga)
		b.advance(asked.ID)
		open := b.open(asked.ID)
		require.Len(t, open, 2)
		for _, a := range open {
			assert.Equal(t, one[0].Since, a.Since)
			assert.Equal(t, one[0].Candidates[0].AskedAt, a.Candidates[0].AskedAt, "Max is not reminded again")
		}
		b.advance(asked.ID)
		assert.Len(t, b.approvals(asked.ID), 3, "split once")
	})
}

// decideOnly records a decision in the only open approval.
func (b board) decideOnly(by int64, asked schematest.Asked, outcome string) {
	b.t.Helper()
	open := b.open(asked.ID)
	require.Len(b.t, open, 1)
	require.NoError(b.t, b.Decide(by, open[0].ID, outcome, asked.Items...))
	b.advance(asked.ID)
}

// inStageTwo returns a request that Ann's manager has approved. Two of Owen, Olga and Otto have to approve it.
func (b board) inStageTwo() schematest.Asked {
	b.t.Helper()
	asked := b.Request(b.ann, 0, b.admin)
	b.advance(asked.ID)
	b.decide(b.max, asked.ID, "approve")
	b.advance(asked.ID)
	return asked
}

// postpone sets the due date far away, so that the next step of the test makes the request due or not.
func (b board) postpone() {
	b.t.Helper()
	b.Do(`update access_requests set due_at = app_now() + interval '20 days'`)
}

// isDue reports whether the only request is due now.
func (b board) isDue() bool {
	b.t.Helper()
	return schematest.Value[bool](b.World, `select due_at <= app_now() from access_requests`)
}

func (b board) leaves(person int64) {
	b.t.Helper()
	b.Do(`update people set status = 'left' where id = $1`, person)
}

func TestPolicyProof(t *testing.T) {
	t.Run("open request keeps its policy version", func(t *testing.T) {
		b := newBoard(t, managerThenTwoOwners)
		asked := b.Request(b.ann, 0, b.admin)
		b.Policy("rules: [{name: all, ask: [{approvers: [administrators]}]}]")
		assert.Equal(t, []string{"max@example.com"}, b.advance(asked.ID).Approvers)
		later := b.Request(b.ann, 0, b.reader)
		assert.Equal(t, []string{"ada@example.com"}, b.advance(later.ID).Approvers)
	})

	// The Slack app's role can record this, as no trigger knows the approvers of a stage.
	t.Run("stage approved by a person who is not its approver is refused", func(t *testing.T) {
		b := newBoard(t, strings.Replace(managerThenTwoOwners, "required_approvals: 2", "required_approvals: 1", 1))
		asked := b.Request(b.ann, 0, b.admin)
		b.advance(asked.ID)
		_, err := b.SlackApp.Exec(`
		insert into decisions (item_id, approval_id, decided_by, outcome, basis, policy_version, terms, stage, stages)
		select $1, $2, $3, 'approve', 'manager', policy_version, request_terms(id), s, 2 from access_requests, generate_series(1, 2) s where id = $4`,
			asked.Items[0], b.open(asked.ID)[0].ID, b.max, asked.ID)
		require.NoError(t, err)
		require.Len(t, b.advance(asked.ID).Grant, 1)
		require.NoError(t, b.grant(asked.Items[0]))
		assert.Equal(t, "failed", b.State(asked.Items[0]))
		assert.Zero(t, b.Claim(asked.Items[0]))
		assert.Positive(
			t,
			schematest.Value[int](b.World, `select count(*) from audit_events where action = 'provisioning.refused' and alert`),
		)
	})

	t.Run("rule other than the policy's raises an alert", func(t *testing.T) {
		const action = schema.EvaluationMismatched
		b := newBoard(t, managerThenTwoOwners)
		b.advance(b.Request(b.ann, time.Hour, b.admin, b.reader).ID)
		assert.Zero(t, b.Audited(action))
		var forged int64
		require.NoError(t, b.SlackApp.Get(&forged, `
		with r as (insert into access_requests (view_id, requester_id, access_like, time_zone, reason_key, policy_version)
		           select 'forged', $1, 'custom', 'UTC', 'project', max(version) from policies returning id)
		select id from r`, b.olga))
		_, err := b.SlackApp.Exec(
			`insert into request_items (request_id, entitlement_id, account_id, rule) values ($1, $2, $3, 2)`,
			forged,
			b.admin,
			b.Account(b.olga, b.admin),
		)
		require.NoError(t, err)
		b.advance(forged)
		b.advance(forged)
		assert.Equal(t, 1, b.Audited(action))
	})

	t.Run("fewer approvals than required fail the item with an alert", func(t *testing.T) {
		for name, forge := range map[string]string{
			"one stage of two":    `insert into decisions (item_id, approval_id, decided_by, outcome, basis, policy_version, terms) select $1, $2, $3, 'approve', 'x', 2, request_terms(1001)`,
			"one approval of two": `insert into decisions (item_id, approval_id, decided_by, outcome, basis, policy_version, terms, stage, stages) select $1, $2, $3, 'approve', 'x', 2, request_terms(1001), s, 2 from generate_series(1, 2) s`,
			"approved by policy":  `insert into decisions (item_id, outcome, basis, policy_version, terms) select $1, 'approve', 'x', 2, request_terms(1001) where $2 <> $3`,
			"another version":     `insert into decisions (item_id, approval_id, decided_by, outcome, basis, policy_version, terms) select $1, $2, $3, 'approve', 'x', 1, request_terms(1001)`,
		} {
			t.Run(name, func(t *testing.T) {
				b := newBoard(t, managerThenTwoOwners)
				asked := b.Request(b.ann, 0, b.admin)
				b.advance(asked.ID)
				b.Do(`alter table decisions disable trigger user`)
				b.Do(forge, asked.Items[0], b.open(asked.ID)[0].ID, b.max)
				b.Do(`alter table decisions enable trigger user`)
				b.Do(`update request_items set state = 'approved'`)
				require.NoError(t, b.grant(asked.Items[0]))
				assert.Equal(t, "failed", b.State(asked.Items[0]))
				assert.Zero(t, b.Claim(asked.Items[0]))
				assert.Positive(
					t,
					schematest.Value[int](b.World, `select count(*) from audit_events where action = 'provisioning.refused' and alert`),
				)
			})
		}
	})

	// A rule approves short access, and the Slack app's role claims that ten years are short.
	t.Run("forged creation time does not shorten a request", func(t *testing.T) {
		b := newBoard(t, `
rules:
  - name: Short
    when: duration <= duration("8h")
    approve: true
  - name: The rest
    ask:
      - approvers: [application owners]
`)
		var forged, item int64
		const ask = `insert into access_requests (view_id, requester_id, access_like, time_zone, reason_key, policy_version, ends_at%s)
		select 'forged', $1, 'custom', 'UTC', 'project', max(version), now() + interval '10 years'%s from policies returning id`
		err := b.SlackApp.Get(&forged, fmt.Sprintf(ask, ", created_at", ", now() + interval '10 years' - interval '4 hours'"), b.ann)
		require.ErrorContains(t, err, "permission denied", "the database sets created_at")
		require.NoError(t, b.SlackApp.Get(&forged, fmt.Sprintf(ask, "", ""), b.ann))
		require.NoError(
			t,
			b.SlackApp.Get(
				&item,
				`insert into request_items (request_id, entitlement_id, account_id, rule) values ($1, $2, $3, 1) returning id`,
				forged,
				b.admin,
				b.Account(b.ann, b.admin),
			),
		)
		_, err = b.SlackApp.Exec(`insert into decisions (item_id, outcome, basis, policy_version, terms, ends_at)
		select $1, 'approve', 'Short', policy_version, request_terms(id), ends_at from access_requests where id = $2`, item, forged)
		require.NoError(t, err)
		b.advance(forged)
		require.NoError(t, b.grant(item))
		assert.NotEqual(t, "active", b.State(item), "no rule approves ten years")
	})
}
