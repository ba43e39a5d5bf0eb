package schema_test

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// given creates the claim of an approved item, as provisioning does.
func (a asking) given(item int64) int64 {
	a.t.Helper()
	ctx := context.Background()
	conn, err := a.Worker.Connx(ctx)
	require.NoError(a.t, err)
	defer conn.Close() // back to the pool
	assignment, err := schema.AssignmentOfItem(ctx, conn, item)
	require.NoError(a.t, err)
	_, err = schema.PlanAssignment(ctx, conn, assignment, false)
	require.NoError(a.t, err)
	_, err = schema.RecordAssignment(ctx, conn, assignment, true)
	require.NoError(a.t, err)
	require.Equal(a.t, "active", a.State(item))
	return a.Claim(item)
}

func (a asking) approveAll() {
	a.t.Helper()
	require.NoError(a.t, a.Decide(a.owen, a.approval, "approve", a.asked.Items...))
	require.NoError(a.t, schema.MoveItems(context.Background(), a.Worker, a.asked.Items, schema.Approved, schema.Problem{}))
}

func TestWithdrawal(t *testing.T) {
	t.Run("withdrawal covers only what is not granted yet", func(t *testing.T) {
		a := newAsking(t, 0)
		a.approveAll()
		a.given(a.asked.Items[0])
		items, err := a.SlackApp.Withdraw(context.Background(), a.asked.ID, a.ann)
		require.NoError(t, err)
		assert.Equal(t, []int64{a.asked.Items[1]}, items)
		again, err := a.SlackApp.Withdraw(context.Background(), a.asked.ID, a.ann)
		require.NoError(t, err)
		assert.Empty(t, again)
		assert.Equal(t, 1, a.Audited(schema.WithdrawalRecorded))
	})

	t.Run("only the active requester withdraws", func(t *testing.T) {
		a := newAsking(t, 0)
		_, err := a.SlackApp.Withdraw(context.Background(), a.asked.ID, a.owen)
		require.ErrorIs(t, err, schema.ErrNotAllowed)
		a.Do(`update people set status = 'suspended' where id = $1`, a.ann)
		_, err = a.SlackApp.Withdraw(context.Background(), a.asked.ID, a.ann)
		require.ErrorIs(t, err, schema.ErrNotActive)
		assert.Zero(t, schematest.Value[int](a.World, `select count(*) from stop_orders`))
	})
}

