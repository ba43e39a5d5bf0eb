package systemtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"accessbot/workflows"
)

// approver is the owner of most applications that these tests request access to, in the sample directory.
const approver = "bob"

func TestDurability(t *testing.T) {
	t.Parallel()
	t.Run("temporary access is granted and revoked by its own timer", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", 20*time.Second)
		s.approve(approver, request)
		s.eventually("access is granted", func() bool { return s.holds("alice", "dashboards", "editor") })
		s.eventually("access is revoked", func() bool { return !s.holds("alice", "dashboards", "editor") })
		s.eventually("the database agrees", func() bool { return s.itemState(request) == "ended" })
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		s.as("alice").WaitForMessage("ended")
		s.keepHistory("approved_temporary", workflows.RequestWorkflowID(request))
	})

	t.Run("worker killed across the end revokes on return", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", time.Hour)
		s.approve(approver, request)
		s.eventually("the item is active", func() bool { return s.itemState(request) == "active" })
		s.worker.kill()
		s.shiftClock(2 * time.Hour)
		require.True(t, s.holds("alice", "dashboards", "editor"), "the worker is not running")
		s.startWorker()
		s.eventually("access is revoked by the restarted worker", func() bool { return !s.holds("alice", "dashboards", "editor") })
		s.eventually("the database agrees", func() bool { return s.itemState(request) == "ended" })
		s.oneClaim(request)
		var late float64
		require.NoError(
			t,
			s.db.Get(
				&late,
				`select (details->>'late_by_seconds')::float8 from audit_events where request_id = $1 and action = 'access.revoked'`,
				request,
			),
		)
		require.Greater(t, late, 3000.0, "the audit says how late it was")
	})

	t.Run("worker killed before its message sends it on return", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		require.NoError(t, s.slack.Away(true))
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", time.Hour)
		s.eventually("the approval is open", func() bool { return s.itemState(request) == "awaiting_approval" })
		s.worker.kill()
		require.NoError(t, s.slack.Away(false))
		s.startWorker()
		s.as("alice").WaitForMessage("has been successfully created and sent for approval")
		s.as(approver).WaitForMessage("Alice Martin")
		s.approve(approver, request)
		s.eventually("access is granted", func() bool { return s.holds("alice", "dashboards", "editor") })
	})

	t.Run("worker killed after the target changed keeps one claim with its end", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		proxy := newProxy(t, s.targetURL)
		real := s.targetURL
		s.targetURL = proxy.url
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", time.Hour)
		proxy.swallowAnswersAfter("GRANT", "COMMIT")
		s.approve(approver, request)
		s.eventually("the target has changed", func() bool { return s.holds("alice", "dashboards", "editor") })
		require.Equal(t, "provisioning", s.itemState(request), "the target's answer was lost")
		s.worker.kill()
		s.targetURL = real
		s.startWorker()
		s.eventually("the grant is recorded", func() bool { return s.itemState(request) == "active" })
		s.oneClaim(request)
		var found int
		require.NoError(t, s.db.Get(&found, `select count(*) from claims where source = 'unexpected'`))
		require.Zero(t, found, "our own grant is not taken for unexpected access")
		s.shiftClock(2 * time.Hour)
		s.eventually("access is revoked at its end", func() bool { return !s.holds("alice", "dashboards", "editor") })
		s.eventually("the database agrees", func() bool { return s.itemState(request) == "ended" })
	})

	t.Run("Temporal killed across the end does not delay the revocation", func(t *testing.T) {
		t.Parallel()
		server := startTemporal(t)
		s := startOn(t, server.address, sample)
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", time.Hour)
		s.approve(approver, request)
		s.eventually("the item is active", func() bool { return s.itemState(request) == "active" })
		server.kill()
		s.shiftClock(2 * time.Hour)
		s.eventually("access is revoked without Temporal", func() bool { return !s.holds("alice", "dashboards", "editor") })
		s.eventually("the database agrees", func() bool { return s.itemState(request) == "ended" })
		server.start()
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		s.oneClaim(request)
	})

	t.Run("terminated run is started again and continues", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		waiting := s.ask("alice", "dashboards", "editor", time.Hour)
		s.as(approver).WaitForMessage("Alice Martin")
		require.NoError(t, s.temporal.TerminateWorkflow(t.Context(), workflows.RequestWorkflowID(waiting), "", "by hand"))
		s.approve(approver, waiting) // the signal starts the run again
		s.eventually("access is granted", func() bool { return s.itemState(waiting) == "active" })

		require.NoError(t, s.temporal.TerminateWorkflow(t.Context(), workflows.RequestWorkflowID(waiting), "", "by hand"))
		s.shiftClock(2 * time.Hour)
		s.eventually("access is revoked", func() bool { return !s.holds("alice", "dashboards", "editor") })
		s.eventually("the database agrees", func() bool { return s.itemState(waiting) == "ended" })
		s.eventually("the new run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(waiting)) == "Completed" })
		s.oneClaim(waiting)
		s.keepHistory("started_again_after_its_end", workflows.RequestWorkflowID(waiting))
	})

	t.Run("end before approval expires the request", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", 4*time.Second)
		approvalMessage := s.as(approver).WaitForMessage("Alice Martin requests")
		s.eventually("the request expires", func() bool { return s.itemState(request) == "expired" })
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		approvalMessage = s.as(approver).WaitForEdit(approvalMessage, "equested end date passed")
		require.Empty(t, approvalMessage.Buttons())
		require.False(t, s.holds("alice", "dashboards", "editor"))
		s.keepHistory("end_before_approval", workflows.RequestWorkflowID(request))
	})

	t.Run("unavailable target delays the grant and the revocation", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		proxy := newProxy(t, s.targetURL)
		s.targetURL = proxy.url
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", time.Hour)
		proxy.cut(true)
		s.approve(approver, request)
		s.as("alice").WaitForMessage("waiting for Dashboards, which isn't responding")
		s.eventually("the item has a problem", func() bool {
			var problem string
			require.NoError(t, s.db.Get(&problem, `select problem from request_items where request_id = $1`, request))
			return problem != ""
		})
		proxy.cut(false)
		s.eventually("access is granted", func() bool { return s.itemState(request) == "active" })
		proxy.cut(true)
		s.shiftClock(2 * time.Hour)
		s.eventually("there is an alert", func() bool {
			var alerts int
			return s.db.Get(&alerts, `select count(*) from audit_events where alert and action = 'revocation.overdue'`) == nil &&
				alerts == 1
		})
		require.Equal(t, "active", s.itemState(request), "the item is not ended before access is removed")
		proxy.cut(false)
		s.shiftClock(time.Hour) // the sweep's backoff
		s.eventually("access is revoked", func() bool { return !s.holds("alice", "dashboards", "editor") })
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		s.keepHistory("target_away", workflows.RequestWorkflowID(request))
	})

	t.Run("forged signals and runs grant nothing", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", time.Hour)
		s.as(approver).WaitForMessage("Alice Martin")
		forged := workflows.SignalDetails{Person: s.email(approver), Decision: "approved", Items: 1} // as a real one
		for _, payload := range []any{"approved", nil, 42, []any{map[string]int{"person": 1}}, forged} {
			require.NoError(
				t,
				s.temporal.SignalWorkflow(t.Context(), workflows.RequestWorkflowID(request), "", workflows.SignalDecisionRecorded, payload),
			)
		}
		require.NoError(t, s.temporal.TerminateWorkflow(t.Context(), workflows.RequestWorkflowID(request), "", "by hand"))
		s.signal(request, workflows.SignalDecisionRecorded)
		s.eventually("the new run is running", func() bool {
			return s.runStatus(workflows.RequestWorkflowID(request)) == "Running"
		})
		s.eventually("there is an alert", func() bool {
			var alerts int
			return s.db.Get(&alerts, `
			select count(*) from audit_events where alert and action = 'signal.unconfirmed' and request_id = $1`, request) == nil && alerts > 0
		})
		require.Equal(t, "awaiting_approval", s.itemState(request), "forged signals change nothing")
		require.False(t, s.holds("alice", "dashboards", "editor"))
		s.approve(approver, request) // only a recorded decision grants access
		s.eventually("access is granted", func() bool { return s.holds("alice", "dashboards", "editor") })
		var early int
		require.NoError(t, s.db.Get(&early, `
		select count(*) from claims c join decisions d on d.item_id = c.item_id where c.created_at < d.decided_at`))
		require.Zero(t, early)
	})
}

