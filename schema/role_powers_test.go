package schema_test

import (
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

// What a trigger reads, a temporary table of the same name must not stand in for.
func TestATemporaryTableDeceivesNoTrigger(t *testing.T) {
	const owner = `create temporary table pg_class as select oid, (select oid from pg_roles where rolname = current_user) as relowner from pg_catalog.pg_class`
	a := newAsking(t, time.Hour)
	account := a.Account(a.ann, a.entitlements[0])
	mallory := a.Person("Mallory")
	others := a.Account(mallory, a.entitlements[0])

	worker := a.asRole("accessbot_worker")
	worker.MustExec(owner)
	_, err := worker.Exec(`insert into claims (person_id, account_id, entitlement_id, source) values ($1, $2, $3, 'imported')`, a.ann, account, a.entitlements[0])
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
	_, err = slackapp.Exec(`insert into request_items (request_id, entitlement_id, account_id) values ($1, $2, $3)`, request, a.entitlements[0], others)
	assert.ErrorContains(t, err, "not the requester's")

	assert.Empty(t, schematest.Value[string](a.World, `
		select coalesce(string_agg(distinct p.proname, ', '), '')
		  from pg_trigger t join pg_proc p on p.oid = t.tgfoid
		 where not t.tgisinternal and not coalesce('search_path=pg_catalog, public, pg_temp' = any(p.proconfig), false)`), "triggers without a search_path")
}

func TestWhatNobodyApprovedIsNotFoundEither(t *testing.T) {
	a := newAsking(t, time.Hour)
	item := a.asked.Items[0]
	_, err := a.Worker.Exec(`update request_items set state = 'approved' where id = $1`, item)
	require.NoError(t, err)
	_, err = a.Worker.Exec(`insert into claims (person_id, account_id, entitlement_id, source, found_for) values ($1, $2, $3, 'found', $4)`,
		a.ann, a.Account(a.ann, a.entitlements[0]), a.entitlements[0], item)
	assert.ErrorContains(t, err, "nothing is about to be given")
}

func TestARequestIsJudgedByNoOlderPolicy(t *testing.T) {
	a := newAsking(t, time.Hour)
	a.Policy("clauses:\n  - name: on trial\n    approve: true\n")
	holds := a.Policy("clauses:\n  - name: ask\n    ask:\n      - from: [application owners]\n")
	ask := `insert into access_requests (view_id, requester_id, access_like, time_zone, reason_key, policy_version) values ($1, $2, 'custom', 'UTC', 'project', $3)`
	_, err := a.SlackApp.Exec(ask, "V", a.ann, holds-1)
	require.ErrorContains(t, err, "does not hold any more")
	_, err = a.SlackApp.Exec(ask, "V", a.ann, holds)
	require.NoError(t, err)
}
