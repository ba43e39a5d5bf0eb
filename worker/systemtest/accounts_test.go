package systemtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newcomer is a person of the sample directory who has no account in any target yet.
const newcomer = "nadia"

// hasAccount reports whether the target has a login for a person, and checks that it has no rights of its own.
func (s *system) hasAccount(person string) bool {
	s.t.Helper()
	var attributes []string
	require.NoError(s.t, s.target.Select(&attributes, `
		select concat_ws(' ', rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolpassword is null)
		  from pg_authid where rolname = $1`, s.email(person)))
	if len(attributes) == 0 {
		return false
	}
	require.Equal(s.t, []string{"t f f f f f t"}, attributes)
	return true
}

func TestAccountCreation(t *testing.T) {
	t.Parallel()
	t.Run("first request of a newcomer creates the account and ends like any other", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		require.False(t, s.hasAccount(newcomer))
		s.startWorker()
		s.startSlackApp()

		nadia := s.open(newcomer)
		nadia.Pick("Person", "priya", "Priya Nair")
		nadia.Tick("Analyst sandbox", "Marketing marts")
		nadia.Choose("Duration", "Temporary")
		nadia.WaitForModal("End date")
		nadia.PickDate("End date", inDays(3))
		nadia.Choose("Reason", "New role or team")
		nadia.SubmitAccepted()
		request := number(t, nadia.WaitForMessage("has been successfully created and sent for approval").Text())
		bob := s.as("bob")
		bob.PressIn(bob.WaitForMessage("Nadia Berger requests"), "Approve")
		nadia.WaitForMessage(fmt.Sprintf("#%d is active", request))
		require.True(t, s.hasAccount(newcomer))
		require.True(t, s.holds(newcomer, "warehouse", "sandbox"))
		require.True(t, s.holds(newcomer, "warehouse", "marketing-marts"))

		s.shiftClock(4 * 24 * time.Hour)
		nadia.WaitForMessage(fmt.Sprintf("#%d has ended", request))
		require.False(t, s.holds(newcomer, "warehouse", "sandbox"))
		require.False(t, s.holds(newcomer, "warehouse", "marketing-marts"))
		require.True(t, s.hasAccount(newcomer), "an account is never deleted")
		s.oneClaim(request)
	})

	t.Run("worker killed between account creation and grant continues from there", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		proxy := newProxy(t, s.targetURL)
		real := s.targetURL
		s.targetURL = proxy.url
		s.startWorker()
		request := s.ask(newcomer, "dashboards", "editor", time.Hour)
		proxy.swallowAnswersAfter("CREATE ROLE", "COMMIT")
		s.approve(approver, request)
		s.eventually("the account exists", func() bool { return s.hasAccount(newcomer) })
		require.False(t, s.holds(newcomer, "dashboards", "editor"))
		s.worker.kill()
		s.targetURL = real
		s.startWorker()
		s.eventually("access is granted", func() bool { return s.itemState(request) == "active" })
		require.True(t, s.holds(newcomer, "dashboards", "editor"))
		s.oneClaim(request)
		var found int
		require.NoError(t, s.db.Get(&found, `select count(*) from claims where source = 'unexpected'`))
		require.Zero(t, found)
	})

	t.Run("login that may not create accounts holds the grant up and says what to do", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		_, err := s.target.Exec(fmt.Sprintf(`alter role %q nocreaterole`, "connector_"+s.id))
		require.NoError(t, err)
		s.startWorker()
		request := s.ask(newcomer, "dashboards", "editor", time.Hour)
		s.approve(approver, request)
		s.eventually("the problem is recorded", func() bool { return s.problem(request) == "account_denied" })
		s.as(newcomer).WaitForMessage("waiting until we may create the account " + s.email(newcomer) + " in Dashboards")
		require.False(t, s.hasAccount(newcomer))

		_, err = s.target.Exec(fmt.Sprintf(`alter role %q createrole`, "connector_"+s.id))
		require.NoError(t, err)
		s.eventually("access is granted without a new approval", func() bool { return s.itemState(request) == "active" })
		require.True(t, s.holds(newcomer, "dashboards", "editor"))
	})
}
