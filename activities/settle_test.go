package activities_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/activities/connector/kinds"
	"accessbot/schema"
	"accessbot/schema/directory"
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

func (s small) held() bool { return s.target.holds("ann", "crm/admin") }

func TestApprovedAccessIsGivenAndTakenBackAtItsEnd(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(24 * time.Hour)
	require.NoError(t, s.give(asked.Items[0]))
	assert.True(t, s.held())
	assert.Equal(t, "active", s.State(asked.Items[0]))
	claim := s.Claim(asked.Items[0])
	assert.Equal(t, 2*time.Minute, schematest.Value[time.Time](s.World, `select due_at from claims where id = $1`, claim).Sub(
		schematest.Value[time.Time](s.World, `select ends_at from claims where id = $1`, claim)), "the end is armed")

	require.NoError(t, s.takeBack(claim))
	assert.True(t, s.held(), "not before its end")

	s.Shift(24 * time.Hour)
	require.NoError(t, s.takeBack(claim))
	assert.False(t, s.held())
	assert.Equal(t, "ended", s.State(asked.Items[0]))
	assert.True(t, schematest.Value[bool](s.World, `select ended_at is not null and removed_at is not null and due_at is null from claims where id = $1`, claim))
	assert.Equal(t, 1, s.Audited("given"))
	assert.Equal(t, 1, s.Audited("ended: access is gone"))
}

// refusals are the alerts that say why nothing was given.
func (s small) refusals() []string {
	s.t.Helper()
	refusals := []string{}
	require.NoError(s.t, s.Select(&refusals, `select action from audit_events where alert and action like 'giving refused: %'`))
	return refusals
}

func TestNothingIsGivenWithoutAProof_6_7(t *testing.T) {
	undecided := func(s small, asked schematest.Asked) {
		s.Do(`update request_items set state = 'approved' where id = $1`, asked.Items[0])
	}
	// What the record itself refuses is put there with its triggers off, as somebody might who has the whole database.
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
		unapproved = "nobody approved it"
		notAsked   = "nobody approved it who was asked"
		otherTerms = "the request changed after it was approved"
	)
	for name, c := range map[string]struct {
		forge func(small, schematest.Asked)
		why   string
	}{
		"nobody decided":        {undecided, unapproved},
		"it was denied":         {forged(`update decisions set verdict = 'deny', reason = 'no'`), unapproved},
		"its requester decided": {forged(`update decisions set decided_by = (select requester_id from access_requests)`), "it was approved by its requester"},
		"its requester was asked": {forged(`update decisions set decided_by = (select requester_id from access_requests);
			update approval_candidates set person_id = (select requester_id from access_requests)`), "it was approved by its requester"},
		"somebody decided who was not asked": {forged(`update decisions set decided_by = (select max(id) from people)`), notAsked},
		"no clause of the policy decides":    {forged(`update decisions set decided_by = null, approval_id = null`), notAsked},
		"the note changed":                   {forged(`update access_requests set note = 'and more'`), otherTerms},
		"the object changed":                 {forged(`update entitlements set target = 'crm/superuser'`), otherTerms},
		"the end was moved":                  {forged(`update access_requests set ends_at = ends_at + interval '1 day'`), otherTerms},
		"the account is somebody else's":     {forged(`update accounts set person_id = (select max(id) from people)`), "the account is somebody else's"},
		"the account changed":                {forged(`update accounts set account = 'mallory'`), otherTerms},
		"the requester was suspended":        {forged(`update people set status = 'suspended' where id = (select requester_id from access_requests)`), "the requester is not active any more"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSmall(t)
			s.Person("Zed")
			asked := s.Request(s.ann, time.Hour, s.admin)
			c.forge(s, asked)
			require.NoError(t, s.give(asked.Items[0]))
			assert.Zero(t, s.target.called("give"))
			assert.Zero(t, s.Claim(asked.Items[0]))
			assert.Equal(t, "failed", s.State(asked.Items[0]))
			assert.Equal(t, []string{"giving refused: " + c.why}, s.refusals())
		})
	}
	t.Run("waiting items are left alone, whatever run is started for them", func(t *testing.T) {
		s := newSmall(t)
		asked := s.Request(s.ann, time.Hour, s.admin)
		s.Ask(asked, asked.Items, s.owen)
		s.target.set("ann", "crm/admin", true) // and so is access that is none of our doing
		require.NoError(t, s.give(asked.Items[0]))
		assert.Zero(t, s.target.called("give")+s.target.called("take"))
		assert.Equal(t, "awaiting_approval", s.State(asked.Items[0]))
		assert.True(t, s.held())
	})
}

