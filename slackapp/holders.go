package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// openHolders opens the modal in which owners and administrators review access.
func (a *app) openHolders(context.Context, *slack.InteractionCallback, *slack.BlockAction) outcome {
	return outcome{opens: &opening{view: views.Holders()}}
}

// pickHolder shows the chosen person's access.
func (a *app) pickHolder(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	person, err := strconv.ParseInt(action.SelectedOption.Value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return outcome{}
	}
	return outcome{list: &shownList{ic.View.ID, views.ListValue(views.ListHolder(person), 1)}}
}

// holderList returns a page of a person's access that the reader owns.
func (a *app) holderList(ctx context.Context, holder int64, reader schema.Person, page int, zone string) (slack.ModalViewRequest, error) {
	person, err := schema.PersonByID(ctx, a.db, holder)
	if errors.Is(err, schema.ErrNotFound) {
		return views.Holders(), nil
	}
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	lines, total, err := schema.RevocableAccess(ctx, a.db, holder, reader.ID, views.ListLines, (page-1)*views.ListLines)
	if err == nil && len(lines) == 0 && page > 1 { // it has become shorter
		page = 1
		lines, total, err = schema.RevocableAccess(ctx, a.db, holder, reader.ID, views.ListLines, 0)
	}
	return views.HolderList(person, lines, total, page, zone), err
}

const notYoursToRevoke = "This access has ended, is already being removed, or isn't yours to revoke."

// askWhyRevoked opens the modal that asks for the reason of a revocation.
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
	line, holder, err := schema.RevocableClaim(ctx, a.db, claimID, reader.ID)
	if errors.Is(err, schema.ErrNotAllowed) {
		if err := schema.AuditRevocationRefused(ctx, a.db, claimID, reader.ID, err); err != nil {
			a.log.Error("audit refused revocation failed", "user", ic.User.ID, "error", err)
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

// submitRevocation records a revocation. Problems are shown at the field.
func (a *app) submitRevocation(ctx context.Context, ic *slack.InteractionCallback) outcome {
	reason, wrong := writtenReason(ic)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	claimID, err := strconv.ParseInt(ic.View.PrivateMetadata, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return wrongAt(views.BlockReason, badButton)
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return wrongAt(views.BlockReason, plainWords(a.words(ctx, err)))
	}
	claim, err := a.db.RevokeAccess(ctx, claimID, person.ID, reason)
	switch {
	case errors.Is(err, schema.ErrNotAllowed), errors.Is(err, schema.ErrNotFound):
		return wrongAt(views.BlockReason, "Only owners and administrators can revoke this access.")
	case errors.Is(err, schema.ErrNotOpen):
		return wrongAt(views.BlockReason, "This access has already ended.")
	case err != nil:
		return wrongAt(views.BlockReason, plainWords(a.words(ctx, err)))
	case !claim.Revocable:
		return outcome{}
	}
	text := "Revoking this access. We'll tell you if it is delayed."
	if line, holder, err := schema.RevocableClaim(ctx, a.db, claimID, person.ID); err == nil {
		text = fmt.Sprintf("Revoking %s for %s. We'll tell you if it is delayed.", short(line.Name), short(holder.Name))
	}
	return outcome{wake: &wakeUp{claim: &claim, otherwise: text}}
}

// short returns a name within a sentence of mrkdwn.
func short(s string) string { return views.Escape(views.Cut(s, 80)) }
