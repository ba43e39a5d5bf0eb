package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// Supposed is a request that is explained without being made.
type Supposed struct {
	Email       string
	Entitlement string        // application/key
	Lasts       time.Duration // 0: permanent
	Reason      string        // key
}

// Explained is how a policy evaluates it.
type Explained struct {
	Number int // of the rule, from 1
	Rule   *policy.Rule
	Limits []string // as text
	Stages []ExplainedStage
}

// ExplainedStage is a stage of the rule.
type ExplainedStage struct {
	RequiredApprovals int
	Levels            [][]ExplainedPerson // the candidates that each escalation level adds
	Excluded          []ExplainedPerson   // approvers of the stage who are not candidates
}

// ExplainedPerson is an approver.
type ExplainedPerson struct {
	Name       string
	Basis      policy.Basis
	OnBehalfOf string // name of the approver who is away; empty: none
	Why        string // they are excluded
}

// Explain evaluates a hypothetical request and returns who would approve it, and why. It changes nothing.
func Explain(ctx context.Context, q Queryer, p *policy.Policy, s Supposed) (e Explained, err error) {
	person, err := PersonByEmail(ctx, q, s.Email)
	if err != nil {
		return e, fmt.Errorf("find person %s: %w", s.Email, err)
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
		return e, fmt.Errorf("find access grant %s: %w", s.Entitlement, mapError(err))
	}
	subjects, err := SubjectsFor(ctx, q, person.ID, []int64{entitlement.ID}, s.Lasts, s.Reason)
	if err != nil {
		return e, err
	}
	if e.Number, err = p.Evaluate(subjects[entitlement.ID]); err != nil {
		return e, err
	}
	if e.Rule, err = p.Rule(e.Number); err != nil {
		return e, err
	}
	e.Limits = limitTexts(p.Defaults, e.Rule, entitlement.MaxDays)
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

// limitTexts returns the limits on a request. maxDays is the limit of the entitlement; nil: none.
func limitTexts(d policy.Defaults, rule *policy.Rule, maxDays *int) (texts []string) {
	if rule.Deny != "" {
		return nil
	}
	switch limits := rule.Limits; {
	case limits.MaxDays > 0:
		texts = append(texts, fmt.Sprintf("at most %d days, by the policy", limits.MaxDays))
	case limits.NoPermanent:
		texts = append(texts, fmt.Sprintf("at most %d days, by the policy's defaults, and not permanent", d.MaxDays))
	default:
		texts = append(texts, fmt.Sprintf("at most %d days if temporary, by the policy's defaults", d.MaxDays))
	}
	if rule.Limits.NoteRequired {
		texts = append(texts, "a note is required")
	}
	if maxDays != nil {
		texts = append(texts, fmt.Sprintf("at most %d days, by the directory", *maxDays))
	}
	return texts
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
				people = append(people, ExplainedPerson{Name: names[c.PersonID], Basis: c.Basis, OnBehalfOf: names[c.OnBehalfOf]})
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
			e.Excluded = append(e.Excluded, ExplainedPerson{Name: names[p.ID], Basis: source.Basis(), Why: why})
		}
	}
	return e
}

// namesOf returns the names and e-mail addresses of the people in facts, by ID.
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
		return nil, fmt.Errorf("read the names of approvers: %w", err)
	}
	names := map[int64]string{}
	for _, row := range rows {
		names[row.ID] = fmt.Sprintf("%s <%s>", row.Name, row.Email)
	}
	return names, nil
}
