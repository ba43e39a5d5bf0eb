// Package workflows is what happens, in order: a request from its submission until nothing is left of it to do, and the
// revoking of a claim that has no such run.
//
// A run holds no truth. It asks the database what is next, does it, and sleeps: it can be started at any time, or again.
package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"accessbot/activities"
)

// Signals wake a run. They carry nothing and prove nothing: what happened is a delegate the database.
const (
	SignalSubmitted          = "submitted"
	SignalDecisionRecorded   = activities.SaidDecisionRecorded
	SignalWithdrawalRecorded = activities.SaidWithdrawalRecorded
	SignalRevocationRecorded = activities.SaidRevocationRecorded
	SignalDue                = "due" // the sweep's: the database says that something should have happened
)

var signals = []string{SignalSubmitted, SignalDecisionRecorded, SignalWithdrawalRecorded, SignalRevocationRecorded, SignalDue}

// QueryStatus answers a request's run as activities.Next.
const QueryStatus = "status"

// RequestWorkflowID is the ID of the run of a request, by the number that people see.
func RequestWorkflowID(number int64) string { return fmt.Sprintf("access-request-%d", number) }

// EndWorkflowID is the ID of the run that revokes one claim .
func EndWorkflowID(claimID int64) string { return fmt.Sprintf("end-access-%d", claimID) }

// Search attributes, as operators filter by them. On a namespace with an SQL store there is room for three KeywordLists.
var (
	AccessState       = temporal.NewSearchAttributeKeyKeyword("AccessState")
	AccessRequester   = temporal.NewSearchAttributeKeyKeyword("AccessRequester")
	AccessApplication = temporal.NewSearchAttributeKeyKeywordList("AccessApplication")
	AccessApprover    = temporal.NewSearchAttributeKeyKeywordList("AccessApprover")
	AccessUntil       = temporal.NewSearchAttributeKeyTime("AccessUntil")
)

// Policies: how long an activity may take, and what happens when it fails. Each has its reason here and nowhere else.
var (
	// The database is a transaction away. While PostgreSQL is down nothing else could be done anyway: try on, forever.
	recordPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
	}
	// Within a workflow task there is little time, and trying again would fill the history: once, then by recordPolicy.
	atOncePolicy = workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: 5 * time.Second, // a task may take twice that
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                loadNextSteps,
	}
	// Granting is tried until the database says that it is over: its end, or its expiry. Attempts by Temporal add no events to the
	// history, however long a target is away.
	grantPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second, // a connector bounds itself below: longer means that the worker is gone
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute},
		WaitForCancellation: true, // an attempt under way ends by itself; one that is waited for ends at once
	}
	// Revoking is never given up.
	revokePolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second, // as above
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Minute},
		WaitForCancellation: true,
	}
	// Nothing waits for Slack. What could not be said in ten minutes, the sweep says later.
	messagePolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    20 * time.Second, // a look ends itself before that
		ScheduleToCloseTimeout: 10 * time.Minute,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 2 * time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
	}
)

const loadNextSteps = "what is next"

// with names an activity in the Web UI.
func with(ctx workflow.Context, policy workflow.ActivityOptions, summary string) workflow.Context {
	policy.Summary = summary
	return workflow.WithActivityOptions(ctx, policy)
}

// do is only ever used for its methods' names.
var do *activities.Activities
