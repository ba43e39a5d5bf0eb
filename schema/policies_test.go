package schema_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/policy"
	"accessbot/schema/schematest"
)

const administratorsDecide = "rules: [{name: all, ask: [{approvers: [administrators]}]}]"

func TestPolicy(t *testing.T) {
	t.Run("database starts with the default policy", func(t *testing.T) {
		w := schematest.NewWorld(t)
		v, p, err := schema.CurrentPolicy(context.Background(), w.SlackApp)
		require.NoError(t, err)
		assert.Equal(t, int64(1), v.Version)
		assert.Equal(t, string(policy.Default), v.Source)
		assert.Len(t, p.Rules, 1)
		assert.Equal(t, 365, p.Defaults.MaxDays)
	})

	t.Run("policy is applied as a version of its own", func(t *testing.T) {
		ctx := context.Background()
		w := schematest.NewWorld(t)
		directory := w.As(t, "accessbot_directory")
		v, changed, err := directory.ApplyPolicy(ctx, "policy.yaml", []byte(administratorsDecide))
		require.NoError(t, err)
		assert.True(t, changed)
		assert.Equal(t, int64(2), v.Version)
		v, changed, err = directory.ApplyPolicy(ctx, "policy.yaml", []byte(administratorsDecide))
		require.NoError(t, err)
		assert.False(t, changed, "the same policy is not a new version")
		assert.Equal(t, int64(2), v.Version)
		assert.Equal(t, 1, w.Audited(schema.PolicyApplied))

		for _, role := range []string{"accessbot_directory", "accessbot_worker", "accessbot_slackapp"} {
			_, err = w.As(t, role).Exec(`update policies set source = 'x'`)
			assert.Error(t, err, role)
		}
		_, err = w.Exec(`delete from policies`)
		assert.ErrorContains(t, err, "never changed", "not by the owner of the database either")
		_, err = w.SlackApp.Exec(`insert into policies (source) values ('x')`)
		assert.ErrorContains(t, err, "permission denied")
	})

	t.Run("policy with a mistake is refused and the current one stays", func(t *testing.T) {
		ctx := context.Background()
		w := schematest.NewWorld(t)
		directory := w.As(t, "accessbot_directory")
		w.Policy(administratorsDecide)
		for _, c := range []struct{ source, why string }{
			{"rules: [{name: all, ask: [{approvers: [administrator]}]}]", `policy.yaml:1:40: rule 1 (all): "administrator" is neither`},
			{"rules: [{name: all, ask: [{approvers: [dana@example.com]}]}]", "dana@example.com"},
		} {
			_, _, err := directory.ApplyPolicy(ctx, "policy.yaml", []byte(c.source))
			require.ErrorContains(t, err, c.why)
			v, _, err := schema.CurrentPolicy(ctx, w.SlackApp)
			require.NoError(t, err)
			assert.Equal(t, administratorsDecide, v.Source)
		}
		w.Person("Dana")
		w.Policy("rules: [{name: all, ask: [{approvers: [dana@example.com]}]}]")
	})

	t.Run("approver of an earlier stage is not asked twice", func(t *testing.T) {
		ctx := context.Background()
		w := schematest.NewWorld(t)
		ann, owen, olga, otto := w.Person("Ann"), w.Person("Owen"), w.Person("Olga"), w.Person("Otto")
		crm := w.Application("crm", olga, otto)
		w.Policy(both)
		asked := w.Request(ann, time.Hour, w.Entitlement(crm, "reader"))
		approval := openStage(t, w, asked, 1, 2, 2, olga, otto)
		a := asking{World: w, t: t, asked: asked, approval: approval}

		decided, err := w.SlackApp.Decide(ctx, a.copyFor(olga, asked.Items...))
		require.NoError(t, err)
		i := decided.Request.Items[0]
		assert.Equal(t, []int64{olga}, i.ApprovedIn(1))
		assert.Equal(t, []int64{olga}, i.ApprovedIn(2), "her approval counts in both stages")
		assert.Equal(t, 1, i.Stage())
		assert.Nil(t, i.Decision)
		assert.Empty(t, decided.Request.DecidableBy(olga))
		assert.Len(t, decided.Request.DecidableBy(otto), 1)

		again, err := w.SlackApp.Decide(ctx, a.copyFor(olga, asked.Items...))
		require.ErrorIs(t, err, schema.ErrNotAllowed)
		assert.Empty(t, again.Items)

		answer := a.copyFor(otto, asked.Items...)
		answer.EndsAt.Time, answer.EndsAt.Valid = w.Now().Add(30*time.Minute), true
		decided, err = w.SlackApp.Decide(ctx, answer)
		require.NoError(t, err)
		i = decided.Request.Items[0]
		require.NotNil(t, i.Decision, "the second stage needs no other approval")
		assert.WithinDuration(t, answer.EndsAt.Time, i.Decision.EndsAt.Time, time.Second, "the earliest granted end")
		assert.Equal(t, "approve", schematest.Value[string](w, `select item_outcome($1)`, asked.Items[0]))
		assert.Zero(t, schematest.Value[int](w, `select count(*) from decisions where decided_by = $1`, owen))
	})

	t.Run("outcome of decisions is the same in SQL and Go", func(t *testing.T) {
		w := schematest.NewWorld(t)
		ann, owen := w.Person("Ann"), w.Person("Owen")
		var people []int64
		for _, name := range []string{"A1", "B2", "C3"} {
			people = append(people, w.Person(name))
		}
		reader := w.Entitlement(w.Application("crm", owen), "reader")
		first := w.Request(ann, 0, reader)
		w.Ask(first, first.Items, owen)
		w.Do(`alter table decisions disable trigger user`)
		type row struct {
			stage, stages, required, by int
			outcome                     string
			override                    bool
		}
		for name, c := range map[string]struct {
			rows    []row
			outcome string
		}{
			"nothing":                            {nil, ""},
			"one approval of one":                {[]row{{1, 1, 1, 0, "approve", false}}, "approve"},
			"one approval of two":                {[]row{{1, 1, 2, 0, "approve", false}}, ""},
			"two approvals of two":               {[]row{{1, 1, 2, 0, "approve", false}, {1, 1, 2, 1, "approve", false}}, "approve"},
			"denial":                             {[]row{{1, 1, 2, 0, "approve", false}, {1, 1, 2, 1, "deny", false}}, "deny"},
			"one stage of two":                   {[]row{{1, 2, 1, 0, "approve", false}}, ""},
			"two stages of two":                  {[]row{{1, 2, 1, 0, "approve", false}, {2, 2, 1, 1, "approve", false}}, "approve"},
			"second stage alone":                 {[]row{{2, 2, 1, 1, "approve", false}}, ""},
			"both stages, the second not passed": {[]row{{1, 2, 1, 0, "approve", false}, {2, 2, 2, 1, "approve", false}}, ""},
			"override in the second stage":       {[]row{{1, 2, 1, 0, "approve", false}, {2, 2, 3, 1, "approve", true}}, "approve"},
			"denied in the second stage":         {[]row{{1, 2, 1, 0, "approve", false}, {2, 2, 1, 1, "deny", false}}, "deny"},
		} {
			t.Run(name, func(t *testing.T) {
				asked := w.Request(ann, 0, reader)
				for _, r := range c.rows {
					w.Do(`
						insert into decisions (item_id, stage, stages, required_approvals, decided_by, outcome, override, reason, basis,
						                       policy_version, terms, approval_id)
						values ($1, $2, $3, $4, $5, $6, $7, 'x', 'x', 1, 'x', (select max(id) from approvals))`,
						asked.Items[0], r.stage, r.stages, r.required, people[r.by], r.outcome, r.override)
				}
				assert.Equal(t, c.outcome, schematest.Value[string](w, `select coalesce(item_outcome($1), '')`, asked.Items[0]))
				request, err := schema.RequestByID(context.Background(), w.Worker, asked.ID)
				require.NoError(t, err)
				got := ""
				if d := request.Items[0].Decision; d != nil {
					got = d.Outcome
				}
				assert.Equal(t, c.outcome, got)
			})
		}
	})
}

