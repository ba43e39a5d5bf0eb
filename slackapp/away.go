package main

import (
	"context"
	"database/sql"
	"time"

	"accessbot/schema"
	"accessbot/slackapp/views"
	"accessbot/workflows"
)

// longestAway keeps a wrong year from delegating approvals for good.
const longestAway = 366 * 24 * time.Hour

// readOffice reads what a Home tab shows to approvers, owners and administrators, and the reader's delegation.
func (a *app) readOffice(ctx context.Context, h *views.Home) (err error) {
	if h.Office, err = schema.OfficeOf(ctx, a.db, h.Person); err != nil {
		return err
	}
	if h.Office.LooksAfter {
		if h.Tasks, h.TasksTotal, err = schema.TasksFor(ctx, a.db, h.Person.ID, views.TaskLines, 0); err != nil {
			return err
		}
		if h.Findings, h.FindingsTotal, err = schema.FindingsFor(ctx, a.db, h.Person.ID, views.FindingLines, 0); err != nil {
			return err
		}
	}
	d, ok, err := schema.DelegationOf(ctx, a.db, h.Person.ID)
	if ok {
		h.Delegation = &d
	}
	return err
}

// openAway opens the modal to delegate approvals.
func (a *app) openAway(ctx context.Context, c *click, _ struct{}) (outcome, error) {
	now, err := schema.Now(ctx, a.db)
	if err != nil {
		return outcome{}, err
	}
	return opened(views.Away(a.zoneOf(ctx, c.person, c.ic.User.ID), now)), nil
}

// submitAway records a delegation.
func (a *app) submitAway(ctx context.Context, c *click, _ struct{}) (outcome, error) {
	chosen := c.fields.shown[views.BlockDelegate][views.ActionDelegate]
	delegate, err := idOf(chosen.SelectedOption.Value)
	if err != nil {
		return outcome{}, fieldErrors{views.BlockDelegate: "Choose a delegate."}
	}
	now, err := schema.Now(ctx, a.db)
	if err != nil {
		return outcome{}, err
	}
	starts, ends, err := a.span(ctx, c, now)
	if err != nil {
		return outcome{}, err
	}
	if delegate == c.person.ID {
		return outcome{}, fieldErrors{views.BlockDelegate: "You can't delegate to yourself. Choose another person."}
	}
	return a.delegate(
		ctx,
		c,
		schema.Delegation{DelegateID: sql.NullInt64{Int64: delegate, Valid: true}, StartsAt: starts, EndsAt: ends},
	)
}

// span returns the start and end of a delegation, from days in the person's time zone.
func (a *app) span(ctx context.Context, c *click, now time.Time) (starts, ends time.Time, err error) {
	zone, err := time.LoadLocation(a.zoneOf(ctx, c.person, c.ic.User.ID))
	if err != nil {
		return starts, ends, fieldErrors{views.BlockFirstDay: "We don't know your time zone. Tell an administrator."}
	}
	first := c.fields.shown[views.BlockFirstDay][views.ActionFirstDay]
	last := c.fields.shown[views.BlockLastDay][views.ActionLastDay]
	if starts, err = endAt(first.SelectedDate, "00:00", zone); err != nil {
		return starts, ends, fieldErrors{views.BlockFirstDay: "This day doesn't exist. Choose another."}
	}
	if ends, _, err = endOfDay(last.SelectedDate, zone); err != nil {
		return starts, ends, fieldErrors{views.BlockLastDay: "This day doesn't exist. Choose another."}
	}
	switch {
	case !ends.After(now):
		err = fieldErrors{views.BlockLastDay: "This day has passed. Choose a later one."}
	case !ends.After(starts):
		err = fieldErrors{views.BlockLastDay: "This is before the first day. Choose a later one."}
	case ends.Sub(starts) > longestAway:
		err = fieldErrors{views.BlockLastDay: "This is more than a year. Choose an earlier day."}
	}
	return starts, ends, err
}

// delegate records a delegation, signals the runs whose approvals move, and draws the person's Home tab again.
func (a *app) delegate(ctx context.Context, c *click, d schema.Delegation) (outcome, error) {
	d.PersonID = c.person.ID
	requests, err := a.db.Delegate(ctx, d)
	if err != nil {
		return outcome{}, err
	}
	return outcome{home: &c.person, wake: &wakeUp{requests: requests, signal: workflows.SignalDue}}, nil
}

// back ends a delegation.
func (a *app) back(ctx context.Context, c *click, _ struct{}) (outcome, error) {
	_, away, err := schema.DelegationOf(ctx, a.db, c.person.ID)
	if err != nil {
		return outcome{}, err
	}
	if !away {
		return outcome{home: &c.person}, nil // pressed twice: the runs know
	}
	now, err := schema.Now(ctx, a.db)
	if err != nil {
		return outcome{}, err
	}
	return a.delegate(ctx, c, schema.Delegation{StartsAt: now, EndsAt: now})
}
