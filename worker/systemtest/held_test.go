package systemtest

import (
	"context"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"

	"accessbot/schema"
	"accessbot/workflows"
)

// attempts returns the attempts so far of a pending activity of a type; 0 if there is none.
func (s *system) attempts(workflowID, kind string) (n int32) {
	s.t.Helper()
	description, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), workflowID, "")
	require.NoError(s.t, err)
	for _, pending := range description.PendingActivities {
		if pending.ActivityType.GetName() == kind {
			n = pending.Attempt
		}
	}
	return n
}

// eventTypes counts the events of a run so far, by type.
func (s *system) eventTypes(workflowID string) map[enums.EventType]int {
	s.t.Helper()
	counts := map[enums.EventType]int{}
	history := s.temporal.GetWorkflowHistory(s.t.Context(), workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		require.NoError(s.t, err)
		counts[event.EventType]++
	}
	return counts
}

func TestHeldMessagesLock(t *testing.T) {
	t.Parallel()
	t.Run("retries add no events and messages are sent once the lock is free", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		request := s.ask("alice", "dashboards", "editor", time.Hour) // before the worker starts
		run := workflows.RequestWorkflowID(request)
		held, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := s.db.As(t, "accessbot_worker").Holding(context.Background(), schema.MessagesLock(request), func(*sqlx.Conn) error {
				close(held)
				<-release
				return nil
			})
			done <- err
		}()
		<-held
		s.startWorker()
		s.eventually("there were three attempts", func() bool { return s.attempts(run, "SyncMessages") >= 3 })
		events := s.eventTypes(run)
		require.Equal(t, 1, events[enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED], "%v", events)
		require.Zero(t, events[enums.EVENT_TYPE_TIMER_FIRED], "%v", events)

		close(release)
		require.NoError(t, <-done)
		s.as("alice").WaitForMessage("has been successfully created and sent for approval")
		s.approve(approver, request)
		s.eventually("access is granted", func() bool { return s.holds("alice", "dashboards", "editor") })
	})
}
