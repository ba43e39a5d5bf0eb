package systemtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"accessbot/workflows"
)

func TestTargetOutage(t *testing.T) {
	t.Parallel()
	t.Run("approved access waits for a target that is down", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		proxy := newProxy(t, s.targetURL)
		s.targetURL = proxy.url
		s.startWorker()
		s.startSlackApp()
		request := s.ask("alice", "dashboards", "editor", 24*time.Hour)
		proxy.cut(true)
		s.approve(approver, request)
		s.eventually("the item has a problem", func() bool { return s.problem(request) == "target_unavailable" })
		s.shiftClock(3 * time.Hour)
		owner, administrator := s.as(approver), s.as("dana")
		notification := administrator.WaitForMessage("Approved requests are waiting for Dashboards")
		require.Contains(t, notification.Text(), "Dashboards, which isn't responding")
		require.Empty(
			t,
			owner.WaitForMessage("Approved requests are waiting for Dashboards").Buttons(),
			"only administrators have the button",
		)
		require.Equal(t, "approved", s.itemState(request), "the item stays approved")

		// The button does not wait for the next planned attempt.
		id := workflows.RequestWorkflowID(request)
		s.eventually("the next attempt is half a minute away", func() bool { return s.backsOffFor(id, 30*time.Second) })
		description, err := s.temporal.DescribeWorkflowExecution(t.Context(), id, "")
		require.NoError(t, err)
		require.Less(t, description.WorkflowExecutionInfo.HistoryLength, int64(70), "attempts add no events")
		proxy.cut(false)
		administrator.PressIn(notification, "Retry now")
		s.eventually("access is granted without a new approval", func() bool { return s.itemState(request) == "active" })
		var took float64
		require.NoError(t, s.db.Get(&took, `
		select extract(epoch from c.created_at - o.ordered_at)::float8 from claims c join request_items i on i.id = c.item_id
		  join retry_orders o on o.request_id = i.request_id where i.request_id = $1`, request))
		require.Less(t, took, 10.0)
		administrator.WaitForEdit(notification, "No approved requests are waiting for Dashboards")
		s.as("alice").WaitForMessage(fmt.Sprintf("#%d is active", request))
		var decisions, alerts int
		require.NoError(t, s.db.Get(&decisions, `select count(*) from decisions`))
		require.Equal(t, 1, decisions)
		require.NoError(t, s.db.Get(&alerts, `select count(*) from audit_events where alert and action = 'provisioning.delayed'`))
		require.Equal(t, 1, alerts, "one alert for the outage")
		s.shiftClock(25 * time.Hour)
		s.eventually("access ends", func() bool { return !s.holds("alice", "dashboards", "editor") })
		s.eventually("the run is over", func() bool { return s.runStatus(id) == "Completed" })
		s.keepHistory("retried_by_an_administrator", id)
	})

	t.Run("approved access waits for credentials to be corrected", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		connector := pq.QuoteIdentifier("connector_" + s.id)
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", 24*time.Hour)
		s.target.MustExec(`alter role ` + connector + ` nologin`)
		s.target.MustExec(`select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`, "connector_"+s.id)
		s.target.MustExec(`select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`, "connector_"+s.id)
		s.approve(approver, request)
		s.eventually("the item has a problem", func() bool { return s.problem(request) == "target_denied" })
		s.as("dana").WaitForMessage("Approved requests are waiting for Dashboards")
		s.shiftClock(5 * time.Hour)
		require.Equal(t, "approved", s.itemState(request))
		s.target.MustExec(`alter role ` + connector + ` login`)
		s.eventually("access is granted without a new approval", func() bool { return s.itemState(request) == "active" })
		require.True(t, s.holds("alice", "dashboards", "editor"))
	})

	t.Run("end date that passes meanwhile grants nothing", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		proxy := newProxy(t, s.targetURL)
		s.targetURL = proxy.url
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", time.Hour)
		proxy.cut(true)
		s.approve(approver, request)
		s.eventually("the item has a problem", func() bool { return s.problem(request) == "target_unavailable" })
		s.shiftClock(2 * time.Hour)
		s.signal(request, workflows.SignalDue)
		s.as("alice").WaitForMessage("couldn't be set up")
		require.Contains(
			t,
			s.as("alice").Latest("couldn't be set up").Text(),
			"its end date passed while it was waiting for Dashboards",
		)
		require.Equal(t, "failed", s.itemState(request))
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		proxy.cut(false)
		require.False(t, s.holds("alice", "dashboards", "editor"))
		s.keepHistory("end_while_target_down", workflows.RequestWorkflowID(request))
	})
}

// problem returns the code of an item's problem.
func (s *system) problem(request int64) (code string) {
	s.t.Helper()
	require.NoError(s.t, s.db.Get(&code, `select problem from request_items where request_id = $1`, request))
	return code
}

// backsOffFor reports whether a run's only pending activity waits at least that long for its next attempt.
func (s *system) backsOffFor(workflowID string, d time.Duration) bool {
	description, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), workflowID, "")
	if err != nil || len(description.PendingActivities) != 1 {
		return false
	}
	pending := description.PendingActivities[0]
	return pending.State == enums.PENDING_ACTIVITY_STATE_SCHEDULED && pending.CurrentRetryInterval.AsDuration() >= d
}
