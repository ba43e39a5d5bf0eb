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
	if len(request.VotableBy(person.ID)) == 0 {
		return telling(views.DecidedBy(request, person.ID, a.zoneOf(ctx, person, ic.User.ID)))
	}
	limits, err := schema.LimitsOf(ctx, a.db, request)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	return outcome{opens: &opening{view: views.Choose(request, person.ID, action.Value, limits), button: "Approve with changes…"}}
}

// openOverride opens the modal in which an administrator decides for everyone.
func (a *app) openOverride(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	number, person, refused := a.pressed(ctx, ic, action)
	if refused != "" {
		return telling(refused)
	}
	if !person.Administrator {
		a.auditOddButton(ctx, ic, schema.ErrNotAllowed)
		return telling(notYours)
	}
	request, err := schema.RequestByID(ctx, a.db, number)
	if err != nil {
		return telling(a.refusedDecision(ctx, err))
	}
	zone := a.zoneOf(ctx, person, ic.User.ID)
	if len(request.OverridableBy(person.ID)) == 0 {
		return telling(views.DecidedBy(request, person.ID, zone))
	}
	limits, err := schema.LimitsOf(ctx, a.db, request)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	view := views.ChooseForEveryone(request, person.ID, zone, limits)
	return outcome{opens: &opening{view: view, button: views.DecideAsAdministrator}}
}

// submitOverride records what an administrator decided for everyone. Problems are shown at their fields.
func (a *app) submitOverride(ctx context.Context, ic *slack.InteractionCallback) outcome {
	chosen, choice, wrong := a.chosen(ctx, ic)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	reason, wrong := writtenReason(ic)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	o, refused := a.decide(ctx, ic, chosen.Value, schema.Answer{Override: true, Choice: choice, Reason: reason})
	return o.refusedAt(views.BlockReason, refused)
}

// askedOf returns the request of an approval message and its reader, who can decide some of it, or why not (mrkdwn).
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

// approvalOf returns the request of an approval message, for its reader alone: ErrNotFound for anyone else.
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

// submitChoice records what an approver decided item by item. Problems are shown at their fields.
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

// chosen parses a submitted choice: the decision for each item, or what is wrong with it.
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
		return chosen, nil, fieldErrors{first: "Select what to approve, or choose Deny below for the rest."}
	}
	return chosen, choice, nil
}

// soonerEnd returns the earlier end date that an approver chose (none: the requested one), or what is wrong with it.
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
		a.log.Error("unknown time zone of a request", "request", request.ID, "error", err)
		return end, "We don't know the time zone of this request. Leave this empty."
	}
	end.Time, _, err = endOfDay(date.SelectedDate, zone)
	switch {
	case err != nil:
		return end, "This day doesn't exist. Choose another."
	case !end.Time.After(request.ReadAt):
		return end, "This day has passed in " + request.TimeZone + ". Choose a later one, or leave this empty."
	case request.EndsAt.Valid && end.Time.After(request.EndsAt.Time):
		return end, "This is later than requested. Choose an earlier day, or leave this empty."
	}
	end.Valid = true
	return end, ""
}
