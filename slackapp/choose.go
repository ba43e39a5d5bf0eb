package main

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// openChoice opens the modal in which an approver decides item by item.
func (a *app) openChoice(ctx context.Context, c *click, about decision) (outcome, error) {
	request, err := a.askedOf(ctx, c, about)
	if err != nil {
		return outcome{}, err
	}
	if len(request.VotableBy(c.person.ID)) == 0 {
		return outcome{}, a.decidedBefore(ctx, c, request)
	}
	limits, err := schema.LimitsOf(ctx, a.db, request)
	if err != nil {
		return outcome{}, err
	}
	return opened(views.Choose(request, c.person.ID, c.value, limits)), nil
}

// openOverride opens the modal in which an administrator decides for everyone.
func (a *app) openOverride(ctx context.Context, c *click, number int64) (outcome, error) {
	request, err := schema.RequestByID(ctx, a.db, number)
	if err != nil {
		return outcome{}, err
	}
	if len(request.OverridableBy(c.person.ID)) == 0 {
		return outcome{}, a.decidedBefore(ctx, c, request)
	}
	limits, err := schema.LimitsOf(ctx, a.db, request)
	if err != nil {
		return outcome{}, err
	}
	return opened(views.ChooseForEveryone(request, c.person.ID, a.zoneOf(ctx, c.person, c.ic.User.ID), limits)), nil
}

// askedOf returns the request of an approval message to its reader, who can decide some of it; ErrNotFound to anyone else.
func (a *app) askedOf(ctx context.Context, c *click, about decision) (*schema.Request, error) {
	request, err := schema.RequestOfApprovalMessage(ctx, a.db, about.id, c.person.ID)
	if err == nil && len(request.DecidableBy(c.person.ID)) == 0 {
		err = a.decidedBefore(ctx, c, request)
	}
	return request, err
}

// choice is what was decided item by item.
type choice struct {
	about   decision
	items   map[int64]bool // whether it is approved
	denials bool
}

// choiceOf parses a submitted choice.
func choiceOf(c *click) (result choice, err error) {
	var ticked []string
	for _, actions := range c.fields.shown {
		for _, o := range actions[views.ActionChosen].SelectedOptions {
			ticked = append(ticked, o.Value)
		}
	}
	chosen, err := views.ParseChosen(c.value, ticked)
	if err != nil {
		return result, err
	}
	result.items = map[int64]bool{}
	others := c.fields.shown[views.BlockOthers][views.ActionOthers]
	if others.SelectedOption.Value == views.ValueDeny {
		for _, id := range chosen.Shown {
			result.items[id] = false
		}
	}
	for _, id := range chosen.Ticked {
		result.items[id] = true
	}
	result.denials = len(result.items) > len(chosen.Ticked)
	result.about, err = parseDecision(chosen.Value)
	return result, err
}

// errNothingChosen says that a choice decides nothing.
var errNothingChosen = fieldErrors{views.BlockChosen(0): "Select what to approve, or choose Deny below for the rest."}

// submitOverride records what an administrator decided for everyone.
func (a *app) submitOverride(ctx context.Context, c *click, chosen choice) (outcome, error) {
	if len(chosen.items) == 0 {
		return outcome{}, errNothingChosen
	}
	reason, err := c.fields.reason()
	if err != nil {
		return outcome{}, err
	}
	return a.decide(ctx, c, chosen.about, schema.Answer{Override: true, Choice: chosen.items, Reason: reason})
}

// submitChoice records what an approver decided item by item.
func (a *app) submitChoice(ctx context.Context, c *click, chosen choice) (_ outcome, err error) {
	if len(chosen.items) == 0 {
		return outcome{}, errNothingChosen
	}
	answer := schema.Answer{Choice: chosen.items}
	if chosen.denials {
		if answer.Reason, err = c.fields.reason(); err != nil {
			return outcome{}, err
		}
	}
	if answer.EndsAt, err = a.soonerEnd(ctx, c, chosen.about); err != nil {
		return outcome{}, err
	}
	return a.decide(ctx, c, chosen.about, answer)
}

// soonerEnd returns the earlier end date that an approver chose; none: the requested one.
func (a *app) soonerEnd(ctx context.Context, c *click, about decision) (end sql.NullTime, err error) {
	date := c.fields.shown[views.BlockEndDate][views.ActionEndDate]
	if date.SelectedDate == "" {
		return end, nil
	}
	request, err := schema.RequestOfApprovalMessage(ctx, a.db, about.id, c.person.ID)
	if errors.Is(err, schema.ErrNotFound) {
		return end, nil // not their message: Decide refuses that, and audits it
	}
	if err != nil {
		return end, err
	}
	zone, err := time.LoadLocation(request.TimeZone)
	if err != nil {
		a.log.Error("unknown time zone of a request", "request", request.ID, "error", err)
		return end, fieldErrors{views.BlockEndDate: "We don't know the time zone of this request. Leave this empty."}
	}
	end.Time, _, err = endOfDay(date.SelectedDate, zone)
	switch {
	case err != nil:
		return end, fieldErrors{views.BlockEndDate: "This day doesn't exist. Choose another."}
	case !end.Time.After(request.ReadAt):
		return end, fieldErrors{
			views.BlockEndDate: "This day has passed in " + request.TimeZone + ". Choose a later one, or leave this empty.",
		}
	case request.EndsAt.Valid && end.Time.After(request.EndsAt.Time):
		return end, fieldErrors{views.BlockEndDate: "This is later than requested. Choose an earlier day, or leave this empty."}
	}
	end.Valid = true
	return end, nil
}
