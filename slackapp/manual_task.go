package main

import (
	"context"

	"accessbot/schema"
	"accessbot/workflows"
)

// taskDone records that an owner did a manual task.
func (a *app) taskDone(ctx context.Context, c *click, id int64) (outcome, error) {
	return a.answerTask(ctx, c, schema.TaskAnswer{TaskID: id, Done: true})
}

// submitCannot records that a task can't be done.
func (a *app) submitCannot(ctx context.Context, c *click, id int64) (outcome, error) {
	reason, err := c.fields.reason()
	if err != nil {
		return outcome{}, err
	}
	return a.answerTask(ctx, c, schema.TaskAnswer{TaskID: id, Reason: reason})
}

func (a *app) answerTask(ctx context.Context, c *click, answer schema.TaskAnswer) (outcome, error) {
	answer.PersonID = c.person.ID
	request, err := a.db.AnswerTask(ctx, answer)
	o := outcome{home: &c.person} // also if they were too late: theirs is outdated
	if err == nil && request != 0 {
		o.wake = wakeRequest(request, workflows.SignalDue, "")
	}
	return o, err
}
