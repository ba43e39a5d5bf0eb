package main

import (
	"context"
	"errors"

	"github.com/jmoiron/sqlx"
	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// newForm is what a request form starts with.
type newForm struct {
	mode         string
	request      int64   // the earlier one that it extends or repeats; 0: none
	entitlements []int64 // of that; none: all
}

// opened returns an outcome that opens the form. Its content follows.
func (f newForm) opened() outcome {
	return outcome{opens: &opening{view: views.Loading(views.FormTitle(f.mode)), form: &f}}
}

// openForm opens the request form.
func (a *app) openForm(context.Context, *click, struct{}) (outcome, error) {
	return newForm{mode: schema.LikePerson}.opened(), nil
}

// earlier handles a button that opens the form to extend what a request granted, or to request it again. find returns the
// person's request that its value is about, and which of its entitlements; none: all.
func earlier(
	mode, button string,
	find func(ctx context.Context, q schema.Queryer, value, personID int64) (int64, []int64, error),
) handler {
	open := func(a *app, ctx context.Context, c *click, value int64) (outcome, error) {
		request, entitlements, err := find(ctx, a.db, value, c.person.ID)
		if err == nil {
			err = schema.RequestedBy(ctx, a.db, request, c.person.ID)
		}
		if err != nil {
			return outcome{}, err
		}
		return newForm{mode, request, entitlements}.opened(), nil
	}
	return handler{act: with(person, number, open), about: ordering, refusedAs: schema.FormRefused, form: mode, button: button}
}

// ofClaim finds the request of a claim, and that entitlement alone.
func ofClaim(ctx context.Context, q schema.Queryer, claim, personID int64) (int64, []int64, error) {
	request, entitlement, err := schema.RequestOfClaim(ctx, q, claim, personID)
	return request, []int64{entitlement}, err
}

// ofRequest finds a request, and all of its entitlements.
func ofRequest(_ context.Context, _ schema.Queryer, number, _ int64) (int64, []int64, error) {
	return number, nil, nil
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
		a.replace(ctx, ic.User.ID, opened.ID, views.Notice(views.FormTitle(form.mode), a.explain(ctx, anything, err)))
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

// changeForm merges an action in the form into its draft. The form is drawn again, unless only checkboxes changed.
func (a *app) changeForm(ctx context.Context, c *click, _ struct{}) (outcome, error) {
	viewID := c.ic.View.ID
	draft, err := a.db.ChangeDraft(ctx, viewID, c.person.ID, func(tx *sqlx.Tx, d *schema.Draft) error {
		return take(ctx, tx, d, c.ic.View.State, c.action)
	})
	switch {
	case err == nil && c.id == views.ActionGrants:
		return outcome{}, nil // Slack shows the checkboxes itself
	case err == nil:
		return outcome{form: &shownForm{draft: &draft}}, nil
	case errors.Is(err, errOutdated): // a newer list was drawn meanwhile, or was never shown
		return outcome{form: &shownForm{viewID: viewID, personID: c.person.ID}}, nil
	case errors.Is(err, schema.ErrNotFound):
		return outcome{}, errFormGone
	}
	return outcome{}, err
}
