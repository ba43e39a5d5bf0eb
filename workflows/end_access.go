package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"accessbot/activities"
)

// EndAccessInput names the claim to end.
type EndAccessInput struct{ ClaimID int64 }

// EndAccess ends one claim that no request's run ends: imported access, or permanent access whose run is complete. The claim
// must be over in the database. Otherwise the run fails and changes nothing.
func EndAccess(ctx workflow.Context, in EndAccessInput) error {
	if id := workflow.GetInfo(ctx).WorkflowExecution.ID; id != EndWorkflowID(in.ClaimID) {
		text := fmt.Sprintf("workflow ID %s does not belong to claim %d", id, in.ClaimID)
		return temporal.NewNonRetryableApplicationError(text, "WrongID", nil)
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx) // cancelling the run does not undo a recorded revocation
	e := &endAccess{in: activities.ClaimInput{ClaimID: in.ClaimID}}
	return e.run(ctx)
}

type endAccess struct {
	in    activities.ClaimInput
	claim activities.CheckClaimResult
}

func (e *endAccess) run(ctx workflow.Context) error {
	if err := e.checkClaim(ctx); err != nil {
		return err
	}
	if err := e.deprovision(ctx); err != nil {
		return err
	}
	if e.claim.RequestID == 0 {
		return nil
	}
	if err := e.updateRequest(ctx); err != nil {
		return err
	}
	e.syncMessages(ctx)
	return nil
}

func (e *endAccess) checkClaim(ctx workflow.Context) error {
	ctx = withPolicy(ctx, databasePolicy, "Check that the claim is over")
	if err := workflow.ExecuteActivity(ctx, do.CheckClaim, e.in).Get(ctx, &e.claim); err != nil {
		return err
	}
	if !e.claim.Over {
		text := fmt.Sprintf("claim %d is not over: it has no revocation and no past end", e.in.ClaimID)
		return temporal.NewNonRetryableApplicationError(text, "ClaimNotOver", nil)
	}
	return nil
}

func (e *endAccess) deprovision(ctx workflow.Context) error {
	ctx = withPolicy(ctx, deprovisionPolicy, "Revoke "+e.claim.Label)
	return workflow.ExecuteActivity(ctx, do.DeprovisionAccess, e.in).Get(ctx, nil)
}

// updateRequest records the end in the request that the claim came from.
func (e *endAccess) updateRequest(ctx workflow.Context) error {
	ctx = withPolicy(ctx, databasePolicy, loadNextSteps)
	return workflow.ExecuteActivity(ctx, do.Advance, activities.AdvanceInput{RequestID: e.claim.RequestID}).Get(ctx, nil)
}

func (e *endAccess) syncMessages(ctx workflow.Context) {
	ctx = withPolicy(ctx, messagePolicy, syncSummary)
	err := workflow.ExecuteActivity(ctx, SyncMessages, SyncInput{RequestID: e.claim.RequestID}).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Error(notSynced, "error", err)
	}
}
