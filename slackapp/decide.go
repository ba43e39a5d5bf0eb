package main

import (
	"context"
	"errors"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
	"accessbot/workflows"
)

// approve records an approval. What every copy then shows, the worker sees to.
func (a *app) approve(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	o, refused := a.decide(ctx, ic, action.Value, schema.Answer{Approve: true})
	o.tell = refused
	return o.alsoListed(ic)
}

// askWhyDenied opens the modal that asks for the reason.
func (a *app) askWhyDenied(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	if _, _, err := views.ParseDecisionValue(action.Value); err != nil {
		a.auditOddButton(ctx, ic, err)
		return telling(notYours)
	}
	return outcome{opens: &opening{view: views.Deny(action.Value), button: "Deny"}}
}

// submitDenial records a denial. What is in its way stands at the field.
func (a *app) submitDenial(ctx context.Context, ic *slack.InteractionCallback) outcome {
	reason, wrong := writtenReason(ic)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	o, refused := a.decide(ctx, ic, ic.View.PrivateMetadata, schema.Answer{Reason: reason})
	return o.refusedAt(views.BlockReason, refused)
}

// refusedAt adds to an outcome why nothing was recorded (mrkdwn; empty: it was), at a field.
func (o outcome) refusedAt(blockID, refused string) outcome {
	if refused != "" {
		o.errors = fieldErrors{blockID: plainWords(refused)}
	}
	return o
}

// writtenReason is what someone wrote into a modal that asks why, or what is wrong with it.
func writtenReason(ic *slack.InteractionCallback) (reason string, wrong fieldErrors) {
	s := submission{values: ic.View.State}
	written, _ := s.field(views.BlockReason, views.ActionReason)
	reason = writable(written.Value)
	switch {
	case views.Clean(reason) == "":
		return "", fieldErrors{views.BlockReason: "Say why: the requester reads it."}
	case len([]rune(reason)) > views.MaxNote:
		return "", fieldErrors{views.BlockReason: "This is too long. Shorten it to 3000 characters."}
	}
	return reason, nil
}

const notYours = "This is not yours to decide."

// decide records an answer. It answers what follows, and why nothing was recorded (mrkdwn; empty: it was).
func (a *app) decide(ctx context.Context, ic *slack.InteractionCallback, value string, answer schema.Answer) (o outcome, refused string) {
	messageID, terms, err := views.ParseDecisionValue(value)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return outcome{}, notYours
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return outcome{}, a.words(ctx, err)
	}
	answer.MessageID, answer.PersonID, answer.Terms = messageID, person.ID, terms
	decided, err := a.db.Decide(ctx, answer)
	switch {
	case err != nil && decided.Request != nil:
		// They were asked, and someone else may decide by now: whoever that is must come to know.
		return outcome{wake: wakeRequest(decided.Request.ID, workflows.SignalDue, "")}, a.refusedDecision(ctx, err)
	case err != nil:
		return outcome{}, a.refusedDecision(ctx, err)
	case len(decided.Items) == 0:
		return outcome{home: &person}, views.DecidedBy(decided.Request, person.ID, a.zoneOf(ctx, person, ic.User.ID))
	}
	return outcome{home: &person, wake: wakeRequest(decided.Request.ID, workflows.SignalDecisionRecorded,
		"Your decision is recorded. It will take effect as soon as our systems are back.")}, ""
}

// tellLater tells someone about what they submitted, once its modal is closed.
func (a *app) tellLater(ctx context.Context, ic *slack.InteractionCallback, text string) {
	if ic.Type == slack.InteractionTypeViewSubmission {
		a.write(ctx, ic.User.ID, text)
		return
	}
	a.tell(ctx, ic, text)
}

// refusedDecision tells an approver why nothing was recorded.
func (a *app) refusedDecision(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, schema.ErrOwnRequest):
		return "You can't decide a request that you made, or that was made for you."
	case errors.Is(err, schema.ErrNotAllowed):
		return "This is not yours to decide: the approval was put to someone else, or is by now."
	case errors.Is(err, schema.ErrTermsChanged):
		return "The request is no longer what this message shows, so nothing was recorded. An administrator can say what changed."
	case errors.Is(err, schema.ErrEndPassed):
		return "The end that was asked for has passed, so there is nothing left to decide."
	case errors.Is(err, schema.ErrWithdrawn):
		return "This was withdrawn, so there is nothing left to decide."
	case errors.Is(err, schema.ErrDecided), errors.Is(err, schema.ErrNotOpen):
		return "This is decided already."
	case errors.Is(err, schema.ErrNotFound):
		return notYours
	}
	return a.words(ctx, err)
}

// auditOddButton keeps that a button came back with a value that the app never granted it.
func (a *app) auditOddButton(ctx context.Context, ic *slack.InteractionCallback, err error) {
	a.audit(ctx, schema.Event{Actor: "slackapp", Action: schema.ButtonRefused, Alert: true,
		Details: map[string]any{"user": ic.User.ID, "why": err.Error()}})
}
