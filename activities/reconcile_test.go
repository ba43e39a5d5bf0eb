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

// approved returns an approved request of Ann's; 0: permanent.
func (s small) approved(lasts time.Duration) schematest.Asked {
	s.t.Helper()
	asked := s.Request(s.ann, lasts, s.admin)
	s.Approve(s.owen, asked)
	return asked
}

// problem returns the code of an item's problem.
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
			schematest.Value[time.Time](s.World, `select ends_at from claims where id = $1`, claim)), "the end is scheduled")

		require.NoError(t, s.revoke(claim))
		assert.True(t, s.held(), "not before the end")

		s.Shift(24 * time.Hour)
		require.NoError(t, s.revoke(claim))
		assert.False(t, s.held())
		assert.Equal(t, "ended", s.State(asked.Items[0]))
		assert.True(
			t,
			schematest.Value[bool](
				s.World,
				`select ended_at is not null and removed_at is not null and due_at is null from claims where id = $1`,
				claim,
			),
		)
		assert.Equal(t, 1, s.Audited(schema.AccessGranted))
		assert.Equal(t, 1, s.Audited(schema.AccessRevoked))
	})

	t.Run("nothing is granted without proof", func(t *testing.T) {
		undecided := func(s small, asked schematest.Asked) {
			s.Do(`update request_items set state = 'approved' where id = $1`, asked.Items[0])
		}
		// Written without triggers, as the database's owner could.
		forged := func(change string) func(s small, asked schematest.Asked) {
			return func(s small, asked schematest.Asked) {
				s.Approve(s.owen, asked)
				tx := s.MustBegin()
				defer tx.Rollback() //nolint:errcheck // does nothing after the commit
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
			forge   func(small, schematest.Asked)
			problem string
		}{
			"no decision":               {undecided, unapproved},
			"denial":                    {forged(`update decisions set outcome = 'deny', reason = 'no'`), unapproved},
			"decision by the requester": {forged(`update decisions set decided_by = (select requester_id from access_requests)`), "approved_by_requester"},
			"requester as approver": {forged(`update decisions set decided_by = (select requester_id from access_requests);
			update approval_candidates set person_id = (select requester_id from access_requests)`), "approved_by_requester"},
			"decision by a person who is not an approver": {forged(`update decisions set decided_by = (select max(id) from people)`), notAsked},
			"decision by policy without such a rule":      {forged(`update decisions set decided_by = null, approval_id = null`), notAsked},
			"changed note":                                {forged(`update access_requests set note = 'and more'`), otherTerms},
			"changed object":                              {forged(`update entitlements set target = 'crm/superuser'`), otherTerms},
			"changed end":                                 {forged(`update access_requests set ends_at = ends_at + interval '1 day'`), otherTerms},
			"account of another person":                   {forged(`update accounts set person_id = (select max(id) from people)`), "account_of_other_person"},
			"changed account":                             {forged(`update accounts set account = 'mallory'`), otherTerms},
			"suspended requester":                         {forged(`update people set status = 'suspended' where id = (select requester_id from access_requests)`), "requester_inactive"},
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
				assert.Equal(t, []string{c.problem}, s.refusals())
			})
		}
		t.Run("item that waits for approval is left alone", func(t *testing.T) {
			s := newSmall(t)
			asked := s.Request(s.ann, time.Hour, s.admin)
			s.Ask(asked, asked.Items, s.owen)
			s.target.set("ann", "crm/admin", true) // access that we did not grant stays too
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
		assert.Equal(t, "provisioning", s.State(asked.Items[0]), "not active before the target confirms it")
		assert.Equal(t, "target_unavailable", s.problem(asked.Items[0]))
		require.NoError(t, s.grant(asked.Items[0]))
		assert.Equal(t, "active", s.State(asked.Items[0]))
		assert.Empty(t, s.problem(asked.Items[0]))
		assert.Equal(t, 1, s.Claims(s.ann, s.admin, "request"))
		assert.Zero(t, s.Claims(s.ann, s.admin, "unexpected"), "access that we granted is not unexpected")
		assert.Equal(
			t,
			1,
			s.target.called("grant"),
			"existing access is not granted again, as some targets would send a second invitation",
		)
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
		assert.Equal(t, 1, s.target.called("revoke"), "access that is gone is not revoked again")
		s.targetsMatchClaims()
	})

	t.Run("change that the target reports but does not show is retried", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		s.target.next("grant", doesNothing)
		require.ErrorContains(t, s.grant(asked.Items[0]), "shows it as not held")
		assert.Equal(t, "provisioning", s.State(asked.Items[0]))
		require.NoError(t, s.grant(asked.Items[0]))
		s.Shift(time.Hour)
		s.target.next("revoke", doesNothing)
		require.Error(t, s.revoke(s.Claim(asked.Items[0])))
		assert.Equal(t, "active", s.State(asked.Items[0]), "it ends only once the access is gone")
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
		assert.True(
			t,
			schematest.Value[bool](
				s.World,
				`select due_at = ends_at + interval '2 minutes' from claims where item_id = $1`,
				asked.Items[0],
			),
			"the end is scheduled before the first change",
		)
		// The worker's connection breaks, and the lock with it. The target still makes the change.
		assert.Equal(t, 1, schematest.Value[int](s.World, `
		select count(*) from (select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())) t`))
		close(crash.release)
		require.Error(t, <-done)
		claim := s.Claim(asked.Items[0])
		assert.True(t, s.held())
		assert.Equal(t, "provisioning", s.State(asked.Items[0]))
		assert.True(
			t,
			schematest.Value[bool](s.World, `select due_at <= app_now() from claims where id = $1`, claim),
			"the sweep reconciles it at once",
		)
		require.NoError(t, s.grant(asked.Items[0]))
		assert.Equal(t, "active", s.State(asked.Items[0]))
		assert.Equal(t, 1, s.Claims(s.ann, s.admin, "request"))
		assert.Zero(t, s.Claims(s.ann, s.admin, "unexpected"))
		s.sweep()
		assert.True(t, s.held())
		s.Shift(time.Hour + 2*time.Minute)
		s.sweep()
		assert.False(t, s.held(), "the end is still scheduled")
	})

	t.Run("assignment whose lock was lost is checked again", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(0)
		late := newBlocked()
		s.target.next("grant", late.do)
		done := make(chan error, 1)
		go func() { done <- s.grant(asked.Items[0]) }()
		<-late.reached
		s.Do(
			`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
		)
		// Meanwhile another attempt grants it, the holder removes it, and it is revoked.
		require.NoError(t, s.grant(asked.Items[0]))
		claim := s.Claim(asked.Items[0])
		_, err := s.SlackApp.RemoveAccess(context.Background(), claim, s.ann)
		require.NoError(t, err)
		require.NoError(t, s.revoke(claim))
		require.False(t, s.held())
		close(late.release)
		require.Error(t, <-done)
		require.True(t, s.held(), "the late change took effect")

		due, err := schema.DueClaims(context.Background(), s.Worker, 10)
		require.NoError(t, err)
		require.Len(t, due, 1)
		require.NoError(t, s.do.Reconciler.Reconcile(context.Background(), due[0].Assignment))
		assert.False(t, s.held())
		due, err = schema.DueClaims(context.Background(), s.Worker, 10)
		require.NoError(t, err)
		assert.Empty(t, due)
	})

	t.Run("same key in two applications means two objects", func(t *testing.T) {
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

	t.Run("errors name no people in Temporal without ShowPeople", func(t *testing.T) {
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
		assert.True(t, activities.IsBusy(err), "the sweep can still tell that it is busy")
		close(slow.release)
		require.NoError(t, <-done)
	})

	t.Run("target without configuration keeps the item waiting", func(t *testing.T) {
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
		assert.Contains(t, denied.Fix, "TARGET_CRM_URL")
	})

	t.Run("claim is recorded once and never changed", func(t *testing.T) {
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
		_, err = s.Worker.Exec(
			`insert into claims (person_id, account_id, entitlement_id, source) values ($1, $2, $3, 'imported')`,
			s.ann,
			s.Account(s.ann, s.admin),
			s.admin,
		)
		assert.ErrorContains(t, err, "may not make claims of source imported")
		_, err = s.Worker.Exec(
			`insert into claims (person_id, account_id, entitlement_id, source, item_id) values ($1, $2, $3, 'request', $4)`,
			s.ann,
			s.Account(s.ann, s.admin),
			s.admin,
			sql.NullInt64{Int64: asked.Items[0], Valid: true},
		)
		assert.Error(t, err)
	})
}

// refusals returns the problems in the alerts about refused grants.
func (s small) refusals() []string {
	s.t.Helper()
	refusals := []string{}
	require.NoError(
		s.t,
		s.Select(&refusals, `select details->>'problem' from audit_events where alert and action = 'provisioning.refused'`),
	)
	return refusals
}

// notConfigured opens connectors without any configuration.
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
