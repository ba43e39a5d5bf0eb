package schema

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/lib/pq"
)

// The lists of the Home tab. Each answers one page and the total.

// namedItems is how many items of a request its line names.
const namedItems = 3

// WaitingLine is a request that waits for the reader's approval.
type WaitingLine struct {
	RequestID     int64          `db:"request_id"`
	RequesterName string         `db:"requester_name"`
	SubmitterName string         `db:"submitter_name"` // empty: the requester
	Items         int            `db:"items"`          // that the reader may decide
	HighRisk      int            `db:"high_risk"`      // of those
	Overridable   int            `db:"overridable"`    // of those: for everyone, see Request.OverridableBy
	NoApprover    int            `db:"no_approver"`    // of the overridable ones
	Names         pq.StringArray `db:"names"`          // of the first few items: application and name
	ReasonLabel   string         `db:"reason_label"`
	CreatedAt     time.Time      `db:"created_at"`
	AskedAt       sql.NullTime   `db:"asked_at"`   // when the reader was first asked; null: not asked yet
	Since         sql.NullTime   `db:"since"`      // when an overridable stage was first asked about; null: none has an approver
	ExpiresAt     sql.NullTime   `db:"expires_at"` // without a decision
	EndsAt        sql.NullTime   `db:"ends_at"`
	EndsOn        sql.NullTime   `db:"ends_on"`
	TimeZone      string         `db:"time_zone"`
	MessageID     int64          `db:"message_id"` // the reader's approval message; 0: none yet
	Terms         string         `db:"terms"`      // as that message shows them
	Channel       string         `db:"channel"`    // of that message; empty: not sent yet
	TS            string         `db:"ts"`
	Total         int            `db:"total"`
	ReadAt        time.Time      `db:"read_at"` // the database's clock
}

// WaitingFor answers what waits for a person's approval, the oldest first. For an administrator, that includes what has no
// approver.
func WaitingFor(ctx context.Context, q Queryer, personID int64, limit, offset int) (lines []WaitingLine, total int, err error) {
	return waitingFor(ctx, q, personID, false, limit, offset)
}

// waitingFor is WaitingFor, limited with asked to what the person was asked about.
func waitingFor(
	ctx context.Context, q Queryer, personID int64, asked bool, limit, offset int,
) (lines []WaitingLine, total int, err error) {
	err = q.SelectContext(ctx, &lines, `
		with candidate as (
		  select ai.item_id, a.stage, a.since, c.asked_at, a.expires_at
		    from approval_candidates c
		    join approvals a on a.id = c.approval_id and a.state = 'open'
		    join approval_items ai on ai.approval_id = a.id
		   where c.person_id = $1 and (c.asked_at is not null or not $5)
		  union all
		  select i.id, null, null, null, null
		    from request_items i
		   where i.state = 'awaiting_approval' and i.problem = 'no_approver'
		     and not $5 and (select p.administrator from people p where p.id = $1)),
		waiting as (
		  select i.request_id, i.id, o.overridable, c.stage is null as no_approver, c.since, c.asked_at, c.expires_at, e.risk,
		         ap.name || ': ' || e.name as name,
		         row_number() over (partition by i.request_id order by e.risk <> 'high', lower(ap.name), lower(e.name), i.id) as n
		    from candidate c
		    join request_items i on i.id = c.item_id and awaits_decision(i)
		    join entitlements e on e.id = i.entitlement_id
		    join applications ap on ap.id = e.application_id
		   cross join lateral (
		         select exists (select from override_candidates(i.id) a (person_id) where a.person_id = $1) as overridable) o
		   where (c.stage is not null or o.overridable)
		     and not stage_passed(i.id, c.stage)
		     and not exists (select from decisions d where d.item_id = i.id and d.stage = c.stage and d.decided_by = $1))
		select r.id as request_id, p.name as requester_name, coalesce(b.name, '') as submitter_name, w.items, w.high_risk, w.names,
		       w.overridable, w.no_approver, w.since,
		       s.label as reason_label, r.created_at, w.asked_at, least(w.expires_at, r.ends_at) as expires_at, r.ends_at, r.ends_on,
		       r.time_zone, coalesce(m.id, 0) as message_id, coalesce(m.terms, '') as terms,
		       coalesce(m.channel, '') as channel, coalesce(m.ts, '') as ts, count(*) over () as total, app_now() as read_at
		  from (select request_id, count(*) as items, count(*) filter (where risk = 'high') as high_risk,
		               count(*) filter (where overridable) as overridable, count(*) filter (where no_approver) as no_approver,
		               coalesce(array_agg(id) filter (where not overridable), array_agg(id)) as ids,
		               min(since) filter (where overridable) as since,
		               min(asked_at) as asked_at, min(expires_at) as expires_at,
		               array_agg(name order by n) filter (where n <= $2) as names
		          from waiting group by request_id) w
		  join access_requests r on r.id = w.request_id
		  join reasons s on s.key = r.reason_key
		  join people p on p.id = r.requester_id
		  left join people b on b.id = r.submitted_by
		  left join lateral (select m.id, m.terms, m.channel, m.ts from slack_messages m
		                      where m.request_id = r.id and m.person_id = $1 and m.kind = 'approval' and m.item_ids && w.ids
		                      order by m.ts <> '' desc, m.id desc limit 1) m on true
		 order by r.id
		 limit $3 offset $4`, personID, namedItems, limit, offset, asked)
	if err != nil {
		return nil, 0, fmt.Errorf("list what waits for person %d: %w", personID, err)
	}
	if len(lines) > 0 {
		total = lines[0].Total
	}
	return lines, total, nil
}