// both is a policy of two stages that both ask Olga.
const both = `
rules:
  - name: all
    ask:
      - approvers: [application owners]
        required_approvals: 2
      - approvers: [olga@example.com, owen@example.com]
`

// openStage opens an approval of a stage as the worker does.
func openStage(
	t *testing.T,
	w *schematest.World,
	asked schematest.Asked,
	stage, stages, required int,
	candidates ...int64,
) int64 {
	t.Helper()
	answer := policy.Answer{RequiredApprovals: required}
	for _, c := range candidates {
		answer.Candidates = append(answer.Candidates, policy.Candidate{PersonID: c, Basis: policy.ApplicationOwner})
	}
	tx := w.Worker.MustBegin()
	defer tx.Rollback() //nolint:errcheck // after the commit it has nothing to do
	ctx := context.Background()
	id, err := schema.OpenApproval(ctx, tx, schema.NewApproval{
		RequestID: asked.ID, ApplicationID: 1, PolicyVersion: schematest.Value[int64](w, `select max(version) from policies`),
		Items: asked.Items, Stage: stage, Stages: stages, Answer: answer, AskNow: 3, RemindAfter: time.Hour,
	})
	require.NoError(t, err)
	require.NoError(t, schema.MoveItems(ctx, tx, asked.Items, schema.AwaitingApproval, schema.Problem{}))
	require.NoError(t, tx.Commit())
	return id
}
