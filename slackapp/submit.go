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
	receipt, err := a.record(ctx, c)
	switch {
	case c.fields.outdated:
		return outcome{form: &shownForm{viewID: c.ic.View.ID, personID: c.person.ID, notice: listChanged}}, err
	case errors.Is(err, schema.ErrNotFound):
		return outcome{}, errFormGone
	case errors.Is(err, schema.ErrNotEvaluated):
		a.log.Error("evaluate policy failed", "view", c.ic.View.ID, "error", err)
		a.audit(ctx, schema.Event{Actor: "policy", PersonID: c.person.ID, Action: schema.EvaluationFailed, Alert: true,
			Details: map[string]any{"why": err.Error()}})
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

// record creates the request, in one transaction with merging the shown page into the draft and checking the other fields.
func (a *app) record(ctx context.Context, c *click) (schema.Receipt, error) {
	return a.db.Submit(ctx, schema.Submission{ViewID: c.ic.View.ID, PersonID: c.person.ID, Quota: a.config.quota(),
		Fill: func(tx *sqlx.Tx, draft *schema.Draft, s *schema.Submission) error {
			if err := takeBoxes(draft, c.fields.shown); err != nil {
				return err
			}
			now, err := schema.Now(ctx, tx)
			if err != nil {
				return err
			}
			reasons, err := schema.Reasons(ctx, tx)
			if err != nil {
				return err
			}
			_, policy, err := schema.CurrentPolicy(ctx, tx)
			if err != nil {
				return err
			}
			zone, err := time.LoadLocation(draft.TimeZone)
			if err != nil {
				return fmt.Errorf("the time zone of form %s: %w", draft.ViewID, err)
			}
			c.fields.checkShown(draft)
			s.ReasonKey, s.Note = c.fields.why(reasons)
			s.EndsAt, s.EndsOn = c.fields.ends(draft, now, policy.Defaults.MaxDays)
			s.LastEnd = func(days int) time.Time { return lastEnd(now, days, zone) }
			if len(c.fields.errors) > 0 {
				return c.fields.errors
			}
			return nil
		}})
}
