package schema

import (
	"context"
	"fmt"
	"slices"

	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// unproven returns why the decisions about an approved item do not prove the approval; empty: they do. The recorded decisions are
// compared with what the item's version of the policy requires. A rule that approves by itself is evaluated again, with the
// directory as it is now.
func unproven(ctx context.Context, q Queryer, itemID int64) (why ProblemCode, err error) {
	var item struct {
		Rule        int           `db:"rule"`
		Version     int64         `db:"policy_version"`
		RequesterID int64         `db:"requester_id"`
		Requesters  pq.Int64Array `db:"requesters"`
		Approved    bool          `db:"approved"`  // by the numbers in the decisions
		Strangers   int           `db:"strangers"` // decisions by people who were not candidates
		Ahead       bool          `db:"ahead"`     // an approver of one stage has also decided a later one
	}
	err = q.GetContext(ctx, &item, `
		select i.rule, r.policy_version, r.requester_id, requesters(r) as requesters,
		       item_outcome(i.id) is not distinct from 'approve' as approved,
		       (select count(*) from decisions d
		         where d.item_id = i.id and d.decided_by is not null and not d.override
		           and not exists (
		               select from approval_items ai join approval_candidates ac on ac.approval_id = ai.approval_id
		                where ai.approval_id = d.approval_id and ai.item_id = i.id and ac.person_id = d.decided_by)) as strangers,
		       exists (select from decisions d join approvals a on a.id = d.approval_id
		                where d.item_id = i.id and d.stage > a.stage and not d.override) as ahead
		  from request_items i join access_requests r on r.id = i.request_id
		 where i.id = $1`, itemID)
	if err != nil {
		return "", fmt.Errorf("read the proof of item %d: %w", itemID, mapError(err))
	}
	decisions, err := decisionsAbout(ctx, q, []int64{itemID})
	if err != nil {
		return "", err
	}
	p, err := PolicyOf(ctx, q, item.Version)
	if err != nil {
		return "", err
	}
	rule, err := p.Rule(item.Rule)
	if err != nil {
		return RuleUnknown, nil //nolint:nilerr // the answer says so
	}
	for _, d := range decisions {
		switch {
		case d.DecidedBy.Int64 == item.RequesterID:
			return ApprovedByRequester, nil
		case d.DecidedBy.Valid && slices.Contains([]int64(item.Requesters), d.DecidedBy.Int64):
			return ApprovedBySubmitter, nil
		case d.PolicyVersion != item.Version:
			return OtherPolicyVersion, nil
		case d.DecidedBy.Valid && rule.Stages == nil:
			return NoApprovalAsked, nil
		case !d.DecidedBy.Valid && !rule.Approve:
			return ApproverNotAsked, nil
		case !d.DecidedBy.Valid:
			return stillApproved(ctx, q, p, item.Rule, itemID)
		}
	}
	switch {
	case item.Strangers > 0:
		return ApproverNotAsked, nil
	case !item.Approved || !follows(rule, decisions):
		return ApprovalsMissing, nil
	case item.Ahead:
		return decidedAhead(ctx, q, itemID)
	}
	return "", nil
}

// decidedAhead returns StageNotAsked if an approver of one stage has also approved a later one that does not ask them.
func decidedAhead(ctx context.Context, q Queryer, itemID int64) (why ProblemCode, err error) {
	number, err := RequestOfItem(ctx, q, itemID)
	if err != nil {
		return "", err
	}
	request, err := RequestByID(ctx, q, number)
	if err != nil {
		return "", err
	}
	evaluated, err := Evaluate(ctx, q, request)
	if err != nil {
		return "", err
	}
	item := request.Items[slices.IndexFunc(request.Items, func(i Item) bool { return i.ID == itemID })]
	for _, d := range item.Decisions {
		at := slices.IndexFunc(request.Approvals, func(a Approval) bool { return a.ID == d.ApprovalID.Int64 })
		if d.Override || at < 0 || d.Stage <= request.Approvals[at].Stage {
			continue
		}
		if _, may := evaluated.askLast(item, d.Stage).Of(d.DecidedBy.Int64); !may {
			return StageNotAsked, nil
		}
	}
	return "", nil
}

// follows reports whether the stages and required approvals in decisions, by which item_outcome counts, are those of the rule.
func follows(rule *policy.Rule, decisions []Decision) bool {
	return !slices.ContainsFunc(decisions, func(d Decision) bool {
		return d.Stage < 1 || d.Stage > len(rule.Stages) || d.Stages != len(rule.Stages) ||
			d.RequiredApprovals != rule.Stages[d.Stage-1].RequiredApprovals
	})
}

// stillApproved returns PolicyChanged if a rule that approves by itself does not apply to the item any more.
func stillApproved(ctx context.Context, q Queryer, p *policy.Policy, rule int, itemID int64) (why ProblemCode, err error) {
	about, err := subjectOfItem(ctx, q, itemID)
	if err != nil {
		return "", err
	}
	if now, err := p.Evaluate(about); err != nil || now != rule {
		return PolicyChanged, nil //nolint:nilerr // an item that cannot be evaluated is not approved
	}
	return "", nil
}
