package schema

import (
	"context"
	"fmt"

	"accessbot/schema/policy"
)

// ApproverFacts reads what the policy judges about each item of a request, by item ID. That Slack has nobody of a name is
// believed for a week, and no longer than until that person comes by.
func ApproverFacts(ctx context.Context, q Queryer, requestID int64) (map[int64]policy.Facts, error) {
	var rows []struct {
		ItemID      int64  `db:"item_id"`
		RequesterID int64  `db:"requester_id"`
		Tier        string `db:"tier"`
		PersonID    int64  `db:"person_id"`
		Active      bool   `db:"active"`
		Unreachable bool   `db:"unreachable"`
	}
	err := q.SelectContext(ctx, &rows, `
		select i.id as item_id, r.requester_id, t.tier, p.id as person_id,
		       p.status = 'active' and p.gone_at is null as active,
		       coalesce(s.user_id is null and s.looked_up_at > app_now() - interval '7 days' and coalesce(b.bound_at, '-infinity') < s.looked_up_at, false) as unreachable
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
		return nil, fmt.Errorf("who might decide request %d: %w", requestID, err)
	}
	facts := map[int64]policy.Facts{}
	for _, row := range rows {
		f := facts[row.ItemID]
		f.RequesterID = row.RequesterID
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
	return facts, nil
}
