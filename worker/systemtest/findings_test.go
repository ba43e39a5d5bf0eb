package systemtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUnexpectedAccess(t *testing.T) {
	t.Parallel()
	t.Run("access changed by hand is reported to the owners", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		// Before the worker starts: access that was not requested, and access that is gone.
		for _, statement := range []string{`grant %q to %q`, `revoke %q from %q`} {
			object, who := s.object("dashboards", "editor"), s.email("alice")
			if statement[0] == 'r' {
				object, who = s.object("dashboards", "viewer"), s.email("ingrid")
			}
			_, err := s.target.Exec(fmt.Sprintf(statement, object, who))
			require.NoError(t, err)
		}
		s.shiftClock(time.Hour) // recent changes are not compared yet
		s.startWorker("COMPARE_EVERY=1s")
		report := s.as("bob").WaitForMessage("Unexpected or missing access in Dashboards").Text()
		require.Contains(t, report, "1 unexpected: in the application, but not requested here.")
		require.Contains(t, report, "Alice Martin: *Dashboard editor*")
		require.Contains(t, report, "1 missing: granted here, but no longer in the application.")
		require.Contains(t, report, "Ingrid Solberg")
		s.as("lucia").WaitForMessage("Unexpected or missing access in Dashboards")
		require.True(t, s.holds("alice", "dashboards", "editor"), "it is only reported")

		grants := s.runOnce(
			"worker",
			[]string{"grants", "POSTGRESQL"},
			"DATABASE_URL="+s.db.RoleURL("accessbot_auditor"),
			"TARGET_POSTGRESQL_URL="+s.targetURL,
		)
		require.Contains(t, grants, fmt.Sprintf("%s,%s-dashboards,editor\n", s.email("alice"), s.id))
		require.NotContains(t, grants, fmt.Sprintf("%s,%s-dashboards,viewer\n", s.email("ingrid"), s.id))

		checked := s.runOnce(
			"worker",
			[]string{"check"},
			"DATABASE_URL="+s.db.RoleURL("accessbot_auditor"),
			"TARGET_POSTGRESQL_URL="+s.targetURL,
		)
		require.Contains(t, checked, "ok     POSTGRESQL (postgresql): PostgreSQL 1")
		require.Contains(t, checked, "ok     MANUAL (manual)")
	})
}
