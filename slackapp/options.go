package main

import (
	"context"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// options returns an external select: people, job titles or applications from the directory.
func (a *app) options(ctx context.Context, ic *slack.InteractionCallback) views.Options {
	none := views.NameOptions(nil)
	person, err := a.bound(ctx, ic.User.ID)
	if err != nil {
		a.log.Info("options refused", "user", ic.User.ID, "error", err)
		return none
	}
	typed := views.Cut(views.Clean(ic.Value), 100)
	if ic.ActionID == views.ActionDelegate || ic.ActionID == views.ActionHolder {
		found, err := schema.SearchPeople(ctx, a.db, person.ID, typed, views.MaxOptions)
		if err != nil {
			a.log.Error("search options failed", "action", ic.ActionID, "error", err)
			return none
		}
		return views.PeopleOptions(found)
	}
	draft, err := schema.DraftByView(ctx, a.db, ic.View.ID, person.ID)
	if err != nil {
		a.log.Warn("no draft for options", "view", ic.View.ID, "error", err)
		return none
	}
	var found []schema.Found
	draw := views.NameOptions
	switch {
	case ic.ActionID == views.ActionFilter:
		draw = views.ApplicationOptions
		found, err = draft.SearchApplications(ctx, a.db, typed, views.MaxOptions-1)
	case ic.BlockID == views.BlockFor:
		draw = func(found []schema.Found) views.Options { return views.ForOptions(person.ID, found) }
		found, err = searchFor(ctx, a.db, person, typed)
	case ic.BlockID == views.BlockSubject(schema.LikePerson):
		draw = views.PeopleOptions
		found, err = schema.SearchPeople(ctx, a.db, draft.RequesterID(), typed, views.MaxOptions)
	case ic.BlockID == views.BlockSubject(schema.LikeJobTitle):
		found, err = schema.SearchJobTitles(ctx, a.db, typed, views.MaxOptions)
	}
	if err != nil {
		a.log.Error("search options failed", "action", ic.ActionID, "error", err)
		return none
	}
	return draw(found)
}

// searchFor finds the people that a person may request for, other than themselves.
func searchFor(ctx context.Context, db *schema.DB, person schema.Person, typed string) ([]schema.Found, error) {
	if person.Administrator {
		return schema.SearchPeople(ctx, db, person.ID, typed, views.MaxOptions-1)
	}
	return schema.SearchReports(ctx, db, person.ID, typed, views.MaxOptions-1)
}
