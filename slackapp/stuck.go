package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
	"accessbot/workflows"
)

// openStuck opens the modal in which an administrator decides what nobody else does.
func (a *app) openStuck(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		a.tell(ctx, ic, a.words(ctx, err))
		return
	}
	number, err := strconv.ParseInt(action.Value, 10, 64)
	if err != nil || !person.Administrator {
		a.auditOddButton(ctx, ic, errors.Join(err, schema.ErrNotAllowed))
		a.tell(ctx, ic, notYours)
		return
	}
	request, err := schema.RequestByID(ctx, a.db, number)
	if err != nil {
		a.tell(ctx, ic, a.words(ctx, err))
		return
	}
	limits, err := schema.LimitsOf(ctx, a.db, request)
	if err != nil {
		a.tell(ctx, ic, a.words(ctx, err))
		return
	}
	view := views.ChooseStuck(request, person, a.zoneOf(ctx, person, ic.User.ID), limits)
	if len(request.Stuck(person)) == 0 {
		view = views.Notice("Stuck requests", "Nothing of this request is stuck any more.")
	}
	if _, err := a.open(ctx, ic, view); err != nil {
		a.log.Error("a stuck request could not be opened", "user", ic.User.ID, "error", err, "where", problems(err))
		a.tell(ctx, ic, modalNotOpened)
	}
}

// submitStuck records what an administrator decided in the place of everybody. What is in its way stands at its field.
func (a *app) submitStuck(ctx context.Context, ic *slack.InteractionCallback) (wrong fieldErrors, after func(ctx context.Context)) {
	chosen, choice, wrong := a.chosen(ctx, ic)
	if wrong != nil {
		return wrong, nil
	}
	number, terms, err := views.ParseStuckValue(chosen.Value)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return fieldErrors{views.BlockReason: notYours}, nil
	}
	reason, wrong := writtenReason(ic)
	if wrong != nil {
		return wrong, nil
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return fieldErrors{views.BlockReason: plainWords(a.words(ctx, err))}, nil
	}
	decided, err := a.db.DecideStuck(ctx, schema.StuckAnswer{RequestID: number, PersonID: person.ID, Terms: terms, Choice: choice, Reason: reason})
	switch {
	case err != nil:
		return fieldErrors{views.BlockReason: plainWords(a.refusedDecision(ctx, err))}, nil
	case len(decided.Items) == 0:
		return fieldErrors{views.BlockReason: "This is not stuck any more: somebody has decided it, or was asked."}, nil
	}
	return nil, func(context.Context) {
		a.wake(number, workflows.SignalDecisionRecorded, func(ctx context.Context) {
			a.write(ctx, ic.User.ID, "Your decision is recorded. It will take effect as soon as our systems are back.")
		})
		a.publishHome(ic.User.ID, person)
	}
}
