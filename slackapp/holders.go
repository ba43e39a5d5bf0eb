package main

import (
	"context"
	"errors"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// openHolders opens the modal in which owners and administrators review access.
func (*app) openHolders(context.Context, *click, struct{}) (outcome, error) {
	return opened(views.Holders()), nil
}

// pickHolder shows the chosen person's access.
func (a *app) pickHolder(_ context.Context, c *click, holder int64) (outcome, error) {
	return outcome{list: &shownList{c.ic.View.ID, views.ListValue(views.ListHolder(holder), 1)}}, nil
}

// holderList returns a page of a person's access that the reader owns.
func (a *app) holderList(
	ctx context.Context,
	holder int64,
	reader schema.Person,
	page int,
	zone string,
) (slack.ModalViewRequest, error) {
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
