package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
	"accessbot/slackapp/views"
	"accessbot/workflows"
)

// submit turns the form into a request, which closes the form, or returns the problems at its fields; the form then stays open.
func (a *app) submit(ctx context.Context, c *click, _ struct{}) (outcome, error) {
	receipt, err := a.record(ctx, c.ic.View.ID, c.person.ID, &c.fields)
	switch {
	case c.fields.outdated:
		return outcome{form: &shownForm{viewID: c.ic.View.ID, personID: c.person.ID, notice: listChanged}}, err
	case errors.Is(err, schema.ErrNotFound):
		return outcome{}, errFormGone
	case errors.Is(err, schema.ErrNotEvaluated):
		a.log.Error("evaluate policy failed", "view", c.ic.View.ID, "error", err)
		a.audit(ctx, schema.Event{Actor: "policy", PersonID: c.person.ID, Action: schema.EvaluationFailed, Alert: true, Details: map[string]any{"why": err.Error()}})
	}
	if err != nil {
		return outcome{}, err
	}
	o := outcome{home: &c.person}
	if !receipt.Before {
		o.wake = wakeRequest(receipt.RequestID, workflows.SignalSubmitted, "")
		o.wake.submittedBy = c.person.ID
	}
	return o, nil
}

// sayDelayed tells a submitter that their request is recorded and continues later. Its card follows then.
func (a *app) sayDelayed(ctx context.Context, userID string, number, personID int64) {
	text := fmt.Sprintf("Your request #%d has been created. We'll continue as soon as our systems are back.", number)
	if request, err := schema.RequestByID(ctx, a.db, number); err != nil {
		a.log.Error("read request failed", "request", number, "error", err)
	} else {
		text = views.Delayed(request, personID)
	}
	a.write(ctx, userID, text)
}

const listChanged = "The list has just changed. Check it, and submit again."

// record merges the shown page into the draft, checks the other fields, and creates the request.
func (a *app) record(ctx context.Context, viewID string, personID int64, s *submission) (schema.Receipt, error) {
	draft, err := a.db.ChangeDraft(ctx, viewID, personID, func(_ *sqlx.Tx, d *schema.Draft) error { return takeBoxes(d, s.shown) })
	if errors.Is(err, schema.ErrNotFound) { // already submitted, perhaps at the same moment
		return a.db.Submit(ctx, schema.Submission{ViewID: viewID, PersonID: personID})
	}
	if err != nil {
		return schema.Receipt{}, err
	}
	now, err := schema.Now(ctx, a.db)
	if err != nil {
		return schema.Receipt{}, err
	}
	reasons, err := schema.Reasons(ctx, a.db)
	if err != nil {
		return schema.Receipt{}, err
	}
	_, policy, err := schema.CurrentPolicy(ctx, a.db)
	if err != nil {
		return schema.Receipt{}, err
	}
	s.checkShown(&draft)
	result := schema.Submission{ViewID: viewID, PersonID: personID, Quota: a.config.quota()}
	result.ReasonKey, result.Note = s.why(reasons)
	result.EndsAt, result.EndsOn = s.ends(&draft, now, policy.Defaults.MaxDays)
	zone, err := time.LoadLocation(draft.TimeZone)
	if err != nil {
		return schema.Receipt{}, fmt.Errorf("the time zone of form %s: %w", viewID, err)
	}
	result.LastEnd = func(days int) time.Time { return lastEnd(now, days, zone) }
	if len(s.errors) > 0 {
		return schema.Receipt{}, s.errors
	}
	return a.db.Submit(ctx, result)
}
