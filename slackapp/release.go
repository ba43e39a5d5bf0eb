package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/workflows"
)

// withdraw records that a requester no longer asks for what is not being given yet.
func (a *app) withdraw(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	number, person, ok := a.pressed(ctx, ic, action)
	if !ok {
		return
	}
	items, err := a.db.Withdraw(ctx, number, person.ID)
	switch {
	case err != nil:
		a.refusedRelease(ctx, ic, person, "withdraw", number, err)
		return
	case len(items) == 0:
		a.tell(ctx, ic, "There is nothing left to withdraw: all of it is decided, given or withdrawn already.")
		return
	}
	a.wake(number, workflows.SignalWithdrawn, func(ctx context.Context) {
		a.tell(ctx, ic, "It is recorded that you withdraw this. It will take effect shortly.")
	})
	a.publishHome(ic.User.ID, person)
}

// giveBack records that somebody gives access back before its end.
func (a *app) giveBack(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	claimID, person, ok := a.pressed(ctx, ic, action)
	if !ok {
		return
	}
	claim, err := a.db.GiveBack(ctx, claimID, person.ID)
	if err != nil {
		a.refusedRelease(ctx, ic, person, "give back", claimID, err)
		return
	}
	if claim.EndedAt.Valid {
		a.tell(ctx, ic, "You do not have this access any more.")
	} else {
		a.wakeClaim(claim, func(ctx context.Context) {
			a.tell(ctx, ic, "It is recorded that you give this access back. It will take effect shortly.")
		})
	}
	if ic.View.Type == slack.VTModal {
		a.showList(ctx, ic.User.ID, ic.View.ID, ic.View.PrivateMetadata)
	}
	a.publishHome(ic.User.ID, person)
}

// pressed reads what a button is about and who pressed it. False: they were told why not.
func (a *app) pressed(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) (id int64, person schema.Person, ok bool) {
	id, err := strconv.ParseInt(action.Value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		a.tell(ctx, ic, "This button cannot be used.")
		return 0, schema.Person{}, false
	}
	if person, err = a.who(ctx, ic.User.ID); err != nil {
		a.tell(ctx, ic, a.words(ctx, err))
		return 0, schema.Person{}, false
	}
	return id, person, true
}

func (a *app) refusedRelease(ctx context.Context, ic *slack.InteractionCallback, person schema.Person, what string, id int64, err error) {
	var text string
	switch {
	case errors.Is(err, schema.ErrNotAllowed), errors.Is(err, schema.ErrNotFound):
		text = "Only the one who asked for this access can do that."
		a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: person.ID, Action: what + " refused", Alert: true, Details: map[string]any{"id": id, "why": err.Error()}})
	case errors.Is(err, schema.ErrNotOpen):
		text = "This is over already."
	case errors.Is(err, schema.ErrWrongKind):
		text = "This is being given at this moment. As soon as you have it, it can be given back on the Home tab."
	default:
		text = a.words(ctx, err)
	}
	a.tell(ctx, ic, text)
}
