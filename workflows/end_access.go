package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"accessbot/activities"
)

// EndAccessInput names the claim that a run revokes.
type EndAccessInput struct{ ClaimID int64 }

// EndAccess revokes one claim that has no run of its own any more, or never had one: a permanent grant that is granted
// back, or what someone who left still holds. The order is a delegate the database; without one nothing happens.
func EndAccess(ctx workflow.Context, in EndAccessInput) error {
	if id := workflow.GetInfo(ctx).WorkflowExecution.ID; id != EndWorkflowID(in.ClaimID) {
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("run %s is not the one of claim %d", id, in.ClaimID), "WrongID", nil)
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx) // an order in the database is not undone by cancelling its run
	e := &endAccess{claim: activities.ClaimInput{ClaimID: in.ClaimID}}
	return e.run(ctx)
}

type endAccess struct {
	claim activities.ClaimInput
	order activities.CheckReleaseResult
}

func (e *endAccess) run(ctx workflow.Context) error {
	if err := e.check(ctx); err != nil {
		return err
	}
	if !e.order.Ordered {
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("no one has ordered claim %d back", e.claim.ClaimID), "NotOrdered", nil)
	}
	if err := e.revoke(ctx); err != nil {
		return err
	}
	if e.order.RequestID == 0 {
		return nil
	}
	return e.say(ctx)
}

func (e *endAccess) check(ctx workflow.Context) error {
	ctx = with(ctx, recordPolicy, "look for the order")
	return workflow.ExecuteActivity(ctx, do.CheckRelease, e.claim).Get(ctx, &e.order)
}

func (e *endAccess) revoke(ctx workflow.Context) error {
	ctx = with(ctx, revokePolicy, "revoke "+e.order.Label)
	return workflow.ExecuteActivity(ctx, do.DeprovisionAccess, e.claim).Get(ctx, nil)
}

// say brings the request that the claim came from up to date, and tells people.
func (e *endAccess) say(ctx workflow.Context) error {
	recordCtx := with(ctx, recordPolicy, loadNextSteps)
	if err := workflow.ExecuteActivity(recordCtx, do.Advance, activities.AdvanceInput{RequestID: e.order.RequestID}).Get(recordCtx, nil); err != nil {
		return err
	}
	slackCtx := with(ctx, messagePolicy, "say so in Slack")
	if err := workflow.ExecuteActivity(slackCtx, do.SyncMessages, activities.RequestInput{RequestID: e.order.RequestID}).Get(slackCtx, nil); err != nil {
		workflow.GetLogger(ctx).Error("messages are behind: the sweep sends them", "error", err)
	}
	return nil
}
