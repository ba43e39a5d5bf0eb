package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/workflows"
)

// withdraw records that a requester no longer asks for what is not being granted yet.
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
		return telling("There is nothing left to withdraw: all of it is decided, given or withdrawn already.")
	}
	return outcome{home: &person, wake: wakeRequest(number, workflows.SignalWithdrawalRecorded,
		"It is recorded that you withdraw this. It will take effect shortly.")}
}

// removeAccess records that someone removes access  before its end.
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
	const recorded = "It is recorded that you remove this access . It will take effect shortly."
	switch {
	case claim.EndedAt.Valid:
		o.tell = "You do not have this access any more."
	case claim.RevokedAt.Valid: // pressed twice: its run need not hear of it again
		o.tell = recorded
	default:
		o.wake = &wakeUp{claim: &claim, otherwise: recorded}
	}
	return o.alsoListed(ic)
}

// pressed reads what a button is about and who pressed it, or why that counts for nothing (mrkdwn).
func (a *app) pressed(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) (id int64, person schema.Person, refused string) {
	id, err := strconv.ParseInt(action.Value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return 0, schema.Person{}, "This button cannot be used."
	}
	if person, err = a.who(ctx, ic.User.ID); err != nil {
		return 0, schema.Person{}, a.words(ctx, err)
	}
	return id, person, ""
}

// refusedOrder tells why nothing was recorded.
func (a *app) refusedOrder(ctx context.Context, person schema.Person, refusedAs schema.AuditAction, id int64, err error) string {
	switch {
	case errors.Is(err, schema.ErrNotAllowed), errors.Is(err, schema.ErrNotFound):
		a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: person.ID, Action: refusedAs, Alert: true, Details: map[string]any{"id": id, "why": err.Error()}})
		return "Only the one who asked for this access can do that."
	case errors.Is(err, schema.ErrNotOpen):
		return "This is over already."
	case errors.Is(err, schema.ErrWrongKind):
		return "This is being granted at this moment. As soon as you have it, it can be removed on the Home tab."
	}
	return a.words(ctx, err)
}