func TestOneWithoutProofDoesNotStopTheOthersOfTheSeat(t *testing.T) {
	s := newSmall(t)
	forged, good := s.Request(s.ann, time.Hour, s.admin), s.approved(2*time.Hour)
	s.Do(`update request_items set state = 'approved' where id = $1`, forged.Items[0])
	require.NoError(t, s.give(good.Items[0]))
	assert.Equal(t, "failed", s.State(forged.Items[0]))
	assert.Equal(t, "active", s.State(good.Items[0]))
	assert.True(t, s.held())
}

func TestGiveWhoseAnswerWasLostIsRepeatedSafely_21(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(time.Hour)
	s.target.next("give", lostAnswer)
	require.Error(t, s.give(asked.Items[0]))
	assert.Equal(t, "provisioning", s.State(asked.Items[0]), "not said before it is known")
	assert.Contains(t, schematest.Value[string](s.World, `select problem from request_items where id = $1`, asked.Items[0]), "retrying")
	require.NoError(t, s.give(asked.Items[0]))
	assert.Equal(t, "active", s.State(asked.Items[0]))
	assert.Empty(t, schematest.Value[string](s.World, `select problem from request_items where id = $1`, asked.Items[0]))
	assert.Equal(t, 1, s.Claims(s.ann, s.admin, "request"))
	assert.Zero(t, s.Claims(s.ann, s.admin, "found"), "44: what we gave ourselves is not found")
	assert.Equal(t, 1, s.target.called("give"), "what is there already is not given again: some targets would send a second invitation")
}

func TestTakeWhoseAnswerWasLostIsRepeatedSafely(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(time.Hour)
	require.NoError(t, s.give(asked.Items[0]))
	s.Shift(time.Hour)
	s.target.next("take", lostAnswer)
	require.Error(t, s.takeBack(s.Claim(asked.Items[0])))
	require.NoError(t, s.takeBack(s.Claim(asked.Items[0])))
	assert.Equal(t, "ended", s.State(asked.Items[0]))
	assert.Equal(t, 1, s.target.called("take"), "what is gone already is not taken again")
	s.targetsShowWhatClaimsSay()
}

func TestLieOfATargetIsNotBelieved(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(time.Hour)
	s.target.next("give", lies)
	require.ErrorContains(t, s.give(asked.Items[0]), "but shows it as not held")
	assert.Equal(t, "provisioning", s.State(asked.Items[0]))
	require.NoError(t, s.give(asked.Items[0]))
	s.Shift(time.Hour)
	s.target.next("take", lies)
	require.Error(t, s.takeBack(s.Claim(asked.Items[0])))
	assert.Equal(t, "active", s.State(asked.Items[0]), "ended is only said when access really went")
	require.NoError(t, s.takeBack(s.Claim(asked.Items[0])))
	s.targetsShowWhatClaimsSay()
}

func TestCrashAfterTheTargetChangedConverges_22_44(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(time.Hour)
	crash := newHeldUp()
	s.target.next("give", crash.do)
	done := make(chan error, 1)
	go func() { done <- s.give(asked.Items[0]) }()
	<-crash.reached
	assert.True(t, schematest.Value[bool](s.World, `select due_at = ends_at + interval '2 minutes' from claims where item_id = $1`, asked.Items[0]), "its end is armed before anything changes")
	// The worker's hold on the record goes, and with it the lock: the change arrives all the same.
	assert.Equal(t, 1, schematest.Value[int](s.World, `
		select count(*) from (select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())) t`))
	close(crash.release)
	require.Error(t, <-done)
	claim := s.Claim(asked.Items[0])
	assert.True(t, s.held())
	assert.Equal(t, "provisioning", s.State(asked.Items[0]))
	assert.True(t, schematest.Value[bool](s.World, `select due_at <= app_now() from claims where id = $1`, claim), "and the sweep looks at it at once")
	require.NoError(t, s.give(asked.Items[0]))
	assert.Equal(t, "active", s.State(asked.Items[0]))
	assert.Equal(t, 1, s.Claims(s.ann, s.admin, "request"))
	assert.Zero(t, s.Claims(s.ann, s.admin, "found"))
	s.sweep()
	assert.True(t, s.held())
	s.Shift(time.Hour + 2*time.Minute)
	s.sweep()
	assert.False(t, s.held(), "its end is armed still")
}

