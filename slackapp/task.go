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

// taskDone records that somebody did by hand what they were asked to do.
func (a *app) taskDone(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	recorded, text, after := a.answerTask(ctx, ic, action.Value, true, "")
	if !recorded {
		a.tell(ctx, ic, text)
	}
	after(ctx)
	if ic.View.Type == slack.VTModal {
		a.showList(ctx, ic.User.ID, ic.View.ID, ic.View.PrivateMetadata)
	}
}

// askWhyCannot opens the modal that asks for the reason.
func (a *app) askWhyCannot(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	if _, err := strconv.ParseInt(action.Value, 10, 64); err != nil {
		a.auditOddButton(ctx, ic, err)
		a.tell(ctx, ic, notYours)
		return
	}
	if _, err := a.open(ctx, ic, views.Cannot(action.Value)); err != nil {
		a.log.Error("the reason why a task cannot be done could not be asked for", "user", ic.User.ID, "error", err, "where", problems(err))
		a.tell(ctx, ic, "The form could not be opened. Please press Cannot again.")
	}
}

// submitCannot records that a task cannot be done. What is in its way stands at the field.
func (a *app) submitCannot(ctx context.Context, ic *slack.InteractionCallback) (wrong fieldErrors, after func(ctx context.Context)) {
	reason, wrong := writtenReason(ic)
	if wrong != nil {
		return wrong, nil
	}
	recorded, text, after := a.answerTask(ctx, ic, ic.View.PrivateMetadata, false, reason)
	if !recorded {
		return fieldErrors{views.BlockReason: plainWords(text)}, after
	}
	return nil, after
}

// answerTask records an answer. It tells whether something was recorded, if not why (mrkdwn), and what follows.
func (a *app) answerTask(ctx context.Context, ic *slack.InteractionCallback, value string, done bool, reason string) (recorded bool, text string, after func(ctx context.Context)) {
	nothing := func(context.Context) {}
	id, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return false, notYours, nothing
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return false, a.words(ctx, err), nothing
	}
	request, err := a.db.AnswerTask(ctx, schema.TaskAnswer{TaskID: id, PersonID: person.ID, Done: done, Reason: reason})
	home := func(context.Context) { a.publishHome(ic.User.ID, person) } // also of who came too late: theirs is behind
	switch {
	case errors.Is(err, schema.ErrNotAllowed), errors.Is(err, schema.ErrNotFound):
		return false, "This is for those who look after the application.", home
	case errors.Is(err, schema.ErrDecided):
		return false, "This was answered already.", home
	case errors.Is(err, schema.ErrNotOpen):
		return false, "This is not needed any more.", home
	case err != nil:
		return false, a.words(ctx, err), nothing
	}
	return true, "", func(ctx context.Context) {
		if request != 0 {
			a.wake(request, workflows.SignalDue, nothing)
		}
		home(ctx)
	}
}
