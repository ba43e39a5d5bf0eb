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
func (a *app) openHolders(ctx context.Context, ic *slack.InteractionCallback, _ *slack.BlockAction) {
	if _, err := a.open(ctx, ic, views.Holders()); err != nil {
		a.log.Error("who has access could not be opened", "user", ic.User.ID, "error", err, "where", problems(err))
		a.tell(ctx, ic, modalNotOpened)
	}
}

// pickHolder shows what the chosen person has.
func (a *app) pickHolder(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	person, err := strconv.ParseInt(action.SelectedOption.Value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return
	}
	a.showList(ctx, ic.User.ID, ic.View.ID, views.ListValue(views.ListHolder(person), 1))
}

// holderList is a page of what somebody has that the reader looks after.
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

const notYoursToTakeBack = "This access is over or being taken back already, or it is not yours to take back."

// askWhyTakenBack opens the modal that asks for the reason.
func (a *app) askWhyTakenBack(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	claimID, err := strconv.ParseInt(action.Value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return
	}
	reader, err := a.who(ctx, ic.User.ID)
	if err != nil {
		a.tell(ctx, ic, a.words(ctx, err))
		return
	}
	line, holder, err := schema.ClaimUnder(ctx, a.db, claimID, reader.ID)
	if errors.Is(err, schema.ErrNotAllowed) {
		if err := schema.AuditTakingBackRefused(ctx, a.db, claimID, reader.ID, err); err != nil {
			a.log.Error("a refusal could not be recorded", "user", ic.User.ID, "error", err)
		}
	}
	if errors.Is(err, schema.ErrNotAllowed) || errors.Is(err, schema.ErrNotFound) || line.Leaving {
		a.tell(ctx, ic, notYoursToTakeBack)
		return
	}
	if err != nil {
		a.tell(ctx, ic, a.words(ctx, err))
		return
	}
	if _, err := a.open(ctx, ic, views.TakeBack(line, holder, a.zoneOf(ctx, reader, ic.User.ID))); err != nil {
		a.log.Error("why access is taken back could not be asked for", "user", ic.User.ID, "error", err, "where", problems(err))
		a.tell(ctx, ic, modalNotOpened)
	}
}

// submitTakeBack records that access is taken back. What is in its way stands at the field.
func (a *app) submitTakeBack(ctx context.Context, ic *slack.InteractionCallback) (wrong fieldErrors, after func(ctx context.Context)) {
	reason, wrong := writtenReason(ic)
	if wrong != nil {
		return wrong, nil
	}
	claimID, err := strconv.ParseInt(ic.View.PrivateMetadata, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return fieldErrors{views.BlockReason: "This button cannot be used."}, nil
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return fieldErrors{views.BlockReason: plainWords(a.words(ctx, err))}, nil
	}
	claim, err := a.db.TakeBack(ctx, claimID, person.ID, reason)
	switch {
	case errors.Is(err, schema.ErrNotAllowed), errors.Is(err, schema.ErrNotFound):
		return fieldErrors{views.BlockReason: "Only those who look after this access can take it back."}, nil
	case errors.Is(err, schema.ErrNotOpen):
		return fieldErrors{views.BlockReason: "This is over already."}, nil
	case err != nil:
		return fieldErrors{views.BlockReason: plainWords(a.words(ctx, err))}, nil
	}
	return nil, func(context.Context) {
		if !claim.EndedAt.Valid {
			a.wakeClaim(claim, func(ctx context.Context) {
				a.write(ctx, ic.User.ID, "It is recorded that you take this access back. It will take effect shortly.")
			})
		}
	}
}