func TestSeatWhoseLockWasLostIsLookedAtAgain(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(0)
	late := newHeldUp()
	s.target.next("give", late.do)
	done := make(chan error, 1)
	go func() { done <- s.give(asked.Items[0]) }()
	<-late.reached
	s.Do(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`)
	// Meanwhile it is given by another attempt, given back, and taken back: all of that is recorded.
	require.NoError(t, s.give(asked.Items[0]))
	claim := s.Claim(asked.Items[0])
	_, err := s.SlackApp.GiveBack(context.Background(), claim, s.ann)
	require.NoError(t, err)
	require.NoError(t, s.takeBack(claim))
	require.False(t, s.held())
	close(late.release)
	require.Error(t, <-done)
	require.True(t, s.held(), "the late change has come after all")

	due, err := schema.DueClaims(context.Background(), s.Worker, 10)
	require.NoError(t, err)
	require.Len(t, due, 1)
	require.NoError(t, s.do.Settler.Settle(context.Background(), due[0].Seat))
	assert.False(t, s.held())
	due, err = schema.DueClaims(context.Background(), s.Worker, 10)
	require.NoError(t, err)
	assert.Empty(t, due)
}

func TestAccessStaysUntilTheLastOfTwoRequestsEnds_26(t *testing.T) {
	s := newSmall(t)
	first, second := s.approved(time.Hour), s.approved(3*time.Hour)
	require.NoError(t, s.give(first.Items[0])) // settles the seat for both
	require.NoError(t, s.give(second.Items[0]))
	assert.Equal(t, 1, s.target.called("give"))
	s.Shift(time.Hour)
	require.NoError(t, s.takeBack(s.Claim(first.Items[0])))
	assert.True(t, s.held())
	assert.Equal(t, "ended", s.State(first.Items[0]))
	assert.Equal(t, 1, s.Audited("ended: access stays for another reason"))
	assert.False(t, schematest.Value[bool](s.World, `select removed_at is not null from claims where id = $1`, s.Claim(first.Items[0])))
	s.Shift(2 * time.Hour)
	require.NoError(t, s.takeBack(s.Claim(second.Items[0])))
	assert.False(t, s.held())
	assert.Equal(t, 2, schematest.Value[int](s.World, `select count(removed_at) from claims`), "gone is gone for both")
}

func TestAccessStaysForABirthrightOrAnImportedClaim_27(t *testing.T) {
	for _, source := range []string{"imported", "birthright"} {
		t.Run(source, func(t *testing.T) {
			s := newSmall(t)
			s.Do(`insert into claims (person_id, account_id, entitlement_id, source, given_at) values ($1, $2, $3, $4, app_now())`,
				s.ann, s.Account(s.ann, s.admin), s.admin, source)
			s.target.set("ann", "crm/admin", true)
			asked := s.approved(time.Hour)
			require.NoError(t, s.give(asked.Items[0]))
			s.Shift(time.Hour)
			require.NoError(t, s.takeBack(s.Claim(asked.Items[0])))
			assert.True(t, s.held())
			assert.Equal(t, "ended", s.State(asked.Items[0]))
			assert.Zero(t, s.Claims(s.ann, s.admin, "found"), "it was known before")
		})
	}
}

func TestAccessThatWasThereBeforeUsStays(t *testing.T) {
	s := newSmall(t)
	s.target.set("ann", "crm/admin", true)
	asked := s.approved(time.Hour)
	require.NoError(t, s.give(asked.Items[0]))
	assert.Equal(t, 1, s.Claims(s.ann, s.admin, "found"))
	assert.Equal(t, 1, s.Alerts("found access that was there before"))
	s.Shift(time.Hour)
	require.NoError(t, s.takeBack(s.Claim(asked.Items[0])))
	assert.True(t, s.held())

	again := s.approved(time.Hour)
	require.NoError(t, s.give(again.Items[0]))
	assert.Equal(t, 1, s.Claims(s.ann, s.admin, "found"), "found once")
}

func TestAccessThatWasThereBeforeUsStaysWhenGivingIsRefused(t *testing.T) {
	s := newSmall(t)
	s.target.set("ann", "crm/admin", true)
	asked := s.approved(time.Hour)
	s.Shift(2 * time.Hour)
	require.NoError(t, s.give(asked.Items[0]), "its end has passed")
	assert.True(t, s.held())
	assert.Zero(t, s.target.called("take"))
}

func TestEndWhileTheTargetIsDownIsNotMistakenForFoundAccess_45(t *testing.T) {
	s := newSmall(t)
	a := s.approved(time.Hour)
	require.NoError(t, s.give(a.Items[0]))
	s.Shift(time.Hour)
	s.target.always("take", refusesConnection)
	require.Error(t, s.takeBack(s.Claim(a.Items[0])))
	b := s.approved(time.Hour)
	require.NoError(t, s.give(b.Items[0]))
	assert.Zero(t, s.Claims(s.ann, s.admin, "found"))
	assert.True(t, s.held())
	s.target.mend()
	s.Shift(time.Hour)
	require.NoError(t, s.takeBack(s.Claim(b.Items[0])))
	assert.False(t, s.held())
	assert.Equal(t, 2, schematest.Value[int](s.World, `select count(removed_at) from claims`))
}

func TestFailedItemThatWasGivenAfterAllIsNotMistakenForFoundAccess(t *testing.T) {
	s := newSmall(t)
	a := s.approved(0)
	s.target.next("give", lostAnswer)
	require.Error(t, s.give(a.Items[0]))
	s.target.next("read", refusesConnection)
	require.NoError(t, s.do.FailItem(context.Background(), activities.ItemInput{ItemID: a.Items[0]}))
	b := s.approved(time.Hour)
	require.NoError(t, s.give(b.Items[0]))
	assert.Zero(t, s.Claims(s.ann, s.admin, "found"))
	s.Shift(time.Hour)
	require.NoError(t, s.takeBack(s.Claim(b.Items[0])))
	assert.False(t, s.held())
}

func TestExportTakenDuringATemporaryGrantIsNoReasonToKeepIt_46(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(time.Hour)
	require.NoError(t, s.give(asked.Items[0]))
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "grants.csv"), []byte("email,application,key\nann@example.com,crm,admin\n"), 0o600))
	summary, err := directory.Import(context.Background(), s.As(t, "accessbot_directory"), dir, directory.Options{Connectors: map[string]int{"fake": 0}})
	require.NoError(t, err)
	assert.Equal(t, 1, summary.LeftOut)
	s.Shift(time.Hour)
	require.NoError(t, s.takeBack(s.Claim(asked.Items[0])))
	assert.False(t, s.held())
}

func TestRemovedByHandIsFineAndAddedByHandIsLeftAlone_28(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(time.Hour)
	require.NoError(t, s.give(asked.Items[0]))
	s.target.set("ann", "crm/admin", false)
	s.Shift(time.Hour)
	require.NoError(t, s.takeBack(s.Claim(asked.Items[0])))
	assert.Equal(t, "ended", s.State(asked.Items[0]))
	assert.Zero(t, s.target.called("take"))

	s.target.set("ann", "crm/admin", true)
	require.NoError(t, s.takeBack(s.Claim(asked.Items[0])))
	assert.True(t, s.held(), "not ours to remove")
}

func TestSameKeyInTwoApplicationsIsTwoObjects_42(t *testing.T) {
	s := newSmall(t)
	wiki := s.ApplicationIn("CRM", "wiki", s.owen)
	admin := s.Entitlement(wiki, "admin")
	one, two := s.approved(time.Hour), s.Request(s.ann, 2*time.Hour, admin)
	s.Approve(s.owen, two)
	require.NoError(t, s.give(one.Items[0]))
	assert.False(t, s.target.holds("ann", "wiki/admin"))
	require.NoError(t, s.give(two.Items[0]))
	s.Shift(time.Hour)
	require.NoError(t, s.takeBack(s.Claim(one.Items[0])))
	assert.False(t, s.held())
	assert.True(t, s.target.holds("ann", "wiki/admin"))
}

func TestWithdrawnBetweenApprovalAndGivingIsNotGiven(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(0)
	items, err := s.SlackApp.Withdraw(context.Background(), asked.ID, s.ann)
	require.NoError(t, err)
	assert.Equal(t, asked.Items, items)
	require.NoError(t, s.give(asked.Items[0]))
	assert.Zero(t, s.target.called("give"))
	s.advance(asked.ID)
	assert.Equal(t, "withdrawn", s.State(asked.Items[0]))
}

// A withdrawal that is being recorded, of a request that came in after the seat's requests were locked, is waited for.
func TestWithdrawalThatIsBeingRecordedIsHonoured(t *testing.T) {
	s := newSmall(t)
	old := s.approved(0)
	hold := s.MustBegin()
	defer hold.Rollback() //nolint:errcheck // at the end of the test
	hold.MustExec(`select from access_requests where id = $1 for update`, old.ID)
	done := make(chan error, 1)
	go func() { done <- s.give(old.Items[0]) }()
	s.waitForLock()
	// While the settling waits for the first request, a second one comes that far.
	young := s.approved(0)
	withdrawal := s.SlackApp.MustBegin()
	defer withdrawal.Rollback() //nolint:errcheck // after the commit it has nothing to do
	withdrawal.MustExec(`insert into releases (item_id, person_id, kind) values ($1, $2, 'withdrawn')`, young.Items[0], s.ann)
	var withdrawing int
	require.NoError(t, withdrawal.Get(&withdrawing, `select pg_backend_pid()`))
	require.NoError(t, hold.Rollback())
	require.Eventually(t, func() bool {
		return s.State(old.Items[0]) == "active" || schematest.Value[bool](s.World, `select exists (select from pg_stat_activity where $1 = any(pg_blocking_pids(pid)))`, withdrawing)
	}, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, withdrawal.Commit())
	require.NoError(t, <-done)
	assert.Zero(t, s.Claim(young.Items[0]))
	s.advance(young.ID)
	assert.Equal(t, "withdrawn", s.State(young.Items[0]))
	assert.Equal(t, "active", s.State(old.Items[0]))
}

// waiting is how many sessions of this database wait for a lock.
func (c *company) waiting() int {
	return schematest.Value[int](c.World, `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
}

func (c *company) waitForLock() {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return c.waiting() > 0 }, 10*time.Second, 2*time.Millisecond)
}

