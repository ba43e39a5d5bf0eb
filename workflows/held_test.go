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
)

// Events that one of these adds to a run's history: itself, and the workflow task that follows.
const (
	eventsOfATimer     = 2 + 3
	eventsOfAnActivity = 3 + 3 // however often it is tried
)

// The activity is the real one, on a real database in which the lock is held. Time is skipped.
func TestHeldMessagesLock(t *testing.T) {
	t.Run("ten minutes of it add at most 30 events", func(t *testing.T) {
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
		env.RegisterActivity(&activities.Activities{DB: worker, Log: slog.New(slog.DiscardHandler)})
		started := env.Now()
		timers, activitiesDone, attempts := 0, 0, 0
		env.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
		env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
			if info.ActivityType.Name == "ConvergeMessages" {
				attempts++
			}
		})
		env.SetOnActivityCompletedListener(func(info *activity.Info, _ converter.EncodedValue, _ error) {
			if info.ActivityType.Name == "ConvergeMessages" {
				activitiesDone++
			}
		})
		const tenMinutes = 10 * 60
		env.OnActivity(do.Advance, mock.Anything, mock.Anything).
			Return(activities.Next{State: "awaiting_approval", DueIn: tenMinutes, MessagesDue: true}, nil).Once()
		env.OnActivity(do.Advance, mock.Anything, mock.Anything).Return(activities.Next{State: "expired", Settled: true}, nil)
		env.ExecuteWorkflow(AccessRequest, AccessRequestInput{RequestID: number})

		require.True(t, env.IsWorkflowCompleted())
		require.NoError(t, env.GetWorkflowError())
		require.GreaterOrEqual(t, env.Now().Sub(started), tenMinutes*time.Second)
		require.LessOrEqual(t, timers*eventsOfATimer+activitiesDone*eventsOfAnActivity, 30, "%d timers, %d activities", timers, activitiesDone)
		require.Greater(t, attempts, 5, "it is tried again all the same")
		require.Less(t, attempts, 30, "less and less often")
	})
}
