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

// AccessRequestInput names the request that a run is about.
type AccessRequestInput struct {
	RequestID int64
	// Attributes: whether the namespace knows our search attributes. An unknown one would fail every task of the run.
	Attributes bool
}

// AccessRequest sees one request through: it asks the approvers, grants what they approve, sleeps until the end of what is
// temporary, and revokes it . It can be started at any time and goes on from the database.
func AccessRequest(ctx workflow.Context, in AccessRequestInput) error {
	if id := workflow.GetInfo(ctx).WorkflowExecution.ID; id != RequestWorkflowID(in.RequestID) {
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("run %s is not the one of request %d", id, in.RequestID), "WrongID", nil)
	}
	r := &accessRequest{
		in:   in,
		log:  workflow.GetLogger(ctx),
		wake: workflow.NewBufferedChannel(ctx, 1),
	}
	if err := workflow.SetQueryHandler(ctx, QueryStatus, func() (activities.Next, error) { return r.next, nil }); err != nil {
		return err
	}
	return r.run(ctx)
}

type accessRequest struct {
	in   AccessRequestInput
	log  log.Logger
	next activities.Next // what the database said last

	wake      workflow.Channel // something happened: ask the database again
	granting  []*flight        // items that an activity is granting right now
	revoking  []*flight        // claims that an activity is revoking right now
	retried   int64            // the newest order to retry that was carried out
	messages  *messages
	gathering bool   // something finished, and others are in flight
	shown     string // the search attributes as they were last set
	cancelled bool
}

// run is the story: ask, grant, sleep, revoke, until nothing is left to do.
func (r *accessRequest) run(ctx workflow.Context) error {
	root := ctx
	// Cancelling must not cancel the revoking: it is noticed in wait, recorded, and seen through.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	r.messages = startMessages(ctx, r.in.RequestID, r.wake)
	for {
		if err := r.advance(ctx); err != nil {
			return err
		}
		r.show(ctx)
		if r.next.MessagesDue {
			r.messages.look()
		}
		if r.continues(ctx, root) {
			if r.idle() {
				return workflow.NewContinueAsNewError(root, AccessRequest, r.in)
			}
			stop(r.granting) // their targets may be away for weeks: the next run goes on
			stop(r.revoking)
			r.wait(ctx, root)
			continue
		}
		r.stopGiving()
		r.grant(ctx)
		r.revoke(ctx)
		if r.done() {
			r.messages.finish(ctx)
			if !r.signalled(ctx) {
				return r.result()
			}
		}
		r.wait(ctx, root)
	}
}

// advance asks the database what is next. Whatever has arrived until now, this answers too.
func (r *accessRequest) advance(ctx workflow.Context) error {
	in := activities.AdvanceInput{RequestID: r.in.RequestID, Cancelled: r.cancelled}
	for _, name := range signals {
		if drain(workflow.GetSignalChannel(ctx, name)) {
			in.Said = append(in.Said, name)
		}
	}
	drain(r.wake)
	next, err := ask(ctx, in)
	if err != nil {
		return err
	}
	r.next = next
	return nil
}

// ask asks the database within the workflow task, which is one event of the history in place of six. A record that does not
// answer at once is asked by an activity, which is tried again without an event.
func ask(ctx workflow.Context, in activities.AdvanceInput) (next activities.Next, err error) {
	within := workflow.WithLocalActivityOptions(ctx, atOncePolicy)
	if err := workflow.ExecuteLocalActivity(within, do.Advance, in).Get(within, &next); err == nil {
		return next, nil
	}
	ctx = with(ctx, recordPolicy, loadNextSteps)
	err = workflow.ExecuteActivity(ctx, do.Advance, in).Get(ctx, &next)
	return next, err
}

// continues tells whether the history is long enough to go on in a new run.
func (r *accessRequest) continues(ctx, root workflow.Context) bool {
	return root.Err() == nil && !r.next.Settled && !r.messages.busy() && workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// flight is an item or claim that an activity works at.
type flight struct {
	id      int64
	stopped bool // it is waited for no longer than the attempt under way, if any
	cancel  workflow.CancelFunc
}

func (f *flight) stop() {
	f.stopped = true
	f.cancel()
}

func stop(flights []*flight) {
	for _, f := range flights {
		f.stop()
	}
}

func flying(flights []*flight, id int64) bool {
	return slices.ContainsFunc(flights, func(f *flight) bool { return f.id == id })
}

// start begins work at an item or claim. An attempt that is waiting for its turn can be stopped.
func (r *accessRequest) start(ctx workflow.Context, flights *[]*flight, id int64, work func(ctx workflow.Context) error) {
	ctx, cancel := workflow.WithCancel(ctx)
	f := &flight{id: id, cancel: cancel}
	*flights = append(*flights, f)
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer cancel()
		err := work(ctx)
		*flights = slices.DeleteFunc(*flights, func(other *flight) bool { return other == f })
		if f.stopped {
			r.wake.SendAsync(nil) // the database says whether there is another attempt
			return
		}
		if err != nil {
			r.log.Error("an activity ended without its work done", "id", id, "error", err)
		}
		r.finished(ctx)
	})
}