func TestReleaseOfAnImportedClaimThatIsBeingRecordedIsHonoured(t *testing.T) {
	s := newSmall(t)
	claim := s.Imported(s.ann, s.admin)
	s.target.set("ann", "crm/admin", true)
	release := s.SlackApp.MustBegin()
	defer release.Rollback() //nolint:errcheck // after the commit it has nothing to do
	release.MustExec(`insert into releases (claim_id, person_id, kind) values ($1, $2, 'given_back')`, claim, s.ann)
	done := make(chan error, 1)
	go func() { done <- s.takeBack(claim) }()
	s.waitForLock()
	require.NoError(t, release.Commit())
	require.NoError(t, <-done)
	assert.False(t, s.held())
	assert.True(t, schematest.Value[bool](s.World, `select removed_at is not null from claims where id = $1`, claim))
}

// The clock goes on between any two statements of an attempt: wherever the end falls, access does not outlive it unseen.
func TestEndBetweenAnyTwoStatementsIsNotLost(t *testing.T) {
	s := newSmall(t)
	for seconds := range 30 {
		asked := s.approved(time.Duration(seconds+1) * time.Hour)
		item := asked.Items[0]
		// Every look at the clock finds it an hour later.
		s.Do(`create sequence looks; grant usage on sequence looks to public`)
		s.Do(`create or replace function app_now() returns timestamptz language sql stable security definer set search_path = pg_catalog, public, pg_temp
			as $$ select clock_timestamp() + (select shift from public.clock) + nextval('public.looks') * interval '1 hour' $$`)
		err := s.give(item)
		s.Do(`update clock set shift = shift + nextval('looks') * interval '1 hour'`)
		s.Do(`create or replace function app_now() returns timestamptz language sql stable security definer set search_path = pg_catalog, public, pg_temp
			as $$ select clock_timestamp() + (select shift from public.clock) $$`)
		s.Do(`drop sequence looks`)
		if err != nil {
			require.ErrorContains(t, err, schema.ErrNoProof.Error(), "the end passed while the claim was written")
		}
		s.advance(asked.ID)
		s.Shift(1000 * time.Hour)
		for _, step := range s.advance(asked.ID).TakeBack {
			require.NoError(t, s.takeBack(step.ID))
		}
		require.False(t, s.held(), "an end %d looks away", seconds+1)
	}
}

