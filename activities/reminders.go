package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

const (
	remindAtMost = 3              // of one approval, each after twice the time of the one before
	remindApart  = 20 * time.Hour // a person has no two reminders in less, however much waits for them
	remindNamed  = 10             // requests that a reminder names

	workBegins, workEnds = 9, 17 // the hours of a working day in which people are reminded
)

// remind reminds those who were asked by a request and have not answered, if it is time. It answers whether it did, and
// when someone has to be reminded next, or an approval escalated, which waits for reminders.
func (a *Activities) remind(ctx context.Context, tx *sqlx.Tx, r *schema.Request, evaluated schema.Evaluation) (reminded bool, next schedule, err error) {
	due, next, err := a.reminders(ctx, tx, r, evaluated)
	if err != nil || len(due) == 0 {
		return false, next, err
	}
	now, err := schema.Remind(ctx, tx, r.ID, due, remindApart)
	if err != nil {
		return false, next, err
	}
	_, next, err = a.reminders(ctx, tx, r, evaluated)
	return len(now) > 0, next, err
}

// reminders answers who is to be reminded now, and when someone is next, or an approval is escalated.
func (a *Activities) reminders(ctx context.Context, tx *sqlx.Tx, r *schema.Request, evaluated schema.Evaluation) (due []int64, next schedule, err error) {
	if !slices.ContainsFunc(r.Approvals, func(approval schema.Approval) bool { return approval.State == "open" }) {
		return nil, next, nil
	}
	people, err := schema.RemindersOf(ctx, tx, r.ID)
	if err != nil {
		return nil, next, err
	}
	for _, p := range people {
		n := slices.IndexFunc(r.Approvals, func(approval schema.Approval) bool { return approval.ID == p.ApprovalID })
		if n < 0 || !asksStill(r, r.Approvals[n], p.PersonID) {
			continue
		}
		at, ok := remindAt(p, r.Approvals[n].RemindAfter(), a.zone(p.TimeZone))
		switch {
		case !ok:
		case at.After(r.ReadAt):
			next.at(at, "reminds "+a.personLabel(p.PersonID, p.Email))
		case !slices.Contains(due, p.PersonID):
			due = append(due, p.PersonID)
		}
	}
	for _, i := range r.Items {
		approval, ok := r.OpenApproval(i)
		if !ok {
			continue
		}
		if at, ok := a.escalatesAt(r, approval, i, evaluated, people); ok {
			next.at(at, "asks the next in the chain besides")
		}
	}
	return due, next, nil
}

// asksStill tells whether an approval asks a person about anything that they have not answered.
func asksStill(r *schema.Request, approval schema.Approval, personID int64) bool {
	return slices.ContainsFunc(r.DecidableBy(personID), func(i schema.Item) bool { return slices.Contains(approval.ItemIDs, i.ID) })
}

// remindAt is when someone is reminded next who was asked; false: they were often enough.
func remindAt(p schema.Reminded, after time.Duration, zone *time.Location) (at time.Time, ok bool) {
	if p.Times >= remindAtMost {
		return at, false
	}
	at = p.AskedAt
	if p.Since.Valid {
		at = p.Since.Time
	}
	at = at.Add(after << p.Times)
	if p.LastAt.Valid && at.Before(p.LastAt.Time.Add(remindApart)) {
		at = p.LastAt.Time.Add(remindApart)
	}
	return nextWorkingInstant(at, zone), true
}

// nextWorkingInstant is t, if that is within the working hours of a weekday in the zone, else when those begin next.
func nextWorkingInstant(t time.Time, zone *time.Location) time.Time {
	local := t.In(zone)
	if working(local) {
		return t
	}
	for day := 0; ; day++ {
		// Where clocks skip it there is no such hour, or no such day: the next day has one.
		begins := time.Date(local.Year(), local.Month(), local.Day()+day, workBegins, 0, 0, 0, zone)
		if begins.After(t) && working(begins) {
			return begins
		}
	}
}

func working(local time.Time) bool {
	return local.Weekday() != time.Saturday && local.Weekday() != time.Sunday && local.Hour() >= workBegins && local.Hour() < workEnds
}

// zone is a person's; the default, where nothing or nothing known is said of it.
func (a *Activities) zone(name string) *time.Location {
	if name == "" || name == "Local" { // the machine's own is no person's
		return a.Options.DefaultTimeZone
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return a.Options.DefaultTimeZone
	}
	return zone
}

// renderReminder says what waits for someone now: nothing, if they answered meanwhile.
func (a *Activities) renderReminder(ctx context.Context, q schema.Queryer, personID int64, zone string) (views.Message, error) {
	lines, total, err := schema.WaitingToRemind(ctx, q, personID, remindNamed)
	if err != nil || total == 0 {
		return views.Message{}, err
	}
	return views.Reminder(views.Reminding{Lines: lines, Total: total, TimeZone: zone}), nil
}

// untilWorking is in how long it is a time at which the person may be reminded; 0: it is now.
func (a *Activities) untilWorking(ctx context.Context, q schema.Queryer, personID int64) (time.Duration, error) {
	address, err := schema.AddressOf(ctx, q, personID)
	if err != nil {
		return 0, err
	}
	now, err := schema.Now(ctx, q)
	if err != nil {
		return 0, fmt.Errorf("whether person %d is at work: %w", personID, err)
	}
	return nextWorkingInstant(now, a.zone(address.TimeZone)).Sub(now), nil
}
