package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/workflows"
)

// withdraw records the withdrawal of everything in a request that is not being set up yet.
func (a *app) withdraw(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	number, person, refused := a.pressed(ctx, ic, action)
	if refused != "" {
		return telling(refused)
	}
	items, err := a.db.Withdraw(ctx, number, person.ID)
	switch {
	case err != nil:
		return telling(a.refusedOrder(ctx, person, schema.WithdrawalRefused, number, err))
	case len(items) == 0:
		return telling("There is nothing left to withdraw.")
	}
	return outcome{home: &person, wake: wakeRequest(number, workflows.SignalWithdrawalRecorded,
		fmt.Sprintf("Withdrawing request #%d. This will take effect as soon as our systems are back.", number))}
}

// removeAccess records that a holder removes their access before its end date.
func (a *app) removeAccess(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	claimID, person, refused := a.pressed(ctx, ic, action)
	if refused != "" {
		return telling(refused)
	}
	claim, err := a.db.RemoveAccess(ctx, claimID, person.ID)
	if err != nil {
		return telling(a.refusedOrder(ctx, person, schema.RevocationRefused, claimID, err))
	}
	o := outcome{home: &person}
	const recorded = "Removing your access. We'll tell you if it is delayed."
	switch {
	case claim.EndedAt.Valid:
		o.tell = "You no longer have this access."
	case claim.RevokedAt.Valid: // pressed twice: the run knows
		o.tell = recorded
	default:
		o.wake = &wakeUp{claim: &claim, otherwise: recorded}
	}
	return o.alsoListed(ic)
}

// pressed returns the ID in a button and who pressed it, or why it is refused (mrkdwn).
func (a *app) pressed(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) (id int64, person schema.Person, refused string) {
	id, err := strconv.ParseInt(action.Value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return 0, schema.Person{}, badButton
	}
	if person, err = a.who(ctx, ic.User.ID); err != nil {
		return 0, schema.Person{}, a.words(ctx, err)
	}
	return id, person, ""
}

// refusedOrder says why nothing was recorded.
func (a *app) refusedOrder(ctx context.Context, person schema.Person, refusedAs schema.AuditAction, id int64, err error) string {
	switch {
	case errors.Is(err, schema.ErrNotAllowed), errors.Is(err, schema.ErrNotFound):
		a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: person.ID, Action: refusedAs, Alert: true, Details: map[string]any{"id": id, "why": err.Error()}})
		return "Only the requester can do this."
	case errors.Is(err, schema.ErrNotOpen):
		return "This has already ended."
	case errors.Is(err, schema.ErrWrongKind):
		return "This access is being set up right now. Once it is active, you can remove it on the Home tab."
	}
	return a.words(ctx, err)
}
