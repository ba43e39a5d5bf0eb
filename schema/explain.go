package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// Supposed is what someone might ask for.
type Supposed struct {
	Email       string
	Entitlement string        // application/key
	Lasts       time.Duration // 0: permanently
	Reason      string        // its key
}

// Explained is what a policy would make of it.
type Explained struct {
	Position int // of the rule, from 1
	Rule     *policy.Rule
	Limits   []string // in words
	Stages   []ExplainedStage
}

// ExplainedStage is whom a stage would ask.
type ExplainedStage struct {
	RequiredApprovals int
	Levels            [][]ExplainedPerson // at once, and then whom besides at each escalation
	Not               []ExplainedPerson   // who would be asked, if it were not for something
}

// ExplainedPerson is someone who would be asked, or would not.
type ExplainedPerson struct {
	Name      string
	Basis     policy.Basis
	InPlaceOf string // the name of who is away; empty: by their own right
	Why       string // they are not asked
}

// Explain answers whom a policy would ask, and why, without asking anybody.
func Explain(ctx context.Context, q Queryer, p *policy.Policy, s Supposed) (e Explained, err error) {
	person, err := PersonByEmail(ctx, q, s.Email)
	if err != nil {
		return e, fmt.Errorf("person %s: %w", s.Email, err)
	}
	slug, key, _ := strings.Cut(s.Entitlement, "/")
	var entitlement struct {
		ID      int64 `db:"id"`
		MaxDays *int  `db:"max_days"`
	}
	err = q.GetContext(ctx, &entitlement, `
		select e.id, e.max_days from entitlements e join applications a on a.id = e.application_id
		 where a.slug = $1 and e.key = $2 and e.gone_at is null`, slug, key)
	if err != nil {
		return e, fmt.Errorf("access grant %s: %w", s.Entitlement, mapError(err))
	}
	subjects, err := SubjectsFor(ctx, q, person.ID, []int64{entitlement.ID}, s.Lasts, s.Reason)
	if err != nil {
		return e, err
	}
	if e.Position, err = p.Evaluate(subjects[entitlement.ID]); err != nil {
		return e, err
	}
	if e.Rule, err = p.Rule(e.Position); err != nil {
		return e, err
	}
	e.Limits = limitWords(e.Rule.Limits, entitlement.MaxDays)
	facts, _, err := ApproverFacts(ctx, q, person.ID, 0, []int64{entitlement.ID}, p.Named())
	if err != nil {
		return e, err
	}
	names, err := namesOf(ctx, q, facts[entitlement.ID])
	if err != nil {
		return e, err
	}
	for _, stage := range e.Rule.Stages {
		e.Stages = append(e.Stages, explainStage(stage, facts[entitlement.ID], names))
	}
	return e, nil
}

func limitWords(l policy.Limits, maxDays *int) (words []string) {
	if l.MaxDays > 0 {
		words = append(words, fmt.Sprintf("at most %d days, by the policy", l.MaxDays))
	} else if l.NoPermanent {
		words = append(words, "it has to have an end, by the policy")
	}
	if l.NoteRequired {
		words = append(words, "a note has to say what it is for")
	}
	if maxDays != nil {
		words = append(words, fmt.Sprintf("at most %d days, by the directory", *maxDays))
	}
	return words
}

func explainStage(stage policy.Stage, f policy.Facts, names map[int64]string) ExplainedStage {
	e := ExplainedStage{RequiredApprovals: stage.RequiredApprovals}
	var asked []int64
	for level := 0; ; level++ {
		answer := stage.Ask(f, level, nil)
		var people []ExplainedPerson
		for _, c := range answer.Candidates {
			if !slices.Contains(asked, c.PersonID) {
				asked = append(asked, c.PersonID)
				people = append(people, ExplainedPerson{Name: names[c.PersonID], Basis: c.Basis, InPlaceOf: names[c.InPlaceOf]})
			}
		}
		if level > 0 && len(people) == 0 {
			break
		}
		e.Levels = append(e.Levels, people)
	}
	for _, source := range stage.Approvers {
		for _, p := range f.People[source] {
			var why string
			switch {
			case p.ID == f.RequesterID:
				why = "a requester cannot decide their own request"
			case !p.Active:
				why = "is not active"
			case p.Unreachable:
				why = "cannot be found in Slack"
			case !slices.Contains(asked, p.ID):
				why = "is away"
			default:
				continue
			}
			e.Not = append(e.Not, ExplainedPerson{Name: names[p.ID], Basis: source.Basis(), Why: why})
		}
	}
	return e
}

// namesOf answers the names and addresses of everybody in facts.
func namesOf(ctx context.Context, q Queryer, f policy.Facts) (map[int64]string, error) {
	var ids []int64
	for _, people := range f.People {
		for _, p := range people {
			ids = append(ids, p.ID)
		}
	}
	for _, p := range f.Delegates {
		ids = append(ids, p.ID)
	}
	var rows []struct {
		ID    int64  `db:"id"`
		Name  string `db:"name"`
		Email string `db:"email"`
	}
	if err := q.SelectContext(ctx, &rows, `select id, name, email from people where id = any($1)`, pq.Array(ids)); err != nil {
		return nil, errors.Join(errors.New("the names of those who could be asked"), err)
	}
	names := map[int64]string{}
	for _, row := range rows {
		names[row.ID] = fmt.Sprintf("%s <%s>", row.Name, row.Email)
	}
	return names, nil
}
