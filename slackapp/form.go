package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/jmoiron/sqlx"
	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// openForm opens the request form.
func (a *app) openForm(ctx context.Context, ic *slack.InteractionCallback, _ *slack.BlockAction) {
	a.openDraft(ctx, ic, "Request Access", func(viewID, hash string, person schema.Person, zone string) (schema.Draft, error) {
		return a.db.OpenDraft(ctx, viewID, hash, person.ID, zone)
	})
}

// openExtension opens the form that asks for more time: with one claim, or with all that a request gave.
func (a *app) openExtension(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	a.openDraft(ctx, ic, "Extend", func(viewID, hash string, person schema.Person, zone string) (schema.Draft, error) {
		number, err := idOf(action.Value)
		entitlementID := int64(0)
		if err == nil && action.ActionID == views.ActionExtend {
			number, entitlementID, err = schema.RequestOfClaim(ctx, a.db, number, person.ID)
		}
		if err != nil {
			return schema.Draft{}, err
		}
		return a.db.OpenExtension(ctx, viewID, hash, person.ID, zone, number, entitlementID)
	})
}

// openDraft opens a form: at once something, within the trigger's three seconds, and the form once its draft is kept.
func (a *app) openDraft(ctx context.Context, ic *slack.InteractionCallback, button string,
	keep func(viewID, hash string, person schema.Person, zone string) (schema.Draft, error),
) {
	opened, err := a.open(ctx, ic, views.Loading())
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
		a.replace(ctx, opened.View.ID, views.Notice("Extend access", "There is nothing here that you could ask more time for."))
	case err != nil:
		a.replace(ctx, opened.View.ID, views.Notice("Request access", a.words(ctx, err)))
	default:
		a.draw(ctx, draft, "")
	}
}

// draw shows a draft as it is. When the draft changes, or somebody else draws it, meanwhile, it draws again: the newest stays.
// The notice (mrkdwn; empty: none) is shown until the form is drawn again.
func (a *app) draw(ctx context.Context, draft schema.Draft, notice string) {
	hash := draft.ViewHash
	for range 6 {
		offer, err := draft.Complete(ctx, a.db, views.AskedShown+1)
		if err != nil {
			a.log.Error("the form could not be drawn", "view", draft.ViewID, "error", err)
			return
		}
		form := views.Form{Draft: draft, Offer: offer, MaxDays: a.config.maxDays, WorkspaceURL: a.home.url, Notice: notice}
		updated, err := a.slack.UpdateViewContext(ctx, form.View(), "", hash, draft.ViewID)
		newest := false
		switch {
		case err == nil:
			if newest, err = a.db.DraftDrawn(ctx, draft, updated.View.Hash); newest {
				return
			}
		case slackSays(err, "hash_conflict"):
			err = nil
		case slackSays(err, "not_found"):
			return // closed
		}
		if err != nil {
			a.log.Error("the form could not be drawn", "view", draft.ViewID, "error", err, "where", problems(err))
			return
		}
		again, err := schema.DraftByView(ctx, a.db, draft.ViewID, draft.PersonID)
		if err != nil {
			if !errors.Is(err, schema.ErrNotFound) {
				a.log.Error("the form could not be drawn again", "view", draft.ViewID, "error", err)
			}
			return
		}
		if hash = again.ViewHash; hash == draft.ViewHash {
			hash = "" // whoever drew last has not said so, and perhaps never will: what we draw now is the newest
		}
		draft = again
	}
	a.log.Warn("the form changes faster than it can be drawn", "view", draft.ViewID)
}

// drawAgain shows a draft as it is by now.
func (a *app) drawAgain(ctx context.Context, viewID string, personID int64, notice string) {
	draft, err := schema.DraftByView(ctx, a.db, viewID, personID)
	if err != nil {
		a.log.Error("the form could not be drawn again", "view", viewID, "error", err)
		return
	}
	a.draw(ctx, draft, notice)
}