// RequestLine is a request that the reader made, or that a submitter made for them.
type RequestLine struct {
	RequestID int64        `db:"request_id"`
	CreatedAt time.Time    `db:"created_at"`
	EndsAt    sql.NullTime `db:"ends_at"`
	EndsOn    sql.NullTime `db:"ends_on"`
	TimeZone  string       `db:"time_zone"`
	Channel   string       `db:"channel"` // of its card; empty: not sent yet
	TS        string       `db:"ts"`
	ForName   string       `db:"for_name"` // the requester; empty: the reader
	ByName    string       `db:"by_name"`  // the submitter; empty: the reader
	Total     int          `db:"total"`

	Names []string `db:"-"` // of the first few items: application and name
	Items int      `db:"-"`
	// States counts items by state, as if decisions and withdrawals had taken effect already. KindRemovedByHolder and
	// WaitingToBeSetUp are counted apart from Revoked, Approved and Provisioning.
	States map[string]int `db:"-"`
}

// WaitingToBeSetUp counts, in RequestLine.States, approved items with a problem.
const WaitingToBeSetUp = "waiting"

// RequestsOf answers the requests that a person made, or that were made for them, the newest first.
func RequestsOf(ctx context.Context, q Queryer, personID int64, limit, offset int) (lines []RequestLine, total int, err error) {
	err = q.SelectContext(ctx, &lines, `
		select r.id as request_id, r.created_at, r.ends_at, r.ends_on, r.time_zone,
		       coalesce(m.channel, '') as channel, coalesce(m.ts, '') as ts,
		       case when r.requester_id <> $1 then f.name else '' end as for_name,
		       case when r.requester_id = $1 then coalesce(b.name, '') else '' end as by_name,
		       (select count(*) from access_requests where requester_id = $1)
		       + (select count(*) from access_requests where submitted_by = $1) as total
		  from ((select * from access_requests where requester_id = $1 order by id desc limit $2::bigint + $3)
		        union all
		        (select * from access_requests where submitted_by = $1 order by id desc limit $2::bigint + $3)) r
		  join people f on f.id = r.requester_id
		  left join people b on b.id = r.submitted_by
		  left join slack_messages m on m.request_id = r.id and m.person_id = $1 and m.kind = 'card'
		 order by r.id desc
		 limit $2 offset $3`, personID, limit, offset)
	if err != nil {
		return nil, 0, fmt.Errorf("list the requests of person %d: %w", personID, err)
	}
	if len(lines) == 0 {
		return nil, 0, nil
	}
	position, ids := map[int64]int{}, make([]int64, len(lines))
	for i, l := range lines {
		position[l.RequestID], ids[i] = i, l.RequestID
		lines[i].States = map[string]int{}
	}
	var items []struct {
		RequestID int64  `db:"request_id"`
		Name      string `db:"name"`
		State     string `db:"state"`
	}
	// The run may lag behind: decisions and withdrawals show at once.
	err = q.SelectContext(ctx, &items, `
		select i.request_id, a.name || ': ' || e.name as name,
		       case when i.state in ('submitted', 'awaiting_approval', 'approved') and l.id is not null then 'withdrawn'
		            when i.state = 'revoked' and l.kind = 'removed_by_holder' then 'removed_by_holder'
		            when i.state in ('approved', 'provisioning') and i.problem <> '' then 'waiting'
		            when i.state in ('submitted', 'awaiting_approval') and d.outcome = 'deny' then 'denied'
		            when i.state in ('submitted', 'awaiting_approval') and d.outcome = 'approve' then 'approved'
		            else i.state end as state
		  from request_items i
		  join entitlements e on e.id = i.entitlement_id
		  join applications a on a.id = e.application_id
		  left join stop_orders l on l.item_id = i.id
		 cross join lateral (select case when i.state in ('submitted', 'awaiting_approval') then item_outcome(i.id) end as outcome) d
		 where i.request_id = any($1)
		 order by lower(a.name), lower(e.name), i.id`, pq.Array(ids))
	if err != nil {
		return nil, 0, fmt.Errorf("list the items of the requests of person %d: %w", personID, err)
	}
	for _, item := range items {
		l := &lines[position[item.RequestID]]
		l.Items++
		l.States[item.State]++
		if len(l.Names) < namedItems {
			l.Names = append(l.Names, item.Name)
		}
	}
	return lines, lines[0].Total, nil
}

