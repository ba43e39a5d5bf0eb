package activities_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

// compare compares the CRM with the claims, an hour after the last comparison.
func (s small) compare() schema.ComparisonResult {
	s.t.Helper()
	s.Shift(time.Hour)
	found, err := s.do.Reconciler.CompareTarget(context.Background(), schema.Instance{Instance: "CRM", Connector: "fake"}, time.Hour)
	require.NoError(s.t, err)
	return found
}

// sweep reconciles due claims, as the worker's sweep does.
func (s small) sweep() {
	s.t.Helper()
	due, err := schema.DueClaims(context.Background(), s.Worker, 100)
	require.NoError(s.t, err)
	for _, c := range due {
		require.NoError(s.t, s.do.Reconciler.Reconcile(context.Background(), c.Assignment))
		require.NoError(s.t, schema.RecordAttempt(context.Background(), s.Worker, c.ID))
	}
}

func (s small) corrects() { s.Do(`update applications set on_finding = 'correct'`) }

// findingNotifications counts the notifications about unexpected or missing access.
func (s small) findingNotifications() int {
	s.t.Helper()
	return schematest.Value[int](s.World, `select count(*) from notifications where kind = 'finding'`)
}

func TestComparison(t *testing.T) {
	t.Run("access with a claim is not reported", func(t *testing.T) {
		s := newSmall(t)
		require.NoError(t, s.grant(s.approved(0).Items[0]))
		s.compare()
		found := s.compare()
		assert.Equal(t, schema.ComparisonResult{Listed: 1}, found)
		assert.Zero(t, s.findingNotifications())
	})

	t.Run("incomplete list reports nothing", func(t *testing.T) {
		s := newSmall(t)
		require.NoError(t, s.grant(s.approved(0).Items[0]))
		incomplete := func(context.Context, func()) error { return &connector.Unavailable{Err: errors.New("cut")} }
		s.target.always("list", incomplete)
		for range 3 {
			s.Shift(time.Hour)
			_, err := s.do.Reconciler.CompareTarget(context.Background(), schema.Instance{Instance: "CRM", Connector: "fake"}, time.Hour)
			require.Error(t, err)
		}
		assert.Zero(t, schematest.Value[int](s.World, `select count(*) from findings`))
		assert.Equal(t, "Unavailable", schematest.Value[string](s.World, `select problem from comparisons`))
	})

	t.Run("target is compared once per interval", func(t *testing.T) {
		s := newSmall(t)
		due := func() int {
			instances, err := schema.ComparisonsDue(context.Background(), s.Worker)
			require.NoError(t, err)
			return len(instances)
		}
		require.Equal(t, 1, due())
		s.compare()
		assert.Zero(t, due())
		s.Shift(time.Hour)
		assert.Equal(t, 1, due())
	})
}

func TestUnexpectedAccess(t *testing.T) {
	t.Run("unexpected access is reported once, and again if it returns", func(t *testing.T) {
		s := newSmall(t)
		s.Account(s.ann, s.admin)
		s.target.set("ann", "crm/admin", true)
		s.target.set("stranger", "crm/admin", true)
		s.target.set("ann", "crm/unknown", true)
		assert.Zero(t, s.compare().Reported, "a change can be in progress when it is seen once")
		found := s.compare()
		assert.Equal(t, schema.ComparisonResult{Listed: 3, Unexpected: 2, Reported: 2}, found)
		assert.Zero(t, s.compare().Reported, "it is already known")
		assert.Equal(t, 1, s.findingNotifications())
		assert.Equal(t, 2, s.Alerts(schema.FindingReported))
		s.sweep()
		assert.True(t, s.target.holds("ann", "crm/admin"), "it is only reported")

		s.target.set("ann", "crm/admin", false)
		s.compare()
		assert.Equal(t, 1, s.Audited(schema.FindingClosed))
		s.target.set("ann", "crm/admin", true)
		s.compare()
		assert.Equal(t, int64(1), s.compare().Reported, "it is back, and reported again")
	})

	t.Run("application set to correct gets its access corrected", func(t *testing.T) {
		s := newSmall(t)
		require.NoError(t, s.grant(s.approved(0).Items[0]))
		bob := s.Person("Bob")
		s.Account(bob, s.admin)
		s.target.set("ann", "crm/admin", false)
		s.target.set("bob", "crm/admin", true)
		s.target.set("stranger", "crm/admin", true)
		s.corrects()
		s.compare()
		s.sweep()
		assert.True(t, s.target.holds("bob", "crm/admin"), "not when it is first seen")
		assert.Equal(t, schema.ComparisonResult{Listed: 2, Unexpected: 2, Missing: 1, Reported: 3, Corrected: 2}, s.compare())
		assert.Equal(t, 2, s.Audited(schema.FindingCorrected))
		s.sweep()
		assert.False(t, s.target.holds("bob", "crm/admin"), "unexpected access is revoked")
		assert.True(t, s.target.holds("stranger", "crm/admin"), "but not from accounts that the directory does not know")
		assert.True(t, s.held(), "and missing access of a request is granted again")
		s.targetsMatchClaims()
	})

	t.Run("large amount of unexpected access is only reported", func(t *testing.T) {
		s := newSmall(t)
		s.corrects()
		for i := range 21 {
			s.Account(s.Person(fmt.Sprintf("Person%d", i)), s.admin)
			s.target.set(fmt.Sprintf("person%d", i), "crm/admin", true)
		}
		s.compare()
		assert.Equal(t, schema.ComparisonResult{Listed: 21, Unexpected: 21, Reported: 21}, s.compare())
		s.sweep()
		assert.Equal(t, 21, s.target.holding())
	})

	t.Run("worker makes a claim for it only in an application set to correct", func(t *testing.T) {
		s := newSmall(t)
		account := s.Account(s.ann, s.admin)
		_, err := s.Worker.Exec(
			`insert into claims (person_id, account_id, entitlement_id, source, ended_at) values ($1, $2, $3, 'correction', app_now())`,
			s.ann,
			account,
			s.admin,
		)
		require.ErrorContains(t, err, "only reported, or a claim explains")
		s.corrects()
		_, err = s.Worker.Exec(
			`insert into claims (person_id, account_id, entitlement_id, source) values ($1, $2, $3, 'correction')`,
			s.ann,
			account,
			s.admin,
		)
		require.ErrorContains(t, err, "claims_correction_check", "such a claim is never live")
	})
}

func TestMissingAccess(t *testing.T) {
	t.Run("access removed by hand is only reported", func(t *testing.T) {
		s := newSmall(t)
		item := s.approved(0).Items[0]
		require.NoError(t, s.grant(item))
		s.target.set("ann", "crm/admin", false)
		s.compare()
		assert.Equal(t, schema.ComparisonResult{Missing: 1, Reported: 1}, s.compare())
		s.sweep()
		assert.False(t, s.held(), "it is only reported")
		assert.Equal(t, "active", s.State(item))
	})

	t.Run("imported access is not granted again", func(t *testing.T) {
		s := newSmall(t)
		s.Imported(s.ann, s.admin)
		s.corrects()
		s.compare()
		assert.Equal(t, int64(1), s.compare().Missing)
		s.sweep()
		assert.False(t, s.held())
	})
}
