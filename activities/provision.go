package activities

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"accessbot/activities/connector"
	"accessbot/schema"
)

// ItemInput names an item of a request.
type ItemInput struct{ ItemID int64 }

// ClaimInput names a claim.
type ClaimInput struct{ ClaimID int64 }

// How soon to come again when a lock or a target's slots are taken by others.
const (
	comeAgainFirst = 2 * time.Second
	comeAgainLast  = time.Minute
)

// ProvisionAccess grants an approved item, if the stored decision proves that it may be granted. What cannot be granted, and
// will not be by trying again, fails here: that item alone. A target that is down, asks for fewer calls or does not let us is
// waited for: see the classes of connector errors.
func (a *Activities) ProvisionAccess(ctx context.Context, in ItemInput) error {
	granting, err := schema.GrantingOf(ctx, a.DB, in.ItemID)
	if err != nil || granting.Over {
		return err // Advance says what becomes of it, also where the target cannot be asked
	}
	assignment, err := schema.AssignmentOfItem(ctx, a.DB, in.ItemID)
	if err != nil {
		return err
	}
	err = a.Reconciler.Reconcile(ctx, assignment)
	switch connector.ClassOf(err) {
	case connector.ClassNone:
		return nil
	case connector.ClassPending: // Advance says when to look again
		return a.failIfPendingTooLong(ctx, in.ItemID, assignment, err)
	case connector.ClassGone, connector.ClassRefused:
		return a.fail(ctx, in.ItemID, assignment, err, problemOf(err), false)
	default: // trying again may help
		if IsBusy(err) {
			return a.retry(ctx, err)
		}
		a.noteProblem(ctx, in.ItemID, assignment, err)
		late, lateErr := a.waitedTooLong(ctx, granting)
		if lateErr != nil {
			return lateErr
		}
		if late {
			return a.fail(ctx, in.ItemID, assignment, err, problemOf(err).Became(schema.NotSetUpInTime), true)
		}
		return a.retry(ctx, err)
	}
}

// waitedTooLong tells whether an approved item without an end has waited for its target for as long as a request may wait for
// its approval: no one counts on it any more. With an end, it waits until then.
func (a *Activities) waitedTooLong(ctx context.Context, g schema.Granting) (bool, error) {
	if g.Temporary {
		return false, nil
	}
	policy, err := schema.PolicyOf(ctx, a.DB, g.Version)
	if err != nil {
		return false, err
	}
	expiry := a.Options.ExpireAfter
	if rule, err := policy.Rule(g.Rule); err == nil && rule.ExpireAfter > 0 {
		expiry = rule.ExpireAfter
	}
	return g.Approved >= expiry.Seconds(), nil
}

func (a *Activities) failIfPendingTooLong(ctx context.Context, itemID int64, assignment schema.Assignment, why error) error {
	waited, err := schema.WaitedFor(ctx, a.DB, itemID)
	if err != nil || waited < a.Options.ExpireAfter {
		return err
	}
	return a.fail(ctx, itemID, assignment, why, problemOf(why).Became(schema.WaitedTooLong), false)
}

// fail ends an item that is not granted. inDoubt: the target could not be asked whether it shows the access.
func (a *Activities) fail(ctx context.Context, itemID int64, assignment schema.Assignment, why error, problem schema.Problem, inDoubt bool) error {
	a.Log.Error("access could not be granted", "item", itemID, "target", assignment.Instance, "problem", string(problem.Code), "error", why)
	return a.DB.FailItem(ctx, itemID, problem, inDoubt)
}

// IsAssignmentBusy tells that someone else works at the assignment, or holds its lock and does nothing.
func IsAssignmentBusy(err error) bool { return errors.Is(err, errAssignmentBusy) }

// IsBusy tells that others are at work there, and nothing was tried: nothing is wrong.
func IsBusy(err error) bool { return errors.Is(err, errAssignmentBusy) || errors.Is(err, errBusy) }

func isNotFound(err error) bool { return errors.Is(err, schema.ErrNotFound) }

// retry tells Temporal when to try again, and that trying again is nothing to be alarmed about. What Temporal keeps names
// people only where it may: the worker's log has the rest.
func (a *Activities) retry(ctx context.Context, err error) error {
	options := temporal.ApplicationErrorOptions{Cause: err, Category: temporal.ApplicationErrorCategoryBenign}
	text, class := err.Error(), connector.ClassOf(err).String()
	if !a.Options.ShowPeople {
		a.Log.Warn("an attempt failed, and is made again", "error", err)
		text, options.Cause = "the worker's log says why: "+class, nil
		if IsBusy(err) {
			options.Cause = errBusy // which names no one, and the sweep looks for it
		}
	}
	var limited *connector.RateLimited
	var pending *connector.Pending
	switch {
	case IsBusy(err):
		options.NextRetryDelay = comeAgain(ctx)
	case errors.As(err, &pending):
		options.NextRetryDelay = max(pending.LookAgain, comeAgain(ctx))
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

// comeAgain is when to come again where others are at work: soon at first, then later and later, and never all at once.
func comeAgain(ctx context.Context) time.Duration {
	delay := min(comeAgainFirst<<min(attempt(ctx)-1, 10), comeAgainLast)
	return delay + rand.N(delay/2) //nolint:gosec // it spreads load, and keeps no secret
}
