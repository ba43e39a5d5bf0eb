package workflows

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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

// resultOf returns a run's result as JSON, as the Web UI shows it.
func resultOf(t *testing.T, env *testsuite.TestWorkflowEnvironment) string {
	t.Helper()
	var result json.RawMessage
	require.NoError(t, env.GetWorkflowResult(&result))
	return string(result)
}

func TestEndAccess(t *testing.T) {
	t.Run("imported claim that is over is revoked", func(t *testing.T) {
		env := endAccessEnvironment(t)
		env.OnActivity(do.CheckClaim, mock.Anything, activities.ClaimInput{ClaimID: 70}).
			Return(activities.CheckClaimResult{State: "revoked", Label: "Warehouse / reader", Holder: "Alice Martin"}, nil).Once()
		env.OnActivity(do.DeprovisionAccess, mock.Anything, activities.ClaimInput{ClaimID: 70}).Return(nil).Once()
		env.ExecuteWorkflow(EndAccess, EndAccessInput{ClaimID: 70})
		require.NoError(t, env.GetWorkflowError())
		require.JSONEq(t, `{"state": "revoked"}`, resultOf(t, env))
	})

	t.Run("claim of a request is left to the request's run", func(t *testing.T) {
		env := endAccessEnvironment(t)
		env.OnActivity(do.CheckClaim, mock.Anything, mock.Anything).
			Return(activities.CheckClaimResult{State: "revoked", OfItem: true}, nil).Once()
		env.ExecuteWorkflow(EndAccess, EndAccessInput{ClaimID: 70})
		require.ErrorContains(t, env.GetWorkflowError(), "claim 70 came from a request")
	})

	t.Run("claim that is not over is left alone", func(t *testing.T) {
		env := endAccessEnvironment(t)
		env.OnActivity(do.CheckClaim, mock.Anything, mock.Anything).Return(activities.CheckClaimResult{}, nil).Once()
		env.ExecuteWorkflow(EndAccess, EndAccessInput{ClaimID: 70})
		require.ErrorContains(t, env.GetWorkflowError(), "claim 70 is not over")
	})

	t.Run("cancelled run still revokes", func(t *testing.T) {
		env := endAccessEnvironment(t)
		env.OnActivity(do.CheckClaim, mock.Anything, mock.Anything).Return(activities.CheckClaimResult{State: "ended"}, nil).Once()
		env.OnActivity(do.DeprovisionAccess, mock.Anything, mock.Anything).After(time.Hour).Return(nil).Once()
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
		env.ExecuteWorkflow(EndAccess, EndAccessInput{ClaimID: 70})
		require.NoError(t, env.GetWorkflowError())
	})
}

func TestSignals(t *testing.T) {
	says := map[string]activities.Recorded{
		"submitted": "", "due": "",
		"decision-recorded":   activities.DecisionRecorded,
		"withdrawal-recorded": activities.WithdrawalRecorded,
		"revocation-recorded": activities.RevocationRecorded,
	}

	t.Run("run passes on each signal's name with what it says is recorded, whatever the signal carries", func(t *testing.T) {
		payloads := []any{
			nil, "approved", 42, []string{"garbage"}, map[string]any{"person": 7, "decision": []int{1}},
			SignalDetails{Person: "bob@example.com", Decision: "approved", Items: 1},
		}
		var suite testsuite.WorkflowTestSuite
		for name, recorded := range says {
			env := suite.NewTestWorkflowEnvironment()
			env.SetStartWorkflowOptions(startOptions(RequestWorkflowID(number)))
			registerActivities(env)
			env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number}).Return(activities.Next{}, nil).Once()
			input := activities.AdvanceInput{RequestID: number, Signals: []activities.Signal{{Name: name, Says: recorded}}}
			env.OnActivity(do.Advance, mock.Anything, input).Return(activities.Next{}, nil).Times(len(payloads))
			env.OnActivity(do.Advance, mock.Anything, input).Return(activities.Next{Complete: true}, nil).Once()
			for i, payload := range append(payloads, nil) {
				env.RegisterDelayedCallback(func() { env.SignalWorkflow(name, payload) }, time.Duration(i+1)*time.Minute)
			}
			env.ExecuteWorkflow(AccessRequest, AccessRequestInput{RequestID: number})
			require.NoError(t, env.GetWorkflowError(), name)
			env.AssertExpectations(t)
		}
	})
}

func TestSummary(t *testing.T) {
	t.Run("long text is cut within Temporal's limit and between characters", func(t *testing.T) {
		require.Equal(t, "Grant Warehouse / reader to Alice Martin", Summary("Grant Warehouse / reader to Alice Martin"))
		for n := range 4 {
			cut := Summary(strings.Repeat("a", n) + strings.Repeat("é", 300))
			require.LessOrEqual(t, len(cut), 190)
			require.True(t, utf8.ValidString(cut))
			require.True(t, strings.HasSuffix(cut, "é…"))
		}
	})
}
