package activities

import (
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
)

// afterReminder is how long an approver has after the first reminder before the approval is escalated.
const afterReminder = time.Hour

// escalatesAt returns when an open approval is escalated; false: never. Every approver is reminded first, which can be later
// than the policy's time, as no one is reminded at night or at the weekend. A policy that escalates before it reminds is
// followed.
func (a *Activities) escalatesAt(r *schema.Request, approval schema.Approval, item schema.Item, evaluated schema.Evaluation,
	reminded []schema.Reminded,
) (at time.Time, ok bool) {
	at = approval.EscalateAt.Time
	if !approval.EscalateAt.Valid || evaluated.Rule(item).EscalateAfter <= approval.RemindAfter() {
		return at, approval.EscalateAt.Valid
	}
	for _, p := range reminded {
		if p.ApprovalID != approval.ID || p.Times > 1 || !waitsFor(r, approval, p.PersonID) {
			continue
		}
		first := p.Since.Time
		if p.Times == 0 {
			first, _ = remindAt(p, approval.RemindAfter(), a.zone(p.TimeZone)) // the first always exists
		}
		if earliest := first.Add(afterReminder); earliest.After(at) {
			at = earliest
		}
	}
	return at, true
}

// remindedIfOverdue returns a request's approvers with their reminders, if the policy's time to escalate one of its approvals has
// passed.
func remindedIfOverdue(ctx context.Context, tx *sqlx.Tx, r *schema.Request) ([]schema.Reminded, error) {
	if !slices.ContainsFunc(r.Approvals, func(approval schema.Approval) bool {
		return approval.State == "open" && approval.EscalateAt.Valid && !approval.EscalateAt.Time.After(r.ReadAt)
	}) {
		return nil, nil
	}
	return schema.RemindersOf(ctx, tx, r.ID)
}
