package activities

import (
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
)

// afterReminded is how long someone who was reminded first has before others are asked besides.
const afterReminded = time.Hour

// escalatesAt is when an open approval about an item is escalated; false: never. No one is passed over before they were
// reminded, which may be later than the policy's time, as no one is reminded at night or at the weekend; unless the policy
// escalates before it reminds.
func (a *Activities) escalatesAt(r *schema.Request, approval schema.Approval, i schema.Item, evaluated schema.Evaluation, people []schema.Reminded) (at time.Time, ok bool) {
	at = approval.EscalateAt.Time
	if !approval.EscalateAt.Valid || a.escalateAfter(evaluated.Rule(i)) <= approval.RemindAfter() {
		return at, approval.EscalateAt.Valid
	}
	for _, p := range people {
		if p.ApprovalID != approval.ID || p.Times > 1 || !asksStill(r, approval, p.PersonID) {
			continue
		}
		first := p.Since.Time
		if p.Times == 0 {
			first, _ = remindAt(p, approval.RemindAfter(), a.zone(p.TimeZone)) // there is a first
		}
		if soonest := first.Add(afterReminded); soonest.After(at) {
			at = soonest
		}
	}
	return at, true
}

// remindedIfLate are those whom a request reminds, if one of its approvals is to be escalated by the policy's time.
func remindedIfLate(ctx context.Context, tx *sqlx.Tx, r *schema.Request) ([]schema.Reminded, error) {
	if !slices.ContainsFunc(r.Approvals, func(approval schema.Approval) bool {
		return approval.State == "open" && approval.EscalateAt.Valid && !approval.EscalateAt.Time.After(r.ReadAt)
	}) {
		return nil, nil
	}
	return schema.RemindersOf(ctx, tx, r.ID)
}