// formAction takes an action in the form over into its draft, and answers what follows: the form drawn anew, unless only
// boxes were ticked.
func (a *app) formAction(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) func(ctx context.Context) {
	viewID := ic.View.ID
	person, err := schema.PersonOfSlackUser(ctx, a.db, a.home.teamID, ic.User.ID)
	if err == nil && !person.Active() {
		err = schema.ErrNotActive
	}
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
		return func(ctx context.Context) { a.draw(ctx, draft, "") }
	case errors.Is(err, errOutdated): // it crossed a newer list on its way, or that was never shown
		return func(ctx context.Context) { a.drawAgain(ctx, viewID, person.ID, "") }
	case errors.Is(err, schema.ErrNotOffered):
		a.auditNotOffered(ctx, person.ID, viewID, err)
		return nil
	case errors.Is(err, schema.ErrNotFound):
		return func(ctx context.Context) { a.replace(ctx, viewID, views.Notice("Request access", formGone)) }
	case errors.Is(err, schema.ErrNotBound), errors.Is(err, schema.ErrNotActive):
		return func(ctx context.Context) {
			a.replace(ctx, viewID, views.Notice("Request access", a.words(ctx, &refused{err: err})))
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

// errOutdated says that an action belongs to a list that is not shown any more.
var errOutdated = errors.New("of an older list")

// take merges one action into a draft.
func take(ctx context.Context, tx *sqlx.Tx, d *schema.Draft, state *slack.ViewState, action *slack.BlockAction) error {
	if action.ActionID != views.ActionGrants { // which nobody has to draw
		d.Revision++
	}
	switch action.ActionID {
	case views.ActionAccessLike:
		return takeMode(ctx, tx, d, action.SelectedOption.Value)
	case views.ActionSubject:
		if action.BlockID != views.BlockSubject(d.Mode) {
			return errOutdated
		}
		return takeSubject(ctx, tx, d, action.SelectedOption.Value)
	case views.ActionGrants:
		generation, group, ok := views.ParseGrantsBlock(action.BlockID)
		if !ok || generation != d.Generation {
			return errOutdated
		}
		ids, err := chosenIDs(action.SelectedOptions)
		if err != nil {
			return err
		}
		return d.Choose(group, ids, true)
	case views.ActionDuration:
		d.Temporary = action.SelectedOption.Value == views.ValueTemporary
		return nil
	case views.ActionSelectAll, views.ActionFilter, views.ActionSearch, views.ActionPrevious, views.ActionNext, views.ActionClear:
		if err := takeBoxes(d, state); err != nil {
			return err
		}
		return takeList(ctx, tx, d, action)
	}
	return errOutdated
}

// takeBoxes takes over the boxes of the shown page: what they held when the action was made.
func takeBoxes(d *schema.Draft, state *slack.ViewState) error {
	if state == nil || d.AllChosen {
		return nil
	}
	for blockID, actions := range state.Values {
		generation, group, ok := views.ParseGrantsBlock(blockID)
		if !ok || generation != d.Generation {
			continue
		}
		ids, err := chosenIDs(actions[views.ActionGrants].SelectedOptions)
		if err != nil {
			return err
		}
		if err := d.Choose(group, ids, false); err != nil {
			return err
		}
	}
	return nil
}

func takeMode(ctx context.Context, tx *sqlx.Tx, d *schema.Draft, mode string) error {
	if d.Mode == schema.Extend {
		return fmt.Errorf("mode %.20q of an extension: %w", mode, schema.ErrNotOffered)
	}
	switch mode {
	case d.Mode:
		return nil
	case schema.LikePerson, schema.LikeJobTitle, schema.Custom:
		d.Mode = mode
		return d.MakeOffer(ctx, tx)
	}
	return fmt.Errorf("mode %.20q: %w", mode, schema.ErrNotOffered)
}

func takeSubject(ctx context.Context, tx *sqlx.Tx, d *schema.Draft, value string) error {
	id, err := idOf(value)
	if err != nil {
		return err
	}
	if err := d.SetSubject(ctx, tx, id); err != nil {
		return err
	}
	return d.MakeOffer(ctx, tx)
}

// takeList takes over what narrows and turns the list.
func takeList(ctx context.Context, tx *sqlx.Tx, d *schema.Draft, action *slack.BlockAction) error {
	switch action.BlockID {
	case views.BlockSelectAll(d.OfferGeneration), views.BlockFilter(d.OfferGeneration), views.BlockSearch(d.OfferGeneration), views.BlockPages(d.Generation):
	default:
		return errOutdated
	}
	switch action.ActionID {
	case views.ActionSelectAll:
		if d.Mode == schema.Custom || d.Mode == schema.Extend {
			return fmt.Errorf("everything: %w", schema.ErrNotOffered)
		}
		d.AllChosen = len(action.SelectedOptions) > 0
		if !d.AllChosen {
			unfilter(d)
		}
	case views.ActionFilter:
		id := sql.NullInt64{}
		if value := action.SelectedOption.Value; value != "" && value != views.ValueAll {
			var err error
			if id.Int64, err = idOf(value); err != nil {
				return err
			}
			id.Valid = true
		}
		if err := d.SetFilter(ctx, tx, id); err != nil {
			return err
		}
		d.Page = 1
	case views.ActionSearch:
		d.Search, d.Page = views.Cut(views.Clean(action.Value), 100), 1
	case views.ActionClear:
		unfilter(d)
	case views.ActionPrevious:
		d.Page = max(1, d.Page-1)
	case views.ActionNext:
		d.Page++
	}
	return d.MakeList(ctx, tx)
}

// unfilter shows the whole list again. Its fields get new block IDs: Slack would go on showing what they held.
func unfilter(d *schema.Draft) {
	d.ApplicationID, d.Search, d.Page = sql.NullInt64{}, "", 1
	d.OfferGeneration = d.Generation + 1
}

func chosenIDs(options []slack.OptionBlockObject) ([]int64, error) {
	ids := make([]int64, len(options))
	for n, o := range options {
		var err error
		if ids[n], err = idOf(o.Value); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// idOf reads the ID that an option's value is. Anything else was never offered.
func idOf(value string) (int64, error) {
	id, err := strconv.ParseInt(value, 10, 64)
	if err != nil || id <= 0 {
		return 0, fmt.Errorf("%.40q: %w", value, schema.ErrNotOffered)
	}
	return id, nil
}

// options answers an external select of the form: people, job titles or applications, from our own directory.
func (a *app) options(ctx context.Context, ic *slack.InteractionCallback) views.Options {
	none := views.NameOptions(nil)
	person, err := schema.PersonOfSlackUser(ctx, a.db, a.home.teamID, ic.User.ID)
	if err != nil || !person.Active() {
		a.log.Info("options were refused", "user", ic.User.ID, "error", err)
		return none
	}
	draft, err := schema.DraftByView(ctx, a.db, ic.View.ID, person.ID)
	if err != nil {
		a.log.Warn("options of a form without a draft", "view", ic.View.ID, "error", err)
		return none
	}
	typed := views.Cut(views.Clean(ic.Value), 100)
	var found []schema.Found
	draw := views.NameOptions
	switch {
	case ic.ActionID == views.ActionFilter:
		draw = views.ApplicationOptions
		found, err = draft.SearchApplications(ctx, a.db, typed, views.MaxOptions-1)
	case ic.BlockID == views.BlockSubject(schema.LikePerson):
		draw = views.PeopleOptions
		found, err = schema.SearchPeople(ctx, a.db, person.ID, typed, views.MaxOptions)
	case ic.BlockID == views.BlockSubject(schema.LikeJobTitle):
		found, err = schema.SearchJobTitles(ctx, a.db, typed, views.MaxOptions)
	}
	if err != nil {
		a.log.Error("options could not be found", "action", ic.ActionID, "error", err)
		return none
	}
	return draw(found)
}
