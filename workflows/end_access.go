package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"accessbot/activities"
)

// EndAccessInput names the claim to end.
type EndAccessInput struct{ ClaimID int64 }

// EndAccessResult says what came of the claim.
type EndAccessResult struct {
	State string `json:"state"` // revoked or ended
}

// EndAccess ends one imported claim: those of a request are ended by the request's own run. The claim must be over in the
// database. Otherwise the run fails and changes nothing.
func EndAccess(ctx workflow.Context, in EndAccessInput) (*EndAccessResult, error) {
	if id := workflow.GetInfo(ctx).WorkflowExecution.ID; id != EndWorkflowID(in.ClaimID) {
		text := fmt.Sprintf("workflow ID %s does not belong to claim %d", id, in.ClaimID)
		return nil, temporal.NewNonRetryableApplicationError(text, "WrongID", nil)
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx) // cancelling the run does not undo a recorded revocation
	claim, err := checkClaim(ctx, in.ClaimID)
	if err != nil {
		return nil, err
	}
	if err := deprovision(ctx, activities.Step{ID: in.ClaimID, Label: claim.Label}, claim.Holder); err != nil {
		return nil, err
	}
	return &EndAccessResult{State: claim.State}, nil
}

// checkClaim reads the claim, and fails unless it is imported and over.
func checkClaim(ctx workflow.Context, claimID int64) (claim activities.CheckClaimResult, err error) {
	ctx = withPolicy(ctx, databasePolicy, "Check that the claim is over")
	if err := workflow.ExecuteActivity(ctx, do.CheckClaim, activities.ClaimInput{ClaimID: claimID}).Get(ctx, &claim); err != nil {
		return claim, err
	}
	switch {
	case claim.OfItem:
		text := fmt.Sprintf("claim %d came from a request, whose own run ends it", claimID)
		return claim, temporal.NewNonRetryableApplicationError(text, "ClaimOfRequest", nil)
	case claim.State == "":
		text := fmt.Sprintf("claim %d is not over: it has no revocation and no past end", claimID)
		return claim, temporal.NewNonRetryableApplicationError(text, "ClaimNotOver", nil)
	}
	return claim, nil
}

// deprovision ends a claim that is over, until the target shows no access.
func deprovision(ctx workflow.Context, claim activities.Step, holder string) error {
	ctx = withPolicy(ctx, deprovisionPolicy, "Revoke "+claim.Label+" from "+holder)
	return workflow.ExecuteActivity(ctx, do.DeprovisionAccess, activities.ClaimInput{ClaimID: claim.ID}).Get(ctx, nil)
}
