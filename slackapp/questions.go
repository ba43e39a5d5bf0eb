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

// openQuestion opens the modal in which an approver asks the requester a question.
func (a *app) openQuestion(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	request, _, refused := a.askedOf(ctx, ic, action.Value)
	if refused != "" {
		return telling(refused)
	}
	return outcome{opens: &opening{view: views.AskQuestion(request, action.Value), button: "Ask a question…"}}
}

// submitQuestion records an approver's question. Problems are shown at the field.
func (a *app) submitQuestion(ctx context.Context, ic *slack.InteractionCallback) outcome {
	text, wrong := written(ic, schema.MaxQuestion)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	messageID, _, err := views.ParseDecisionValue(ic.View.PrivateMetadata)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return wrongAt(views.BlockWritten, notYours)
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return wrongAt(views.BlockWritten, plainWords(a.words(ctx, err)))
	}
	request, err := a.db.AskQuestion(ctx, messageID, person.ID, text)
	if err != nil {
		return wrongAt(views.BlockWritten, plainWords(a.refusedQuestion(ctx, err)))
	}
	return outcome{wake: wakeRequest(request.ID, workflows.SignalDue, "Your question is recorded. We'll send it as soon as our systems are back.")}
}

func (a *app) refusedQuestion(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, schema.ErrTooMany):
		return fmt.Sprintf("%d questions about this request already wait for an answer. Ask again when one is answered.", schema.MaxOpenQuestions)
	case errors.Is(err, schema.ErrNotOpen):
		return "This request is no longer waiting, so there is nothing to ask."
	case errors.Is(err, schema.ErrOwnRequest):
		return "You can't ask about your own request."
	}
	return a.refusedDecision(ctx, err)
}

// openAnswer opens the modal in which the requester answers.
func (a *app) openAnswer(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	id, person, refused := a.pressed(ctx, ic, action)
	if refused != "" {
		return telling(refused)
	}
	request, question, err := schema.QuestionFor(ctx, a.db, id, person.ID)
	switch {
	case errors.Is(err, schema.ErrNotFound):
		a.auditOddButton(ctx, ic, err)
		return telling(notAsked)
	case err != nil:
		return telling(a.words(ctx, err))
	case question.AnsweredAt.Valid:
		return telling(answeredAlready)
	case !request.Waits():
		return telling(nothingToAnswer)
	}
	return outcome{opens: &opening{view: views.AnswerQuestion(request, question), button: "Answer…"}}
}

const (
	notAsked        = "This question wasn't for you."
	answeredAlready = "This question is already answered."
	nothingToAnswer = "This request is no longer waiting, so no answer is needed."
)

// submitAnswer records the requester's answer. Problems are shown at the field.
func (a *app) submitAnswer(ctx context.Context, ic *slack.InteractionCallback) outcome {
	text, wrong := written(ic, schema.MaxAnswer)
	if wrong != nil {
		return outcome{errors: wrong}
	}
	id, err := strconv.ParseInt(ic.View.PrivateMetadata, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return wrongAt(views.BlockWritten, notAsked)
	}
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return wrongAt(views.BlockWritten, plainWords(a.words(ctx, err)))
	}
	request, err := a.db.AnswerQuestion(ctx, id, person.ID, text)
	switch {
	case errors.Is(err, schema.ErrNotFound), errors.Is(err, schema.ErrNotAllowed):
		return wrongAt(views.BlockWritten, notAsked)
	case errors.Is(err, schema.ErrDecided):
		return wrongAt(views.BlockWritten, answeredAlready)
	case errors.Is(err, schema.ErrNotOpen):
		return wrongAt(views.BlockWritten, nothingToAnswer)
	case err != nil:
		return wrongAt(views.BlockWritten, plainWords(a.words(ctx, err)))
	}
	return outcome{wake: wakeRequest(request, workflows.SignalDue, "Your answer is recorded. We'll send it as soon as our systems are back.")}
}

// written returns the text of a modal, or what is wrong with it.
func written(ic *slack.InteractionCallback, atMost int) (text string, wrong fieldErrors) {
	s := submission{values: ic.View.State}
	field, _ := s.field(views.BlockWritten, views.ActionWritten)
	text = writable(field.Value)
	switch {
	case views.Clean(text) == "":
		return "", fieldErrors{views.BlockWritten: "Enter a text."}
	case utf8.RuneCountInString(text) > atMost:
		return "", fieldErrors{views.BlockWritten: fmt.Sprintf("This is too long. Shorten it to %d characters.", atMost)}
	}
	return text, nil
}
