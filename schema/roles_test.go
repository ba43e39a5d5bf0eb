package schema_test

import (
	"context"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

func TestRoles(t *testing.T) {
	t.Run("each role may do what its program needs and no more", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		a.approveAll()
		a.given(a.asked.Items[0])
		const denied = "permission denied"
		for _, c := range []struct{ role, statement, refusal string }{
			{"accessbot_worker", `insert into decisions (item_id, outcome, basis, policy_version, terms) values (1, 'approve', 'x', 1, 'x')`, denied},
			{"accessbot_worker", `update decisions set outcome = 'deny'`, denied},
			{"accessbot_worker", `insert into access_requests (view_id, requester_id, access_like, time_zone, reason_key) values ('V', 1, 'custom', 'UTC', 'project')`, denied},
			{"accessbot_worker", `insert into request_items (request_id, entitlement_id, account_id) values (1001, 1, 1)`, denied},
			{"accessbot_worker", `update access_requests set ends_at = null`, denied},
			{"accessbot_worker", `update access_requests set submitted_by = null`, denied},
			{"accessbot_worker", `update access_requests set note = 'more'`, denied},
			{"accessbot_worker", `update request_items set entitlement_id = 1`, denied},
			{"accessbot_worker", `update claims set ends_at = null`, denied},
			{"accessbot_worker", `update claims set revoked_at = null`, denied},
			{"accessbot_worker", `delete from claims`, denied},
			{"accessbot_worker", `update people set status = 'active'`, denied},
			{"accessbot_worker", `insert into application_owners values (1, 1)`, denied},
			{"accessbot_worker", `insert into slack_identities (team_id, user_id, person_id, basis) values ('T', 'U', 1, 'directory')`, denied},
			{"accessbot_worker", `update clock set shift = '1 year'`, denied},
			{"accessbot_slackapp", `update claims set ended_at = null`, denied},
			{"accessbot_slackapp", `insert into claims (person_id, account_id, entitlement_id, source) values (1, 1, 1, 'imported')`, denied},
			{"accessbot_slackapp", `update request_items set state = 'approved'`, denied},
			{"accessbot_slackapp", `update access_requests set ends_at = null`, denied},
			{"accessbot_slackapp", `update access_requests set submitted_by = null`, denied},
			{"accessbot_slackapp", `insert into approvals (request_id, application_id, policy_version) values (1001, 1, 1)`, denied},
			{"accessbot_slackapp", `insert into approval_candidates (approval_id, person_id, position) values (1, 1, 1)`, denied},
			{"accessbot_slackapp", `update decisions set outcome = 'approve'`, denied},
			{"accessbot_slackapp", `delete from decisions`, denied},
			{"accessbot_slackapp", `delete from stop_orders`, denied},
			{"accessbot_slackapp", `update slack_identities set person_id = 1`, denied},
			{"accessbot_slackapp", `update slack_messages set item_ids = '{1}'`, denied},
			{"accessbot_slackapp", `insert into stop_orders (item_id, kind) values (2, 'withdrawn')`, "someone else"},
			{"accessbot_worker", `insert into questions (request_id, asked_by, text) values (1001, 1, 'x')`, denied},
			{"accessbot_worker", `insert into question_answers (question_id, answered_by, text) values (1, 1, 'x')`, denied},
			{"accessbot_worker", `update question_answers set text = 'x'`, denied},
			{"accessbot_slackapp", `update questions set text = 'x'`, denied},
			{"accessbot_slackapp", `delete from questions`, denied},
			{"accessbot_slackapp", `update question_answers set text = 'x'`, denied},
			{"accessbot_slackapp", `delete from question_answers`, denied},
			{"accessbot_slackapp", `insert into questions (request_id, asked_by, text) values (1001, 1, 'x')`, "is not open"},
			{"accessbot_slackapp", `insert into question_answers (question_id, answered_by, text) values (424242, 1, 'x')`, "to answer"},
			{"accessbot_directory", `insert into questions (request_id, asked_by, text) values (1001, 1, 'x')`, denied},
			{"accessbot_directory", `select text from question_answers`, denied},
			{"accessbot_auditor", `insert into question_answers (question_id, answered_by, text) values (1, 1, 'x')`, denied},
			{"accessbot_slackapp", `insert into stop_orders (item_id, person_id, kind) select 1, requester_id, 'revoked' from access_requests`, "to revoke"},
			{"accessbot_directory", `insert into decisions (item_id, outcome, basis, policy_version, terms) values (1, 'approve', 'x', 1, 'x')`, denied},
			{"accessbot_directory", `update request_items set state = 'approved'`, denied},
			{"accessbot_directory", `insert into claims (person_id, account_id, entitlement_id, source) values (1, 1, 1, 'unexpected')`, "may not make claims"},
			{"accessbot_auditor", `insert into audit_events (actor, action) values ('worker', 'x')`, denied},
			{"accessbot_auditor", `update people set name = 'x'`, denied},
			{"accessbot_worker", `update audit_events set action = 'x'`, denied},
			{"accessbot_worker", `delete from audit_events`, denied},
			{"accessbot_slackapp", `truncate audit_events`, denied},
			{"", `update audit_events set action = 'x'`, "never changed"}, // its owner
			{"", `delete from audit_events`, "never changed"},
			{"", `truncate audit_events`, "never changed"},
		} {
			db := a.DB
			if c.role != "" {
				u, err := url.Parse(a.RoleURL(c.role))
				require.NoError(t, err)
				db, err = schema.Open(u.String(), 1)
				require.NoError(t, err)
			}
			_, err := db.Exec(c.statement)
			assert.ErrorContains(t, err, c.refusal, "%s: %s", c.role, c.statement)
			if c.role != "" {
				require.NoError(t, db.Close())
			}
		}
	})

	t.Run("worker cannot move the state of an item backwards", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		item := a.asked.Items[0]
		for _, c := range []struct{ from, to string }{
			{"denied", "approved"}, {"withdrawn", "awaiting_approval"}, {"expired", "approved"}, {"failed", "active"}, {"failed", "provisioning"},
			{"ended", "active"}, {"revoked", "provisioning"}, {"active", "approved"}, {"active", "failed"}, {"provisioning", "withdrawn"}, {"approved", "active"},
		} {
			tx := a.MustBegin()
			tx.MustExec(`set local session_replication_role = replica`)
			tx.MustExec(`update request_items set state = $1 where id = $2`, c.from, item)
			require.NoError(t, tx.Commit())
			err := schema.MoveItems(context.Background(), a.Worker, []int64{item}, c.to, schema.Problem{})
			assert.ErrorIs(t, err, schema.ErrStateBackwards, "%s to %s", c.from, c.to)
		}
	})
}

