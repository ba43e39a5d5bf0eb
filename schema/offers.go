package schema

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/lib/pq"
)

// Modes of the form: like a person, like a job title, custom, extend an earlier request, or repeat one.
const (
	LikePerson   = "person"
	LikeJobTitle = "job_title"
	Custom       = "custom"
	Extend       = "extend"
	Again        = "again"
)

// Offer says what a form offers, and to whom: only what the requester lacks, may request, has an account for and has no open
// request for. It is looked up, never stored, and a submission checks it again.
type Offer struct {
	PersonID int64  // the requester
	ReaderID int64  // the person who fills in the form
	Mode     string // one of the modes above
	LikeID   int64  // of the person, job title or request; 0: none yet, or custom
}

// OfRequest reports whether the offer comes from an earlier request, which cannot be changed in the form.
func (o Offer) OfRequest() bool { return o.Mode == Extend || o.Mode == Again }

// Chosen reports whether a subject is selected, if the mode needs one.
func (o Offer) Chosen() bool { return o.Mode == Custom || o.LikeID != 0 }

// Grant is an entitlement as the form shows it.
type Grant struct {
	EntitlementID   int64         `db:"entitlement_id"`
	ApplicationID   int64         `db:"application_id"`
	ApplicationName string        `db:"application_name"`
	Name            string        `db:"name"`
	Kind            string        `db:"kind"`
	Description     string        `db:"description"`
	Risk            string        `db:"risk"`
	MaxDays         sql.NullInt64 `db:"max_days"` // null: may be held permanently
	HeldBy          int           `db:"held_by"`  // of Holders; only where a job title's grants are counted
	Holders         int           `db:"holders"`  // other active holders of the title; 0: not counted
}

// AlreadyRequested is what is not offered because it is part of an open request.
type AlreadyRequested struct {
	RequestID       int64  `db:"request_id"`
	ApplicationName string `db:"application_name"`
	Name            string `db:"name"`
	Channel         string `db:"channel"` // of that request's card; empty: not sent yet
	TS              string `db:"ts"`
}

// waits is the condition for an item that waits for approval or is being set up.
const waits = `i.state in ('submitted', 'awaiting_approval', 'approved', 'provisioning')
           and not exists (select from stop_orders r where r.item_id = i.id)
           and not exists (select from decisions d where d.item_id = i.id and d.outcome = 'deny')`

// otherHolders are the active holders of a job title other than the requester.
const otherHolders = `h.job_title_id = $2 and h.id <> $1 and is_active(h)`

// source returns the mode's condition on entitlement e. $1 is the requester, $2 the subject.
func (o Offer) source() string {
	switch o.Mode {
	case LikePerson:
		return `e.id in (select t.entitlement_id from claims t where t.person_id = $2 and is_live(t))`
	case LikeJobTitle:
		return `e.id in (select * from granted_by_job_title($2, $1))`
	case Extend:
		return `e.id in (select t.entitlement_id from claims t join request_items x on x.id = t.item_id
		                  where x.request_id = $2 and t.person_id = $1 and t.ends_at is not null and is_live(t))`
	case Again:
		return `e.id in (select x.entitlement_id from request_items x where x.request_id = $2)
		   and exists (select from access_requests r where r.id = $2 and r.requester_id = $1)`
	default:
		return `$2::bigint = 0`
	}
}

const requestable = `e.requestable and e.gone_at is null and a.gone_at is null`

// from returns a query over what is offered: entitlements e, their applications a, the requester's accounts s.
func (o Offer) from() string {
	covers := `is_live(m)`
	if o.Mode == Extend {
		covers += ` and m.ends_at is null` // permanent access needs no extension
	}
	return `
	  from entitlements e
	  join applications a on a.id = e.application_id
	  join accounts s on s.person_id = $1 and s.instance = e.instance
	 where ` + requestable + `
	   and ` + o.source() + `
	   and not exists (select from claims m where m.person_id = $1 and m.entitlement_id = e.id and ` + covers + `)
	   and not exists (select from request_items i where i.account_id = s.id and i.entitlement_id = e.id and ` + waits + `)`
}

// listOrder is the order of every list of grants: by application, then name.
const listOrder = `
	 order by lower(a.name) collate "C", a.id, lower(e.name) collate "C", e.id`

// IDs returns all that is offered, in the order of the list.
func (o Offer) IDs(ctx context.Context, q Queryer) ([]int64, error) {
	var ids []int64
	err := q.SelectContext(ctx, &ids, `select e.id`+o.from()+listOrder, o.PersonID, o.LikeID)
	if err != nil {
		return nil, fmt.Errorf("list what is offered to person %d like %s %d: %w", o.PersonID, o.Mode, o.LikeID, err)
	}
	return ids, nil
}

// Total counts what is offered.
func (o Offer) Total(ctx context.Context, q Queryer) (int, error) {
	var n int
	if err := q.GetContext(ctx, &n, `select count(*)`+o.from(), o.PersonID, o.LikeID); err != nil {
		return 0, fmt.Errorf("count what is offered to person %d like %s %d: %w", o.PersonID, o.Mode, o.LikeID, err)
	}
	return n, nil
}

// Filter limits a list of grants. The zero value does not.
type Filter struct {
	ApplicationID int64  // 0: all
	Search        string // in name and key: see narrowing
}

