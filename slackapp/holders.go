package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// openHolders opens the modal in which owners and administrators look at others' access.
func (a *app) openHolders(context.Context, *slack.InteractionCallback, *slack.BlockAction) outcome {
	return outcome{opens: &opening{view: views.Holders()}}
}

// pickHolder shows what the chosen person has.
func (a *app) pickHolder(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	person, err := strconv.ParseInt(action.SelectedOption.Value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return outcome{}
	}
	return outcome{list: &shownList{ic.View.ID, views.ListValue(views.ListHolder(person), 1)}}
}

// holderList is a page of what someone has that the reader looks after.
func (a *app) holderList(ctx context.Context, holder int64, reader schema.Person, page int, zone string) (slack.ModalViewRequest, error) {
	person, err := schema.PersonByID(ctx, a.db, holder)
	if errors.Is(err, schema.ErrNotFound) {
		return views.Holders(), nil
	}
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	lines, total, err := schema.AccessUnder(ctx, a.db, holder, reader.ID, views.ListLines, (page-1)*views.ListLines)
	if err == nil && len(lines) == 0 && page > 1 { // it has become shorter
		page = 1
		lines, total, err = schema.AccessUnder(ctx, a.db, holder, reader.ID, views.ListLines, 0)
	}
	return views.HolderList(person, lines, total, page, zone), err
}

const notYoursToRevoke = "This access is over or being revoked already, or it is not yours to revoke."

// askWhyRevoked opens the modal that asks for the reason.
func (a *app) askWhyRevoked(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	claimID, err := strconv.ParseInt(action.Value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return outcome{}
	}
	reader, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	line, holder, err := schema.ClaimUnder(ctx, a.db, claimID, reader.ID)
	if errors.Is(err, schema.ErrNotAllowed) {
		if err := schema.AuditRevocationRefused(ctx, a.db, claimID, reader.ID, err); err != nil {
			a.log.Error("a refusal could not be recorded", "user", ic.User.ID, "error", err)
		}
	}
	if errors.Is(err, schema.ErrNotAllowed) || errors.Is(err, schema.ErrNotFound) || line.Leaving {
		return telling(notYoursToRevoke)
	}
	if err != nil {
		return telling(a.words(ctx, err))
	}
	return outcome{opens: &opening{view: views.RevokeAccess(line, holder, a.zoneOf(ctx, reader, ic.User.ID))}}
}

// submitRevocation records that access is revoked. What is in its way stands at the field.
func (a *app) submitRevocation(ctx context.Context, ic *slack.InteractionCallback) outcome {
	reason, wrong := writtenReason(ic)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	claimID, err := strconv.ParseInt(ic.View.PrivateMetadata, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return wrongAt(views.BlockReason, "This button cannot be used.")
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return wrongAt(views.BlockReason, plainWords(a.words(ctx, err)))
	}
	claim, err := a.db.RevokeAccess(ctx, claimID, person.ID, reason)
	switch {
	case errors.Is(err, schema.ErrNotAllowed), errors.Is(err, schema.ErrNotFound):
		return wrongAt(views.BlockReason, "Only those who look after this access can revoke it .")
	case errors.Is(err, schema.ErrNotOpen):
		return wrongAt(views.BlockReason, "This is over already.")
	case err != nil:
		return wrongAt(views.BlockReason, plainWords(a.words(ctx, err)))
	case claim.EndedAt.Valid, claim.RevokedAt.Valid:
		return outcome{}
	}
	return outcome{wake: &wakeUp{claim: &claim, otherwise: "It is recorded that you revoke this access . It will take effect shortly."}}
}
