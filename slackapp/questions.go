package main

import (
	"context"

	"accessbot/schema"
	"accessbot/slackapp/views"
	"accessbot/workflows"
)

// openQuestion opens the modal in which an approver asks the requester a question.
func (a *app) openQuestion(ctx context.Context, c *click, about decision) (outcome, error) {
	request, err := a.askedOf(ctx, c, about)
	if err != nil {
		return outcome{}, err
	}
	return opened(views.AskQuestion(request, c.value)), nil
}

// submitQuestion records an approver's question.
func (a *app) submitQuestion(ctx context.Context, c *click, about decision) (outcome, error) {
	text, err := c.fields.written(schema.MaxQuestion)
	if err != nil {
		return outcome{}, err
	}
	request, err := a.db.AskQuestion(ctx, about.id, c.person.ID, text)
	if err != nil {
		return outcome{}, err
	}
	return outcome{
		wake: wakeRequest(request.ID, workflows.SignalDue, "Your question is recorded. We'll send it as soon as our systems are back."),
	}, nil
}

// openAnswer opens the modal in which the requester answers.
func (a *app) openAnswer(ctx context.Context, c *click, id int64) (outcome, error) {
	request, question, err := schema.QuestionFor(ctx, a.db, id, c.person.ID)
	switch {
	case err != nil:
		return outcome{}, err
	case question.AnsweredAt.Valid:
		return outcome{}, schema.ErrDecided
	case !request.Waits():
		return outcome{}, schema.ErrNotOpen
	}
	return opened(views.AnswerQuestion(request, question)), nil
}

// submitAnswer records the requester's answer.
func (a *app) submitAnswer(ctx context.Context, c *click, id int64) (outcome, error) {
	text, err := c.fields.written(schema.MaxAnswer)
	if err != nil {
		return outcome{}, err
	}
	request, err := a.db.AnswerQuestion(ctx, id, c.person.ID, text)
	if err != nil {
		return outcome{}, err
	}
	return outcome{
		wake: wakeRequest(request, workflows.SignalDue, "Your answer is recorded. We'll send it as soon as our systems are back."),
	}, nil
}
