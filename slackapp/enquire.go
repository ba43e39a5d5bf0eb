package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
	"accessbot/workflows"
)

// openEnquiry opens the modal in which an approver asks the requester something.
func (a *app) openEnquiry(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	request, person, err := a.questionOf(ctx, ic, action.Value)
	switch {
	case errors.Is(err, schema.ErrNotFound):
		a.auditOddButton(ctx, ic, err)
		a.tell(ctx, ic, notYours)
		return
	case err != nil:
		a.tell(ctx, ic, a.words(ctx, err))
		return
	case len(request.DecidableBy(person.ID)) == 0:
		a.tell(ctx, ic, views.WhoWasFirst(request, person.ID, a.zoneOf(ctx, person, ic.User.ID)))
		return
	}
	if _, err := a.open(ctx, ic, views.Enquire(request, action.Value)); err != nil {
		a.log.Error("a question to the requester could not be opened", "user", ic.User.ID, "error", err, "where", problems(err))
		a.tell(ctx, ic, "The form could not be opened. Please press Ask again.")
	}
}

// submitEnquiry records what an approver asks. What is in its way stands at the field.
func (a *app) submitEnquiry(ctx context.Context, ic *slack.InteractionCallback) (wrong fieldErrors, after func(ctx context.Context)) {
	text, wrong := written(ic, schema.MaxEnquiry)
	if wrong != nil {
		return wrong, nil
	}
	messageID, _, err := views.ParseDecisionValue(ic.View.PrivateMetadata)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return fieldErrors{views.BlockWritten: notYours}, nil
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return fieldErrors{views.BlockWritten: plainWords(a.words(ctx, err))}, nil
	}
	request, err := a.db.Enquire(ctx, messageID, person.ID, text)
	if err != nil {
		return fieldErrors{views.BlockWritten: plainWords(a.refusedEnquiry(ctx, err))}, nil
	}
	return nil, func(context.Context) {
		a.wake(request.ID, workflows.SignalDue, func(ctx context.Context) {
			a.tellLater(ctx, ic, "Your question is recorded. It will be passed on shortly.")
		})
	}
}

func (a *app) refusedEnquiry(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, schema.ErrTooMany):
		return fmt.Sprintf("%d questions about this request wait for an answer already. Ask again when one of them is answered.", schema.OpenEnquiries)
	case errors.Is(err, schema.ErrNotOpen):
		return "Nothing of this request waits any more, so there is nothing left to ask."
	case errors.Is(err, schema.ErrOwnRequest):
		return "You can't ask a question about a request that you made, or that was made for you."
	}
	return a.refusedDecision(ctx, err)
}

// openAnswer opens the modal in which the requester answers.
func (a *app) openAnswer(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	id, person, ok := a.pressed(ctx, ic, action)
	if !ok {
		return
	}
	request, enquiry, err := schema.EnquiryFor(ctx, a.db, id, person.ID)
	switch {
	case errors.Is(err, schema.ErrNotFound):
		a.auditOddButton(ctx, ic, err)
		a.tell(ctx, ic, notAsked)
	case err != nil:
		a.tell(ctx, ic, a.words(ctx, err))
	case enquiry.AnsweredAt.Valid:
		a.tell(ctx, ic, answeredAlready)
	case !request.Waits():
		a.tell(ctx, ic, nothingToAnswer)
	default:
		if _, err := a.open(ctx, ic, views.AnswerEnquiry(request, enquiry)); err != nil {
			a.log.Error("an answer could not be asked for", "user", ic.User.ID, "error", err, "where", problems(err))
			a.tell(ctx, ic, "The form could not be opened. Please press Answer again.")
		}
	}
}

const (
	notAsked        = "This was asked of somebody else."
	answeredAlready = "This was answered already."
	nothingToAnswer = "Nothing of this request waits any more, so there is nothing left to answer."
)

// submitAnswer records what the requester answers. What is in its way stands at the field.
func (a *app) submitAnswer(ctx context.Context, ic *slack.InteractionCallback) (wrong fieldErrors, after func(ctx context.Context)) {
	text, wrong := written(ic, schema.MaxEnquiryAnswer)
	if wrong != nil {
		return wrong, nil
	}
	id, err := strconv.ParseInt(ic.View.PrivateMetadata, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return fieldErrors{views.BlockWritten: notAsked}, nil
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return fieldErrors{views.BlockWritten: plainWords(a.words(ctx, err))}, nil
	}
	request, err := a.db.AnswerEnquiry(ctx, id, person.ID, text)
	switch {
	case errors.Is(err, schema.ErrNotFound), errors.Is(err, schema.ErrNotAllowed):
		return fieldErrors{views.BlockWritten: notAsked}, nil
	case errors.Is(err, schema.ErrDecided):
		return fieldErrors{views.BlockWritten: answeredAlready}, nil
	case errors.Is(err, schema.ErrNotOpen):
		return fieldErrors{views.BlockWritten: nothingToAnswer}, nil
	case err != nil:
		return fieldErrors{views.BlockWritten: plainWords(a.words(ctx, err))}, nil
	}
	return nil, func(context.Context) {
		a.wake(request, workflows.SignalDue, func(ctx context.Context) {
			a.tellLater(ctx, ic, "Your answer is recorded. It will be passed on shortly.")
		})
	}
}

// written is what somebody wrote into a modal, or what is wrong with it.
func written(ic *slack.InteractionCallback, atMost int) (text string, wrong fieldErrors) {
	s := submission{values: ic.View.State}
	field, _ := s.field(views.BlockWritten, views.ActionWritten)
	text = writable(field.Value)
	switch {
	case views.Clean(text) == "":
		return "", fieldErrors{views.BlockWritten: "Write something."}
	case utf8.RuneCountInString(text) > atMost:
		return "", fieldErrors{views.BlockWritten: fmt.Sprintf("This is too long. Shorten it to %d characters.", atMost)}
	}
	return text, nil
}
