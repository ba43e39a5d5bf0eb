package activities

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"accessbot/schema"
)

// DeprovisionAccess revokes a claim's access , if the claim is over and no other one keeps it. It is never given up:
// every error is worth another attempt.
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

// CheckReleaseResult says whether a claim may be revoked on someone's order.
type CheckReleaseResult struct {
	Ordered   bool   // a release is a delegate the database, or the claim's end has passed
	ItemID    int64  // the claim's item; 0: none
	RequestID int64  // that item's request; 0: none
	Label     string // application and entitlement
}

// CheckRelease looks whether the database orders a claim back. A run started without such an order is an alert.
func (a *Activities) CheckRelease(ctx context.Context, in ClaimInput) (CheckReleaseResult, error) {
	c, err := schema.ClaimForRun(ctx, a.DB, in.ClaimID)
	if isNotFound(err) {
		return CheckReleaseResult{}, temporal.NewNonRetryableApplicationError(fmt.Sprintf("there is no claim %d", in.ClaimID), "NoSuchClaim", err)
	}
	if err != nil {
		return CheckReleaseResult{}, err
	}
	result := CheckReleaseResult{Ordered: c.Ordered, ItemID: c.ItemID.Int64, RequestID: c.RequestID.Int64, Label: c.Application + " / " + c.Entitlement}
	if c.Ordered {
		return result, nil
	}
	return result, schema.Audit(ctx, a.DB, schema.Event{Actor: "worker", Action: schema.DeprovisioningRefused, Alert: true, ClaimID: in.ClaimID, RequestID: c.RequestID.Int64})
}
