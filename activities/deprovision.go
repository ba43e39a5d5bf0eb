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

// CheckClaimResult reports whether a claim is over.
type CheckClaimResult struct {
	Over      bool   // it has a revocation, or its end has passed
	ItemID    int64  // the claim's item; 0: none
	RequestID int64  // that item's request; 0: none
	Label     string // application and entitlement
}

// CheckClaim reports whether a claim is over. A run that was started for one that is not raises an alert.
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
		Over: c.Ordered, ItemID: c.ItemID.Int64, RequestID: c.RequestID.Int64, Label: c.Application + " / " + c.Entitlement,
	}
	if c.Ordered {
		return result, nil
	}
	return result, schema.Audit(ctx, a.DB, schema.Event{Actor: "worker", Action: schema.DeprovisioningRefused, Alert: true, ClaimID: in.ClaimID, RequestID: c.RequestID.Int64})
}
