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
func (a *app) approve(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	recorded, text, after := a.decide(ctx, ic, action.Value, schema.Answer{Approve: true})
	if !recorded {
		a.tell(ctx, ic, text)
	}
	after(ctx)
	if ic.View.Type == slack.VTModal {
		a.showList(ctx, ic.User.ID, ic.View.ID, ic.View.PrivateMetadata)
	}
}

// askWhyDenied opens the modal that asks for the reason.
func (a *app) askWhyDenied(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	if _, _, err := views.ParseDecisionValue(action.Value); err != nil {
		a.auditOddButton(ctx, ic, err)
		a.tell(ctx, ic, notYours)
		return
	}
	if _, err := a.open(ctx, ic, views.Deny(action.Value)); err != nil {
		a.log.Error("the reason of a denial could not be asked for", "user", ic.User.ID, "error", err, "where", problems(err))
		a.tell(ctx, ic, "The form could not be opened. Please press Deny again.")
	}
}

// submitDenial records a denial. What is in its way stands at the field.
func (a *app) submitDenial(ctx context.Context, ic *slack.InteractionCallback) (wrong fieldErrors, after func(ctx context.Context)) {
	reason, wrong := writtenReason(ic)
	if wrong != nil {
		return wrong, nil
	}
	recorded, text, after := a.decide(ctx, ic, ic.View.PrivateMetadata, schema.Answer{Reason: reason})
	if !recorded {
		return fieldErrors{views.BlockReason: plainWords(text)}, after
	}
	return nil, after
}

// writtenReason is what somebody wrote into a modal that asks why, or what is wrong with it.
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

// decide records an answer. It tells whether something was recorded, if not why (mrkdwn), and what follows.
func (a *app) decide(ctx context.Context, ic *slack.InteractionCallback, value string, answer schema.Answer) (recorded bool, text string, after func(ctx context.Context)) {
	nothing := func(context.Context) {}
	messageID, terms, err := views.ParseDecisionValue(value)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return false, notYours, nothing
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return false, a.words(ctx, err), nothing
	}
	answer.MessageID, answer.PersonID, answer.Terms = messageID, person.ID, terms
	decided, err := a.db.Decide(ctx, answer)
	switch {
	case err != nil && decided.Request != nil:
		// They were asked, and somebody else may decide by now: whoever that is must come to know.
		return false, a.refusedDecision(ctx, err), func(context.Context) {
			a.wake(decided.Request.ID, workflows.SignalDue, nothing)
		}
	case err != nil:
		return false, a.refusedDecision(ctx, err), nothing
	case len(decided.Items) == 0:
		text := views.WhoWasFirst(decided.Request, person.ID, a.zoneOf(ctx, person, ic.User.ID))
		return false, text, func(context.Context) { a.publishHome(ic.User.ID, person) }
	}
	return true, "", func(context.Context) {
		a.wake(decided.Request.ID, workflows.SignalDecisionRecorded, func(ctx context.Context) {
			a.tellLater(ctx, ic, "Your decision is recorded. It will take effect as soon as our systems are back.")
		})
		a.publishHome(ic.User.ID, person)
	}
}

// tellLater tells somebody about what they submitted, once its modal is closed.
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
		return "This is not yours to decide: the question was put to somebody else, or is by now."
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

// auditOddButton keeps that a button came back with a value that the app never gave it.
func (a *app) auditOddButton(ctx context.Context, ic *slack.InteractionCallback, err error) {
	a.audit(ctx, schema.Event{Actor: "slackapp", Action: "button with a value of its own refused", Alert: true,
		Details: map[string]any{"user": ic.User.ID, "why": err.Error()}})
}
