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
	maxReminders   = 3              // per approver of an approval, each after twice the time of the one before
	remindersApart = 20 * time.Hour // the least time between two reminders to one person
	maxRemindedOf  = 10             // requests that a reminder lists
	workStartsAt   = 9              // o'clock: people are reminded in working hours
	workEndsAt     = 17
)

// remind reminds approvers who have not decided, if that is due. It returns whether it did, and when the next reminder or
// escalation is due.
func (a *Activities) remind(ctx context.Context, tx *sqlx.Tx, r *schema.Request, evaluated schema.Evaluation,
) (reminded bool, next schedule, err error) {
	due, next, err := a.reminders(ctx, tx, r, evaluated)
	if err != nil || len(due) == 0 {
		return false, next, err
	}
	reminders, err := schema.Remind(ctx, tx, r.ID, due, remindersApart)
	if err != nil {
		return false, next, err
	}
	_, next, err = a.reminders(ctx, tx, r, evaluated)
	return len(reminders) > 0, next, err
}

// reminders returns the approvers to remind now, and when the next reminder or escalation is due.
func (a *Activities) reminders(ctx context.Context, tx *sqlx.Tx, r *schema.Request, evaluated schema.Evaluation,
) (due []int64, next schedule, err error) {
	if !slices.ContainsFunc(r.Approvals, func(approval schema.Approval) bool { return approval.State == "open" }) {
		return nil, next, nil
	}
	reminded, err := schema.RemindersOf(ctx, tx, r.ID)
	if err != nil {
		return nil, next, err
	}
	for _, p := range reminded {
		i := slices.IndexFunc(r.Approvals, func(approval schema.Approval) bool { return approval.ID == p.ApprovalID })
		if i < 0 || !waitsFor(r, r.Approvals[i], p.PersonID) {
			continue
		}
		at, ok := remindAt(p, r.Approvals[i].RemindAfter(), a.zone(p.TimeZone))
		switch {
		case !ok:
		case at.After(r.ReadAt):
			next.at(at, "Remind "+a.personLabel(p.PersonID, p.Email)+" at")
		case !slices.Contains(due, p.PersonID):
			due = append(due, p.PersonID)
		}
	}
	for _, item := range r.Items {
		approval, ok := r.OpenApproval(item)
		if !ok {
			continue
		}
		if at, ok := a.escalatesAt(r, approval, item, evaluated, reminded); ok {
			next.at(at, "Escalate to the next approvers at")
		}
	}
	return due, next, nil
}

// waitsFor tells whether an approval has items that a person can still decide.
func waitsFor(r *schema.Request, approval schema.Approval, personID int64) bool {
	return slices.ContainsFunc(r.DecidableBy(personID), func(item schema.Item) bool {
		return slices.Contains(approval.ItemIDs, item.ID)
	})
}

// remindAt is when an approver is reminded next; false: they have had all reminders.
func remindAt(p schema.Reminded, after time.Duration, zone *time.Location) (at time.Time, ok bool) {
	if p.Times >= maxReminders {
		return at, false
	}
	at = p.AskedAt
	if p.Since.Valid {
		at = p.Since.Time
	}
	at = at.Add(after << p.Times)
	if p.LastAt.Valid && at.Before(p.LastAt.Time.Add(remindersApart)) {
		at = p.LastAt.Time.Add(remindersApart)
	}
	return nextWorkingTime(at, zone), true
}

// nextWorkingTime is t, if that is in working hours in the zone, or the next start of working hours.
func nextWorkingTime(t time.Time, zone *time.Location) time.Time {
	local := t.In(zone)
	if isWorkingTime(local) {
		return t
	}
	for day := 0; ; day++ {
		// A change of clocks can skip this hour, or this day. The next day has it.
		start := time.Date(local.Year(), local.Month(), local.Day()+day, workStartsAt, 0, 0, 0, zone)
		if start.After(t) && isWorkingTime(start) {
			return start
		}
	}
}

func isWorkingTime(local time.Time) bool {
	weekend := local.Weekday() == time.Saturday || local.Weekday() == time.Sunday
	return !weekend && local.Hour() >= workStartsAt && local.Hour() < workEndsAt
}

// zone is a person's time zone, or the default if theirs is not set or not known.
func (a *Activities) zone(name string) *time.Location {
	if name == "" || name == "Local" { // this machine's, not a person's
		return a.Options.DefaultTimeZone
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return a.Options.DefaultTimeZone
	}
	return zone
}

// renderReminder lists what waits for an approver now. It is empty if they have decided everything.
func (a *Activities) renderReminder(ctx context.Context, q schema.Queryer, personID int64, zone string) (views.Message, error) {
	lines, total, err := schema.WaitingToRemind(ctx, q, personID, maxRemindedOf)
	if err != nil || total == 0 {
		return views.Message{}, err
	}
	return views.Reminder(views.Reminding{Lines: lines, Total: total, TimeZone: zone}), nil
}

// untilWorkingTime is how long it is until the person's next working hours; 0: it is working time now.
func (a *Activities) untilWorkingTime(ctx context.Context, q schema.Queryer, personID int64) (time.Duration, error) {
	address, err := schema.AddressOf(ctx, q, personID)
	if err != nil {
		return 0, err
	}
	now, err := schema.Now(ctx, q)
	if err != nil {
		return 0, fmt.Errorf("working time of person %d: %w", personID, err)
	}
	return nextWorkingTime(now, a.zone(address.TimeZone)).Sub(now), nil
}
