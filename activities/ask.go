package activities

import (
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
	"accessbot/schema/policy"
)

// firstAsked is how many candidates of an approval are asked first, unless more approvals are required.
const firstAsked = 3

// ask makes the open approvals match the policy. It returns whether anything changed, and the items without an approver.
func (a *Activities) ask(ctx context.Context, tx *sqlx.Tx, r *schema.Request, evaluated schema.Evaluation,
) (changed bool, withoutApprover []int64, err error) {
	waiting := map[int64]schema.Item{}
	for _, item := range r.Items {
		if item.State == schema.AwaitingApproval {
			waiting[item.ID] = item
		}
	}
	reminded, err := remindedIfOverdue(ctx, tx, r)
	if err != nil {
		return false, nil, err
	}
	covered := map[int64]bool{}
	for _, approval := range r.Approvals {
		if approval.State != "open" {
			continue
		}
		items := openItems(approval, waiting)
		state := approvalState(r, approval, items, evaluated)
		if state != "open" {
			changed = true
			if err := schema.CloseApproval(ctx, tx, r.ID, approval.ID, state); err != nil {
				return false, nil, err
			}
			continue
		}
		for _, item := range items {
			covered[item.ID] = true
		}
		widened, err := a.widen(ctx, tx, r, approval, items[0], evaluated, reminded)
		if err != nil {
			return false, nil, err
		}
		changed = changed || widened
	}
	approvals, withoutApprover := newApprovals(r, waiting, covered, evaluated)
	for _, approval := range approvals {
		changed = true
		if _, err := schema.OpenApproval(ctx, tx, *approval); err != nil {
			return false, nil, err
		}
	}
	return changed, withoutApprover, recordWithoutApprover(ctx, tx, r, withoutApprover)
}

// widen escalates an approval if that is due, or asks its other candidates when the first ones are reminded. reminded are the
// request's approvers with their reminders.
func (a *Activities) widen(ctx context.Context, tx *sqlx.Tx, r *schema.Request, approval schema.Approval, item schema.Item,
	evaluated schema.Evaluation, reminded []schema.Reminded,
) (changed bool, err error) {
	if at, ok := a.escalatesAt(r, approval, item, evaluated, reminded); ok && !at.After(r.ReadAt) {
		level := approval.Level + 1
		var added []policy.Candidate
		for _, c := range evaluated.Ask(item, approval.Stage, level).Candidates {
			if _, known := approval.Candidate(c.PersonID); !known {
				added = append(added, c)
			}
		}
		next := nextEscalation(r, item, approval.Stage, level, approval.Since, evaluated)
		return true, schema.Escalate(ctx, tx, r.ID, approval, added, next)
	}
	if hasUnasked(approval) && !approval.OpenedAt.Add(approval.RemindAfter()).After(r.ReadAt) {
		return true, schema.AskRemaining(ctx, tx, r.ID, approval.ID)
	}
	return false, nil
}

// nextEscalation returns when an approval at a level is escalated to the next; zero: never, as the next level adds no one. Each
// level gets at least an hour, so that overdue levels do not follow at once.
func nextEscalation(r *schema.Request, item schema.Item, stage, level int, since time.Time,
	evaluated schema.Evaluation,
) time.Time {
	after := evaluated.Rule(item).EscalateAfter
	if evaluated.Ask(item, stage, level).Equal(evaluated.Ask(item, stage, level+1)) {
		return time.Time{}
	}
	at := since.Add(time.Duration(level+1) * after)
	if earliest := r.ReadAt.Add(time.Hour); level > 0 && at.Before(earliest) {
		return earliest
	}
	return at
}

// expiresAt returns when an item of a rule expires without a decision.
func expiresAt(r *schema.Request, rule *policy.Rule) time.Time {
	return r.CreatedAt.Add(rule.ExpireAfter)
}

// newApprovals returns the approvals to open, for waiting items that no open approval covers. Items of one application share an
// approval if they have the same candidates, for the same reasons, on every escalation level.
func newApprovals(r *schema.Request, waiting map[int64]schema.Item, covered map[int64]bool,
	evaluated schema.Evaluation,
) (approvals []*schema.NewApproval, withoutApprover []int64) {
	var firstItems []schema.Item // of each approval
	for _, item := range r.Items {
		if _, ok := waiting[item.ID]; !ok || covered[item.ID] {
			continue
		}
		stage := item.Stage()
		since, level := askedBefore(r, item, stage)
		answer := evaluated.Ask(item, stage, level)
		if len(answer.Candidates) == 0 {
			withoutApprover = append(withoutApprover, item.ID)
			continue
		}
		if since.IsZero() {
			since = r.ReadAt
		}
		rule := evaluated.Rule(item)
		approval := &schema.NewApproval{RequestID: r.ID, ApplicationID: item.ApplicationID, PolicyVersion: r.PolicyVersion,
			Stage: stage, Stages: len(rule.Stages), Answer: answer, AskNow: max(firstAsked, answer.RequiredApprovals),
			Level: level, Since: since, RemindAfter: rule.RemindAfter,
			EscalateAt: nextEscalation(r, item, stage, level, since, evaluated), ExpiresAt: expiresAt(r, rule)}
		if level > 0 {
			approval.AskNow = len(answer.Candidates)
		}
		i := 0
		for i < len(approvals) && !(sameApproval(approvals[i], approval) && evaluated.SameCandidates(firstItems[i], item, stage)) {
			i++
		}
		if i == len(approvals) {
			approvals, firstItems = append(approvals, approval), append(firstItems, item)
		}
		approvals[i].Items = append(approvals[i].Items, item.ID)
	}
	return approvals, withoutApprover
}

