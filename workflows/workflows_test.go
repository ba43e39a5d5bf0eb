package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"

	"accessbot/activities"
)

func startOptions(id string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{ID: id, TaskQueue: "test"}
}

// registerActivities registers every activity, so that it can be mocked.
func registerActivities(env *testsuite.TestWorkflowEnvironment) {
	env.RegisterActivity(&activities.Activities{})
	env.RegisterActivityWithOptions(func(context.Context, SyncInput) (SyncResult, error) { return SyncResult{}, nil },
		activity.RegisterOptions{Name: SyncMessages})
}

func endAccessEnvironment(t *testing.T) *testsuite.TestWorkflowEnvironment {
	var s testsuite.WorkflowTestSuite
	env := s.NewTestWorkflowEnvironment()
	env.SetStartWorkflowOptions(startOptions(EndWorkflowID(70)))
	registerActivities(env)
	t.Cleanup(func() { env.AssertExpectations(t) })
	return env
}

func TestEndAccess(t *testing.T) {
	t.Run("claim that is over is revoked", func(t *testing.T) {
		env := endAccessEnvironment(t)
		env.OnActivity(do.CheckClaim, mock.Anything, activities.ClaimInput{ClaimID: 70}).
			Return(activities.CheckClaimResult{Over: true, RequestID: number, Label: "Warehouse / reader"}, nil).Once()
		env.OnActivity(do.DeprovisionAccess, mock.Anything, activities.ClaimInput{ClaimID: 70}).Return(nil).Once()
		env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number}).
			Return(activities.Next{Complete: true}, nil).Once()
		env.OnActivity(SyncMessages, mock.Anything, SyncInput{RequestID: number}).
			Return(SyncResult{}, nil).Once()
		env.ExecuteWorkflow(EndAccess, EndAccessInput{ClaimID: 70})
		require.NoError(t, env.GetWorkflowError())
	})

	t.Run("claim that is not over is left alone", func(t *testing.T) {
		env := endAccessEnvironment(t)
		env.OnActivity(do.CheckClaim, mock.Anything, mock.Anything).Return(activities.CheckClaimResult{}, nil).Once()
		env.ExecuteWorkflow(EndAccess, EndAccessInput{ClaimID: 70})
		require.ErrorContains(t, env.GetWorkflowError(), "claim 70 is not over")
	})

	t.Run("cancelled run still revokes", func(t *testing.T) {
		env := endAccessEnvironment(t)
		env.OnActivity(do.CheckClaim, mock.Anything, mock.Anything).Return(activities.CheckClaimResult{Over: true}, nil).Once()
		env.OnActivity(do.DeprovisionAccess, mock.Anything, mock.Anything).After(time.Hour).Return(nil).Once()
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
		env.ExecuteWorkflow(EndAccess, EndAccessInput{ClaimID: 70})
		require.NoError(t, env.GetWorkflowError())
	})
}

func TestSignals(t *testing.T) {
	t.Run("run passes on each signal with what it says is recorded", func(t *testing.T) {
		says := map[string]activities.Recorded{
			"submitted": "", "due": "",
			"decision-recorded":   activities.DecisionRecorded,
			"withdrawal-recorded": activities.WithdrawalRecorded,
			"revocation-recorded": activities.RevocationRecorded,
		}
		var suite testsuite.WorkflowTestSuite
		for name, recorded := range says {
			env := suite.NewTestWorkflowEnvironment()
			env.SetStartWorkflowOptions(startOptions(RequestWorkflowID(number)))
			registerActivities(env)
			env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number}).Return(activities.Next{}, nil).Once()
			input := activities.AdvanceInput{RequestID: number, Signals: []activities.Signal{{Name: name, Says: recorded}}}
			env.OnActivity(do.Advance, mock.Anything, input).Return(activities.Next{Complete: true}, nil).Once()
			env.RegisterDelayedCallback(func() { env.SignalWorkflow(name, nil) }, time.Minute)
			env.ExecuteWorkflow(AccessRequest, AccessRequestInput{RequestID: number})
			require.NoError(t, env.GetWorkflowError(), name)
			env.AssertExpectations(t)
		}
	})
}
