package schema_test

import (
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/policy"
	"accessbot/schema/schematest"
)

// askFor records a request for another person, as the Slack app.
func askFor(w *schematest.World, submitter, requester int64) error {
	_, err := w.SlackApp.Exec(`
		insert into access_requests (view_id, requester_id, submitted_by, access_like, time_zone, reason_key, policy_version)
		select 'for ' || $1::bigint || ' ' || $2::bigint, $2, $1, 'custom', 'UTC', 'project', max(version) from policies`, submitter, requester)
	return err
}

func TestSubmitter(t *testing.T) {
	t.Run("only managers and administrators request for another person", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		ann, boss, above, root := w.Person("Ann"), w.Person("Boss"), w.Person("Above"), w.Person("Root")
		w.Manages(boss, ann)
		w.Manages(above, boss)
		w.Administrator(root)
		refused := func(submitter, requester int64, code string) {
			t.Helper()
			var why *pq.Error
			require.ErrorAs(t, askFor(w, submitter, requester), &why)
			require.Equal(t, code, string(why.Code))
		}
		require.NoError(t, askFor(w, boss, ann))
		require.NoError(t, askFor(w, root, ann))
		refused(above, ann, "AB006")
		refused(ann, boss, "AB006")
		refused(ann, ann, "AB006")
		// Nor if one of the two is not active.
		for _, c := range []struct{ absent, submitter int64 }{{boss, boss}, {root, root}, {ann, boss}, {ann, root}} {
			for _, is := range []string{`status = 'suspended'`, `status = 'left'`, `gone_at = app_now()`} {
				w.Do(`update people set `+is+` where id = $1`, c.absent)
				refused(c.submitter, ann, "AB006")
				w.Do(`update people set status = 'active', gone_at = null where id = $1`, c.absent)
			}
		}
	})

	// The manager submitted the request and owns the entitlement: they are not asked, and their approval would not count.
	t.Run("submitter is not asked and their approval does not count", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		a.Manages(a.owen, a.ann)
		a.Do(`update access_requests set submitted_by = $1 where id = $2`, a.owen, a.asked.ID)
		request, err := schema.RequestByID(t.Context(), a, a.asked.ID)
		require.NoError(t, err)
		evaluated, err := schema.Evaluate(t.Context(), a, request)
		require.NoError(t, err)
		for _, i := range request.Items {
			require.Equal(t, []policy.Candidate{{PersonID: a.olga, Basis: policy.ApplicationOwner}}, evaluated.Ask(i, 1, 0).Candidates)
		}
		a.refused(a.copyFor(a.owen, a.asked.Items...), schema.ErrOwnRequest)

		// The database refuses it too.
		decide := func() error {
			_, err := a.SlackApp.Exec(`
			insert into decisions (item_id, approval_id, stage, stages, required_approvals, basis, outcome, decided_by, policy_version, terms, ends_at)
			select $1, $2, 1, 1, 1, 'application owner', 'approve', $3, policy_version, request_terms(id), ends_at from access_requests where id = $4`,
				a.asked.Items[0], a.approval, a.owen, a.asked.ID)
			return err
		}
		var why *pq.Error
		require.ErrorAs(t, decide(), &why)
		require.Equal(t, "AB004", string(why.Code))

		// Provisioning does not accept it, even if it is in the database.
		a.Do(`alter table decisions disable trigger checked`)
		require.NoError(t, decide())
		a.Do(`update request_items set state = 'approved' where id = $1`, a.asked.Items[0])
		reason, err := schema.Unproven(t.Context(), a.Worker, a.asked.Items[0])
		require.NoError(t, err)
		require.Equal(t, schema.ApprovedBySubmitter, reason)
	})

	t.Run("terms include the submitter", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		terms := func() string { return schematest.Value[string](a.World, `select request_terms($1)`, a.asked.ID) }
		before := terms()
		a.Do(`update access_requests set submitted_by = $1 where id = $2`, a.olga, a.asked.ID)
		require.NotEqual(t, before, terms())
	})

	t.Run("requests for others count against the submitter's quota", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		boss, ann, bea := w.Person("Boss"), w.Person("Ann"), w.Person("Bea")
		w.Manages(boss, ann)
		w.Manages(boss, bea)
		require.NoError(t, askFor(w, boss, ann))
		require.NoError(t, askFor(w, boss, bea))
		lines, total, err := schema.RequestsOf(t.Context(), w.SlackApp, boss, 10, 0)
		require.NoError(t, err)
		require.Equal(t, 2, total)
		require.Equal(t, []string{"Bea", "Ann"}, []string{lines[0].ForName, lines[1].ForName})
		lines, total, err = schema.RequestsOf(t.Context(), w.SlackApp, ann, 10, 0)
		require.NoError(t, err)
		require.Equal(t, 1, total)
		require.Equal(t, "Boss", lines[0].ByName)
		tx := w.SlackApp.MustBegin()
		defer tx.Rollback() //nolint:errcheck // it only reads
		var over *schema.OverQuota
		require.ErrorAs(t, schema.CheckQuota(t.Context(), tx, schema.Quota{PerMinute: 2}, boss), &over)
		require.Equal(t, &schema.OverQuota{PerMinute: 2}, over)
		require.NoError(t, schema.CheckQuota(t.Context(), tx, schema.Quota{PerMinute: 1}, ann))

		// Only while something is open.
		reader := w.Entitlement(w.Application("crm", boss), "reader")
		for _, person := range []int64{ann, bea} {
			w.Do(
				`insert into request_items (request_id, entitlement_id, account_id, rule) select id, $2, $3, 1 from access_requests where requester_id = $1`,
				person,
				reader,
				w.Account(person, reader),
			)
		}
		require.ErrorAs(t, schema.CheckQuota(t.Context(), tx, schema.Quota{Open: 2}, boss), &over)
		require.Equal(t, &schema.OverQuota{Open: 2}, over)
		require.NoError(t, schema.CheckQuota(t.Context(), tx, schema.Quota{Open: 1}, ann))
	})

	// Granted access belongs to the requester: the submitter may only withdraw.
	t.Run("submitter may withdraw but not remove or extend access", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		a.Manages(a.olga, a.ann)
		a.Do(`update access_requests set submitted_by = $1 where id = $2`, a.olga, a.asked.ID)
		a.approveAll()
		claim := a.given(a.asked.Items[0])
		_, err := a.SlackApp.RemoveAccess(t.Context(), claim, a.olga)
		require.ErrorIs(t, err, schema.ErrNotFound)
		_, err = a.SlackApp.Exec(
			`insert into stop_orders (item_id, person_id, kind) values ($1, $2, 'removed_by_holder')`,
			a.asked.Items[0],
			a.olga,
		)
		require.ErrorContains(t, err, "someone else")
		for _, mode := range []string{schema.Extend, schema.Again} {
			_, err = a.SlackApp.OpenEarlier(t.Context(), mode, "V", "", a.olga, "UTC", a.asked.ID)
			require.ErrorIs(t, err, schema.ErrNotFound, mode)
		}
		_, err = a.SlackApp.Withdraw(t.Context(), a.asked.ID, a.owen)
		require.ErrorIs(t, err, schema.ErrNotAllowed)
		items, err := a.SlackApp.Withdraw(t.Context(), a.asked.ID, a.olga)
		require.NoError(t, err)
		require.Equal(t, a.asked.Items[1:], items)
	})
}
