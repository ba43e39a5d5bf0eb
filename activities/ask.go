package activities

import (
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
	"accessbot/schema/policy"
)

// firstAsked is how many candidates of an approval are asked at once, unless more have to required_approvals.
const firstAsked = 3

// ask brings the open approvals to what the policy says now. It answers whether anything changed, and the waiting items
// that there is no one to ask about.
func (a *Activities) ask(ctx context.Context, tx *sqlx.Tx, r *schema.Request, evaluated schema.Evaluation) (changed bool, unasked []int64, err error) {
	waiting := map[int64]schema.Item{}
	for _, i := range r.Items {
		if i.State == schema.AwaitingApproval {
			waiting[i.ID] = i
		}
	}
	people, err := remindedIfLate(ctx, tx, r)
	if err != nil {
		return false, nil, err
	}
	covered := map[int64]bool{}
	for _, approval := range r.Approvals {
		if approval.State != "open" {
			continue
		}
		items := asksAbout(approval, waiting)
		state := approvalState(r, approval, items, evaluated)
		if state != "open" {
			changed = true
			if err := schema.CloseApproval(ctx, tx, r.ID, approval.ID, state); err != nil {
				return false, nil, err
			}
			continue
		}
		for _, i := range items {
			covered[i.ID] = true
		}
		pressed, err := a.press(ctx, tx, r, approval, items[0], evaluated, people)
		if err != nil {
			return false, nil, err
		}
		changed = changed || pressed
	}
	approvalMessages, unasked := a.approvalMessages(r, waiting, covered, evaluated)
	for _, q := range approvalMessages {
		changed = true
		if _, err := schema.OpenApproval(ctx, tx, *q); err != nil {
			return false, nil, err
		}
	}
	return changed, unasked, a.reportUnasked(ctx, tx, r, unasked)
}

// press asks the others of the candidates once those who were asked first are reminded, and the next in the chain besides
// once they have not answered for long. people are those whom the request reminds.
func (a *Activities) press(ctx context.Context, tx *sqlx.Tx, r *schema.Request, approval schema.Approval, i schema.Item, evaluated schema.Evaluation, people []schema.Reminded) (changed bool, err error) {
	if at, ok := a.escalatesAt(r, approval, i, evaluated, people); ok && !at.After(r.ReadAt) {
		level := approval.Level + 1
		var others []policy.Candidate
		for _, c := range evaluated.Ask(i, approval.Stage, level).Candidates {
			if _, before := approval.Candidate(c.PersonID); !before {
				others = append(others, c)
			}
		}
		return true, schema.Escalate(ctx, tx, r.ID, approval, others, a.escalates(r, i, approval.Stage, level, approval.Since, evaluated))
	}
	if hasUnasked(approval) && !approval.OpenedAt.Add(approval.RemindAfter()).After(r.ReadAt) {
		return true, schema.AskTheOthers(ctx, tx, r.ID, approval.ID)
	}
	return false, nil
}

// escalates is when an approval of a level is escalated to the next; zero: there is no one else to ask. What is late is due
// in a moment, not all at once: every level has a time of its own.
func (a *Activities) escalates(r *schema.Request, i schema.Item, stage, level int, since time.Time, evaluated schema.Evaluation) time.Time {
	after := a.escalateAfter(evaluated.Rule(i))
	if after == 0 || evaluated.Ask(i, stage, level).Equal(evaluated.Ask(i, stage, level+1)) {
		return time.Time{}
	}
	at := since.Add(time.Duration(level+1) * after)
	if earliest := r.ReadAt.Add(time.Hour); level > 0 && at.Before(earliest) {
		return earliest
	}
	return at
}

// expires is when what a rule evaluates expires if no one decides.
func (a *Activities) expires(r *schema.Request, rule *policy.Rule) time.Time {
	if rule.ExpireAfter > 0 {
		return r.CreatedAt.Add(rule.ExpireAfter)
	}
	return r.CreatedAt.Add(a.Options.ExpireAfter)
}

// escalateAfter is how long a level of an approval that a rule asks has for its answer; 0: for ever.
func (a *Activities) escalateAfter(rule *policy.Rule) time.Duration {
	if rule.EscalateAfter > 0 {
		return rule.EscalateAfter
	}
	return a.Options.EscalateAfter
}

// reminds is how long after it was asked about what a rule evaluates someone is reminded.
func (a *Activities) reminds(rule *policy.Rule) time.Duration {
	if rule.RemindAfter > 0 {
		return rule.RemindAfter
	}
	return a.Options.RemindAfter
}

