package schema

import (
	"context"
	"fmt"
	"time"

	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// unreachable reports whether Slack has answered that it has no such user, for a person whose rows in slack_addresses and
// slack_identities are s and b. The answer holds for a week, or until the person next uses the app.
const unreachable = `coalesce(s.user_id is null and s.looked_up_at > app_now() - interval '7 days'
		         and coalesce(b.bound_at, '-infinity') < s.looked_up_at, false)`

// Evaluation is the result of running the policy for a request's items, with the directory as it is now.
type Evaluation struct {
	Policy  *policy.Policy
	Changes time.Time // when a delegation starts or ends next, so that the candidates may change; zero: never

	facts map[int64]policy.Facts // by item
}

// Ask returns the candidates of an item's stage at an escalation level. Without candidates there are too few.
func (e Evaluation) Ask(i Item, stage, level int) policy.Answer {
	rule, err := e.Policy.Rule(i.Rule)
	if err != nil || stage > len(rule.Stages) {
		return policy.Answer{}
	}
	return rule.Stages[stage-1].Ask(e.facts[i.ID], level, i.votes(stage))
}

// askLast returns the candidates of an item's stage at its last escalation level.
func (e Evaluation) askLast(i Item, stage int) policy.Answer {
	if stage < 1 {
		return policy.Answer{}
	}
	return e.Ask(i, stage, e.lastLevel(i, stage))
}

// lastLevel returns the last escalation level of an item's stage.
func (e Evaluation) lastLevel(i Item, stage int) int {
	stages := e.Rule(i).Stages
	if stage > len(stages) {
		return 0
	}
	return len(stages[stage-1].EscalateTo) + 1
}

// SameCandidates reports whether a stage has the same candidates for two items at every escalation level.
func (e Evaluation) SameCandidates(a, b Item, stage int) bool {
	for level := range max(e.lastLevel(a, stage), e.lastLevel(b, stage)) + 1 {
		if !e.Ask(a, stage, level).Equal(e.Ask(b, stage, level)) {
			return false
		}
	}
	return true
}

// Rule returns the rule that applies to an item. If the policy has no such rule, it is one without approvers.
func (e Evaluation) Rule(i Item) *policy.Rule {
	rule, err := e.Policy.Rule(i.Rule)
	if err != nil {
		return &policy.Rule{Times: e.Policy.Defaults.Times}
	}
	return rule
}

// Evaluate runs the policy for each item of a request, in the request's version.
func Evaluate(ctx context.Context, q Queryer, r *Request) (e Evaluation, err error) {
	if e.Policy, err = PolicyOf(ctx, q, r.PolicyVersion); err != nil {
		return e, fmt.Errorf("evaluate request %d: %w", r.ID, err)
	}
	entitlements := make([]int64, len(r.Items))
	for i, item := range r.Items {
		entitlements[i] = item.EntitlementID
	}
	facts, changes, err := ApproverFacts(ctx, q, r.RequesterID, r.SubmittedBy.Int64, entitlements, e.Policy.Named())
	if err != nil {
		return e, fmt.Errorf("evaluate request %d: %w", r.ID, err)
	}
	e.facts, e.Changes = map[int64]policy.Facts{}, changes
	for _, item := range r.Items {
		e.facts[item.ID] = facts[item.EntitlementID]
	}
	return e, nil
}

// ApproverFacts reads the people whom a policy could ask about entitlements that a person requests, by entitlement. submitterID
// is 0 if the requester submits; named are the e-mail addresses in the policy. changes is as in Evaluation.
func ApproverFacts(
	ctx context.Context, q Queryer, requesterID, submitterID int64, entitlements []int64, named []policy.Source,
) (facts map[int64]policy.Facts, changes time.Time, err error) {
	var rows []struct {
		EntitlementID int64         `db:"entitlement_id"` // 0: any
		Source        policy.Source `db:"source"`
		PersonID      int64         `db:"person_id"`
		Active        bool          `db:"active"`
		Unreachable   bool          `db:"unreachable"`
	}
	err = q.SelectContext(ctx, &rows, `
		select t.entitlement_id, t.source, p.id as person_id,
		       is_active(p) as active,
		       `+unreachable+` as unreachable
		  from (select o.entitlement_id, 'entitlement owners' as source, o.person_id
		          from entitlement_owners o where o.entitlement_id = any($2)
		        union all
		        select e.id, 'application owners', o.person_id
		          from entitlements e join application_owners o on o.application_id = e.application_id where e.id = any($2)
		        union all
		        select 0, 'manager', m.manager_id from people m where m.id = $1
		        union all
		        select 0, 'manager''s manager', m.manager_id from people r join people m on m.id = r.manager_id where r.id = $1
		        union all
		        select 0, 'administrators', a.id from people a where a.administrator
		        union all
		        select 0, n.email, n.id from people n where n.email = any($3)) t
		 cross join lateral (select * from people p where p.id = t.person_id limit 1) p
		  left join slack_addresses s on s.person_id = p.id
		  left join slack_identities b on b.person_id = p.id`, requesterID, pq.Array(entitlements), pq.Array(named))
	if err != nil {
		return nil, changes, err
	}
	people := make([]int64, len(rows))
	for i, row := range rows {
		people[i] = row.PersonID
	}
	delegates, changes, err := delegatesFor(ctx, q, people)
	if err != nil {
		return nil, changes, fmt.Errorf("read delegations: %w", err)
	}
	facts = map[int64]policy.Facts{}
	for _, id := range entitlements {
		facts[id] = policy.Facts{RequesterID: requesterID, SubmitterID: submitterID,
			People: map[policy.Source][]policy.Person{}, Delegates: delegates}
	}
	for _, row := range rows {
		p := policy.Person{ID: row.PersonID, Active: row.Active, Unreachable: row.Unreachable}
		for id, f := range facts {
			if row.EntitlementID == id || row.EntitlementID == 0 {
				f.People[row.Source] = append(f.People[row.Source], p)
			}
		}
	}
	return facts, changes, nil
}

// delegatesFor returns the current delegates of people who are away, and of their delegates in turn, by who is away; and when a
// delegation starts or ends next.
func delegatesFor(
	ctx context.Context, q Queryer, people []int64,
) (delegates map[int64]policy.Person, changes time.Time, err error) {
	var rows []struct {
		PersonID    int64     `db:"person_id"`
		DelegateID  int64     `db:"delegate_id"`
		Now         bool      `db:"now"`
		Changes     time.Time `db:"changes"`
		Active      bool      `db:"active"`
		Unreachable bool      `db:"unreachable"`
	}
	delegates = map[int64]policy.Person{}
	seen := map[int64]bool{}
	for len(people) > 0 { // once, and once more for each step of a chain of delegates
		err = q.SelectContext(ctx, &rows, `
			select d.person_id, d.delegate_id, d.starts_at <= app_now() as now,
			       case when d.starts_at <= app_now() then d.ends_at else d.starts_at end as changes,
			       is_active(p) as active, `+unreachable+` as unreachable
			  from unnest($1::bigint[]) of (person_id)
			 cross join lateral delegation_of(of.person_id) d
			 cross join lateral (select * from people p where p.id = d.delegate_id limit 1) p
			  left join slack_addresses s on s.person_id = p.id
			  left join slack_identities b on b.person_id = p.id`, pq.Array(people))
		if err != nil {
			return nil, changes, err
		}
		for _, id := range people {
			seen[id] = true
		}
		people = nil
		for _, row := range rows {
			if changes.IsZero() || row.Changes.Before(changes) {
				changes = row.Changes
			}
			if !row.Now {
				continue
			}
			delegates[row.PersonID] = policy.Person{ID: row.DelegateID, Active: row.Active, Unreachable: row.Unreachable}
			if !seen[row.DelegateID] {
				people = append(people, row.DelegateID)
			}
		}
		rows = rows[:0]
	}
	return delegates, changes, nil
}
