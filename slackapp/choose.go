package main

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// openChoice opens the modal in which an approver decides item by item.
func (a *app) openChoice(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	request, person, refused := a.askedOf(ctx, ic, action.Value)
	if refused != "" {
		return telling(refused)
	}
	limits, err := schema.LimitsOf(ctx, a.db, request)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	return outcome{opens: &opening{view: views.Choose(request, person.ID, action.Value, limits), button: "Choose"}}
}

// askedOf is the request that a copy of an approval is about and its reader, who can decide something of it, or why not (mrkdwn).
func (a *app) askedOf(ctx context.Context, ic *slack.InteractionCallback, value string) (_ *schema.Request, _ schema.Person, refused string) {
	request, person, err := a.approvalOf(ctx, ic, value)
	switch {
	case errors.Is(err, schema.ErrNotFound):
		a.auditOddButton(ctx, ic, err)
		return nil, person, notYours
	case err != nil:
		return nil, person, a.words(ctx, err)
	case len(request.DecidableBy(person.ID)) == 0:
		return nil, person, views.DecidedBy(request, person.ID, a.zoneOf(ctx, person, ic.User.ID))
	}
	return request, person, ""
}

// approvalOf is the request that a copy of an approval is about, for its reader alone: ErrNotFound for anybody else.
func (a *app) approvalOf(ctx context.Context, ic *slack.InteractionCallback, value string) (*schema.Request, schema.Person, error) {
	messageID, _, err := views.ParseDecisionValue(value)
	if err != nil {
		return nil, schema.Person{}, errors.Join(err, schema.ErrNotFound)
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return nil, person, err
	}
	request, err := schema.RequestOfApprovalMessage(ctx, a.db, messageID, person.ID)
	return request, person, err
}

// submitChoice records what an approver decided item by item. What is in its way stands at its field.
func (a *app) submitChoice(ctx context.Context, ic *slack.InteractionCallback) outcome {
	s := submission{values: ic.View.State}
	chosen, choice, wrong := a.chosen(ctx, ic)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	answer := schema.Answer{Choice: choice}
	if len(answer.Choice) > len(chosen.Ticked) {
		if answer.Reason, wrong = writtenReason(ic); wrong != nil {
			return outcome{errors: wrong}
		}
	}
	var late string
	if answer.EndsAt, late = a.soonerEnd(ctx, ic, &s, chosen.Value); late != "" {
		return wrongAt(views.BlockEndDate, late)
	}
	o, refused := a.decide(ctx, ic, chosen.Value, answer)
	return o.refusedAt(views.BlockChosen(0), refused)
}

// chosen is what came back of a choice, and what it says of each item, or what is wrong with it.
func (a *app) chosen(ctx context.Context, ic *slack.InteractionCallback) (chosen views.Chosen, choice map[int64]bool, wrong fieldErrors) {
	s := submission{values: ic.View.State}
	var ticked []string
	first := views.BlockChosen(0)
	for _, actions := range s.all() {
		for _, o := range actions[views.ActionChosen].SelectedOptions {
			ticked = append(ticked, o.Value)
		}
	}
	chosen, err := views.ParseChosen(ic.View.PrivateMetadata, ticked)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return chosen, nil, fieldErrors{first: notYours}
	}
	choice = map[int64]bool{}
	others, _ := s.field(views.BlockOthers, views.ActionOthers)
	if others.SelectedOption.Value == views.ValueDeny {
		for _, id := range chosen.Shown {
			choice[id] = false
		}
	}
	for _, id := range chosen.Ticked {
		choice[id] = true
	}
	if len(choice) == 0 {
		return chosen, nil, fieldErrors{first: "Tick what you approve, or say below that what is not ticked is denied."}
	}
	return chosen, choice, nil
}

// soonerEnd is the end that an approver granted in the place of the one that was asked for (none: that one), or what is
// wrong with it.
func (a *app) soonerEnd(ctx context.Context, ic *slack.InteractionCallback, s *submission, value string) (end sql.NullTime, wrong string) {
	date, _ := s.field(views.BlockEndDate, views.ActionEndDate)
	if date.SelectedDate == "" {
		return end, ""
	}
	request, _, err := a.approvalOf(ctx, ic, value)
	if err != nil {
		return end, plainWords(a.words(ctx, err))
	}
	zone, err := time.LoadLocation(request.TimeZone)
	if err != nil {
		a.log.Error("the time zone of a request is unknown here", "request", request.ID, "error", err)
		return end, "The time zone of the request is unknown here: leave it empty."
	}
	end.Time, _, err = endOfDay(date.SelectedDate, zone)
	switch {
	case err != nil:
		return end, "There is no such day: choose another."
	case !end.Time.After(request.ReadAt):
		return end, "That day is over in " + request.TimeZone + ": choose a later one, or leave it empty."
	case request.EndsAt.Valid && end.Time.After(request.EndsAt.Time):
		return end, "This is later than what was asked for: choose a sooner day, or leave it empty."
	}
	end.Valid = true
	return end, ""
}
