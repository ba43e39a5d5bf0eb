package main

import (
	"context"
	"errors"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// openForm opens the request form.
func (a *app) openForm(ctx context.Context, ic *slack.InteractionCallback, _ *slack.BlockAction) {
	a.openDraft(ctx, ic, schema.LikePerson, "Request Access", func(viewID, hash string, person schema.Person, zone string) (schema.Draft, error) {
		return a.db.OpenDraft(ctx, viewID, hash, person.ID, zone)
	})
}

// openEarlier opens the form that asks for more time, with one claim or with all that a request gave, or again for what a
// request asked for.
func (a *app) openEarlier(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	mode, button := schema.Extend, "Extend"
	if action.ActionID == views.ActionAgain {
		mode, button = schema.Again, "Ask again"
	}
	a.openDraft(ctx, ic, mode, button, func(viewID, hash string, person schema.Person, zone string) (draft schema.Draft, err error) {
		number, err := idOf(action.Value)
		var entitlements []int64 // none: all
		switch {
		case err != nil:
		case action.ActionID == views.ActionExtend:
			entitlements = make([]int64, 1)
			number, entitlements[0], err = schema.RequestOfClaim(ctx, a.db, number, person.ID)
		case action.ActionID == views.ActionExtendSoon:
			number, entitlements, err = schema.NamedBefore(ctx, a.db, number, person.ID)
		}
		if err == nil {
			draft, err = a.db.OpenEarlier(ctx, mode, viewID, hash, person.ID, zone, number, entitlements...)
		}
		if errors.Is(err, schema.ErrNotFound) || errors.Is(err, schema.ErrNotOffered) {
			a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: person.ID, Action: strings.ToLower(button) + " refused", Alert: true,
				Details: map[string]any{"value": views.Cut(action.Value, 40), "why": err.Error()}})
		}
		return draft, err
	})
}

// openDraft opens a form: at once something, within the trigger's three seconds, and the form once its draft is kept.
func (a *app) openDraft(ctx context.Context, ic *slack.InteractionCallback, mode, button string,
	keep func(viewID, hash string, person schema.Person, zone string) (schema.Draft, error),
) {
	opened, err := a.open(ctx, ic, views.Loading("Request access"))
	if err != nil {
		a.log.Error("the form could not be opened", "user", ic.User.ID, "error", err)
		a.write(ctx, ic.User.ID, "The form could not be opened. Please press "+button+" again.")
		return
	}
	person, err := a.who(ctx, ic.User.ID)
	var draft schema.Draft
	if err == nil {
		draft, err = keep(opened.View.ID, opened.View.Hash, person, a.zoneOf(ctx, person, ic.User.ID))
	}
	switch {
	case errors.Is(err, schema.ErrNotFound), errors.Is(err, schema.ErrNotOffered):
		a.replace(ctx, ic.User.ID, opened.View.ID, views.Notice(views.FormTitle(mode), "Only the one who asked for this access can do that."))
	case err != nil:
		a.replace(ctx, ic.User.ID, opened.View.ID, views.Notice(views.FormTitle(mode), a.words(ctx, err)))
	default:
		a.draw(ctx, ic.User.ID, draft, "")
	}
}

// draw shows a user's draft as it is, or tells them that it cannot.
func (a *app) draw(ctx context.Context, userID string, draft schema.Draft, notice string) {
	if !a.drawn(ctx, draft, notice) {
		a.write(ctx, userID, formNotShown)
	}
}

