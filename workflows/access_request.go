package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"accessbot/activities"
)

// AccessRequestInput names the request that a run handles.
type AccessRequestInput struct {
	RequestID int64
	// Attributes: whether the namespace knows our search attributes. An unknown one would fail every task of the run.
	Attributes bool
}

// AccessRequestResult says what came of a request.
type AccessRequestResult struct {
	State string `json:"state"` // active (permanent access), or a final state
	activities.Counts
}

// AccessRequest handles one request from submission to end. It can be started at any time, any number of times: it continues from
// the database.
func AccessRequest(ctx workflow.Context, in AccessRequestInput) (*AccessRequestResult, error) {
	r, err := newAccessRequest(ctx, in)
	if err != nil {
		return nil, err
	}
	// Cancelling the run must not cancel a revocation: what a cancellation ends is recorded in the database.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	r.messages = startMessages(ctx, in.RequestID, r.changed)

	r.askForApproval(ctx)
	for !r.isOver(ctx) {
		r.waitForDecision(ctx)
		r.provision(ctx)
		r.sleepUntilEndDate(ctx)
		r.deprovision(ctx)
	}
	return r.result(ctx)
}

// accessRequest is a run. The items of a request move on independently: one is provisioned while another waits for a decision. So
// each step takes only the items that are due for it, and a wait ends as soon as the database has a step for any item.
type accessRequest struct {
	in   AccessRequestInput
	root workflow.Context // is cancelled when the run is; the steps' context never is
	log  log.Logger
	next activities.Next // the next steps, as last loaded from the database
	err  error           // why they cannot be loaded: there is no such request

	changed        workflow.Channel // receives when the next steps have to be loaded again
	provisioning   []*operation     // items that are being provisioned
	deprovisioning []*operation     // claims that are being de-provisioned
	lastRetry      int64            // the newest "Retry now" that was carried out
	messages       *messages
	batching       bool   // an operation is done and waits for the others
	attributes     string // the search attributes that were set last
	cancelled      bool
	handingOver    bool // the history is long: a new run takes over as soon as nothing is being done
}

func newAccessRequest(ctx workflow.Context, in AccessRequestInput) (*accessRequest, error) {
	if id := workflow.GetInfo(ctx).WorkflowExecution.ID; id != RequestWorkflowID(in.RequestID) {
		text := fmt.Sprintf("workflow ID %s does not belong to request %d", id, in.RequestID)
		return nil, temporal.NewNonRetryableApplicationError(text, "WrongID", nil)
	}
	r := &accessRequest{
		in: in, root: ctx, log: workflow.GetLogger(ctx), changed: workflow.NewBufferedChannel(ctx, 1),
	}
	return r, workflow.SetQueryHandler(ctx, QueryStatus, func() (activities.Next, error) { return r.next, nil })
}

// askForApproval has the database name the approvers, whom the messages then ask. Where that was done before, the run continues
// from there. Approvers of later stages and escalations are asked in the same way, whenever the next steps are loaded.
func (r *accessRequest) askForApproval(ctx workflow.Context) { r.loadNextSteps(ctx) }

// waitForDecision waits for a recorded decision or withdrawal, the next reminder, or the expiry of the request.
func (r *accessRequest) waitForDecision(ctx workflow.Context) {
	if r.next.Waiting && !r.hasStep() {
		r.wait(ctx)
	}
}

// provision starts to provision every approved item that is not being provisioned yet.
func (r *accessRequest) provision(ctx workflow.Context) {
	for _, item := range r.toProvision() {
		r.start(ctx, &r.provisioning, item.ID, func(ctx workflow.Context) error {
			ctx = withPolicy(ctx, provisionPolicy, "Grant "+item.Label+" to "+r.next.Requester)
			return workflow.ExecuteActivity(ctx, do.ProvisionAccess, activities.ItemInput{ItemID: item.ID}).Get(ctx, nil)
		})
	}
}

// sleepUntilEndDate sleeps until the next end date, unless a decision is still waited for. A recorded revocation, a finished
// operation, or a notification that is due ends it early.
func (r *accessRequest) sleepUntilEndDate(ctx workflow.Context) {
	if !r.next.Waiting && !r.hasStep() {
		r.wait(ctx)
	}
}

// deprovision starts to de-provision every claim that is over and not being de-provisioned yet.
func (r *accessRequest) deprovision(ctx workflow.Context) {
	for _, claim := range r.toDeprovision() {
		r.start(ctx, &r.deprovisioning, claim.ID, func(ctx workflow.Context) error {
			return deprovision(ctx, claim, r.next.Requester)
		})
	}
}

// isOver reports whether nothing is left for this run: every item is final, or permanent and active; or a new run takes over.
func (r *accessRequest) isOver(ctx workflow.Context) bool {
	if r.err != nil {
		return true
	}
	if !r.isDone() {
		return false
	}
	r.messages.finish(ctx)
	if r.hasSignal(ctx) {
		r.loadNextSteps(ctx)
		return r.err != nil
	}
	return true
}

// result says what came of the request. Denied, withdrawn and expired are results, not failures.
func (r *accessRequest) result(ctx workflow.Context) (*AccessRequestResult, error) {
	switch {
	case r.err != nil:
		return nil, r.err
	case r.handingOver:
		return nil, workflow.NewContinueAsNewError(ctx, AccessRequest, r.in)
	case r.cancelled:
		return nil, temporal.NewCanceledError("cancelled in Temporal: pending items are withdrawn, temporary access is revoked")
	}
	return &AccessRequestResult{State: r.next.State, Counts: r.next.Counts}, nil
}