func TestConcurrentAttemptsGiveOnce(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(time.Hour)
	slow := newHeldUp()
	s.target.next("give", slow.do)
	first := make(chan error, 1)
	go func() { first <- s.give(asked.Items[0]) }()
	<-slow.reached
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			err := s.give(asked.Items[0])
			assert.ErrorContains(t, err, "somebody else")
			assert.InDelta(t, 2.5, retryDelay(t, err).Seconds(), 0.5, "soon, and not all at once")
		})
	}
	group.Wait()
	assert.Empty(t, schematest.Value[string](s.World, `select problem from request_items where id = $1`, asked.Items[0]), "nothing is wrong")
	close(slow.release)
	require.NoError(t, <-first)
	assert.Equal(t, 1, s.target.called("give"))
	assert.Equal(t, 1, s.Claims(s.ann, s.admin, "request"))
}

func TestErrorsNameNobodyInTemporalWhereThatIsNotWanted(t *testing.T) {
	s := newSmall(t)
	s.do.Options.ShowPeople = false
	asked := s.approved(0)
	s.target.next("give", lies)
	err := s.give(asked.Items[0])
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "ann")
	slow := newHeldUp()
	s.target.next("give", slow.do)
	done := make(chan error, 1)
	go func() { done <- s.give(asked.Items[0]) }()
	<-slow.reached
	err = s.give(asked.Items[0])
	assert.NotContains(t, err.Error(), "ann")
	assert.True(t, activities.IsBusy(err), "and the sweep still knows that nothing is wrong")
	close(slow.release)
	require.NoError(t, <-done)
}