// sameApproval reports whether two approvals with the same candidates can be one.
func sameApproval(a, b *schema.NewApproval) bool {
	return a.ApplicationID == b.ApplicationID && a.Stage == b.Stage && a.Stages == b.Stages && a.Level == b.Level && a.Since.Equal(b.Since) &&
		a.RemindAfter == b.RemindAfter && a.EscalateAt.Equal(b.EscalateAt) &&
		a.ExpiresAt.Equal(b.ExpiresAt)
}

// askedBefore returns when an item's stage was first asked about, and its escalation level: new candidates get no more time.
func askedBefore(r *schema.Request, item schema.Item, stage int) (since time.Time, level int) {
	for _, approval := range r.Approvals {
		if approval.Stage == stage && slices.Contains(approval.ItemIDs, item.ID) {
			if level = max(level, approval.Level); since.IsZero() || approval.Since.Before(since) {
				since = approval.Since
			}
		}
	}
	return since, level
}

// openItems returns the items of an approval that wait for approval in its stage.
func openItems(approval schema.Approval, waiting map[int64]schema.Item) (items []schema.Item) {
	for _, id := range approval.ItemIDs {
		if item, ok := waiting[id]; ok && item.Stage() == approval.Stage {
			items = append(items, item)
		}
	}
	return items
}

// approvalState returns the new state of an open approval. It stays open while it has items and its candidates are current.
func approvalState(r *schema.Request, approval schema.Approval, items []schema.Item, evaluated schema.Evaluation) string {
	for _, item := range items {
		current := isCurrent(approval, evaluated.Ask(item, approval.Stage, approval.Level))
		if !current || !evaluated.SameCandidates(items[0], item, approval.Stage) {
			return "moved"
		}
	}
	decided := slices.ContainsFunc(r.Items, func(item schema.Item) bool {
		return slices.ContainsFunc(item.Decisions, func(d schema.Decision) bool { return d.ApprovalID.Int64 == approval.ID })
	})
	switch {
	case len(items) > 0:
		return "open"
	case decided:
		return "decided"
	default:
		return "closed" // withdrawn or expired
	}
}

// isCurrent reports whether an approval has the candidates of an answer, for the same reasons, in any order.
func isCurrent(approval schema.Approval, answer policy.Answer) bool {
	if len(approval.Candidates) != len(answer.Candidates) || approval.RequiredApprovals != answer.RequiredApprovals {
		return false
	}
	for _, c := range approval.Candidates {
		now, ok := answer.Of(c.PersonID)
		if !ok || string(now.Basis) != c.Basis || now.OnBehalfOf != c.OnBehalfOf.Int64 {
			return false
		}
	}
	return true
}

// recordWithoutApprover records once that an item has no approver, and removes the record when it has one.
func recordWithoutApprover(ctx context.Context, tx *sqlx.Tx, r *schema.Request, withoutApprover []int64) error {
	for _, item := range r.Items {
		if item.State != schema.AwaitingApproval {
			continue
		}
		problem := schema.Problem{}
		if slices.Contains(withoutApprover, item.ID) {
			problem.Code = schema.NoApprover
		}
		if item.Problem.Code == problem.Code {
			continue
		}
		if err := schema.MoveItems(ctx, tx, []int64{item.ID}, schema.AwaitingApproval, problem); err != nil {
			return err
		}
		if problem.Code == schema.NoProblem {
			continue
		}
		if err := schema.Audit(
			ctx,
			tx,
			schema.Event{Actor: "worker", Action: schema.ApprovalUnassigned, Alert: true, RequestID: r.ID, ItemID: item.ID},
		); err != nil {
			return err
		}
	}
	return nil
}

func hasUnasked(approval schema.Approval) bool {
	return slices.ContainsFunc(approval.Candidates, func(c schema.Candidate) bool { return !c.AskedAt.Valid })
}
