package schema_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// asRole opens one connection, whose temporary tables stay there.
func (a asking) asRole(role string) *schema.DB {
	a.t.Helper()
	db, err := schema.Open(a.RoleURL(role), 1)
	require.NoError(a.t, err)
	a.t.Cleanup(func() { _ = db.Close() }) // the test is over
	return db
}

func TestRolePowers(t *testing.T) {
	// A temporary table must not replace a table that a trigger reads.
	t.Run("temporary table deceives no trigger", func(t *testing.T) {
		const owner = `create temporary table pg_class as select oid, (select oid from pg_roles where rolname = current_user) as relowner from pg_catalog.pg_class`
		a := newAsking(t, time.Hour)
		account := a.Account(a.ann, a.entitlements[0])
		mallory := a.Person("Mallory")
		others := a.Account(mallory, a.entitlements[0])

		worker := a.asRole("accessbot_worker")
		worker.MustExec(owner)
		_, err := worker.Exec(
			`insert into claims (person_id, account_id, entitlement_id, source) values ($1, $2, $3, 'imported')`,
			a.ann,
			account,
			a.entitlements[0],
		)
		assert.ErrorContains(t, err, "may not make claims")

		a.approveAll()
		claim := a.given(a.asked.Items[0])
		directory := a.asRole("accessbot_directory")
		directory.MustExec(owner)
		_, err = directory.Exec(`update claims set ended_at = app_now(), removed_at = app_now(), due_at = null where id = $1`, claim)
		assert.ErrorContains(t, err, "may not end claims")

		slackapp := a.asRole("accessbot_slackapp")
		slackapp.MustExec(`create temporary table accounts as select id, $1::bigint as person_id from public.accounts`, a.ann)
		var request int64
		require.NoError(t, slackapp.Get(&request, `
		insert into access_requests (view_id, requester_id, access_like, time_zone, reason_key) values ('V', $1, 'custom', 'UTC', 'project') returning id`, a.ann))
		_, err = slackapp.Exec(
			`insert into request_items (request_id, entitlement_id, account_id) values ($1, $2, $3)`,
			request,
			a.entitlements[0],
			others,
		)
		assert.ErrorContains(t, err, "not the requester's")

		assert.Empty(t, schematest.Value[string](a.World, `
		select coalesce(string_agg(distinct p.proname, ', '), '')
		  from pg_trigger t join pg_proc p on p.oid = t.tgfoid
		 where not t.tgisinternal and not coalesce('search_path=pg_catalog, public, pg_temp' = any(p.proconfig), false)`), "triggers without a search_path")
	})

	t.Run("unexpected access cannot be recorded for an item without an approval", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		item := a.asked.Items[0]
		_, err := a.Worker.Exec(`update request_items set state = 'approved' where id = $1`, item)
		require.NoError(t, err)
		_, err = a.Worker.Exec(
			`insert into claims (person_id, account_id, entitlement_id, source, unexpected_for) values ($1, $2, $3, 'unexpected', $4)`,
			a.ann,
			a.Account(a.ann, a.entitlements[0]),
			a.entitlements[0],
			item,
		)
		assert.ErrorContains(t, err, "no approved item explains")
	})

	t.Run("request under an older policy is refused", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		a.Policy("rules:\n  - name: on trial\n    approve: true\n")
		holds := a.Policy("rules:\n  - name: ask\n    ask:\n      - approvers: [application owners]\n")
		ask := `insert into access_requests (view_id, requester_id, access_like, time_zone, reason_key, policy_version) values ($1, $2, 'custom', 'UTC', 'project', $3)`
		_, err := a.SlackApp.Exec(ask, "V", a.ann, holds-1)
		require.ErrorContains(t, err, "is no longer in force")
		_, err = a.SlackApp.Exec(ask, "V", a.ann, holds)
		require.NoError(t, err)
	})

	// A role that may execute a trigger function could fire it from a temporary table, with the rights of the owner.
	t.Run("triggers cannot be fired from a role's own tables", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		a.approveAll()
		claim := a.given(a.asked.Items[0])
		for _, role := range []string{"accessbot_auditor", "accessbot_slackapp", "accessbot_worker", "accessbot_directory"} {
			db := a.asRole(role)
			db.MustExec(
				`create temporary table r (id bigint, item_id bigint, claim_id bigint, person_id bigint, kind text, reason text, revoked_at timestamptz)`,
			)
			_, err := db.Exec(`create trigger t before insert on r for each row execute function stop_orders_check()`)
			assert.ErrorContains(t, err, "permission denied for function stop_orders_check", role)
			db.MustExec(`insert into r (item_id, kind) values ($1, 'person_left')`, a.asked.Items[0])
		}
		assert.False(t, schematest.Value[bool](a.World, `select revoked_at is not null from claims where id = $1`, claim))

		const byPublic = `
		select coalesce(string_agg(p.proname, ', ' order by p.proname), '')
		  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
		 where n.nspname = 'public' and has_function_privilege('public', p.oid, 'execute') and `
		assert.Empty(
			t,
			schematest.Value[string](a.World, byPublic+`p.prorettype = 'trigger'::regtype`),
			"trigger functions that every role can fire",
		)
		assert.Equal(
			t,
			"app_now, request_terms",
			schematest.Value[string](a.World, byPublic+`p.prosecdef`),
			"functions that every role can run as the owner",
		)
	})

	// The export dates items that the audit does not know by created_at, and an infinite one would break it.
	t.Run("request is dated by the database", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		const ask = `insert into access_requests (view_id, requester_id, access_like, time_zone, reason_key, policy_version, %s)
		select $1, $2, 'custom', 'UTC', 'project', max(version), $3 from policies`
		for _, column := range []string{"created_at", "due_at", "completed_at"} {
			_, err := a.SlackApp.Exec(fmt.Sprintf(ask, column), "V", a.ann, "1999-01-01")
			assert.ErrorContains(t, err, "permission denied", column)
		}
		_, err := a.SlackApp.Exec(fmt.Sprintf(ask, "ends_at"), "V", a.ann, "infinity")
		assert.ErrorContains(t, err, "access_requests_finite")
	})

	t.Run("IDs of delegations and policies are set by the database", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		_, err := a.SlackApp.Exec(`insert into delegations (id, person_id, delegate_id, starts_at, ends_at) overriding system value
		values (9223372036854775807, $1, $2, now(), '9999-12-31')`, a.owen, a.olga)
		assert.ErrorContains(t, err, "permission denied")
		_, err = a.asRole("accessbot_directory").
			Exec(`insert into policies (version, source) overriding system value values (9223372036854775807, 'x')`)
		assert.ErrorContains(t, err, "permission denied")
	})

	// Holders must not confirm the removal of their own access.
	t.Run("holder cannot answer a task on their own access if others can", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		task := schematest.Value[int64](
			a.World,
			`insert into manual_tasks (account_id, entitlement_id, held) values ($1, $2, false) returning id`,
			a.Account(a.owen, a.entitlements[0]),
			a.entitlements[0],
		)
		a.Do(
			`insert into notifications (kind, application_id, manual_task_id) select 'manual_task', application_id, $1 from entitlements where id = $2`,
			task,
			a.entitlements[0],
		)
		answer := func(who int64) error {
			_, err := a.SlackApp.AnswerTask(t.Context(), schema.TaskAnswer{TaskID: task, PersonID: who, Done: true})
			return err
		}
		onHome := func(who int64) int {
			_, n, err := schema.TasksFor(t.Context(), a.SlackApp, who, 5, 0)
			require.NoError(t, err)
			return n
		}
		require.ErrorIs(t, answer(a.owen), schema.ErrNotAllowed)
		assert.Zero(t, onHome(a.owen))
		assert.Equal(t, 1, onHome(a.olga))
		a.Do(`update people set status = 'suspended' where id = $1`, a.olga)
		assert.Equal(t, 1, onHome(a.owen), "better than no one")
		require.NoError(t, answer(a.owen))
	})
}