// grant starts granting every approved item that is not being granted yet: each on its own, while others still wait.
func (r *accessRequest) grant(ctx workflow.Context) {
	for _, item := range r.next.Grant {
		if flying(r.granting, item.ID) {
			continue
		}
		r.start(ctx, &r.granting, item.ID, func(ctx workflow.Context) error {
			ctx = with(ctx, grantPolicy, "grant "+item.Label)
			return workflow.ExecuteActivity(ctx, do.ProvisionAccess, activities.ItemInput{ItemID: item.ID}).Get(ctx, nil)
		})
	}
}

// stopGiving stops waiting with what is not to be granted any more, and with everything where an administrator wants another
// attempt now: it begins as soon as the one before is over.
func (r *accessRequest) stopGiving() {
	for _, f := range r.granting {
		wanted := slices.ContainsFunc(r.next.Grant, func(item activities.Step) bool { return item.ID == f.id })
		if !f.stopped && (!wanted || r.next.Retry > r.retried) {
			f.stop()
		}
	}
	r.retried = max(r.retried, r.next.Retry)
}

// revoke starts revoking every claim that is over and not being revoked yet.
func (r *accessRequest) revoke(ctx workflow.Context) {
	for _, claim := range r.next.RevokeAccess {
		if flying(r.revoking, claim.ID) {
			continue
		}
		r.start(ctx, &r.revoking, claim.ID, func(ctx workflow.Context) error {
			ctx = with(ctx, revokePolicy, "revoke "+claim.Label)
			return workflow.ExecuteActivity(ctx, do.DeprovisionAccess, activities.ClaimInput{ClaimID: claim.ID}).Get(ctx, nil)
		})
	}
}

// together is how long one finished item waits for others that are still in flight, before the database is asked.
const together = 10 * time.Second

// finished lets people know at once, and asks the database when nothing is in flight any more, or after a moment: a
// hundred items that finish one by one are not a hundred approvals.
func (r *accessRequest) finished(ctx workflow.Context) {
	r.messages.look()
	if r.gathering {
		return
	}
	r.gathering = true
	if !r.idle() {
		timerCtx, cancel := workflow.WithCancel(ctx)
		defer cancel()
		timer := workflow.NewTimerWithOptions(timerCtx, together, workflow.TimerOptions{Summary: "waits a moment for the other items"})
		if err := workflow.Await(ctx, func() bool { return timer.IsReady() || r.idle() }); err != nil {
			r.log.Error("waiting for what is in flight was cut short", "error", err)
		}
	}
	r.gathering = false
	r.wake.SendAsync(nil)
}

// wait sleeps until something happens: a signal, the end of a grant or a take-back, what is due next, or a cancellation.
func (r *accessRequest) wait(ctx, root workflow.Context) {
	selector := workflow.NewSelector(ctx)
	// Signals first: a decision wins a tie with the timer.
	for _, name := range signals {
		selector.AddReceive(workflow.GetSignalChannel(ctx, name), heard)
	}
	selector.AddReceive(r.wake, heard)
	if !r.cancelled {
		selector.AddReceive(root.Done(), func(workflow.ReceiveChannel, bool) { r.cancelled = true })
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	if r.next.DueIn > 0 {
		timer := workflow.NewTimerWithOptions(timerCtx, time.Duration(r.next.DueIn)*time.Second, workflow.TimerOptions{Summary: r.next.DueFor})
		selector.AddFuture(timer, func(workflow.Future) {})
	}
	selector.Select(ctx)
}

// heard leaves in the channel what arrived: advance takes it, and says it to the database.
func heard(workflow.ReceiveChannel, bool) {}

// drain takes what has arrived, and tells whether there was anything: however often someone clicked, the database is asked
// once.
func drain(c workflow.ReceiveChannel) (found bool) {
	for c.ReceiveAsync(nil) {
		found = true
	}
	return found
}

func (r *accessRequest) idle() bool { return len(r.granting) == 0 && len(r.revoking) == 0 }

func (r *accessRequest) done() bool { return r.next.Settled && r.idle() }

// signalled tells whether something happened that the database was not asked about yet.
func (r *accessRequest) signalled(ctx workflow.Context) bool {
	for _, name := range signals {
		if workflow.GetSignalChannel(ctx, name).Len() > 0 {
			return true
		}
	}
	return false
}

func (r *accessRequest) result() error {
	if r.cancelled {
		return temporal.NewCanceledError("cancelled in Temporal: what waited is withdrawn, what was temporary is revoked")
	}
	return nil
}

// show lets operators find and read the run.
func (r *accessRequest) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, r.next.Details)
	if !r.in.Attributes {
		return
	}
	shown := fmt.Sprint(r.next.State, r.next.Approvers)
	if shown == r.shown {
		return
	}
	r.shown = shown
	approvers := AccessApprover.ValueUnset()
	if len(r.next.Approvers) > 0 {
		approvers = AccessApprover.ValueSet(bounded(r.next.Approvers))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, AccessState.ValueSet(r.next.State), approvers); err != nil {
		r.log.Error("search attributes could not be set", "error", err)
	}
}

// Bounds on a search attribute: a longer list, or one of more bytes, would fail every task of the run.
const (
	maxValues = 50
	maxBytes  = 2000
)

func bounded(values []string) []string {
	size, n := 0, 0
	for n < len(values) && n < maxValues && size+len(values[n]) <= maxBytes {
		size += len(values[n]) + 3 // quotes and comma
		n++
	}
	return values[:n]
}
