package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// errOutdated says that an action belongs to a list that is no longer shown.
var errOutdated = errors.New("action in an older list")

// take merges one action into a draft.
func take(ctx context.Context, tx *sqlx.Tx, d *schema.Draft, state *slack.ViewState, action *slack.BlockAction) error {
	if action.ActionID != views.ActionGrants { // which needs no drawing
		d.Revision++
	}
	switch action.ActionID {
	case views.ActionFor:
		return takeFor(ctx, tx, d, action.SelectedOption.Value)
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
		if err := takeBoxes(d, inputs(state)); err != nil {
			return err
		}
		return takeList(ctx, tx, d, action)
	}
	return errOutdated
}

// takeBoxes merges the checkboxes of the shown page, as they were at the action.
func takeBoxes(d *schema.Draft, shown map[string]map[string]slack.BlockAction) error {
	if d.AllChosen {
		return nil
	}
	for blockID, actions := range shown {
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
	if d.Offer().OfRequest() {
		return fmt.Errorf("mode %.20q of an earlier request: %w", mode, schema.ErrNotOffered)
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

func takeFor(ctx context.Context, tx *sqlx.Tx, d *schema.Draft, value string) error {
	id, err := idOf(value)
	if err != nil || id == d.RequesterID() {
		return err
	}
	if err := d.SetFor(ctx, tx, id); err != nil {
		return err
	}
	return d.MakeOffer(ctx, tx)
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

// takeList merges filters and pages of the list.
func takeList(ctx context.Context, tx *sqlx.Tx, d *schema.Draft, action *slack.BlockAction) error {
	switch action.BlockID {
	case views.BlockSelectAll(d.OfferGeneration),
		views.BlockFilter(d.OfferGeneration),
		views.BlockSearch(d.OfferGeneration),
		views.BlockPages(d.Generation):
	default:
		return errOutdated
	}
	switch action.ActionID {
	case views.ActionSelectAll:
		if d.Mode == schema.Custom || d.Offer().OfRequest() {
			return fmt.Errorf("select all: %w", schema.ErrNotOffered)
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

// unfilter shows the whole list again. Its fields get new block IDs, or Slack would keep their input.
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
