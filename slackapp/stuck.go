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

// openStuck opens the modal in which an administrator decides what no one else does.
func (a *app) openStuck(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	number, err := strconv.ParseInt(action.Value, 10, 64)
	if err != nil || !person.Administrator {
		a.auditOddButton(ctx, ic, errors.Join(err, schema.ErrNotAllowed))
		return telling(notYours)
	}
	request, err := schema.RequestByID(ctx, a.db, number)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	limits, err := schema.LimitsOf(ctx, a.db, request)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	view := views.ChooseAsAdministrator(request, person, a.zoneOf(ctx, person, ic.User.ID), limits)
	if len(request.Stuck(person)) == 0 {
		view = views.Notice("Stuck requests", "Nothing of this request is stuck any more.")
	}
	return outcome{opens: &opening{view: view}}
}

// submitStuck records what an administrator decided in the place of everybody. What is in its way stands at its field.
func (a *app) submitStuck(ctx context.Context, ic *slack.InteractionCallback) outcome {
	chosen, choice, wrong := a.chosen(ctx, ic)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	number, terms, err := views.ParseStuckValue(chosen.Value)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return wrongAt(views.BlockReason, notYours)
	}
	reason, wrong := writtenReason(ic)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return wrongAt(views.BlockReason, plainWords(a.words(ctx, err)))
	}
	decided, err := a.db.DecideAsAdministrator(ctx, schema.StuckAnswer{RequestID: number, PersonID: person.ID, Terms: terms, Choice: choice, Reason: reason})
	switch {
	case err != nil:
		return wrongAt(views.BlockReason, plainWords(a.refusedDecision(ctx, err)))
	case len(decided.Items) == 0:
		return wrongAt(views.BlockReason, "This is not stuck any more: someone has decided it, or was asked.")
	}
	return outcome{home: &person, wake: wakeRequest(number, workflows.SignalDecisionRecorded,
		"Your decision is recorded. It will take effect as soon as our systems are back.")}
}