func TestRevocation(t *testing.T) {
	t.Run("concurrent removals by the holder are one revocation", func(t *testing.T) {
		a := newAsking(t, 0)
		a.approveAll()
		claim := a.given(a.asked.Items[0])
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				_, err := a.SlackApp.RemoveAccess(context.Background(), claim, a.ann)
				assert.NoError(t, err)
			})
		}
		group.Wait()
		assert.Equal(t, 1, schematest.Value[int](a.World, `select count(*) from stop_orders`))
		assert.Equal(t, 1, a.Audited(schema.RevocationRecorded))
		assert.True(
			t,
			schematest.Value[bool](
				a.World,
				`select request_id = $1 and item_id = $2 and claim_id = $3 from audit_events where action = 'revocation.recorded'`,
				a.asked.ID,
				a.asked.Items[0],
				claim,
			),
		)
		assert.True(
			t,
			schematest.Value[bool](
				a.World,
				`select revoked_at is not null and due_at <= app_now() + interval '2 minutes' from claims where id = $1`,
				claim,
			),
			"the sweep sees to it if no one else does",
		)
		assert.True(t, schematest.Value[bool](a.World, `select due_at <= app_now() from access_requests`))
	})

	t.Run("access of another person cannot be removed by its non-holder", func(t *testing.T) {
		a := newAsking(t, 0)
		a.approveAll()
		claim := a.given(a.asked.Items[0])
		_, err := a.SlackApp.RemoveAccess(context.Background(), claim, a.owen)
		require.ErrorIs(t, err, schema.ErrNotFound)
		_, err = a.SlackApp.Exec(
			`insert into stop_orders (item_id, person_id, kind) values ($1, $2, 'removed_by_holder')`,
			a.asked.Items[0],
			a.owen,
		)
		assert.ErrorContains(t, err, "someone else")
		imported := a.Imported(a.olga, a.entitlements[0])
		_, err = a.SlackApp.Exec(
			`insert into stop_orders (claim_id, person_id, kind) values ($1, $2, 'removed_by_holder')`,
			imported,
			a.owen,
		)
		assert.ErrorContains(t, err, "not for person")
	})

	t.Run("worker revokes only for people who left and cancelled runs", func(t *testing.T) {
		a := newAsking(t, 0)
		_, err := a.Worker.Exec(
			`insert into stop_orders (item_id, person_id, kind) values ($1, $2, 'withdrawn')`,
			a.asked.Items[0],
			a.ann,
		)
		assert.ErrorContains(t, err, "only accessbot_slackapp")
		_, err = a.Worker.Exec(`insert into stop_orders (item_id, kind) values ($1, 'workflow_cancelled')`, a.asked.Items[0])
		assert.NoError(t, err)
	})

	t.Run("ended access is not revoked", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		a.approveAll()
		claim := a.given(a.asked.Items[0])
		a.Do(`update request_items set state = 'ended' where id = $1`, a.asked.Items[0])
		_, err := a.SlackApp.RemoveAccess(context.Background(), claim, a.ann)
		assert.ErrorIs(t, err, schema.ErrNotOpen)
	})

	t.Run("every claim of a person who left is due at once", func(t *testing.T) {
		a := newAsking(t, 0)
		a.approveAll()
		given, imported := a.given(a.asked.Items[0]), a.Imported(a.ann, a.entitlements[1])
		a.Do(`update access_requests set due_at = null`)
		a.Do(`update people set status = 'left' where id = $1`, a.ann)
		assert.True(
			t,
			schematest.Value[bool](a.World, `select due_at is not null from access_requests`),
			"pending requests are due too",
		)
		due, err := schema.DueClaims(context.Background(), a.Worker, 10)
		require.NoError(t, err)
		require.Len(t, due, 2)
		for _, c := range due {
			assert.True(t, c.HolderLeft)
			revoked, err := a.Worker.RevokeLeaversClaim(context.Background(), c.ID)
			require.NoError(t, err)
			assert.True(t, revoked)
		}
		assert.Equal(
			t,
			2,
			schematest.Value[int](a.World, `select count(*) from stop_orders where kind = 'person_left' and person_id is null`),
		)
		assert.Equal(t, 2, schematest.Value[int](a.World, `select count(revoked_at) from claims where id in ($1, $2)`, given, imported))
		again, err := a.Worker.RevokeLeaversClaim(context.Background(), given)
		require.NoError(t, err)
		assert.False(t, again)
	})

	t.Run("claim of an active person is not revoked", func(t *testing.T) {
		a := newAsking(t, 0)
		revoked, err := a.Worker.RevokeLeaversClaim(context.Background(), a.Imported(a.ann, a.entitlements[0]))
		require.NoError(t, err)
		assert.False(t, revoked)
	})

	t.Run("claim is live until its end, revocation or ending", func(t *testing.T) {
		w := schematest.NewWorld(t)
		for claim, live := range map[string]bool{
			`{}`:                                 true,
			`{"ends_at": "2026-12-01 10:00:01"}`: true,
			`{"ends_at": "2026-12-01 10:00"}`:    false,
			`{"revoked_at": "2026-12-01 09:00"}`: false,
			`{"ended_at": "2026-12-01 09:00", "ends_at": "2026-12-02"}`: false,
		} {
			assert.Equal(t, live, schematest.Value[bool](w, `
				select is_live(c, '2026-12-01 10:00') from jsonb_populate_record(null::claims, $1) c`, claim), claim)
		}
		over := schema.Claim{DueAt: sql.NullTime{Valid: true}}
		assert.True(t, over.NeedsRevoking())
		over.Live = true
		assert.False(t, over.NeedsRevoking())
	})

	t.Run("revocation is counted apart from removal by the holder", func(t *testing.T) {
		a := newAsking(t, 0)
		a.approveAll()
		given, taken := a.given(a.asked.Items[0]), a.given(a.asked.Items[1])
		_, err := a.SlackApp.RemoveAccess(t.Context(), given, a.ann)
		require.NoError(t, err)
		_, err = a.SlackApp.RevokeAccess(t.Context(), taken, a.owen, "moved team")
		require.NoError(t, err)
		a.Do(`update request_items set state = 'revoked' where request_id = $1`, a.asked.ID)
		lines, _, err := schema.RequestsOf(t.Context(), a.SlackApp, a.ann, 10, 0)
		require.NoError(t, err)
		require.Len(t, lines, 1)
		assert.Equal(t, map[string]int{schema.KindRemovedByHolder: 1, schema.Revoked: 1}, lines[0].States)
	})

	t.Run("database refuses revocations by all but owners and administrators", func(t *testing.T) {
		w := schematest.NewWorld(t)
		ann, owen, manager, admin := w.Person("Ann"), w.Person("Owen"), w.Person("Mia"), w.Person("Adam")
		w.Manages(manager, ann)
		w.Administrator(admin)
		claim := w.Imported(ann, w.Entitlement(w.Application("crm", owen), "reader"))
		revoke := func(by int64) error { // without the checks of RevokeAccess, and undone
			tx := w.SlackApp.MustBegin()
			defer tx.Rollback() //nolint:errcheck // nothing is kept
			_, err := tx.Exec(`insert into stop_orders (claim_id, person_id, kind, reason) values ($1, $2, 'revoked', 'moved')`, claim, by)
			return err
		}
		require.NoError(t, revoke(owen))
		require.NoError(t, revoke(admin))
		require.ErrorContains(t, revoke(manager), "to revoke")
		require.ErrorContains(t, revoke(ann), "to revoke", "the holder removes instead")
		w.Do(`update people set status = 'suspended' where id = $1`, owen)
		require.ErrorContains(t, revoke(owen), "not active")
	})
}
