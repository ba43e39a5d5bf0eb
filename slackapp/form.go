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
	return outcome{opens: &opening{view: views.Loading(views.FormTitle(form.mode)), button: button, form: &form}}
}

// openEarlier opens the form to extend one claim or several of a request, or to request again what a request asked for.
func (a *app) openEarlier(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	form, button := newForm{mode: schema.Extend}, "Extend…"
	if action.ActionID == views.ActionAgain {
		form.mode, button = schema.Again, "Request again"
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
		form.request, form.entitlements, err = schema.EndingSoonContent(ctx, a.db, form.request, person.ID)
	}
	if err == nil {
		err = schema.RequestedBy(ctx, a.db, form.request, person.ID)
	}
	switch {
	case errors.Is(err, schema.ErrNotFound), errors.Is(err, schema.ErrNotOffered):
		a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: person.ID, Action: schema.FormRefused, Alert: true,
			Details: map[string]any{"mode": form.mode, "value": views.Cut(action.Value, 40), "why": err.Error()}})
		return form.refused(button, "Only the requester can do this.")
	case err != nil:
		return form.refused(button, a.words(ctx, err))
	}
	return outcome{opens: &opening{view: views.Loading(views.FormTitle(form.mode)), button: button, form: &form}}
}

// newForm is what a request form starts with.
type newForm struct {
	mode         string
	request      int64   // the earlier one that it extends or repeats; 0: none
	entitlements []int64 // of that; none: all
}

// refused opens a modal that says why there is no form (mrkdwn).
func (f newForm) refused(button, why string) outcome {
	return outcome{opens: &opening{view: views.Notice(views.FormTitle(f.mode), why), button: button}}
}

// fillForm saves a form's draft and shows the form in the modal that was just opened.
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

// draw shows a user's draft, or tells them that it cannot be shown.
func (a *app) draw(ctx context.Context, userID string, draft schema.Draft, notice string) {
	if !a.drawn(ctx, draft, notice) {
		a.write(ctx, userID, formNotShown)
	}
}

// drawn shows a draft, and reports whether it could. If the draft changes, or another copy of the program draws it, meanwhile, it
// draws again: the newest wins. The notice (mrkdwn; empty: none) is shown until the form is drawn again.
func (a *app) drawn(ctx context.Context, draft schema.Draft, notice string) bool {
	hash := draft.ViewHash
	for range 6 {
		offer, err := draft.Complete(ctx, a.db, views.AskedShown+1)
		if err != nil {
			a.log.Error("draw form failed", "view", draft.ViewID, "error", err)
			return false
		}
		form := views.Form{Draft: draft, Offer: offer, WorkspaceURL: a.home.url, Notice: notice}
		updated, err := a.slack.UpdateViewContext(ctx, form.View(), "", hash, draft.ViewID)
		switch {
		case err == nil:
			newest, err := a.db.DraftDrawn(ctx, draft, updated.View.Hash)
			if err != nil {
				a.log.Error("save form hash failed", "view", draft.ViewID, "error", err)
				return true
			}
			if newest {
				return true
			}
		case slackSays(err, "hash_conflict"): // possibly with our own first try, whose answer was lost
		case slackSays(err, "not_found"):
			return true // closed
		default:
			a.log.Error("draw form failed", "view", draft.ViewID, "error", err, "where", problems(err))
			return false
		}
		again, err := schema.DraftByView(ctx, a.db, draft.ViewID, draft.PersonID)
		if err != nil {
			submitted := errors.Is(err, schema.ErrNotFound)
			if !submitted {
				a.log.Error("draw form again failed", "view", draft.ViewID, "error", err)
			}
			return submitted
		}
		if hash = again.ViewHash; hash == draft.ViewHash {
			hash = "" // the last drawing was not recorded, and may never be: ours is the newest
		}
		draft = again
	}
	a.log.Warn("form changes faster than it can be drawn", "view", draft.ViewID)
	return false
}

// drawAgain shows a user's newest draft.
func (a *app) drawAgain(ctx context.Context, userID, viewID string, personID int64, notice string) {
	draft, err := schema.DraftByView(ctx, a.db, viewID, personID)
	if err != nil {
		a.log.Error("draw form again failed", "view", viewID, "error", err)
		a.write(ctx, userID, formNotShown)
		return
	}
	a.draw(ctx, userID, draft, notice)
}

// formAction merges an action in the form into its draft. The form is drawn again, unless only checkboxes changed.
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
		return outcome{} // Slack shows the checkboxes itself
	case err == nil:
		return outcome{form: &shownForm{draft: &draft}}
	case errors.Is(err, errOutdated): // a newer list was drawn meanwhile, or was never shown
		return outcome{form: &shownForm{viewID: viewID, personID: person.ID}}
	case errors.Is(err, schema.ErrNotOffered):
		a.auditNotOffered(ctx, person.ID, viewID, err)
		return outcome{}
	case errors.Is(err, schema.ErrNotFound):
		return replaceForm(formGone)
	case turnedAway(err):
		return replaceForm(a.words(ctx, &refused{err: err}))
	}
	a.log.Error("save form action failed", "view", viewID, "error", err)
	return telling(a.words(ctx, err))
}

// replaceForm returns an outcome that replaces the form with a text.
func replaceForm(text string) outcome {
	notice := views.Notice(views.FormTitle(""), text)
	return outcome{replace: &notice}
}

const formGone = "This form has expired. Close it and press Request Access again."

func (a *app) auditNotOffered(ctx context.Context, personID int64, viewID string, err error) {
	a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: personID, Action: schema.SelectionRefused, Alert: true,
		Details: map[string]any{"view": viewID, "why": err.Error()}})
}
