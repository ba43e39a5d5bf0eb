package activities

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"accessbot/schema"
)

// DeprovisionAccess ends a claim that is over, and revokes its access unless another claim keeps it. Every error is retried.
func (a *Activities) DeprovisionAccess(ctx context.Context, in ClaimInput) error {
	assignment, err := schema.AssignmentOfClaim(ctx, a.DB, in.ClaimID)
	if err != nil {
		return err
	}
	err = a.Reconciler.Reconcile(ctx, assignment)
	if err == nil {
		return nil
	}
	a.Reconciler.AlertIfOverdue(ctx, in.ClaimID, assignment, err)
	return a.retry(ctx, err)
}

// CheckClaimResult says what a claim is, and whether and how it is over.
type CheckClaimResult struct {
	State  string // revoked or ended; empty: it is not over
	OfItem bool   // it came from a request, whose own run ends it
	Label  string // application and entitlement
	Holder string // a name, or p<id>
}

// CheckClaim reports whether a claim is over. A run that was started for one that is not raises an alert, and so does one that
// was started for the claim of a request.
func (a *Activities) CheckClaim(ctx context.Context, in ClaimInput) (CheckClaimResult, error) {
	c, err := schema.ClaimForRun(ctx, a.DB, in.ClaimID)
	if isNotFound(err) {
		text := fmt.Sprintf("claim %d does not exist", in.ClaimID)
		return CheckClaimResult{}, temporal.NewNonRetryableApplicationError(text, "NoSuchClaim", err)
	}
	if err != nil {
		return CheckClaimResult{}, err
	}
	result := CheckClaimResult{
		State: c.State, OfItem: c.RequestID.Valid,
		Label: c.Application + " / " + c.Entitlement, Holder: a.personName(c.HolderID, c.HolderName),
	}
	if c.State != "" && !c.RequestID.Valid {
		return result, nil
	}
	return result, schema.Audit(
		ctx,
		a.DB,
		schema.Event{
			Actor:     "worker",
			Action:    schema.DeprovisioningRefused,
			Alert:     true,
			ClaimID:   in.ClaimID,
			RequestID: c.RequestID.Int64,
		},
	)
}