// AccessLine is one reason why the reader has access: a claim that has not ended.
type AccessLine struct {
	ClaimID         int64          `db:"claim_id"`
	ApplicationName string         `db:"application_name"`
	Name            string         `db:"name"`
	Source          string         `db:"source"`     // request, imported or unexpected
	RequestID       sql.NullInt64  `db:"request_id"` // null: no request
	EndsAt          sql.NullTime   `db:"ends_at"`
	EndsOn          sql.NullTime   `db:"ends_on"`
	TimeZone        sql.NullString `db:"time_zone"`
	GrantedAt       sql.NullTime   `db:"granted_at"` // null: being set up
	Leaving         bool           `db:"leaving"`    // revoked, or past its end: being removed
	Total           int            `db:"total"`
}

const selectAccess = `
		select c.id as claim_id, a.name as application_name, e.name, c.source, i.request_id, c.ends_at, r.ends_on,
		       r.time_zone, c.granted_at,
		       not is_live(c) as leaving, count(*) over () as total
		  from claims c
		  join entitlements e on e.id = c.entitlement_id
		  join applications a on a.id = e.application_id
		  left join request_items i on i.id = c.item_id
		  left join access_requests r on r.id = i.request_id
		 where c.person_id = $1 and c.ended_at is null`

// AccessOf answers a person's current access, by application and name.
func AccessOf(ctx context.Context, q Queryer, personID int64, limit, offset int) (lines []AccessLine, total int, err error) {
	return access(ctx, q, personID, selectAccess+`
		 order by lower(a.name), a.id, lower(e.name), c.id limit $2 offset $3`, personID, limit, offset)
}

