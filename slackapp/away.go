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

// longestAway keeps a slip of the year from handing everything to someone else for good.
const longestAway = 366 * 24 * time.Hour

// readOffice reads what else whom a Home tab is for decides and looks after, and who does in their place.
func (a *app) readOffice(ctx context.Context, h *views.Home) (err error) {
	if h.Office, err = schema.OfficeOf(ctx, a.db, h.Person); err != nil {
		return err
	}
	if h.Person.Administrator {
		if h.Stuck, h.StuckTotal, err = schema.StuckFor(ctx, a.db, h.Person.ID, views.StuckLines, 0); err != nil {
			return err
		}
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

// openAway opens the modal that asks who decides in someone's place.
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

// submitAway records who decides in someone's place. What is in its way stands at its field.
func (a *app) submitAway(ctx context.Context, ic *slack.InteractionCallback) outcome {
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return wrongAt(views.BlockDelegate, plainWords(a.words(ctx, err)))
	}
	s := submission{values: ic.View.State}
	chosen, _ := s.field(views.BlockDelegate, views.ActionDelegate)
	delegateID, err := strconv.ParseInt(chosen.SelectedOption.Value, 10, 64)
	if err != nil {
		return wrongAt(views.BlockDelegate, "Choose who decides in your place.")
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
		return wrongAt(views.BlockDelegate, "Choose someone else: this is you.")
	}
	return a.delegate(ctx, person, d)
}

// span reads the days that someone is away, in their time zone.
func (a *app) span(ctx context.Context, ic *slack.InteractionCallback, person schema.Person, s *submission, now time.Time, d *schema.Delegation) fieldErrors {
	zone, err := time.LoadLocation(a.zoneOf(ctx, person, ic.User.ID))
	if err != nil {
		return fieldErrors{views.BlockFirstDay: "Your time zone is unknown here: tell an administrator."}
	}
	first, _ := s.field(views.BlockFirstDay, views.ActionFirstDay)
	last, _ := s.field(views.BlockLastDay, views.ActionLastDay)
	if d.StartsAt, err = endAt(first.SelectedDate, "00:00", zone); err != nil {
		return fieldErrors{views.BlockFirstDay: "There is no such day: choose another."}
	}
	if d.EndsAt, _, err = endOfDay(last.SelectedDate, zone); err != nil {
		return fieldErrors{views.BlockLastDay: "There is no such day: choose another."}
	}
	switch {
	case !d.EndsAt.After(now):
		return fieldErrors{views.BlockLastDay: "This day is over: choose a later one."}
	case !d.EndsAt.After(d.StartsAt):
		return fieldErrors{views.BlockLastDay: "This is before the first day: choose a later one."}
	case d.EndsAt.Sub(d.StartsAt) > longestAway:
		return fieldErrors{views.BlockLastDay: "This is more than a year: choose a sooner day."}
	}
	return nil
}

func (a *app) delegate(ctx context.Context, person schema.Person, d schema.Delegation) outcome {
	requests, err := a.db.Delegate(ctx, d)
	switch {
	case errors.Is(err, schema.ErrNotActive), errors.Is(err, schema.ErrNotFound):
		return wrongAt(views.BlockDelegate, "They are not active in the directory. Choose another person.")
	case err != nil:
		return wrongAt(views.BlockDelegate, plainWords(a.words(ctx, err)))
	}
	return moved(person, requests)
}

// moved lets a person's open approvals move, and draws their Home tab again.
func moved(person schema.Person, requests []int64) outcome {
	return outcome{home: &person, wake: &wakeUp{requests: requests, signal: workflows.SignalDue}}
}

// back records that someone decides again.
func (a *app) back(ctx context.Context, ic *slack.InteractionCallback, _ *slack.BlockAction) outcome {
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	_, away, err := schema.DelegationOf(ctx, a.db, person.ID)
	if err == nil && !away {
		return outcome{home: &person} // pressed twice: runs need not hear of it again
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
