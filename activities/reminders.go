package activities

import (
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
)

const (
	maxReminders   = 3              // per approver of an approval, each after twice the time of the one before
	remindersApart = 20 * time.Hour // the least time between two reminders to one person
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
			next.at(at, "Remind "+a.personName(p.PersonID, p.Name)+" at")
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
	return schema.NextWorkingTime(at, zone), true
}

// zone is a person's time zone, or the default.
func (a *Activities) zone(name string) *time.Location {
	return schema.ZoneOf(name, a.Options.DefaultTimeZone)
}