// RevocableAccess answers the part of a person's current access that the reader may revoke, by application and name.
func RevocableAccess(
	ctx context.Context, q Queryer, personID, readerID int64, limit, offset int,
) (lines []AccessLine, total int, err error) {
	return access(ctx, q, personID, selectAccess+` and `+looksAfter+`
		 order by lower(a.name), a.id, lower(e.name), c.id limit $3 offset $4`, personID, readerID, limit, offset)
}

// RevocableClaim answers one line of RevocableAccess, and its holder. ErrNotFound: it is over; ErrNotAllowed: the reader may not revoke
// it.
func RevocableClaim(ctx context.Context, q Queryer, claimID, readerID int64) (line AccessLine, holder Person, err error) {
	err = mayRevoke(ctx, q, claimID, readerID)
	if err == nil {
		err = q.GetContext(ctx, &holder, selectPerson+` where p.id = (select person_id from claims where id = $1)`, claimID)
	}
	if err != nil {
		return line, holder, fmt.Errorf("find the holder of claim %d: %w", claimID, mapError(err))
	}
	lines, _, err := access(ctx, q, holder.ID, selectAccess+` and c.id = $2`, holder.ID, claimID)
	if err == nil && len(lines) == 0 {
		err = fmt.Errorf("claim %d is over: %w", claimID, ErrNotFound)
	}
	if err != nil {
		return line, holder, err
	}
	return lines[0], holder, nil
}

func access(
	ctx context.Context, q Queryer, personID int64, query string, args ...any,
) (lines []AccessLine, total int, err error) {
	if err := q.SelectContext(ctx, &lines, query, args...); err != nil {
		return nil, 0, fmt.Errorf("list the access of person %d: %w", personID, err)
	}
	if len(lines) > 0 {
		total = lines[0].Total
	}
	return lines, total, nil
}

// Administrators names a few active administrators.
func Administrators(ctx context.Context, q Queryer) ([]string, error) {
	var names []string
	err := q.SelectContext(ctx, &names, `
		select name from people where administrator and is_active(people) order by lower(name), id limit 5`)
	if err != nil {
		return nil, fmt.Errorf("list administrators: %w", err)
	}
	return names, nil
}

// RequestOfItem answers an item's request.
func RequestOfItem(ctx context.Context, q Queryer, itemID int64) (number int64, err error) {
	err = q.GetContext(ctx, &number, `select request_id from request_items where id = $1`, itemID)
	if err != nil {
		return 0, fmt.Errorf("find the request of item %d: %w", itemID, mapError(err))
	}
	return number, nil
}

// RequestOfClaim answers the request and the entitlement of a person's claim. ErrNotFound: it is not theirs, or has no request.
func RequestOfClaim(ctx context.Context, q Queryer, claimID, personID int64) (number, entitlementID int64, err error) {
	var of struct {
		RequestID     int64 `db:"request_id"`
		EntitlementID int64 `db:"entitlement_id"`
	}
	err = q.GetContext(ctx, &of, `
		select i.request_id, c.entitlement_id
		  from claims c join request_items i on i.id = c.item_id where c.id = $1 and c.person_id = $2`, claimID, personID)
	if err != nil {
		return 0, 0, fmt.Errorf("find the request of claim %d: %w", claimID, mapError(err))
	}
	return of.RequestID, of.EntitlementID, nil
}

// pageOf answers the IDs of one page of a query about the person $2, and the total.
func pageOf(
	ctx context.Context, q Queryer, query string, personID int64, limit, offset int,
) (ids pq.Int64Array, total int, err error) {
	var page []struct {
		ID    int64 `db:"id"`
		Total int   `db:"total"`
	}
	if err := q.SelectContext(ctx, &page, query+` limit $1 offset $3`, limit, personID, offset); err != nil {
		return nil, 0, err
	}
	for _, p := range page {
		ids, total = append(ids, p.ID), p.Total
	}
	return ids, total, nil
}
