package schema

import (
	"context"
	"fmt"

	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// The outcome of the decisions about an item. The SQL functions item_outcome and stage_passed work it out in the same way.

func decisionsAbout(ctx context.Context, q Queryer, items []int64) ([]Decision, error) {
	var decisions []Decision
	err := q.SelectContext(ctx, &decisions, `
		select d.id, d.item_id, d.approval_id, d.decided_by, coalesce(p.name, '') as decider_name, d.stage, d.stages,
		       d.required_approvals, d.override, d.outcome, d.reason, d.basis, d.policy_version, d.terms, d.ends_at, d.decided_at,
		       c.for_person_id
		  from decisions d
		  left join people p on p.id = d.decided_by
		  left join approval_candidates c on c.approval_id = d.approval_id and c.person_id = d.decided_by
		 where d.item_id = any($1)
		 order by d.id`, pq.Array(items))
	if err != nil {
		return nil, fmt.Errorf("read the decisions about items %v: %w", items, err)
	}
	return decisions, nil
}

// conclude returns the decision that makes the outcome of an item: the first denial, or the last approval once every stage is
// passed, with the earliest of the granted ends. nil: the item is still open.
func conclude(decisions []Decision) *Decision {
	var last *Decision
	for _, d := range decisions {
		if !d.Approves() {
			return &d
		}
		if last != nil && last.EndsAt.Valid && (!d.EndsAt.Valid || last.EndsAt.Time.Before(d.EndsAt.Time)) {
			d.EndsAt = last.EndsAt
		}
		last = &d
	}
	if last == nil || passedStages(decisions) < last.Stages {
		return nil
	}
	return last
}

// passedStages returns the number of stages passed, from the first one on.
func passedStages(decisions []Decision) int {
	passed := 0
	for stagePassed(decisions, passed+1) {
		passed++
	}
	return passed
}

// stagePassed reports whether a stage has its required approvals, or was overridden.
func stagePassed(decisions []Decision, stage int) bool {
	approvals, required, override := 0, 1, false
	for _, d := range decisions {
		if d.Stage == stage && d.Approves() {
			approvals, required, override = approvals+1, max(required, d.RequiredApprovals), override || d.Override
		}
	}
	return approvals >= required || override
}

// Stage returns the number of the item's current stage, from 1.
func (i Item) Stage() int { return passedStages(i.Decisions) + 1 }

// votes returns the approvals of an item in a stage, as the policy counts them.
func (i Item) votes(stage int) []policy.Candidate {
	var votes []policy.Candidate
	for _, d := range i.Decisions {
		if d.Stage == stage && d.Approves() && d.DecidedBy.Valid {
			votes = append(votes, d.voter())
		}
	}
	return votes
}

// voter returns who decided, and on whose behalf.
func (d Decision) voter() policy.Candidate {
	return policy.Candidate{PersonID: d.DecidedBy.Int64, Basis: policy.Basis(d.Basis), OnBehalfOf: d.OnBehalfOf.Int64}
}

// ApprovedIn returns the people who have approved the item in a stage.
func (i Item) ApprovedIn(stage int) []int64 {
	var people []int64
	for _, d := range i.Decisions {
		if d.Stage == stage && d.Approves() && d.DecidedBy.Valid {
			people = append(people, d.DecidedBy.Int64)
		}
	}
	return people
}