// oneClaim checks that a request has one claim for each item, despite retries.
func (s *system) oneClaim(request int64) {
	s.t.Helper()
	var claims, items int
	require.NoError(s.t, s.db.Get(&claims, `
		select count(*) from claims c join request_items i on i.id = c.item_id where i.request_id = $1`, request))
	require.NoError(s.t, s.db.Get(&items, `select count(*) from request_items where request_id = $1`, request))
	require.Equal(s.t, items, claims)
}

func (s *system) runStatus(workflowID string) string {
	description, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), workflowID, "")
	if err != nil {
		return err.Error()
	}
	return description.WorkflowExecutionInfo.Status.String()
}

// runID returns the ID of a workflow's latest run.
func (s *system) runID(workflowID string) string {
	s.t.Helper()
	description, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), workflowID, "")
	require.NoError(s.t, err)
	return description.WorkflowExecutionInfo.Execution.RunId
}

// resetToStart resets a run to its first task, as an operator can.
func (s *system) resetToStart(workflowID string) {
	s.t.Helper()
	_, err := s.temporal.ResetWorkflowExecution(s.t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:                 s.id,
		WorkflowExecution:         &common.WorkflowExecution{WorkflowId: workflowID},
		Reason:                    "by hand",
		RequestId:                 randomHex(8),
		WorkflowTaskFinishEventId: 4, // after the events started, scheduled, started, completed
	})
	require.NoError(s.t, err)
}
