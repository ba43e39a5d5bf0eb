package activities

import (
	"context"
	"errors"
	"fmt"
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

// ProvisionAccess gives an approved item, if the stored decision proves that it may be given. What cannot be given, and
// will not be by trying again, fails here: that item alone.
func (a *Activities) ProvisionAccess(ctx context.Context, in ItemInput) error {
	seat, err := schema.SeatOfItem(ctx, a.DB, in.ItemID)
	if err != nil {
		return err
	}
	err = a.Settler.Settle(ctx, seat)
	switch connector.ClassOf(err) {
	case connector.ClassNone:
		return nil
	case connector.ClassPending: // Advance says when to look again
		return a.failIfPendingTooLong(ctx, in.ItemID, seat, err)
	case connector.ClassDenied, connector.ClassGone, connector.ClassRefused:
		return a.fail(ctx, in.ItemID, seat, err)
	default: // trying again may help
		if !IsBusy(err) {
			a.sayRetrying(ctx, in.ItemID, explainRetry(err))
		}
		return a.retry(ctx, err)
	}
}

func (a *Activities) failIfPendingTooLong(ctx context.Context, itemID int64, seat schema.Seat, why error) error {
	waited, err := schema.WaitedFor(ctx, a.DB, itemID)
	if err != nil || waited < a.Options.ExpireAfter {
		return err
	}
	return a.fail(ctx, itemID, seat, why)
}

// lastTries is how often FailItem finds others at work before it gives up too.
const lastTries = 5

// FailItem ends an item whose giving took too long. It tries once more before: perhaps it was the worker that was away.
func (a *Activities) FailItem(ctx context.Context, in ItemInput) error {
	seat, err := schema.SeatOfItem(ctx, a.DB, in.ItemID)
	if err != nil {
		return err
	}
	if err = a.Settler.Settle(ctx, seat); err == nil || connector.ClassOf(err) == connector.ClassPending {
		return nil
	} else if IsBusy(err) && attempt(ctx) < lastTries {
		return a.retry(ctx, err)
	}
	var notCreated *connector.NotCreated
	if errors.As(err, &notCreated) {
		return a.DB.FailItem(ctx, in.ItemID, fmt.Sprintf("The account %s could not be created in the system in time.", notCreated.Account))
	}
	return a.DB.FailItem(ctx, in.ItemID, "The system could not be reached in time.")
}

func (a *Activities) fail(ctx context.Context, itemID int64, seat schema.Seat, why error) error {
	a.Log.Error("access could not be given", "item", itemID, "target", seat.Instance, "error", why)
	if err := a.DB.FailItem(ctx, itemID, explain(why)); err != nil {
		return err
	}
	return nil
}

// explain is what people read about a target's refusal.
func explain(err error) string {
	var gone *connector.Gone
	var notCreated *connector.NotCreated
	var refused *connector.Refused
	var pending *connector.Pending
	switch {
	case errors.As(err, &notCreated):
		return explainNotCreated(notCreated)
	case errors.As(err, &pending):
		return fmt.Sprintf("It waited too long for %s.", pending.WaitsFor)
	case errors.As(err, &gone) && gone.Part == connector.Object:
		return fmt.Sprintf("It does not exist in the system any more (%s).", gone.Name)
	case errors.As(err, &gone):
		return fmt.Sprintf("There is no account %s in the system, and accounts aren't created automatically there. "+
			"Ask an owner of the application to set it up, then request access again.", gone.Name)
	case errors.As(err, &refused) && refused.ByPeople:
		return fmt.Sprintf("Those who look after it cannot give it: %s", refused.Reason)
	case errors.As(err, &refused):
		return fmt.Sprintf("The system's connector refuses %s: %s.", refused.Name, refused.Reason)
	default:
		return "The connection to the system is not set up properly: its operators have been told."
	}
}

// explainNotCreated is what people read where an account was needed, and creating it was refused.
func explainNotCreated(e *connector.NotCreated) string {
	text := fmt.Sprintf("There is no account %s in the system, and ", e.Account)
	var refused *connector.Refused
	switch {
	case errors.As(e.Err, &refused) && refused.ByPeople:
		return text + "it can't be created. The system's answer: " + refused.Reason
	case errors.As(e.Err, &refused):
		return text + fmt.Sprintf("it can't be created: it %s.", refused.Reason)
	default:
		return text + "we aren't allowed to create it. Operators have been notified. Request access again when the account exists."
	}
}

// explainRetry is why giving is tried again, as people read it.
func explainRetry(err error) string {
	var notCreated *connector.NotCreated
	if errors.As(err, &notCreated) {
		return fmt.Sprintf("the account %s is not ready in the system yet", notCreated.Account)
	}
	return retryingProblem
}

// retryingProblem is why giving is tried again where nothing more is known.
const retryingProblem = "the system does not answer as it should"

// sayRetrying lets people know. It is a courtesy: if it fails, the retry matters more.
func (a *Activities) sayRetrying(ctx context.Context, itemID int64, problem string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := a.DB.SayRetrying(ctx, itemID, problem); err != nil {
		a.Log.Warn("could not note that giving is retried", "item", itemID, "error", err)
	}
}

// IsSeatBusy tells that somebody else works at the seat, or holds its lock and does nothing.
func IsSeatBusy(err error) bool { return errors.Is(err, errSeatBusy) }

// IsBusy tells that others are at work there, and nothing was tried: nothing is wrong.
func IsBusy(err error) bool { return errors.Is(err, errSeatBusy) || errors.Is(err, errBusy) }

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
			options.Cause = errBusy // which names nobody, and the sweep looks for it
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
