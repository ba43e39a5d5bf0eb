package main

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"github.com/slack-go/slack"

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
func (a *app) openAway(ctx context.Context, ic *slack.InteractionCallback, _ *slack.BlockAction) outcome {
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	now, err := schema.Now(ctx, a.db)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	return outcome{opens: &opening{view: views.Away(a.zoneOf(ctx, person, ic.User.ID), now)}}
}

// submitAway records a delegation. Problems are shown at their fields.
func (a *app) submitAway(ctx context.Context, ic *slack.InteractionCallback) outcome {
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return wrongAt(views.BlockDelegate, plainWords(a.words(ctx, err)))
	}
	s := submission{values: ic.View.State}
	chosen, _ := s.field(views.BlockDelegate, views.ActionDelegate)
	delegateID, err := strconv.ParseInt(chosen.SelectedOption.Value, 10, 64)
	if err != nil {
		return wrongAt(views.BlockDelegate, "Choose a delegate.")
	}
	d := schema.Delegation{PersonID: person.ID, DelegateID: sql.NullInt64{Int64: delegateID, Valid: true}}
	now, err := schema.Now(ctx, a.db)
	if err != nil {
		return wrongAt(views.BlockDelegate, plainWords(a.words(ctx, err)))
	}
	if wrong := a.span(ctx, ic, person, &s, now, &d); wrong != nil {
		return outcome{errors: wrong}
	}
	if delegateID == person.ID {
		return wrongAt(views.BlockDelegate, "You can't delegate to yourself. Choose another person.")
	}
	return a.delegate(ctx, person, d)
}

// span reads the days of a delegation, in the person's time zone.
func (a *app) span(ctx context.Context, ic *slack.InteractionCallback, person schema.Person, s *submission, now time.Time, d *schema.Delegation) fieldErrors {
	zone, err := time.LoadLocation(a.zoneOf(ctx, person, ic.User.ID))
	if err != nil {
		return fieldErrors{views.BlockFirstDay: "We don't know your time zone. Tell an administrator."}
	}
	first, _ := s.field(views.BlockFirstDay, views.ActionFirstDay)
	last, _ := s.field(views.BlockLastDay, views.ActionLastDay)
	if d.StartsAt, err = endAt(first.SelectedDate, "00:00", zone); err != nil {
		return fieldErrors{views.BlockFirstDay: "This day doesn't exist. Choose another."}
	}
	if d.EndsAt, _, err = endOfDay(last.SelectedDate, zone); err != nil {
		return fieldErrors{views.BlockLastDay: "This day doesn't exist. Choose another."}
	}
	switch {
	case !d.EndsAt.After(now):
		return fieldErrors{views.BlockLastDay: "This day has passed. Choose a later one."}
	case !d.EndsAt.After(d.StartsAt):
		return fieldErrors{views.BlockLastDay: "This is before the first day. Choose a later one."}
	case d.EndsAt.Sub(d.StartsAt) > longestAway:
		return fieldErrors{views.BlockLastDay: "This is more than a year. Choose an earlier day."}
	}
	return nil
}

func (a *app) delegate(ctx context.Context, person schema.Person, d schema.Delegation) outcome {
	requests, err := a.db.Delegate(ctx, d)
	switch {
	case errors.Is(err, schema.ErrNotActive), errors.Is(err, schema.ErrNotFound):
		return wrongAt(views.BlockDelegate, "This person isn't active in the directory. Choose another.")
	case err != nil:
		return wrongAt(views.BlockDelegate, plainWords(a.words(ctx, err)))
	}
	return moved(person, requests)
}

// moved signals the runs whose approvals move, and draws the person's Home tab again.
func moved(person schema.Person, requests []int64) outcome {
	return outcome{home: &person, wake: &wakeUp{requests: requests, signal: workflows.SignalDue}}
}

// back ends a delegation.
func (a *app) back(ctx context.Context, ic *slack.InteractionCallback, _ *slack.BlockAction) outcome {
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	_, away, err := schema.DelegationOf(ctx, a.db, person.ID)
	if err == nil && !away {
		return outcome{home: &person} // pressed twice: the runs know
	}
	var now time.Time
	if err == nil {
		now, err = schema.Now(ctx, a.db)
	}
	if err == nil {
		var requests []int64
		if requests, err = a.db.Delegate(ctx, schema.Delegation{PersonID: person.ID, StartsAt: now, EndsAt: now}); err == nil {
			return moved(person, requests)
		}
	}
	return telling(a.words(ctx, err))
}
