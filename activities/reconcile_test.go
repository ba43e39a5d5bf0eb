package activities_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/activities/connector/kinds"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

// small is a company of a requester, an owner and one application with one entitlement.
type small struct {
	*company
	ann, owen int64
	crm       int64
	admin     int64
	target    *fakeTarget
}

func newSmall(t *testing.T) small {
	c := newCompany(t)
	s := small{company: c, ann: c.Person("Ann"), owen: c.Person("Owen")}
	s.crm = c.Application("crm", s.owen)
	s.admin = c.Entitlement(s.crm, "admin")
	s.target = c.company().target("CRM")
	return s
}

func (c *company) company() *company { return c }

// approved is a request of Ann's for the entitlement that was approved; 0: permanent.
func (s small) approved(lasts time.Duration) schematest.Asked {
	s.t.Helper()
	asked := s.Request(s.ann, lasts, s.admin)
	s.Approve(s.owen, asked)
	return asked
}

// problem is the code of why an item is not where it should be.
func (c *company) problem(item int64) string {
	c.t.Helper()
	return schematest.Value[string](c.World, `select problem from request_items where id = $1`, item)
}

func (s small) held() bool { return s.target.holds("ann", "crm/admin") }

func TestReconciliation(t *testing.T) {
	t.Run("approved access is granted and revoked at its end", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(24 * time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		assert.True(t, s.held())
		assert.Equal(t, "active", s.State(asked.Items[0]))
		claim := s.Claim(asked.Items[0])
		assert.Equal(t, 2*time.Minute, schematest.Value[time.Time](s.World, `select due_at from claims where id = $1`, claim).Sub(
			schematest.Value[time.Time](s.World, `select ends_at from claims where id = $1`, claim)), "the end is armed")

		require.NoError(t, s.revoke(claim))
		assert.True(t, s.held(), "not before its end")

		s.Shift(24 * time.Hour)
		require.NoError(t, s.revoke(claim))
		assert.False(t, s.held())
		assert.Equal(t, "ended", s.State(asked.Items[0]))
		assert.True(t, schematest.Value[bool](s.World, `select ended_at is not null and removed_at is not null and due_at is null from claims where id = $1`, claim))
		assert.Equal(t, 1, s.Audited("given"))
		assert.Equal(t, 1, s.Audited("ended: access is gone"))
	})

	t.Run("nothing is granted without proof", func(t *testing.T) {
		undecided := func(s small, asked schematest.Asked) {
			s.Do(`update request_items set state = 'approved' where id = $1`, asked.Items[0])
		}
		// What the database itself refuses is put there with its triggers off, as someone might who has the whole database.
		forged := func(change string) func(s small, asked schematest.Asked) {
			return func(s small, asked schematest.Asked) {
				s.Approve(s.owen, asked)
				tx := s.MustBegin()
				defer tx.Rollback() //nolint:errcheck // after the commit it has nothing to do
				tx.MustExec(`set local session_replication_role = replica`)
				tx.MustExec(change)
				require.NoError(s.t, tx.Commit())
			}
		}
		const (
			unapproved = "not_approved"
			notAsked   = "approver_not_asked"
			otherTerms = "request_changed"
		)
		for name, c := range map[string]struct {
			forge func(small, schematest.Asked)
			why   string
		}{
			"no one decided":        {undecided, unapproved},
			"it was denied":         {forged(`update decisions set outcome = 'deny', reason = 'no'`), unapproved},
			"its requester decided": {forged(`update decisions set decided_by = (select requester_id from access_requests)`), "approved_by_requester"},
			"its requester was asked": {forged(`update decisions set decided_by = (select requester_id from access_requests);
			update approval_candidates set person_id = (select requester_id from access_requests)`), "approved_by_requester"},
			"someone decided who was not asked": {forged(`update decisions set decided_by = (select max(id) from people)`), notAsked},
			"no rule of the policy decides":     {forged(`update decisions set decided_by = null, approval_id = null`), notAsked},
			"the note changed":                  {forged(`update access_requests set note = 'and more'`), otherTerms},
			"the object changed":                {forged(`update entitlements set target = 'crm/superuser'`), otherTerms},
			"the end was moved":                 {forged(`update access_requests set ends_at = ends_at + interval '1 day'`), otherTerms},
			"the account is someone else's":     {forged(`update accounts set person_id = (select max(id) from people)`), "account_of_other_person"},
			"the account changed":               {forged(`update accounts set account = 'mallory'`), otherTerms},
			"the requester was suspended":       {forged(`update people set status = 'suspended' where id = (select requester_id from access_requests)`), "requester_inactive"},
		} {
			t.Run(name, func(t *testing.T) {
				s := newSmall(t)
				s.Person("Zed")
				asked := s.Request(s.ann, time.Hour, s.admin)
				c.forge(s, asked)
				require.NoError(t, s.grant(asked.Items[0]))
				assert.Zero(t, s.target.called("grant"))
				assert.Zero(t, s.Claim(asked.Items[0]))
				assert.Equal(t, "failed", s.State(asked.Items[0]))
				assert.Equal(t, []string{c.why}, s.refusals())
			})
		}
		t.Run("waiting items are left alone, whatever run is started for them", func(t *testing.T) {
			s := newSmall(t)
			asked := s.Request(s.ann, time.Hour, s.admin)
			s.Ask(asked, asked.Items, s.owen)
			s.target.set("ann", "crm/admin", true) // and so is access that is none of our doing
			require.NoError(t, s.grant(asked.Items[0]))
			assert.Zero(t, s.target.called("grant")+s.target.called("revoke"))
			assert.Equal(t, "awaiting_approval", s.State(asked.Items[0]))
			assert.True(t, s.held())
		})
	})

	t.Run("item without proof does not block others of the assignment", func(t *testing.T) {
		s := newSmall(t)
		forged, good := s.Request(s.ann, time.Hour, s.admin), s.approved(2*time.Hour)
		s.Do(`update request_items set state = 'approved' where id = $1`, forged.Items[0])
		require.NoError(t, s.grant(good.Items[0]))
		assert.Equal(t, "failed", s.State(forged.Items[0]))
		assert.Equal(t, "active", s.State(good.Items[0]))
		assert.True(t, s.held())
	})

	t.Run("grant whose answer was lost is repeated safely", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		s.target.next("grant", lostAnswer)
		require.Error(t, s.grant(asked.Items[0]))
		assert.Equal(t, "provisioning", s.State(asked.Items[0]), "not said before it is known")
		assert.Equal(t, "target_unavailable", s.problem(asked.Items[0]))
		require.NoError(t, s.grant(asked.Items[0]))
		assert.Equal(t, "active", s.State(asked.Items[0]))
		assert.Empty(t, s.problem(asked.Items[0]))
		assert.Equal(t, 1, s.Claims(s.ann, s.admin, "request"))
		assert.Zero(t, s.Claims(s.ann, s.admin, "found"), "44: what we granted ourselves is not found")
		assert.Equal(t, 1, s.target.called("grant"), "what is there already is not granted again: some targets would send a second invitation")
	})

	t.Run("revocation whose answer was lost is repeated safely", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		s.Shift(time.Hour)
		s.target.next("revoke", lostAnswer)
		require.Error(t, s.revoke(s.Claim(asked.Items[0])))
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		assert.Equal(t, "ended", s.State(asked.Items[0]))
		assert.Equal(t, 1, s.target.called("revoke"), "what is gone already is not taken again")
		s.targetsMatchClaims()
	})

	t.Run("target that reports a change it did not make is not believed", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		s.target.next("grant", doesNothing)
		require.ErrorContains(t, s.grant(asked.Items[0]), "but shows it as not held")
		assert.Equal(t, "provisioning", s.State(asked.Items[0]))
		require.NoError(t, s.grant(asked.Items[0]))
		s.Shift(time.Hour)
		s.target.next("revoke", doesNothing)
		require.Error(t, s.revoke(s.Claim(asked.Items[0])))
		assert.Equal(t, "active", s.State(asked.Items[0]), "ended is only said when access really went")
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		s.targetsMatchClaims()
	})

	t.Run("crash after the target changed leaves one claim with its end", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		crash := newBlocked()
		s.target.next("grant", crash.do)
		done := make(chan error, 1)
		go func() { done <- s.grant(asked.Items[0]) }()
		<-crash.reached
		assert.True(t, schematest.Value[bool](s.World, `select due_at = ends_at + interval '2 minutes' from claims where item_id = $1`, asked.Items[0]), "its end is armed before anything changes")
		// The worker's hold on the database goes, and with it the lock: the change arrives all the same.
		assert.Equal(t, 1, schematest.Value[int](s.World, `
		select count(*) from (select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())) t`))
		close(crash.release)
		require.Error(t, <-done)
		claim := s.Claim(asked.Items[0])
		assert.True(t, s.held())
		assert.Equal(t, "provisioning", s.State(asked.Items[0]))
		assert.True(t, schematest.Value[bool](s.World, `select due_at <= app_now() from claims where id = $1`, claim), "and the sweep looks at it at once")
		require.NoError(t, s.grant(asked.Items[0]))
		assert.Equal(t, "active", s.State(asked.Items[0]))
		assert.Equal(t, 1, s.Claims(s.ann, s.admin, "request"))
		assert.Zero(t, s.Claims(s.ann, s.admin, "found"))
		s.sweep()
		assert.True(t, s.held())
		s.Shift(time.Hour + 2*time.Minute)
		s.sweep()
		assert.False(t, s.held(), "its end is armed still")
	})

	t.Run("assignment whose lock was lost is checked again", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		late := newBlocked()
		s.target.next("grant", late.do)
		done := make(chan error, 1)
		go func() { done <- s.grant(asked.Items[0]) }()
		<-late.reached
		s.Do(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`)
		// Meanwhile it is granted by another attempt, removed, and revoked: all of that is recorded.
		require.NoError(t, s.grant(asked.Items[0]))
		claim := s.Claim(asked.Items[0])
		_, err := s.SlackApp.RemoveAccess(context.Background(), claim, s.ann)
		require.NoError(t, err)
		require.NoError(t, s.revoke(claim))
		require.False(t, s.held())
		close(late.release)
		require.Error(t, <-done)
		require.True(t, s.held(), "the late change has come after all")

		due, err := schema.DueClaims(context.Background(), s.Worker, 10)
		require.NoError(t, err)
		require.Len(t, due, 1)
		require.NoError(t, s.do.Reconciler.Reconcile(context.Background(), due[0].Assignment))
		assert.False(t, s.held())
		due, err = schema.DueClaims(context.Background(), s.Worker, 10)
		require.NoError(t, err)
		assert.Empty(t, due)
	})

	t.Run("same key in two applications is two objects", func(t *testing.T) {
		s := newSmall(t)
		wiki := s.ApplicationIn("CRM", "wiki", s.owen)
		admin := s.Entitlement(wiki, "admin")
		one, two := s.approved(time.Hour), s.Request(s.ann, 2*time.Hour, admin)
		s.Approve(s.owen, two)
		require.NoError(t, s.grant(one.Items[0]))
		assert.False(t, s.target.holds("ann", "wiki/admin"))
		require.NoError(t, s.grant(two.Items[0]))
		s.Shift(time.Hour)
		require.NoError(t, s.revoke(s.Claim(one.Items[0])))
		assert.False(t, s.held())
		assert.True(t, s.target.holds("ann", "wiki/admin"))
	})

	t.Run("errors name no people in Temporal where that is not wanted", func(t *testing.T) {
		s := newSmall(t)
		s.do.Options.ShowPeople = false
		asked := s.approved(0)
		s.target.next("grant", doesNothing)
		err := s.grant(asked.Items[0])
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "ann")
		slow := newBlocked()
		s.target.next("grant", slow.do)
		done := make(chan error, 1)
		go func() { done <- s.grant(asked.Items[0]) }()
		<-slow.reached
		err = s.grant(asked.Items[0])
		assert.NotContains(t, err.Error(), "ann")
		assert.True(t, activities.IsBusy(err), "and the sweep still knows that nothing is wrong")
		close(slow.release)
		require.NoError(t, <-done)
	})

	t.Run("target that is not configured is waited for", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		s.do.Reconciler.Targets = &activities.Targets{Open: notConfigured(t)}
		require.Error(t, s.grant(asked.Items[0]))
		assert.Equal(t, "approved", s.State(asked.Items[0]))
		assert.Equal(t, "target_denied", s.problem(asked.Items[0]))
		assignment, err := schema.AssignmentOfItem(context.Background(), s.Worker, asked.Items[0])
		require.NoError(t, err)
		var denied *connector.Denied
		require.ErrorAs(t, s.do.Reconciler.Reconcile(context.Background(), assignment), &denied)
		assert.Contains(t, denied.Do, "TARGET_CRM_URL")
	})

	t.Run("claim is never written twice or changed", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		claim := s.Claim(asked.Items[0])
		for _, change := range []string{
			`update claims set ended_at = app_now() where id = $1; update claims set ended_at = null where id = $1`,
			`update claims set granted_at = app_now() where id = $1`,
		} {
			_, err := s.Worker.Exec(replaceID(change, claim))
			assert.Error(t, err, change)
		}
		_, err := s.Worker.Exec(replaceID(`update claims set ends_at = ends_at + interval '1 day' where id = $1`, claim))
		assert.ErrorContains(t, err, "permission denied")
		_, err = s.Worker.Exec(`insert into claims (person_id, account_id, entitlement_id, source) values ($1, $2, $3, 'birthright')`, s.ann, s.Account(s.ann, s.admin), s.admin)
		assert.ErrorContains(t, err, "may not make claims of source birthright")
		_, err = s.Worker.Exec(`insert into claims (person_id, account_id, entitlement_id, source, item_id) values ($1, $2, $3, 'request', $4)`,
			s.ann, s.Account(s.ann, s.admin), s.admin, sql.NullInt64{Int64: asked.Items[0], Valid: true})
		assert.Error(t, err)
	})
}

// refusals are the alerts that say why nothing was granted.
func (s small) refusals() []string {
	s.t.Helper()
	refusals := []string{}
	require.NoError(s.t, s.Select(&refusals, `select details->>'problem' from audit_events where alert and action = 'giving refused'`))
	return refusals
}

// notConfigured is what kinds answers without any configuration.
func notConfigured(t *testing.T) func(kind, instance string) (connector.Connector, connector.Limits, error) {
	t.Helper()
	config, err := kinds.Read("", func(string) string { return "" })
	require.NoError(t, err)
	return func(_, instance string) (connector.Connector, connector.Limits, error) {
		return config.Open("postgresql", instance)
	}
}

func replaceID(statement string, id int64) string {
	return fmt.Sprintf("do $$ begin %s; end $$", strings.ReplaceAll(statement, "$1", fmt.Sprint(id)))
}