// drawn shows a draft as it is, and answers whether it could. When the draft changes, or somebody else draws it, meanwhile, it
// draws again: the newest stays. The notice (mrkdwn; empty: none) is shown until the form is drawn again.
func (a *app) drawn(ctx context.Context, draft schema.Draft, notice string) bool {
	hash := draft.ViewHash
	for range 6 {
		offer, err := draft.Complete(ctx, a.db, views.AskedShown+1)
		if err != nil {
			a.log.Error("the form could not be drawn", "view", draft.ViewID, "error", err)
			return false
		}
		form := views.Form{Draft: draft, Offer: offer, MaxDays: a.config.maxDays, WorkspaceURL: a.home.url, Notice: notice}
		updated, err := a.slack.UpdateViewContext(ctx, form.View(), "", hash, draft.ViewID)
		switch {
		case err == nil:
			newest, err := a.db.DraftDrawn(ctx, draft, updated.View.Hash)
			if err != nil {
				a.log.Error("that the form was drawn could not be kept", "view", draft.ViewID, "error", err)
				return true
			}
			if newest {
				return true
			}
		case slackSays(err, "hash_conflict"): // also of our own first try, whose answer was lost
		case slackSays(err, "not_found"):
			return true // closed
		default:
			a.log.Error("the form could not be drawn", "view", draft.ViewID, "error", err, "where", problems(err))
			return false
		}
		again, err := schema.DraftByView(ctx, a.db, draft.ViewID, draft.PersonID)
		if err != nil {
			submitted := errors.Is(err, schema.ErrNotFound)
			if !submitted {
				a.log.Error("the form could not be drawn again", "view", draft.ViewID, "error", err)
			}
			return submitted
		}
		if hash = again.ViewHash; hash == draft.ViewHash {
			hash = "" // whoever drew last has not said so, and perhaps never will: what we draw now is the newest
		}
		draft = again
	}
	a.log.Warn("the form changes faster than it can be drawn", "view", draft.ViewID)
	return false
}

// drawAgain shows a user's draft as it is by now.
func (a *app) drawAgain(ctx context.Context, userID, viewID string, personID int64, notice string) {
	draft, err := schema.DraftByView(ctx, a.db, viewID, personID)
	if err != nil {
		a.log.Error("the form could not be drawn again", "view", viewID, "error", err)
		a.write(ctx, userID, formNotShown)
		return
	}
	a.draw(ctx, userID, draft, notice)
}

// formAction takes an action in the form over into its draft, and answers what follows: the form drawn anew, unless only
// boxes were ticked.
func (a *app) formAction(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) func(ctx context.Context) {
	viewID := ic.View.ID
	person, err := a.bound(ctx, ic.User.ID)
	var draft schema.Draft
	if err == nil {
		draft, err = a.db.ChangeDraft(ctx, viewID, person.ID, func(tx *sqlx.Tx, d *schema.Draft) error {
			return take(ctx, tx, d, ic.View.State, action)
		})
	}
	switch {
	case err == nil && action.ActionID == views.ActionGrants:
		return nil // Slack shows ticks by itself
	case err == nil:
		return func(ctx context.Context) { a.draw(ctx, ic.User.ID, draft, "") }
	case errors.Is(err, errOutdated): // it crossed a newer list on its way, or that was never shown
		return func(ctx context.Context) { a.drawAgain(ctx, ic.User.ID, viewID, person.ID, "") }
	case errors.Is(err, schema.ErrNotOffered):
		a.auditNotOffered(ctx, person.ID, viewID, err)
		return nil
	case errors.Is(err, schema.ErrNotFound):
		return func(ctx context.Context) {
			a.replace(ctx, ic.User.ID, viewID, views.Notice("Request access", formGone))
		}
	case turnedAway(err):
		return func(ctx context.Context) {
			a.replace(ctx, ic.User.ID, viewID, views.Notice("Request access", a.words(ctx, &refused{err: err})))
		}
	}
	a.log.Error("an action in the form could not be kept", "view", viewID, "error", err)
	return func(ctx context.Context) { a.tell(ctx, ic, tryAgain) }
}

const formGone = "This form is too old. Please close it and press Request Access again."

func (a *app) auditNotOffered(ctx context.Context, personID int64, viewID string, err error) {
	a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: personID, Action: "asked for what was not offered", Alert: true,
		Details: map[string]any{"view": viewID, "why": err.Error()}})
}
