package main

import (
	"context"
	"errors"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
	"accessbot/workflows"
)

// approve records an approval. The worker updates every copy of the message.
func (a *app) approve(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	o, refused := a.decide(ctx, ic, action.Value, schema.Answer{Approve: true})
	o.tell = refused
	return o.alsoListed(ic)
}

// askWhyDenied opens the modal that asks for the reason of a denial.
func (a *app) askWhyDenied(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	if _, _, err := views.ParseDecisionValue(action.Value); err != nil {
		a.auditOddButton(ctx, ic, err)
		return telling(notYours)
	}
	return outcome{opens: &opening{view: views.Deny(action.Value), button: "Deny…"}}
}

// submitDenial records a denial. Problems are shown at the field.
func (a *app) submitDenial(ctx context.Context, ic *slack.InteractionCallback) outcome {
	reason, wrong := writtenReason(ic)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	o, refused := a.decide(ctx, ic, ic.View.PrivateMetadata, schema.Answer{Reason: reason})
	return o.refusedAt(views.BlockReason, refused)
}

// refusedAt adds to an outcome, at a field, why nothing was recorded (mrkdwn; empty: it was).
func (o outcome) refusedAt(blockID, refused string) outcome {
	if refused != "" {
		o.errors = fieldErrors{blockID: plainWords(refused)}
	}
	return o
}

// writtenReason returns the reason from a modal, or what is wrong with it.
func writtenReason(ic *slack.InteractionCallback) (reason string, wrong fieldErrors) {
	s := submission{values: ic.View.State}
	written, _ := s.field(views.BlockReason, views.ActionReason)
	reason = writable(written.Value)
	switch {
	case views.Clean(reason) == "":
		return "", fieldErrors{views.BlockReason: "Enter a reason. The requester will see it."}
	case len([]rune(reason)) > views.MaxNote:
		return "", fieldErrors{views.BlockReason: "This is too long. Shorten it to 3000 characters."}
	}
	return reason, nil
}

const (
	notYours    = "You're not an approver for this request."
	badButton   = "This button no longer works. Open the Home tab and try again."
	backShortly = "Your decision is recorded. It will take effect as soon as our systems are back."
)

// decide records a decision. It returns what follows, and why nothing was recorded (mrkdwn; empty: it was).
func (a *app) decide(ctx context.Context, ic *slack.InteractionCallback, value string, answer schema.Answer) (o outcome, refused string) {
	id, terms, err := views.ParseDecisionValue(value)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return outcome{}, notYours
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return outcome{}, a.words(ctx, err)
	}
	answer.PersonID, answer.Terms = person.ID, terms
	if answer.Override {
		answer.RequestID = id
	} else {
		answer.MessageID = id
	}
	decided, err := a.db.Decide(ctx, answer)
	switch {
	case err != nil && decided.Request != nil:
		// Other people may be the approvers by now: the run has to ask them.
		return outcome{wake: wakeRequest(decided.Request.ID, workflows.SignalDue, "")}, a.refusedDecision(ctx, err)
	case err != nil:
		return outcome{}, a.refusedDecision(ctx, err)
	case len(decided.Items) == 0:
		return outcome{home: &person}, views.DecidedBy(decided.Request, person.ID, a.zoneOf(ctx, person, ic.User.ID))
	}
	return outcome{home: &person, wake: wakeRequest(decided.Request.ID, workflows.SignalDecisionRecorded, backShortly)}, ""
}

// tellLater tells a user about what they submitted, once its modal is closed.
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
		return "You can't approve your own request."
	case errors.Is(err, schema.ErrNotAllowed):
		return "You're not an approver for this request. It may have been reassigned."
	case errors.Is(err, schema.ErrTermsChanged):
		return "This request has changed since this message was sent, so nothing was recorded. Ask an administrator what changed."
	case errors.Is(err, schema.ErrEndPassed):
		return "The requested end date has passed."
	case errors.Is(err, schema.ErrWithdrawn):
		return "This request was withdrawn."
	case errors.Is(err, schema.ErrDecided), errors.Is(err, schema.ErrNotOpen):
		return "This is already decided."
	case errors.Is(err, schema.ErrNotFound):
		return notYours
	}
	return a.words(ctx, err)
}

// auditOddButton records that a button was sent with a value that the app never gave it.
func (a *app) auditOddButton(ctx context.Context, ic *slack.InteractionCallback, err error) {
	a.audit(ctx, schema.Event{Actor: "slackapp", Action: schema.ButtonRefused, Alert: true,
		Details: map[string]any{"user": ic.User.ID, "why": err.Error()}})
}
