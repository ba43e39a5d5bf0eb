package workflows

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/outbox"
)

// Events in a run's history, with those of the workflow task that follows.
const (
	timerEvents    = 2 + 3
	activityEvents = 3 + 3 // retries add none
)

// The activity is the real one, on a database in which the lock is held. Time is skipped.
func TestHeldMessagesLock(t *testing.T) {
	t.Run("lock held for ten minutes adds at most 30 events", func(t *testing.T) {
		db := schematest.New(t)
		worker := db.As(t, "accessbot_worker")
		held, release := make(chan struct{}), make(chan struct{})
		done := make(chan error, 1)
		go func() {
			_, err := worker.Holding(context.Background(), schema.MessagesLock(number), func(*sqlx.Conn) error {
				close(held)
				<-release
				return nil
			})
			done <- err
		}()
		<-held
		defer func() { close(release); require.NoError(t, <-done) }()

		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestWorkflowEnvironment()
		env.SetStartWorkflowOptions(startOptions(RequestWorkflowID(number)))
		env.SetTestTimeout(time.Minute)
		env.RegisterActivity(&activities.Activities{})
		messages := &outbox.Outbox{DB: worker, Log: slog.New(slog.DiscardHandler)}
		env.RegisterActivityWithOptions(messages.SyncMessages, activity.RegisterOptions{Name: SyncMessages})
		started := env.Now()
		timers, completed, attempts := 0, 0, 0
		env.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
		env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
			if info.ActivityType.Name == SyncMessages {
				attempts++
			}
		})
		env.SetOnActivityCompletedListener(func(info *activity.Info, _ converter.EncodedValue, _ error) {
			if info.ActivityType.Name == SyncMessages {
				completed++
			}
		})
		const tenMinutes = 10 * 60
		env.OnActivity(do.Advance, mock.Anything, mock.Anything).
			Return(activities.Next{State: "awaiting_approval", DueIn: tenMinutes, MessagesDue: true}, nil).Once()
		env.OnActivity(do.Advance, mock.Anything, mock.Anything).Return(activities.Next{State: "expired", Complete: true}, nil)
		env.ExecuteWorkflow(AccessRequest, AccessRequestInput{RequestID: number})

		require.True(t, env.IsWorkflowCompleted())
		require.NoError(t, env.GetWorkflowError())
		require.GreaterOrEqual(t, env.Now().Sub(started), tenMinutes*time.Second)
		require.LessOrEqual(t, timers*timerEvents+completed*activityEvents, 30, "%d timers, %d activities", timers, completed)
		require.Greater(t, attempts, 5, "it is retried")
		require.Less(t, attempts, 30, "with backoff")
	})
}