// narrow adds the filter's conditions, with its arguments numbered on from args.
func (f Filter) narrow(args []any) (string, []any) {
	where := ""
	if f.ApplicationID != 0 {
		args = append(args, f.ApplicationID)
		where += fmt.Sprintf(` and e.application_id = $%d`, len(args))
	}
	if f.Search != "" {
		var found string
		found, args = narrowing("e.search", f.Search, args)
		where += ` and ` + found
	}
	return where, args
}

// place is an entitlement's place in a list.
type place struct {
	EntitlementID int64 `db:"entitlement_id"`
	ApplicationID int64 `db:"application_id"`
}

// page returns one page of what is offered, and the total. A custom offer is read from the directory, others from the IDs that
// were offered when the subject was selected.
func (o Offer) page(
	ctx context.Context, q Queryer, offered []int64, f Filter, limit, offset int,
) (places []place, matching int, err error) {
	from, args := o.from(), []any{o.PersonID, o.LikeID}
	if o.Mode != Custom {
		from = ` from entitlements e join applications a on a.id = e.application_id where e.id = any($1)`
		args = []any{pq.Array(offered)}
	}
	where, args := f.narrow(args)
	if err := q.GetContext(ctx, &matching, `select count(*)`+from+where, args...); err != nil {
		return nil, 0, fmt.Errorf("count the list of person %d: %w", o.PersonID, err)
	}
	err = q.SelectContext(ctx, &places, `select e.id as entitlement_id, e.application_id`+from+where+listOrder+
		fmt.Sprintf(` limit %d offset %d`, limit, offset), args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list what is offered to person %d: %w", o.PersonID, err)
	}
	return places, matching, nil
}

// Grants reads what the form shows of these entitlements, by ID. For a job title without a configured set it counts how many of
// the other holders have each.
func (o Offer) Grants(ctx context.Context, q Queryer, ids []int64) (map[int64]Grant, error) {
	var rows []Grant
	err := q.SelectContext(ctx, &rows, `
		select e.id as entitlement_id, e.application_id, a.name as application_name, e.name, e.kind, e.description, e.risk, e.max_days
		  from entitlements e join applications a on a.id = e.application_id
		 where e.id = any($1)`, pq.Array(ids))
	if err != nil {
		return nil, fmt.Errorf("read %d entitlements: %w", len(ids), err)
	}
	grants := make(map[int64]Grant, len(rows))
	for _, g := range rows {
		grants[g.EntitlementID] = g
	}
	if o.Mode != LikeJobTitle {
		return grants, nil
	}
	var counts []Grant
	err = q.SelectContext(ctx, &counts, `
		select t.entitlement_id, count(distinct h.id) as held_by, (select count(*) from people h where `+otherHolders+`) as holders
		  from people h join claims t on t.person_id = h.id and is_live(t)
		 where `+otherHolders+` and t.entitlement_id = any($3)
		   and not exists (select from job_title_entitlements j where j.job_title_id = $2)
		 group by t.entitlement_id`, o.PersonID, o.LikeID, pq.Array(ids))
	if err != nil {
		return nil, fmt.Errorf("count the holders of job title %d: %w", o.LikeID, err)
	}
	for _, c := range counts {
		g := grants[c.EntitlementID]
		g.HeldBy, g.Holders = c.HeldBy, c.Holders
		grants[c.EntitlementID] = g
	}
	return grants, nil
}

// AlreadyRequested returns what is left out of the offer because of open requests, the newest request first, at most limit.
func (o Offer) AlreadyRequested(ctx context.Context, q Queryer, limit int) ([]AlreadyRequested, error) {
	var asked []AlreadyRequested
	err := q.SelectContext(ctx, &asked, `
		select i.request_id, a.name as application_name, e.name, coalesce(m.channel, '') as channel, coalesce(m.ts, '') as ts
		  from accounts s
		  join request_items i on i.account_id = s.id and `+waits+`
		  join entitlements e on e.id = i.entitlement_id
		  join applications a on a.id = e.application_id
		  left join slack_messages m on m.request_id = i.request_id and m.person_id = $4 and m.kind = 'card'
		 where s.person_id = $1 and `+o.source()+`
		 order by i.request_id desc, lower(a.name) collate "C", lower(e.name) collate "C", e.id
		 limit $3`, o.PersonID, o.LikeID, limit, o.ReaderID)
	if err != nil {
		return nil, fmt.Errorf("list what person %d has already requested: %w", o.PersonID, err)
	}
	return asked, nil
}

// WithoutAccount names the applications of which nothing is offered because the requester has no account there.
func (o Offer) WithoutAccount(ctx context.Context, q Queryer) ([]string, error) {
	var names []string
	err := q.SelectContext(ctx, &names, `
		select a.name
		  from applications a
		 where not exists (select from accounts s where s.person_id = $1 and s.instance = a.instance)
		   and exists (select from entitlements e where e.application_id = a.id and `+requestable+` and `+o.source()+`)
		 order by lower(a.name) collate "C", a.id`, o.PersonID, o.LikeID)
	if err != nil {
		return nil, fmt.Errorf("find applications without an account of person %d: %w", o.PersonID, err)
	}
	return names, nil
}

// OtherHolders counts the active holders of the job title other than the requester.
func (o Offer) OtherHolders(ctx context.Context, q Queryer) (int, error) {
	var n int
	err := q.GetContext(ctx, &n, `select count(*) from people h where `+otherHolders, o.PersonID, o.LikeID)
	return n, err
}
