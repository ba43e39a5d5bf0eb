// Package workflows says what happens, in order: AccessRequest handles one request from submission to end, and EndAccess ends
// one claim that was imported.
//
// A run holds no state of its own. It loads its next steps from the database, takes them, and sleeps. It can be started at any
// time, any number of times. Package starter starts and signals runs: this one does no I/O.
package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"accessbot/activities"
)

// DefaultTaskQueue is the task queue of workflows and activities unless TEMPORAL_TASK_QUEUE names another.
const DefaultTaskQueue = "access-requests"

// Signals make a run load its next steps. They prove nothing, and no run reads what they carry: the database says what happened.
const (
	SignalSubmitted          = "submitted"
	SignalDecisionRecorded   = "decision-recorded"
	SignalWithdrawalRecorded = "withdrawal-recorded"
	SignalRevocationRecorded = "revocation-recorded"
	SignalDue                = "due" // something is overdue, or changed that has no signal of its own
)

// signals are all signals, and what each says is recorded.
var signals = []activities.Signal{
	{Name: SignalSubmitted},
	{Name: SignalDecisionRecorded, Says: activities.DecisionRecorded},
	{Name: SignalWithdrawalRecorded, Says: activities.WithdrawalRecorded},
	{Name: SignalRevocationRecorded, Says: activities.RevocationRecorded},
	{Name: SignalDue},
}

// SignalDetails is what a signal carries, so that a reader of the history sees who did what. It is for display only: no run reads
// it, anyone with access to the namespace could have written it, and it holds no reason or note.
type SignalDetails struct {
	Person   string `json:"person,omitempty"`   // an e-mail address, or p<id>
	Decision string `json:"decision,omitempty"` // approved, denied or partly approved
	Order    string `json:"order,omitempty"`    // kind of withdrawal or revocation
	Items    int    `json:"items,omitempty"`    // how many it is about
}

// QueryStatus returns the next steps of a request's run, an activities.Next.
const QueryStatus = "status"

// RequestWorkflowID returns the workflow ID of a request, by its number.
func RequestWorkflowID(number int64) string { return fmt.Sprintf("access-request-%d", number) }

// EndWorkflowID returns the workflow ID of EndAccess for a claim.
func EndWorkflowID(claimID int64) string { return fmt.Sprintf("end-access-%d", claimID) }

// Search attributes, for operators to filter runs by. A namespace with an SQL store has room for three KeywordLists.
var (
	AccessState       = temporal.NewSearchAttributeKeyKeyword("AccessState")
	AccessRequester   = temporal.NewSearchAttributeKeyKeyword("AccessRequester")
	AccessApplication = temporal.NewSearchAttributeKeyKeywordList("AccessApplication")
	AccessApprover    = temporal.NewSearchAttributeKeyKeywordList("AccessApprover")
	AccessUntil       = temporal.NewSearchAttributeKeyTime("AccessUntil")
)

// Bounds on a KeywordList: one that has more values or bytes would fail every task of the run.
const (
	maxValues = 50
	maxBytes  = 2000
)

// Keywords are as many of a KeywordList's values as Temporal accepts.
func Keywords(values []string) []string {
	size, n := 0, 0
	for n < len(values) && n < maxValues && size+len(values[n]) <= maxBytes {
		size += len(values[n]) + 3 // quotes and comma
		n++
	}
	return values[:n]
}

// Policies: how long an activity may take, and what happens when it fails.
var (
	// One transaction. While PostgreSQL is down nothing else can be done, so retry without limit.
	databasePolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         backoff(time.Second, time.Minute),
	}
	// A workflow task has little time, and retries would fill its history: try once, then use databasePolicy.
	localDatabasePolicy = workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: 5 * time.Second, // a task may take twice that
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                loadNextSteps,
	}
	// Provisioning is retried until the database says that it is over: by its end date, or its expiry. Retries by Temporal add
	// no events to the history, however long a target is down.
	provisionPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second, // a connector's own bound is shorter: taking longer means that the worker is gone
		RetryPolicy:         backoff(time.Second, 5*time.Minute),
		WaitForCancellation: true, // a current attempt ends by itself; a scheduled retry ends at once
	}
	// De-provisioning is retried without limit.
	deprovisionPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second, // as above
		RetryPolicy:         backoff(time.Second, 30*time.Minute),
		WaitForCancellation: true,
	}
	// Nothing waits for Slack. What was not sent within ten minutes, the sweep sends later.
	messagePolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    20 * time.Second, // a sync's own bound is shorter
		ScheduleToCloseTimeout: 10 * time.Minute,
		RetryPolicy:            backoff(2*time.Second, time.Minute),
	}
)

// backoff returns an unlimited retry policy whose interval doubles from first to longest.
func backoff(first, longest time.Duration) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: first, BackoffCoefficient: 2, MaximumInterval: longest}
}

// Summaries in the Web UI of activities that more than one place starts.
const (
	loadNextSteps = "Load next steps"
	syncSummary   = "Sync Slack messages"
)

// maxSummary is how many bytes of a summary are shown. Temporal refuses longer ones, which would fail every task of the run: 400
// bytes as JSON (limit.userMetadataSummarySize in its common/dynamicconfig/constants.go), where a byte can take two.
const maxSummary = 190

// Summary shortens a text to what Temporal takes as a summary, without splitting a character.
func Summary(text string) string {
	if len(text) <= maxSummary {
		return text
	}
	return strings.ToValidUTF8(text[:maxSummary-len("…")], "") + "…"
}

// withPolicy sets how an activity is run, and its summary in the Web UI.
func withPolicy(ctx workflow.Context, policy workflow.ActivityOptions, summary string) workflow.Context {
	policy.Summary = Summary(summary)
	return workflow.WithActivityOptions(ctx, policy)
}

// newTimer starts a timer, with its summary in the Web UI.
func newTimer(ctx workflow.Context, d time.Duration, summary string) workflow.Future {
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: Summary(summary)})
}

// do is nil: only its methods' names are used.
var do *activities.Activities
