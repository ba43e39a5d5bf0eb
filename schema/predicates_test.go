package schema_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// The predicates over rows in schema/rules, where one definition has replaced several.
func TestPredicates(t *testing.T) {
	t.Run("approver and delegate have one vote in a stage", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		item := a.asked.Items[0]
		a.Do(`update approval_candidates set for_person_id = $1 where person_id = $2`, a.owen, a.olga)
		a.Do(`alter table decisions disable trigger user`)
		for _, person := range []int64{a.owen, a.olga} {
			a.Do(`insert into decisions (item_id, approval_id, decided_by, required_approvals, outcome, basis, policy_version, terms)
				values ($1, $2, $3, 2, 'approve', 'x', 1, 'x')`, item, a.approval, person)
		}
		assert.False(t, schematest.Value[bool](a.World, `select stage_passed($1, 1::smallint)`, item))
		assert.True(t, schematest.Value[bool](a.World, `select item_outcome($1) is null`, item))
		request, err := schema.RequestByID(t.Context(), a.Worker, a.asked.ID)
		require.NoError(t, err)
		assert.Nil(t, request.Items[0].Decision)
		a.Do(`update approval_candidates set for_person_id = null`)
		assert.Equal(t, "approve", schematest.Value[string](a.World, `select item_outcome($1)`, item))
	})

	t.Run("denied item can be neither withdrawn nor asked about", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		require.NoError(t, a.Decide(a.owen, a.approval, "deny", a.asked.Items...))
		items, err := a.SlackApp.Withdraw(t.Context(), a.asked.ID, a.ann)
		require.NoError(t, err)
		assert.Empty(t, items)
		_, err = a.SlackApp.Exec(
			`insert into stop_orders (item_id, person_id, kind) values ($1, $2, 'withdrawn')`,
			a.asked.Items[0],
			a.ann,
		)
		assert.ErrorContains(t, err, "cannot be withdrawn")
		_, err = a.SlackApp.Exec(`insert into questions (request_id, asked_by, text) values ($1, $2, 'What for?')`, a.asked.ID, a.olga)
		assert.ErrorContains(t, err, "is not open")
		request, err := schema.RequestByID(t.Context(), a.Worker, a.asked.ID)
		require.NoError(t, err)
		assert.False(t, request.Items[0].Withdrawable)
		assert.False(t, request.Items[0].Waiting())
	})

	t.Run("suspended owner looks after nothing", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		a.approveAll()
		claim := a.given(a.asked.Items[0])
		_, total, err := schema.RevocableAccess(t.Context(), a.SlackApp, a.ann, a.owen, 10, 0)
		require.NoError(t, err)
		require.Equal(t, 1, total)
		a.Do(`update people set status = 'suspended' where id = $1`, a.owen)
		_, total, err = schema.RevocableAccess(t.Context(), a.SlackApp, a.ann, a.owen, 10, 0)
		require.NoError(t, err)
		assert.Zero(t, total)
		_, err = a.SlackApp.RevokeAccess(t.Context(), claim, a.owen, "moved")
		require.ErrorIs(t, err, schema.ErrNotAllowed)
		assert.False(t, schematest.Value[bool](a.World, `select may_administer($1, $2)`, a.owen, a.entitlements[0]))
		assert.False(t, schematest.Value[bool](a.World, `select $1 = any (task_owners($2, $3))`, a.owen, a.entitlements[0], a.ann))
	})

	t.Run("submitter cannot ask about the request they submitted", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		a.Do(`update access_requests set submitted_by = $1 where id = $2`, a.owen, a.asked.ID)
		_, err := a.SlackApp.Exec(`insert into questions (request_id, asked_by, text) values ($1, $2, 'What for?')`, a.asked.ID, a.owen)
		assert.ErrorContains(t, err, "cannot ask themselves")
	})
}
