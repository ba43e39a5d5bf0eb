package main

import (
	"context"
	"errors"

	"github.com/jmoiron/sqlx"
	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// openForm opens the request form.
func (a *app) openForm(ctx context.Context, ic *slack.InteractionCallback, _ *slack.BlockAction) outcome {
	form, button := newForm{mode: schema.LikePerson}, "Request Access"
	if _, err := a.who(ctx, ic.User.ID); err != nil {
		return form.refused(button, a.words(ctx, err))
	}
	return outcome{opens: &opening{view: views.Loading("Request access"), button: button, form: &form}}
}

// openEarlier opens the form that asks for more time, with one claim or with all that a request granted, or again for what a
// request asked for.
func (a *app) openEarlier(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	form, button := newForm{mode: schema.Extend}, "Extend"
	if action.ActionID == views.ActionAgain {
		form.mode, button = schema.Again, "Ask again"
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return form.refused(button, a.words(ctx, err))
	}
	form.request, err = idOf(action.Value)
	switch {
	case err != nil:
	case action.ActionID == views.ActionExtend:
		form.entitlements = make([]int64, 1)
		form.request, form.entitlements[0], err = schema.RequestOfClaim(ctx, a.db, form.request, person.ID)
	case action.ActionID == views.ActionExtendSoon:
		form.request, form.entitlements, err = schema.NamedBefore(ctx, a.db, form.request, person.ID)
	}
	if err == nil {
		err = schema.RequestedBy(ctx, a.db, form.request, person.ID)
	}
	switch {
	case errors.Is(err, schema.ErrNotFound), errors.Is(err, schema.ErrNotOffered):
		a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: person.ID, Action: schema.FormRefused, Alert: true,
			Details: map[string]any{"mode": form.mode, "value": views.Cut(action.Value, 40), "why": err.Error()}})
		return form.refused(button, "Only the one who asked for this access can do that.")
	case err != nil:
		return form.refused(button, a.words(ctx, err))
	}
	return outcome{opens: &opening{view: views.Loading("Request access"), button: button, form: &form}}
}

// newForm is what a request form begins with.
type newForm struct {
	mode         string
	request      int64   // the earlier one that it extends or asks for again; 0: none
	entitlements []int64 // of that; none: all
}

// refused opens, in the place of the form, why there is none (mrkdwn).
func (f newForm) refused(button, why string) outcome {
	return outcome{opens: &opening{view: views.Notice(views.FormTitle(f.mode), why), button: button}}
}

// fillForm shows a form in the modal that was just opened for it, once its draft is kept.
func (a *app) fillForm(ctx context.Context, ic *slack.InteractionCallback, form newForm, opened slack.View) {
	person, err := a.who(ctx, ic.User.ID)
	var draft schema.Draft
	if err == nil {
		zone := a.zoneOf(ctx, person, ic.User.ID)
		if form.request == 0 {
			draft, err = a.db.OpenDraft(ctx, opened.ID, opened.Hash, person.ID, zone)
		} else {
			draft, err = a.db.OpenEarlier(ctx, form.mode, opened.ID, opened.Hash, person.ID, zone, form.request, form.entitlements...)
		}
	}
	if err != nil {
		a.replace(ctx, ic.User.ID, opened.ID, views.Notice(views.FormTitle(form.mode), a.words(ctx, err)))
		return
	}
	a.draw(ctx, ic.User.ID, draft, "")
}

// draw shows a user's draft as it is, or tells them that it cannot.
func (a *app) draw(ctx context.Context, userID string, draft schema.Draft, notice string) {
	if !a.drawn(ctx, draft, notice) {
		a.write(ctx, userID, formNotShown)
	}
}

// drawn shows a draft as it is, and answers whether it could. When the draft changes, or someone else draws it, meanwhile, it
// draws again: the newest stays. The notification (mrkdwn; empty: none) is shown until the form is drawn again.
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

// formAction takes an action in the form over into its draft, and answers what follows: the form drawn again, unless only
// boxes were ticked.
func (a *app) formAction(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
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
		return outcome{} // Slack shows ticks by itself
	case err == nil:
		return outcome{form: &shownForm{draft: &draft}}
	case errors.Is(err, errOutdated): // it crossed a newer list on its way, or that was never shown
		return outcome{form: &shownForm{viewID: viewID, personID: person.ID}}
	case errors.Is(err, schema.ErrNotOffered):
		a.auditNotOffered(ctx, person.ID, viewID, err)
		return outcome{}
	case errors.Is(err, schema.ErrNotFound):
		return inItsPlace(formGone)
	case turnedAway(err):
		return inItsPlace(a.words(ctx, &refused{err: err}))
	}
	a.log.Error("an action in the form could not be kept", "view", viewID, "error", err)
	return telling(a.words(ctx, err))
}

// inItsPlace is an outcome that only says something in the place of the form.
func inItsPlace(text string) outcome {
	notice := views.Notice("Request access", text)
	return outcome{replace: &notice}
}

const formGone = "This form is too old. Please close it and press Request Access again."

func (a *app) auditNotOffered(ctx context.Context, personID int64, viewID string, err error) {
	a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: personID, Action: schema.SelectionRefused, Alert: true,
		Details: map[string]any{"view": viewID, "why": err.Error()}})
}
