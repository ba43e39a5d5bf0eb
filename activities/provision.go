package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"accessbot/activities/connector"
	"accessbot/activities/connector/throttle"
	"accessbot/schema"
)

// ItemInput names an item of a request.
type ItemInput struct{ ItemID int64 }

// ClaimInput names a claim.
type ClaimInput struct{ ClaimID int64 }

// ProvisionAccess grants an approved item, if the stored decisions prove that it is approved. An error that retries cannot fix
// fails the item. A target that is down, limits calls or refuses our credentials is retried: see the classes of connector errors.
func (a *Activities) ProvisionAccess(ctx context.Context, in ItemInput) error {
	granting, err := schema.GrantingOf(ctx, a.DB, in.ItemID)
	if err != nil || granting.Over {
		return err // Advance moves the item on, even if the target is down
	}
	assignment, err := schema.AssignmentOfItem(ctx, a.DB, in.ItemID)
	if err != nil {
		return err
	}
	err = a.Reconciler.Reconcile(ctx, assignment)
	switch connector.ClassOf(err) {
	case connector.ClassNone:
		return nil
	case connector.ClassPending: // Advance schedules the next check
		return a.failIfPendingTooLong(ctx, in.ItemID, granting, assignment, err)
	case connector.ClassGone, connector.ClassRefused:
		return a.fail(ctx, in.ItemID, assignment, err, problemOf(err), false)
	default: // a retry may help
		if IsBusy(err) {
			return a.retry(ctx, err)
		}
		a.recordProblem(ctx, in.ItemID, assignment, err)
		expired, expiryErr := a.hasExpired(ctx, granting)
		if expiryErr != nil {
			return expiryErr
		}
		if expired {
			return a.fail(ctx, in.ItemID, assignment, err, problemOf(err).Became(schema.NotSetUpInTime), true)
		}
		return a.retry(ctx, err)
	}
}

// hasExpired tells whether a permanent item has waited for its target for as long as a request may wait for approval. A temporary
// item waits until its end.
func (a *Activities) hasExpired(ctx context.Context, g schema.Granting) (bool, error) {
	if g.Temporary {
		return false, nil
	}
	expireAfter, err := a.expireAfter(ctx, g)
	if err != nil {
		return false, err
	}
	return g.Approved >= expireAfter.Seconds(), nil
}

// expireAfter is how long an item waits, by its rule in its version of the policy.
func (a *Activities) expireAfter(ctx context.Context, g schema.Granting) (time.Duration, error) {
	policy, err := schema.PolicyOf(ctx, a.DB, g.Version)
	if err != nil {
		return 0, err
	}
	rule, err := policy.Rule(g.Rule)
	if err != nil {
		return policy.Defaults.ExpireAfter, nil //nolint:nilerr // such an item proves no approval, and fails for that
	}
	return rule.ExpireAfter, nil
}

func (a *Activities) failIfPendingTooLong(
	ctx context.Context, itemID int64, g schema.Granting, assignment schema.Assignment, why error,
) error {
	waited, err := schema.ClaimAge(ctx, a.DB, itemID)
	if err != nil {
		return err
	}
	expireAfter, err := a.expireAfter(ctx, g)
	if err != nil || waited < expireAfter {
		return err
	}
	return a.fail(ctx, itemID, assignment, why, problemOf(why).Became(schema.WaitedTooLong), false)
}

// fail fails an item. inDoubt: the target could not be read, so it may show the access.
func (a *Activities) fail(ctx context.Context, itemID int64, assignment schema.Assignment, why error, problem schema.Problem,
	inDoubt bool,
) error {
	a.Log.Error("provisioning failed",
		"item", itemID, "target", assignment.Instance, "problem", string(problem.Code), "error", why)
	return a.DB.FailItem(ctx, itemID, problem, inDoubt)
}

// IsAssignmentBusy tells whether err says that the assignment's lock is taken.
func IsAssignmentBusy(err error) bool { return errors.Is(err, errAssignmentBusy) }

// IsBusy tells whether err says that a lock or all slots are taken. Nothing was tried, and nothing is wrong.
func IsBusy(err error) bool {
	return errors.Is(err, errAssignmentBusy) || errors.Is(err, schema.ErrBusy) || errors.Is(err, throttle.ErrBusy)
}

func isNotFound(err error) bool { return errors.Is(err, schema.ErrNotFound) }

// retry makes a benign error that says when Temporal retries. Its text can name people, so without ShowPeople it is in the
// worker's log only.
func (a *Activities) retry(ctx context.Context, err error) error {
	options := temporal.ApplicationErrorOptions{Cause: err, Category: temporal.ApplicationErrorCategoryBenign}
	text, class := err.Error(), connector.ClassOf(err).String()
	if !a.Options.ShowPeople {
		a.Log.Warn("attempt failed, will retry", "error", err)
		text, options.Cause = class+", see the worker's log", nil
		if IsBusy(err) {
			options.Cause = schema.ErrBusy // names no one, and the sweep checks for it
		}
	}
	var limited *connector.RateLimited
	var pending *connector.Pending
	switch {
	case IsBusy(err):
		options.NextRetryDelay = schema.BusyRetry(attempt(ctx))
	case errors.As(err, &pending):
		options.NextRetryDelay = max(pending.CheckAfter, schema.BusyRetry(attempt(ctx)))
	case errors.As(err, &limited) && limited.RetryAfter > 0:
		options.NextRetryDelay = limited.RetryAfter
	}
	return temporal.NewApplicationErrorWithOptions(text, class, options)
}

// attempt counts an activity's attempts from 1.
func attempt(ctx context.Context) int32 {
	if !activity.IsActivity(ctx) {
		return 1
	}
	return activity.GetInfo(ctx).Attempt
}