// approvals are those that are to be put now, about items that no open approval covers; unasked are the items that there
// is no one to ask about. Items of one application that the same people are asked about for the same reasons, and would be
// if no one answered, are one approval.
func (a *Activities) approvalMessages(r *schema.Request, waiting map[int64]schema.Item, covered map[int64]bool, evaluated schema.Evaluation) (approvalMessages []*schema.ApprovalMessage, unasked []int64) {
	var firsts []schema.Item // of each approval
	for _, i := range r.Items {
		if _, ok := waiting[i.ID]; !ok || covered[i.ID] {
			continue
		}
		stage := i.Stage()
		since, level := askedBefore(r, i, stage)
		answer := evaluated.Ask(i, stage, level)
		if len(answer.Candidates) == 0 {
			unasked = append(unasked, i.ID)
			continue
		}
		if since.IsZero() {
			since = r.ReadAt
		}
		rule := evaluated.Rule(i)
		q := &schema.ApprovalMessage{RequestID: r.ID, ApplicationID: i.ApplicationID, PolicyVersion: r.PolicyVersion, Stage: stage, Stages: len(rule.Stages),
			Answer: answer, AskNow: max(firstAsked, answer.RequiredApprovals), Level: level, Since: since, RemindAfter: a.reminds(rule),
			EscalateAt: a.escalates(r, i, stage, level, since, evaluated), ExpiresAt: a.expires(r, rule)}
		if level > 0 {
			q.AskNow = len(answer.Candidates)
		}
		n := 0
		for n < len(approvalMessages) && !(sameApproval(approvalMessages[n], q) && evaluated.AskAlike(firsts[n], i, stage)) {
			n++
		}
		if n == len(approvalMessages) {
			approvalMessages, firsts = append(approvalMessages, q), append(firsts, i)
		}
		approvalMessages[n].Items = append(approvalMessages[n].Items, i.ID)
	}
	return approvalMessages, unasked
}

// sameApproval tells whether two items' approvals can be put as one, if they are put to the same people.
func sameApproval(a, b *schema.ApprovalMessage) bool {
	return a.ApplicationID == b.ApplicationID && a.Stage == b.Stage && a.Stages == b.Stages && a.Level == b.Level && a.Since.Equal(b.Since) &&
		a.RemindAfter == b.RemindAfter && a.EscalateAt.Equal(b.EscalateAt) && a.ExpiresAt.Equal(b.ExpiresAt)
}

// askedBefore is since when an item's stage is asked about, and how often that was escalated: an approval that moves to
// others takes its time with it.
func askedBefore(r *schema.Request, i schema.Item, stage int) (since time.Time, level int) {
	for _, approval := range r.Approvals {
		if approval.Stage == stage && slices.Contains(approval.ItemIDs, i.ID) {
			if level = max(level, approval.Level); since.IsZero() || approval.Since.Before(since) {
				since = approval.Since
			}
		}
	}
	return since, level
}

// asksAbout are the items that an approval still asks about: they wait, and its stage is the one that they are in.
func asksAbout(approval schema.Approval, waiting map[int64]schema.Item) (items []schema.Item) {
	for _, id := range approval.ItemIDs {
		if i, ok := waiting[id]; ok && i.Stage() == approval.Stage {
			items = append(items, i)
		}
	}
	return items
}

// approvalState is what an open approval becomes: it stays open only while it asks the right people about something.
func approvalState(r *schema.Request, approval schema.Approval, items []schema.Item, evaluated schema.Evaluation) string {
	for _, i := range items {
		if !asks(approval, evaluated.Ask(i, approval.Stage, approval.Level)) || !evaluated.AskAlike(items[0], i, approval.Stage) {
			return "moved"
		}
	}
	decided := slices.ContainsFunc(r.Items, func(i schema.Item) bool {
		return slices.ContainsFunc(i.Decisions, func(d schema.Decision) bool { return d.ApprovalID.Int64 == approval.ID })
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

// asks tells whether an approval asks whom an answer names, for the same reasons, in whatever order.
func asks(approval schema.Approval, answer policy.Answer) bool {
	if len(approval.Candidates) != len(answer.Candidates) || approval.RequiredApprovals != answer.RequiredApprovals {
		return false
	}
	for _, c := range approval.Candidates {
		now, ok := answer.Of(c.PersonID)
		if !ok || string(now.Basis) != c.Basis || now.InPlaceOf != c.InPlaceOf.Int64 {
			return false
		}
	}
	return true
}

// reportUnasked says once that there is no one to ask, and revokes it  when there is.
func (a *Activities) reportUnasked(ctx context.Context, tx *sqlx.Tx, r *schema.Request, unasked []int64) error {
	for _, i := range r.Items {
		if i.State != schema.AwaitingApproval {
			continue
		}
		problem := schema.Problem{}
		if slices.Contains(unasked, i.ID) {
			problem.Code = schema.NoApprover
		}
		if i.Problem.Code == problem.Code {
			continue
		}
		if err := schema.MoveItems(ctx, tx, []int64{i.ID}, schema.AwaitingApproval, problem); err != nil {
			return err
		}
		if problem.Code == schema.NoProblem {
			continue
		}
		if err := schema.Audit(ctx, tx, schema.Event{Actor: "worker", Action: schema.ApprovalUnassigned, Alert: true, RequestID: r.ID, ItemID: i.ID}); err != nil {
			return err
		}
	}
	return nil
}

func hasUnasked(approval schema.Approval) bool {
	return slices.ContainsFunc(approval.Candidates, func(c schema.Candidate) bool { return !c.AskedAt.Valid })
}
