package main

import (
	"context"
	"errors"
	"fmt"

	"accessbot/schema"
	"accessbot/slackapp/views"
	"accessbot/workflows"
)

// withdraw records the withdrawal of everything in a request that is not being set up yet.
func (a *app) withdraw(ctx context.Context, c *click, number int64) (outcome, error) {
	items, err := a.db.Withdraw(ctx, number, c.person.ID)
	switch {
	case err != nil:
		return outcome{}, err
	case len(items) == 0:
		return outcome{}, said("There is nothing left to withdraw.")
	}
	return outcome{home: &c.person, wake: wakeRequest(number, workflows.SignalWithdrawalRecorded,
		fmt.Sprintf("Withdrawing request #%d. This will take effect as soon as our systems are back.", number))}, nil
}

// removeAccess records that a holder removes their access before its end date.
func (a *app) removeAccess(ctx context.Context, c *click, claimID int64) (outcome, error) {
	claim, err := a.db.RemoveAccess(ctx, claimID, c.person.ID)
	if err != nil {
		return outcome{}, err
	}
	o := outcome{home: &c.person}
	const recorded = "Removing your access. We'll tell you if it is delayed."
	switch {
	case claim.EndedAt.Valid:
		o.tell = "You no longer have this access."
	case claim.RevokedAt.Valid: // pressed twice: the run knows
		o.tell = recorded
	default:
		o.wake = &wakeUp{claim: &claim, otherwise: recorded}
	}
	return o, nil
}

// askWhyRevoked opens the modal that asks for the reason of a revocation.
func (a *app) askWhyRevoked(ctx context.Context, c *click, claimID int64) (outcome, error) {
	line, holder, err := schema.RevocableClaim(ctx, a.db, claimID, c.person.ID)
	if errors.Is(err, schema.ErrNotFound) || line.Leaving {
		err = schema.ErrNotOpen
	}
	if err != nil {
		return outcome{}, err
	}
	return opened(views.RevokeAccess(line, holder, a.zoneOf(ctx, c.person, c.ic.User.ID))), nil
}

// submitRevocation records a revocation.
func (a *app) submitRevocation(ctx context.Context, c *click, claimID int64) (outcome, error) {
	reason, err := c.fields.reason()
	if err != nil {
		return outcome{}, err
	}
	claim, err := a.db.RevokeAccess(ctx, claimID, c.person.ID, reason)
	if err != nil || !claim.Revocable {
		return outcome{}, err
	}
	text := "Revoking this access. We'll tell you if it is delayed."
	if line, holder, err := schema.RevocableClaim(ctx, a.db, claimID, c.person.ID); err == nil {
		text = fmt.Sprintf("Revoking %s for %s. We'll tell you if it is delayed.", short(line.Name), short(holder.Name))
	}
	return outcome{wake: &wakeUp{claim: &claim, otherwise: text}}, nil
}

// short returns a name within a sentence of mrkdwn.
func short(s string) string { return views.Escape(views.Cut(s, 80)) }
