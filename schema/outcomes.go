package schema

import (
	"context"
	"fmt"
	"slices"

	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// The outcome of the decisions about an item: the SQL functions item_outcome and stage_passed define it.

func decisionsAbout(ctx context.Context, q Queryer, items []int64) ([]Decision, error) {
	var decisions []Decision
	err := q.SelectContext(ctx, &decisions, `
		select d.id, d.item_id, d.approval_id, d.decided_by, coalesce(p.name, '') as decider_name, d.stage, d.stages,
		       d.required_approvals, d.override, d.outcome, d.reason, d.basis, d.policy_version, d.terms, d.ends_at, d.decided_at,
		       c.for_person_id, stage_passed(d.item_id, d.stage) as stage_passed
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

// conclude returns the decision that makes the outcome of an item: the first denial, or the last approval, with the earliest of
// the granted ends. nil: the item is still open.
func conclude(outcome string, decisions []Decision) *Decision {
	var last *Decision
	for _, d := range decisions {
		switch {
		case d.Outcome != outcome:
			continue
		case !d.Approves():
			return &d
		case last != nil && last.EndsAt.Valid && (!d.EndsAt.Valid || last.EndsAt.Time.Before(d.EndsAt.Time)):
			d.EndsAt = last.EndsAt
		}
		last = &d
	}
	return last
}

// stagePassed reports whether decisions pass a stage.
func stagePassed(decisions []Decision, stage int) bool {
	return slices.ContainsFunc(decisions, func(d Decision) bool { return d.Stage == stage && d.StagePassed })
}

// Stage returns the number of the item's current stage, from 1.
func (i Item) Stage() int {
	stage := 1
	for stagePassed(i.Decisions, stage) {
		stage++
	}
	return stage
}

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
