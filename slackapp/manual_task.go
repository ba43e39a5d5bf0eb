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

// taskDone records that an owner did a manual task.
func (a *app) taskDone(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	o, refused := a.answerTask(ctx, ic, action.Value, true, "")
	o.tell = refused
	return o.alsoListed(ic)
}

// askWhyCannot opens the modal that asks why a task can't be done.
func (a *app) askWhyCannot(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	if _, err := strconv.ParseInt(action.Value, 10, 64); err != nil {
		a.auditOddButton(ctx, ic, err)
		return telling(badButton)
	}
	return outcome{opens: &opening{view: views.Cannot(action.Value), button: "Can't do it…"}}
}

// submitCannot records that a task can't be done. Problems are shown at the field.
func (a *app) submitCannot(ctx context.Context, ic *slack.InteractionCallback) outcome {
	reason, wrong := writtenReason(ic)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	o, refused := a.answerTask(ctx, ic, ic.View.PrivateMetadata, false, reason)
	return o.refusedAt(views.BlockReason, refused)
}

// answerTask records an answer. It returns what follows, and why nothing was recorded (mrkdwn; empty: it was).
func (a *app) answerTask(ctx context.Context, ic *slack.InteractionCallback, value string, done bool, reason string) (o outcome, refused string) {
	id, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return outcome{}, badButton
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return outcome{}, a.words(ctx, err)
	}
	request, err := a.db.AnswerTask(ctx, schema.TaskAnswer{TaskID: id, PersonID: person.ID, Done: done, Reason: reason})
	o.home = &person // also if they were too late: theirs is outdated
	switch {
	case errors.Is(err, schema.ErrNotAllowed), errors.Is(err, schema.ErrNotFound):
		return o, "Only owners of the application can do this."
	case errors.Is(err, schema.ErrDecided):
		return o, "This task is already answered."
	case errors.Is(err, schema.ErrNotOpen):
		return o, "This task is no longer needed."
	case err != nil:
		return outcome{}, a.words(ctx, err)
	}
	if request != 0 {
		o.wake = wakeRequest(request, workflows.SignalDue, "")
	}
	return o, ""
}
