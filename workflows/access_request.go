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

// AccessRequest handles one request from submission to end: it asks the approvers, provisions what they approve, sleeps until
// the end date, and de-provisions. It can be started at any time and continues from the database.
func AccessRequest(ctx workflow.Context, in AccessRequestInput) error {
	if id := workflow.GetInfo(ctx).WorkflowExecution.ID; id != RequestWorkflowID(in.RequestID) {
		text := fmt.Sprintf("workflow ID %s does not belong to request %d", id, in.RequestID)
		return temporal.NewNonRetryableApplicationError(text, "WrongID", nil)
	}
	r := &accessRequest{
		in:      in,
		log:     workflow.GetLogger(ctx),
		changed: workflow.NewBufferedChannel(ctx, 1),
	}
	if err := workflow.SetQueryHandler(ctx, QueryStatus, func() (activities.Next, error) { return r.next, nil }); err != nil {
		return err
	}
	return r.run(ctx)
}

type accessRequest struct {
	in   AccessRequestInput
	log  log.Logger
	next activities.Next // the next steps, as last loaded from the database

	changed        workflow.Channel // receives when the next steps have to be loaded again
	provisioning   []*operation     // items that are being provisioned
	deprovisioning []*operation     // claims that are being de-provisioned
	lastRetry      int64            // the newest "Retry now" that was carried out
	messages       *messages
	batching       bool   // an operation is done and waits for the others
	attributes     string // the search attributes that were set last
	cancelled      bool
}

// run repeats four steps until nothing is left to do: load the next steps (which asks approvers and applies their decisions),
// provision what is approved, de-provision what is over, and sleep until a decision, an end date or anything else is due.
func (r *accessRequest) run(ctx workflow.Context) error {
	root := ctx
	// Cancelling the run must not cancel a revocation. sleep notices it, and the database records it.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	r.messages = startMessages(ctx, r.in.RequestID, r.changed)
	for {
		if err := r.loadNextSteps(ctx); err != nil {
			return err
		}
		r.describe(ctx)
		r.syncMessages()
		if r.shouldContinueAsNew(ctx, root) {
			if r.idle() {
				return workflow.NewContinueAsNewError(root, AccessRequest, r.in)
			}
			r.stopRetries() // their targets may be down for weeks: the next run continues
		} else {
			r.stopObsoleteProvisioning()
			r.provision(ctx)
			r.deprovision(ctx)
			if r.complete() {
				r.messages.finish(ctx)
				if !r.hasSignals(ctx) {
					return r.result()
				}
			}
		}
		r.sleep(ctx, root)
	}
}

// loadNextSteps moves the request on in the database and reads what to do now. It covers every signal received so far.
func (r *accessRequest) loadNextSteps(ctx workflow.Context) error {
	in := activities.AdvanceInput{RequestID: r.in.RequestID, Cancelled: r.cancelled}
	for _, signal := range signals {
		if drain(workflow.GetSignalChannel(ctx, signal.Name)) {
			in.Signals = append(in.Signals, signal)
		}
	}
	drain(r.changed)
	next, err := advance(ctx, in)
	if err != nil {
		return err
	}
	r.next = next
	return nil
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

func (r *accessRequest) syncMessages() {
	if r.next.MessagesDue {
		r.messages.requestSync()
	}
}

// shouldContinueAsNew reports whether the history is long enough to continue in a new run.
func (r *accessRequest) shouldContinueAsNew(ctx, root workflow.Context) bool {
	return root.Err() == nil && !r.next.Complete && !r.messages.busy() && workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// provision starts to provision every approved item that is not being provisioned yet. Each item is on its own, while others
// still wait for approval.
func (r *accessRequest) provision(ctx workflow.Context) {
	for _, item := range r.next.Grant {
		if inProgress(r.provisioning, item.ID) {
			continue
		}
		r.start(ctx, &r.provisioning, item.ID, func(ctx workflow.Context) error {
			ctx = withPolicy(ctx, provisionPolicy, "Grant "+item.Label)
			return workflow.ExecuteActivity(ctx, do.ProvisionAccess, activities.ItemInput{ItemID: item.ID}).Get(ctx, nil)
		})
	}
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

// deprovision starts to de-provision every claim that is over and not being de-provisioned yet.
func (r *accessRequest) deprovision(ctx workflow.Context) {
	for _, claim := range r.next.Revoke {
		if inProgress(r.deprovisioning, claim.ID) {
			continue
		}
		r.start(ctx, &r.deprovisioning, claim.ID, func(ctx workflow.Context) error {
			ctx = withPolicy(ctx, deprovisionPolicy, "Revoke "+claim.Label)
			return workflow.ExecuteActivity(ctx, do.DeprovisionAccess, activities.ClaimInput{ClaimID: claim.ID}).Get(ctx, nil)
		})
	}
}

// sleep waits for a signal, a finished operation, the next due time, or a cancellation.
func (r *accessRequest) sleep(ctx, root workflow.Context) {
	selector := workflow.NewSelector(ctx)
	// Signals first: a decision wins a tie with the timer.
	for _, signal := range signals {
		selector.AddReceive(workflow.GetSignalChannel(ctx, signal.Name), leaveInChannel)
	}
	selector.AddReceive(r.changed, leaveInChannel)
	if !r.cancelled {
		selector.AddReceive(root.Done(), func(workflow.ReceiveChannel, bool) { r.cancelled = true })
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	if r.next.DueIn > 0 {
		dueIn := time.Duration(r.next.DueIn) * time.Second
		timer := workflow.NewTimerWithOptions(timerCtx, dueIn, workflow.TimerOptions{Summary: r.next.DueFor})
		selector.AddFuture(timer, func(workflow.Future) {})
	}
	selector.Select(ctx)
}

// leaveInChannel receives nothing: loadNextSteps drains the channel and passes the signal's name on.
func leaveInChannel(workflow.ReceiveChannel, bool) {}

// drain empties a channel and reports whether there was anything: many signals make one call of the database.
func drain(c workflow.ReceiveChannel) (found bool) {
	for c.ReceiveAsync(nil) {
		found = true
	}
	return found
}

func (r *accessRequest) idle() bool { return len(r.provisioning) == 0 && len(r.deprovisioning) == 0 }

func (r *accessRequest) complete() bool { return r.next.Complete && r.idle() }

// hasSignals reports whether a signal has arrived since the next steps were loaded.
func (r *accessRequest) hasSignals(ctx workflow.Context) bool {
	for _, signal := range signals {
		if workflow.GetSignalChannel(ctx, signal.Name).Len() > 0 {
			return true
		}
	}
	return false
}

func (r *accessRequest) result() error {
	if r.cancelled {
		return temporal.NewCanceledError("cancelled in Temporal: pending items are withdrawn, temporary access is revoked")
	}
	return nil
}
