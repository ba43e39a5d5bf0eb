package schema

import (
	"context"
	"fmt"

	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// What the decisions about an item come to. The SQL functions item_outcome and stage_passed say the same.

func decisionsAbout(ctx context.Context, q Queryer, items []int64) ([]Decision, error) {
	var decisions []Decision
	err := q.SelectContext(ctx, &decisions, `
		select d.id, d.item_id, d.approval_id, d.decided_by, coalesce(p.name, '') as decider_name, d.stage, d.stages, d.required_approvals, d.override,
		       d.outcome, d.reason, d.basis, d.policy_version, d.terms, d.ends_at, d.decided_at, c.for_person_id
		  from decisions d
		  left join people p on p.id = d.decided_by
		  left join approval_candidates c on c.approval_id = d.approval_id and c.person_id = d.decided_by
		 where d.item_id = any($1)
		 order by d.id`, pq.Array(items))
	if err != nil {
		return nil, fmt.Errorf("the decisions about items %v: %w", items, err)
	}
	return decisions, nil
}

// conclude is what decisions come to: a denial by anybody, or an approval once every stage is passed, with the soonest of
// the ends that were granted. nil: someone is still to decide.
func conclude(decisions []Decision) *Decision {
	var last *Decision
	for n := range decisions {
		d := decisions[n]
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

// passedStages is how many stages are passed, from the first one on.
func passedStages(decisions []Decision) int {
	passed := 0
	for stagePassed(decisions, passed+1) {
		passed++
	}
	return passed
}

// stagePassed tells whether as many required_approvals in a stage as have to, or an administrator has decided it alone.
func stagePassed(decisions []Decision, stage int) bool {
	agreed, agree, override := 0, 1, false
	for _, d := range decisions {
		if d.Stage == stage && d.Approves() {
			agreed, agree, override = agreed+1, max(agree, d.RequiredApprovals), override || d.Override
		}
	}
	return agreed >= agree || override
}

// Stage is the one that is asked about now, from 1.
func (i Item) Stage() int { return passedStages(i.Decisions) + 1 }

// words are those of the people who have approved the item in a stage, and in whose place.
func (i Item) words(stage int) []policy.Candidate {
	var words []policy.Candidate
	for _, d := range i.Decisions {
		if d.Stage == stage && d.Approves() && d.DecidedBy.Valid {
			words = append(words, d.word())
		}
	}
	return words
}

// word is whose decision it is, and in whose place.
func (d Decision) word() policy.Candidate {
	return policy.Candidate{PersonID: d.DecidedBy.Int64, Basis: policy.Basis(d.Basis), InPlaceOf: d.InPlaceOf.Int64}
}

// Agreed are those who have approved the item in a stage.
func (i Item) ApprovedIn(stage int) []int64 {
	var agreed []int64
	for _, d := range i.Decisions {
		if d.Stage == stage && d.Approves() && d.DecidedBy.Valid {
			agreed = append(agreed, d.DecidedBy.Int64)
		}
	}
	return agreed
}