func TestCancelledAttemptsLeaveNoLock(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(0)
	seat, err := schema.SeatOfItem(context.Background(), s.Worker, asked.Items[0])
	require.NoError(t, err)
	for after := range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(after)*200*time.Microsecond)
		_ = s.do.Settler.Settle(ctx, seat) // whether it came through is not the question
		cancel()
	}
	require.Eventually(t, func() bool {
		return schematest.Value[int](s.World, `select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`) == 0
	}, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, s.settle(asked.Items[0]))
	assert.True(t, s.held())
}

// Whoever waits for a request holds nothing of it: otherwise two would wait for each other.
func TestAlertsAndNotesLockTheRequestFirst(t *testing.T) {
	for name, note := range map[string]func(s small, item, claim int64) error{
		"overdue": func(s small, _, claim int64) error {
			_, err := s.Worker.AlertOverdue(context.Background(), claim, time.Minute, "Unavailable")
			return err
		},
		"retrying": func(s small, item, _ int64) error {
			return s.Worker.SayRetrying(context.Background(), item, "retrying")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSmall(t)
			asked := s.approved(time.Hour)
			s.target.next("give", lies)
			require.Error(t, s.give(asked.Items[0]))
			s.Do(`update request_items set problem = ''`)
			s.Shift(2 * time.Hour)
			item, claim := asked.Items[0], s.Claim(asked.Items[0])
			hold := s.MustBegin()
			defer hold.Rollback() //nolint:errcheck // after the commit it has nothing to do
			hold.MustExec(`select from access_requests where id = $1 for update`, asked.ID)
			done := make(chan error, 1)
			go func() { done <- note(s, item, claim) }()
			s.waitForLock()
			_, err := hold.Exec(`select from request_items i join claims c on c.item_id = i.id for update nowait`)
			require.NoError(t, err)
			require.NoError(t, hold.Commit())
			require.NoError(t, <-done)
		})
	}
}

func TestTargetThatIsNotConfiguredFailsTheItem(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(0)
	s.do.Settler.Targets = &activities.Targets{Open: notConfigured(t)}
	require.NoError(t, s.give(asked.Items[0]))
	assert.Equal(t, "failed", s.State(asked.Items[0]))
	seat, err := schema.SeatOfItem(context.Background(), s.Worker, asked.Items[0])
	require.NoError(t, err)
	var denied *connector.Denied
	require.ErrorAs(t, s.do.Settler.Settle(context.Background(), seat), &denied)
	assert.Contains(t, denied.Do, "TARGET_CRM_URL")
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

func TestClaimIsNeverWrittenTwiceOrChanged(t *testing.T) {
	s := newSmall(t)
	asked := s.approved(time.Hour)
	require.NoError(t, s.give(asked.Items[0]))
	claim := s.Claim(asked.Items[0])
	for _, change := range []string{
		`update claims set ended_at = app_now() where id = $1; update claims set ended_at = null where id = $1`,
		`update claims set given_at = app_now() where id = $1`,
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
}

func replaceID(statement string, id int64) string {
	return fmt.Sprintf("do $$ begin %s; end $$", strings.ReplaceAll(statement, "$1", fmt.Sprint(id)))
}
