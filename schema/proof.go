package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"accessbot/schema/policy"
)

// unproven answers why the decisions about an item, which come to an approval, do not prove it; empty: they do. What the
// policy asked for when the item was submitted is held against what is recorded, and a rule that approves by itself is
// evaluated again, on the directory as it is now.
func unproven(ctx context.Context, q Queryer, itemID int64) (why ProblemCode, err error) {
	var item struct {
		Rule        int           `db:"rule"`
		Version     int64         `db:"policy_version"`
		RequesterID int64         `db:"requester_id"`
		SubmittedBy sql.NullInt64 `db:"submitted_by"`
		Strangers   int           `db:"strangers"`
		Ahead       bool          `db:"ahead"` // someone who was asked in one stage answered for a later one too
	}
	err = q.GetContext(ctx, &item, `
		select i.rule, r.policy_version, r.requester_id, r.submitted_by,
		       (select count(*) from decisions d
		         where d.item_id = i.id and d.decided_by is not null and not d.override
		           and not exists (select from approval_items ai join approval_candidates ac on ac.approval_id = ai.approval_id
		                            where ai.approval_id = d.approval_id and ai.item_id = i.id and ac.person_id = d.decided_by)) as strangers,
		       exists (select from decisions d join approvals a on a.id = d.approval_id where d.item_id = i.id and d.stage > a.stage and not d.override) as ahead
		  from request_items i join access_requests r on r.id = i.request_id
		 where i.id = $1`, itemID)
	if err != nil {
		return "", fmt.Errorf("the proof of item %d: %w", itemID, mapError(err))
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
		return RuleUnknown, nil //nolint:nilerr // that is why it is refused
	}
	for _, d := range decisions {
		switch {
		case d.DecidedBy.Int64 == item.RequesterID:
			return ApprovedByRequester, nil
		case item.SubmittedBy.Valid && d.DecidedBy == item.SubmittedBy:
			return ApprovedBySubmitter, nil
		case d.PolicyVersion != item.Version:
			return OtherPolicyVersion, nil
		case d.DecidedBy.Valid && rule.Stages == nil:
			return NoApprovalAsked, nil
		case !d.DecidedBy.Valid && !rule.Approve:
			return ApproverNotAsked, nil
		case !d.DecidedBy.Valid:
			return approvesStill(ctx, q, p, item.Rule, itemID)
		}
	}
	switch {
	case item.Strangers > 0:
		return ApproverNotAsked, nil
	case !passes(rule, decisions):
		return ApprovalsMissing, nil
	case item.Ahead:
		return unasked(ctx, q, itemID)
	}
	return "", nil
}

// unasked answers that someone approved a later stage than the one they were asked in, and would not be asked there.
func unasked(ctx context.Context, q Queryer, itemID int64) (why ProblemCode, err error) {
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
		n := slices.IndexFunc(request.Approvals, func(a Approval) bool { return a.ID == d.ApprovalID.Int64 })
		if d.Override || n < 0 || d.Stage <= request.Approvals[n].Stage {
			continue
		}
		if _, may := evaluated.everybody(item, d.Stage).Of(d.DecidedBy.Int64); !may {
			return StageNotAsked, nil
		}
	}
	return "", nil
}

// passes tells whether decisions pass every stage of a rule, by its own numbers.
func passes(rule *policy.Rule, decisions []Decision) bool {
	for n, stage := range rule.Stages {
		agreed := map[int64]bool{}
		override := false
		for _, d := range decisions {
			if d.Stage == n+1 && d.Approves() {
				agreed[d.word().Vote()] = true // whoever is a delegate for two people says one word
				override = override || d.Override
			}
		}
		if len(agreed) < stage.RequiredApprovals && !override {
			return false
		}
	}
	return len(rule.Stages) > 0
}

func approvesStill(ctx context.Context, q Queryer, p *policy.Policy, rule int, itemID int64) (why ProblemCode, err error) {
	about, err := subjectOfItem(ctx, q, itemID)
	if err != nil {
		return "", err
	}
	if now, err := p.Evaluate(about); err != nil || now != rule {
		return PolicyChanged, nil //nolint:nilerr // what cannot be judged is not approved
	}
	return "", nil
}
