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

// ApproverFacts reads what the policy judges about each item of a request, by item ID. That Slack has nobody of a name is
// believed for a week, and no longer than until that person comes by.
//
// changes is when this answer will be another by the clock alone, because somebody goes away or comes back; zero: never.
func ApproverFacts(ctx context.Context, q Queryer, requestID int64) (facts map[int64]policy.Facts, changes time.Time, err error) {
	var rows []struct {
		ItemID      int64  `db:"item_id"`
		RequesterID int64  `db:"requester_id"`
		Tier        string `db:"tier"`
		PersonID    int64  `db:"person_id"`
		Active      bool   `db:"active"`
		Unreachable bool   `db:"unreachable"`
	}
	err = q.SelectContext(ctx, &rows, `
		select i.id as item_id, r.requester_id, t.tier, p.id as person_id,
		       p.status = 'active' and p.gone_at is null as active,
		       `+unreachable+` as unreachable
		  from access_requests r
		  join request_items i on i.request_id = r.id
		  join entitlements e on e.id = i.entitlement_id
		 cross join lateral (
		       select 'entitlement owner' as tier, o.person_id from entitlement_owners o where o.entitlement_id = e.id
		       union all
		       select 'application owner', o.person_id from application_owners o where o.application_id = e.application_id
		       union all
		       select 'manager', m.manager_id from people m where m.id = r.requester_id and m.manager_id is not null
		       union all
		       select 'administrator', a.id from people a where a.administrator) t
		  join people p on p.id = t.person_id
		  left join slack_addresses s on s.person_id = p.id
		  left join slack_identities b on b.person_id = p.id
		 where r.id = $1`, requestID)
	if err != nil {
		return nil, changes, fmt.Errorf("who might decide request %d: %w", requestID, err)
	}
	people := make([]int64, len(rows))
	for n, row := range rows {
		people[n] = row.PersonID
	}
	standIns, changes, err := standInsFor(ctx, q, people)
	if err != nil {
		return nil, changes, fmt.Errorf("who stands in for those who might decide request %d: %w", requestID, err)
	}
	facts = map[int64]policy.Facts{}
	for _, row := range rows {
		f := facts[row.ItemID]
		f.RequesterID, f.StandIns = row.RequesterID, standIns
		p := policy.Person{ID: row.PersonID, Active: row.Active, Unreachable: row.Unreachable}
		switch policy.Basis(row.Tier) {
		case policy.EntitlementOwner:
			f.EntitlementOwners = append(f.EntitlementOwners, p)
		case policy.ApplicationOwner:
			f.ApplicationOwners = append(f.ApplicationOwners, p)
		case policy.Manager:
			f.Manager = &p
		case policy.Administrator:
			f.Administrators = append(f.Administrators, p)
		case policy.Nobody: // no row says so
		}
		facts[row.ItemID] = f
	}
	return facts, changes, nil
}

// standInsFor answers who stands in now for those who are away, and for those in turn; and when that changes next.
func standInsFor(ctx context.Context, q Queryer, people []int64) (standIns map[int64]policy.Person, changes time.Time, err error) {
	var rows []struct {
		PersonID    int64     `db:"person_id"`
		DelegateID  int64     `db:"delegate_id"`
		Now         bool      `db:"now"`
		Changes     time.Time `db:"changes"`
		Active      bool      `db:"active"`
		Unreachable bool      `db:"unreachable"`
	}
	standIns = map[int64]policy.Person{}
	seen := map[int64]bool{}
	for len(people) > 0 { // once, unless somebody is away; again for those who stand in
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
			standIns[row.PersonID] = policy.Person{ID: row.DelegateID, Active: row.Active, Unreachable: row.Unreachable}
			if !seen[row.DelegateID] {
				people = append(people, row.DelegateID)
			}
		}
		rows = rows[:0]
	}
	return standIns, changes, nil
}
