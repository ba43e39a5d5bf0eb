package schema_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

func TestJobChange(t *testing.T) {
	t.Parallel()
	t.Run("manager revokes only what the earlier job title gave", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		ann, olga, owen, bob := w.Person("Ann"), w.Person("Olga"), w.Person("Owen"), w.Person("Bob")
		w.Manages(olga, ann)
		w.Manages(olga, bob)
		crm := w.Application("crm", owen)
		given, other := w.Entitlement(crm, "given"), w.Entitlement(crm, "other")
		listed, others, bobs := w.Imported(ann, given), w.Imported(ann, other), w.Imported(bob, given)
		w.Do(`insert into job_titles (name) values ('Analyst'), ('Editor')`)
		w.Do(`insert into job_title_entitlements select id, $1 from job_titles where name = 'Analyst'`, given)
		title := func(name string) {
			w.Do(`update people set job_title_id = (select id from job_titles where name = $1) where id in ($2, $3)`, name, ann, olga)
		}
		taken := func(claim, by int64) error { // straight into the table, past all that RevokeAccess asks; and undone
			tx := w.SlackApp.MustBegin()
			defer tx.Rollback() //nolint:errcheck // nothing is kept
			_, err := tx.Exec(`insert into stop_orders (claim_id, person_id, kind, reason) values ($1, $2, 'revoked', 'moved')`, claim, by)
			return err
		}
		refused := func(claim, by int64, why string) {
			t.Helper()
			assert.ErrorContains(t, taken(claim, by), "to revoke", why)
		}
		title("Analyst")
		refused(listed, olga, "nothing is listed")
		title("Editor")
		require.NoError(t, taken(listed, olga))
		require.NoError(t, taken(listed, owen), "who owns it")
		refused(others, olga, "another grant of theirs")
		refused(bobs, olga, "the same grant of another one of theirs")
		refused(listed, bob, "who manages no one")
		refused(listed, ann, "the holder removes")
		w.Do(`update people set status = 'suspended' where id = $1`, olga)
		require.ErrorContains(t, taken(listed, olga), "not active")
		w.Do(`update people set status = 'active' where id = $1`, olga)
		require.NoError(t, taken(listed, olga))
		title("Analyst")
		refused(listed, olga, "the title grants it again")
		title("Editor")
		require.NoError(t, taken(listed, olga))
		w.Manages(bob, ann)
		refused(listed, olga, "who is not the manager any more")
		require.NoError(t, taken(listed, bob))
		carl := w.Person("Carl")
		w.Do(`update people set status = 'suspended' where id = $1`, carl)
		w.Manages(carl, ann)
		w.Do(`update people set status = 'active' where id = $1`, carl)
		refused(listed, carl, "who was away when it was to be listed to them")

		// No one lists something to themselves.
		for _, db := range []*schema.DB{w.SlackApp, w.Worker, w.As(t, "accessbot_directory")} {
			for _, statement := range []string{
				`insert into job_change_claims (notification_id, claim_id, old_job_title_id) select max(notification_id), 1, 1 from job_change_claims`,
				`update job_change_claims set needed = false`,
				`select list_job_change(3, '{1}', '{1}')`,
			} {
				_, err := db.Exec(statement)
				assert.ErrorContains(t, err, "permission denied", statement)
			}
		}
		_, err := w.SlackApp.Exec(`select job_change_unread(1)`)
		assert.ErrorContains(t, err, "permission denied")
		require.NoError(t, schema.JobChangesUnread(context.Background(), w.Worker, 1))
	})
}
