package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"accessbot/activities"
	"accessbot/slackapp/outbox"
)

// supported are the names in the SDK's error for a name that is not registered.
func supported(t *testing.T, message string) []string {
	t.Helper()
	_, list, found := strings.Cut(message, "Supported types: [")
	require.True(t, found, message)
	list, _, _ = strings.Cut(list, "]")
	names := strings.Split(list, ", ")
	slices.Sort(names)
	return names
}

func registered(t *testing.T) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	register(env, &activities.Activities{}, &outbox.Outbox{})
	return env
}

func TestRegistration(t *testing.T) {
	t.Run("workflows are exactly these", func(t *testing.T) {
		var message string
		func() {
			defer func() { message = fmt.Sprint(recover()) }()
			registered(t).ExecuteWorkflow("none")
		}()
		assert.Equal(t, []string{"AccessRequest", "EndAccess"}, supported(t, message))
	})

	t.Run("activities are exactly these", func(t *testing.T) {
		env := registered(t)
		env.ExecuteWorkflow(func(ctx workflow.Context) error {
			ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Second})
			return workflow.ExecuteActivity(ctx, "none").Get(ctx, nil)
		})
		require.Error(t, env.GetWorkflowError())
		assert.Equal(t, []string{"Advance", "CheckClaim", "DeprovisionAccess", "ProvisionAccess", "SyncMessages"},
			supported(t, env.GetWorkflowError().Error()))
	})
}