// loadNextSteps moves the request on in the database and reads what to do now. It covers every signal received so far.
func (r *accessRequest) loadNextSteps(ctx workflow.Context) {
	in := activities.AdvanceInput{RequestID: r.in.RequestID, Cancelled: r.cancelled}
	for _, signal := range signals {
		if drain(workflow.GetSignalChannel(ctx, signal.Name)) {
			in.Signals = append(in.Signals, signal)
		}
	}
	drain(r.changed)
	if r.next, r.err = advance(ctx, in); r.err != nil {
		return
	}
	r.describe(ctx)
	if r.next.MessagesDue {
		r.messages.requestSync(r.next.MessagesFor)
	}
	if r.handingOver = r.shouldContinueAsNew(ctx); r.handingOver {
		r.stopRetries() // their targets may be down for weeks: the next run continues
	} else {
		r.stopObsoleteProvisioning()
	}
}

// advance calls the database within the workflow task, which adds one event to the history instead of six. If that fails, an
// activity calls it, whose retries add none.
func advance(ctx workflow.Context, in activities.AdvanceInput) (next activities.Next, err error) {
	localCtx := workflow.WithLocalActivityOptions(ctx, localDatabasePolicy)
	if err := workflow.ExecuteLocalActivity(localCtx, do.Advance, in).Get(localCtx, &next); err == nil {
		return next, nil
	}
	ctx = withPolicy(ctx, databasePolicy, loadNextSteps)
	err = workflow.ExecuteActivity(ctx, do.Advance, in).Get(ctx, &next)
	return next, err
}

// describe updates what operators see of the run: its details and search attributes.
func (r *accessRequest) describe(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, r.next.Details)
	if !r.in.Attributes {
		return
	}
	attributes := fmt.Sprint(r.next.State, r.next.Approvers)
	if attributes == r.attributes {
		return
	}
	r.attributes = attributes
	approvers := AccessApprover.ValueUnset()
	if len(r.next.Approvers) > 0 {
		approvers = AccessApprover.ValueSet(Keywords(r.next.Approvers))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, AccessState.ValueSet(r.next.State), approvers); err != nil {
		r.log.Error("search attributes not set", "error", err)
	}
}

// shouldContinueAsNew reports whether the history is long enough to continue in a new run.
func (r *accessRequest) shouldContinueAsNew(ctx workflow.Context) bool {
	return r.root.Err() == nil && !r.next.Complete && !r.messages.busy() && workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// stopObsoleteProvisioning stops the retries of items that should no longer be provisioned. It stops all retries if an
// administrator pressed "Retry now": a new attempt starts once the current one is over.
func (r *accessRequest) stopObsoleteProvisioning() {
	for _, o := range r.provisioning {
		wanted := slices.ContainsFunc(r.next.Grant, func(item activities.Step) bool { return item.ID == o.id })
		if !o.stopped && (!wanted || r.next.Retry > r.lastRetry) {
			o.stop()
		}
	}
	r.lastRetry = max(r.lastRetry, r.next.Retry)
}

// wait waits for a signal, a finished operation, the next due time, or a cancellation, and loads the next steps.
func (r *accessRequest) wait(ctx workflow.Context) {
	selector := workflow.NewSelector(ctx)
	// Signals first: a decision wins a tie with the timer.
	for _, signal := range signals {
		selector.AddReceive(workflow.GetSignalChannel(ctx, signal.Name), leaveInChannel)
	}
	selector.AddReceive(r.changed, leaveInChannel)
	if !r.cancelled {
		selector.AddReceive(r.root.Done(), func(workflow.ReceiveChannel, bool) { r.cancelled = true })
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	if r.next.DueIn > 0 {
		timer := newTimer(timerCtx, time.Duration(r.next.DueIn)*time.Second, r.next.DueFor)
		selector.AddFuture(timer, func(workflow.Future) {})
	}
	selector.Select(ctx)
	cancel()
	r.loadNextSteps(ctx)
}

// leaveInChannel receives nothing: loadNextSteps drains the channel and passes the signal's name on.
func leaveInChannel(workflow.ReceiveChannel, bool) {}

// drain empties a channel and reports whether there was anything: many signals make one call of the database. What a signal
// carries is not even decoded, so no payload can fail the run.
func drain(c workflow.ReceiveChannel) (found bool) {
	for c.ReceiveAsync(nil) {
		found = true
	}
	return found
}

// hasSignal reports whether a signal has arrived since the next steps were loaded.
func (r *accessRequest) hasSignal(ctx workflow.Context) bool {
	return slices.ContainsFunc(signals, func(s activities.Signal) bool { return workflow.GetSignalChannel(ctx, s.Name).Len() > 0 })
}

// hasStep reports whether there is anything to do at once.
func (r *accessRequest) hasStep() bool {
	return r.err != nil || r.isDone() || len(r.toProvision()) > 0 || len(r.toDeprovision()) > 0
}

// isDone reports whether the next steps leave nothing to this run, and nothing is being done.
func (r *accessRequest) isDone() bool {
	return (r.next.Complete || r.handingOver) && r.idle()
}

func (r *accessRequest) idle() bool { return len(r.provisioning) == 0 && len(r.deprovisioning) == 0 }

func (r *accessRequest) toProvision() []activities.Step {
	return r.notStarted(r.next.Grant, r.provisioning)
}

func (r *accessRequest) toDeprovision() []activities.Step {
	return r.notStarted(r.next.Revoke, r.deprovisioning)
}

// notStarted returns the steps to start now: those that no operation takes, and none if a new run takes over.
func (r *accessRequest) notStarted(steps []activities.Step, started []*operation) (due []activities.Step) {
	for _, step := range steps {
		if !r.handingOver && !inProgress(started, step.ID) {
			due = append(due, step)
		}
	}
	return due
}