func TestMigration(t *testing.T) {
	t.Run("second migration changes nothing", func(t *testing.T) {
		t.Parallel()
		ctx := context.Background()
		db := schematest.New(t)
		before, err := schema.Migrate(ctx, db.URL)
		require.NoError(t, err)
		rules := installedRules(t, db.DB)
		again, err := schema.Migrate(ctx, db.URL)
		require.NoError(t, err)
		assert.Equal(t, before, again)
		assert.Equal(t, rules, installedRules(t, db.DB))
	})

	t.Run("older program changes nothing in a newer database", func(t *testing.T) {
		t.Parallel()
		db := schematest.New(t)
		must(t, db, `insert into schema_versions (version_id, is_applied) values (999, true)`)
		must(t, db, `create function newer() returns trigger language plpgsql as 'begin return new; end'`)
		rules := installedRules(t, db.DB)
		_, err := schema.Migrate(t.Context(), db.URL)
		require.ErrorContains(t, err, "the database has version 999 of the schema")
		assert.Equal(t, rules, installedRules(t, db.DB))
	})

	t.Run("old development database is refused", func(t *testing.T) {
		t.Parallel()
		db := schematest.New(t)
		require.NoError(t, schema.CheckDatabase(t.Context(), db))
		must(t, db, `create table goose_db_version (version_id bigint)`)
		before := installedRules(t, db.DB)
		must(t, db, `create view extra as select 1`)
		_, err := schema.Migrate(t.Context(), db.URL)
		require.ErrorIs(t, err, schema.ErrOldDatabase)
		assert.ErrorContains(t, err, "./temporal-dev.sh reset")
		assert.NotContains(t, err.Error(), "\n")
		assert.Len(t, installedRules(t, db.DB), len(before)+1, "nothing changed")
		for _, role := range programRoles {
			assert.ErrorIs(t, schema.CheckDatabase(t.Context(), db.As(t, role)), schema.ErrOldDatabase)
		}
	})

	t.Run("migration updates statistics", func(t *testing.T) {
		w := schematest.NewWorld(t)
		w.Person("Ann")
		w.Do(`create index people_department on people (lower(department))`) // as a migration might
		_, err := schema.Migrate(t.Context(), w.URL)
		require.NoError(t, err)
		assert.Equal(t, 1, schematest.Value[int](w, `select count(*) from pg_stats where tablename = 'people_department'`))
	})

	t.Run("concurrent migrations of new databases succeed", func(t *testing.T) {
		t.Parallel()
		ctx := context.Background()
		admin := schematest.New(t)
		var group sync.WaitGroup
		for _, name := range []string{"one", "two"} {
			u, err := url.Parse(admin.URL)
			require.NoError(t, err)
			u.Path += "_" + name
			must(t, admin, `create database `+u.Path[1:])
			t.Cleanup(func() { must(t, admin, `drop database `+u.Path[1:]+` with (force)`) })
			for range 3 { // each from three programs
				group.Go(func() {
					version, err := schema.Migrate(ctx, u.String())
					assert.NoError(t, err)
					assert.Positive(t, version)
				})
			}
		}
		group.Wait()
	})
}

func must(t *testing.T, db *schematest.Database, statement string) {
	t.Helper()
	_, err := db.Exec(statement)
	require.NoError(t, err)
}
