package schema

import (
	"context"
	"fmt"
	"time"

	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// unreachable: Slack said so of a person, whose rows in slack_addresses and slack_identities are s and b.
const unreachable = `coalesce(s.user_id is null and s.looked_up_at > app_now() - interval '7 days' and coalesce(b.bound_at, '-infinity') < s.looked_up_at, false)`

// Judgement is what the policy says about a request's items, as the directory stands now.
type Evaluation struct {
	Policy *policy.Policy
	// Changes is when it will say something else by the clock alone, because someone goes away or comes back; zero: never.
	Changes time.Time

	facts map[int64]policy.Facts // by item
}

// Ask answers whom an item's stage asks, escalated so often. No candidates: there is no one, or too few.
func (j Evaluation) Ask(i Item, stage, level int) policy.Answer {
	rule, err := j.Policy.Rule(i.Rule)
	if err != nil || stage > len(rule.Stages) {
		return policy.Answer{}
	}
	return rule.Stages[stage-1].Ask(j.facts[i.ID], level, i.words(stage))
}

// everybody answers whom an item's stage would ask in the end, if no one answered.
func (j Evaluation) everybody(i Item, stage int) policy.Answer {
	if stage < 1 {
		return policy.Answer{}
	}
	return j.Ask(i, stage, j.lastLevel(i, stage))
}

// lastLevel is how often an item's stage can be escalated at most.
func (j Evaluation) lastLevel(i Item, stage int) int {
	stages := j.Rule(i).Stages
	if stage > len(stages) {
		return 0
	}
	return len(stages[stage-1].EscalateTo) + 1
}

// AskAlike tells whether a stage asks the same people about two items, however often it is escalated.
func (j Evaluation) AskAlike(a, b Item, stage int) bool {
	for level := range max(j.lastLevel(a, stage), j.lastLevel(b, stage)) + 1 {
		if !j.Ask(a, stage, level).Equal(j.Ask(b, stage, level)) {
			return false
		}
	}
	return true
}

// Rule is the one that evaluates an item. One that asks no one is granted for an item of which the policy knows nothing.
func (j Evaluation) Rule(i Item) *policy.Rule {
	rule, err := j.Policy.Rule(i.Rule)
	if err != nil {
		return &policy.Rule{}
	}
	return rule
}

// Judge reads whom the policy asks about each item of a request. That Slack has no one of a name is believed for a week,
// and no longer than until that person comes by.
func Evaluate(ctx context.Context, q Queryer, r *Request) (j Evaluation, err error) {
	if j.Policy, err = PolicyOf(ctx, q, r.PolicyVersion); err != nil {
		return j, fmt.Errorf("who might decide request %d: %w", r.ID, err)
	}
	items := make([]int64, len(r.Items))
	entitlements := make([]int64, len(r.Items))
	for n, i := range r.Items {
		items[n], entitlements[n] = i.ID, i.EntitlementID
	}
	facts, changes, err := ApproverFacts(ctx, q, r.RequesterID, r.SubmittedBy.Int64, entitlements, j.Policy.Named())
	if err != nil {
		return j, fmt.Errorf("who might decide request %d: %w", r.ID, err)
	}
	j.facts, j.Changes = map[int64]policy.Facts{}, changes
	for n, item := range items {
		j.facts[item] = facts[entitlements[n]]
	}
	return j, nil
}

// ApproverFacts reads whom a policy could ask about entitlements that a person asks for, or a submitter for them (0: no one does), by entitlement. named are the
// e-mail addresses of those whom the policy names.
func ApproverFacts(ctx context.Context, q Queryer, requesterID, submitterID int64, entitlements []int64, named []policy.Source) (facts map[int64]policy.Facts, changes time.Time, err error) {
	var rows []struct {
		EntitlementID int64         `db:"entitlement_id"` // 0: whatever is asked for
		Source        policy.Source `db:"source"`
		PersonID      int64         `db:"person_id"`
		Active        bool          `db:"active"`
		Unreachable   bool          `db:"unreachable"`
	}
	err = q.SelectContext(ctx, &rows, `
		select t.entitlement_id, t.source, p.id as person_id,
		       p.status = 'active' and p.gone_at is null as active,
		       `+unreachable+` as unreachable
		  from (select o.entitlement_id, 'entitlement owners' as source, o.person_id from entitlement_owners o where o.entitlement_id = any($2)
		        union all
		        select e.id, 'application owners', o.person_id from entitlements e join application_owners o on o.application_id = e.application_id where e.id = any($2)
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
	for n, row := range rows {
		people[n] = row.PersonID
	}
	delegates, changes, err := delegatesFor(ctx, q, people)
	if err != nil {
		return nil, changes, fmt.Errorf("who is a delegate for them: %w", err)
	}
	facts = map[int64]policy.Facts{}
	for _, id := range entitlements {
		facts[id] = policy.Facts{RequesterID: requesterID, SubmitterID: submitterID, People: map[policy.Source][]policy.Person{}, Delegates: delegates}
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

// delegatesFor answers who is a delegate now for those who are away, and for those in turn; and when that changes next.
func delegatesFor(ctx context.Context, q Queryer, people []int64) (delegates map[int64]policy.Person, changes time.Time, err error) {
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
	for len(people) > 0 { // once, unless someone is away; again for those who are delegates
		err = q.SelectContext(ctx, &rows, `
			select d.person_id, d.delegate_id, d.starts_at <= app_now() as now, case when d.starts_at <= app_now() then d.ends_at else d.starts_at end as changes,
			       p.status = 'active' and p.gone_at is null as active, `+unreachable+` as unreachable
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
