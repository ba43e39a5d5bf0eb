package schema

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Assignment is an account and an object in one target. Several claims may share it.
type Assignment struct {
	AccountID     int64  `db:"account_id"`
	EntitlementID int64  `db:"entitlement_id"`
	PersonID      int64  `db:"person_id"`
	Connector     string `db:"connector"` // the kind of target
	Instance      string `db:"instance"`
	Account       string `db:"account"` // the target's name for it
	Object        string `db:"object"`  // the target's name for it
}

// String names the assignment in logs, in the target's own words.
func (s Assignment) String() string {
	return fmt.Sprintf("%s on %s in %s", s.Account, s.Object, s.Instance)
}

const selectAssignment = `
select a.id as account_id, e.id as entitlement_id, a.person_id, p.connector, e.instance, a.account, e.target as object
  from %s x
  join accounts a on a.id = x.account_id
  join entitlements e on e.id = x.entitlement_id
  join applications p on p.id = e.application_id
 where x.id = $1`

// AssignmentOfItem returns the assignment of a request's item.
func AssignmentOfItem(ctx context.Context, q Queryer, itemID int64) (Assignment, error) {
	var s Assignment
	if err := q.GetContext(ctx, &s, fmt.Sprintf(selectAssignment, "request_items"), itemID); err != nil {
		return s, fmt.Errorf("find the assignment of item %d: %w", itemID, mapError(err))
	}
	return s, nil
}

// AssignmentOfClaim returns the assignment of a claim.
func AssignmentOfClaim(ctx context.Context, q Queryer, claimID int64) (Assignment, error) {
	var s Assignment
	if err := q.GetContext(ctx, &s, fmt.Sprintf(selectAssignment, "claims"), claimID); err != nil {
		return s, fmt.Errorf("find the assignment of claim %d: %w", claimID, mapError(err))
	}
	return s, nil
}

// Lock returns the lock under which the target is changed.
func (s Assignment) Lock() Lock {
	return Lock(fmt.Sprintf("assignment:%d:%d", s.AccountID, s.EntitlementID))
}

// Plan is what an assignment's claims require.
type Plan struct {
	Want bool `db:"want"` // it should be held: a claim is live
	Ours bool `db:"ours"` // we may change it: a claim is live, or over without its removal being confirmed
}

// PlanAssignment decides under the assignment's lock, from the claims alone, what to do. held is what the target just showed.
// Items with a proven approval become claims here, before anything changes in the target. An item without proof fails, and
// the others continue.
func PlanAssignment(ctx context.Context, conn *sqlx.Conn, s Assignment, held bool) (Plan, error) {
	tx, err := conn.BeginTxx(ctx, nil)
	if err != nil {
		return Plan{}, fmt.Errorf("plan the assignment of %s: %w", s, err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after a commit, and another error is returned already
	l, err := lockAssignment(ctx, tx, s)
	if err != nil {
		return Plan{}, err
	}
	if err := l.promoteItems(ctx, tx, held); err != nil {
		return Plan{}, fmt.Errorf("grant %s: %w", s, err)
	}
	plan, err := l.plan(ctx, tx)
	if err != nil {
		return Plan{}, err
	}
	if err := tx.Commit(); err != nil {
		return Plan{}, fmt.Errorf("plan the assignment of %s: %w", s, err)
	}
	return plan, nil
}

// lockedAssignment is an assignment whose claims, and the requests with open items for it, do not change until the end of the
// transaction.
type lockedAssignment struct {
	Assignment
	requests pq.Int64Array
	now      time.Time // used by every statement: an end between two of them would be lost
}

// lockAssignment locks requests, lowest number first, then claims: the order of every transaction that locks both.
func lockAssignment(ctx context.Context, tx *sqlx.Tx, s Assignment) (lockedAssignment, error) {
	l := lockedAssignment{Assignment: s}
	err := tx.SelectContext(ctx, &l.requests, `
		select id from access_requests
		 where id in (select i.request_id from request_items i
		               where i.account_id = $1 and i.entitlement_id = $2
		                 and i.state in ('submitted', 'awaiting_approval', 'approved', 'provisioning')
		              union
		              select i.request_id from claims c join request_items i on i.id = c.item_id
		               where c.account_id = $1 and c.entitlement_id = $2 and c.removed_at is null)
		 order by id for update`, s.AccountID, s.EntitlementID)
	if err != nil {
		return l, fmt.Errorf("lock the requests of %s: %w", s, err)
	}
	_, err = tx.ExecContext(ctx, `
		select from claims where account_id = $1 and entitlement_id = $2 and removed_at is null order by id for update`,
		s.AccountID, s.EntitlementID)
	if err != nil {
		return l, fmt.Errorf("lock the claims of %s: %w", s, err)
	}
	if l.now, err = Now(ctx, tx); err != nil {
		return l, fmt.Errorf("lock the assignment of %s: %w", s, err)
	}
	return l, nil
}

// plan is the only definition of this rule: an assignment should be held while any claim on it is live. Access that no claim
// explains is not ours to remove; a claim that is due explains it (see MarkDoubtful).
func (l lockedAssignment) plan(ctx context.Context, tx *sqlx.Tx) (p Plan, err error) {
	err = tx.GetContext(ctx, &p, `
		select coalesce(bool_or(is_live(claims, $3)), false) as want,
		       coalesce(bool_or(removed_at is null or due_at is not null), false) as ours
		  from claims where account_id = $1 and entitlement_id = $2`, l.AccountID, l.EntitlementID, l.now)
	if err != nil {
		return p, fmt.Errorf("read the claims of %s: %w", l.Assignment, err)
	}
	return p, nil
}

// secondLook is how long after the end of a claim that was never seen given its assignment is looked at once more.
const secondLook = 5 * time.Minute

// sweepAfter is how long after the end a claim's run has before the sweep reconciles the assignment.
const sweepAfter = 2 * time.Minute

// promoteItems turns the assignment's approved items into claims, each on the proof of its stored decisions. An item whose
// request is not locked was submitted a moment ago, and has an attempt of its own.
func (l lockedAssignment) promoteItems(ctx context.Context, tx *sqlx.Tx, held bool) error {
	var approved []struct {
		ID        int64        `db:"id"`
		RequestID int64        `db:"request_id"`
		EndsAt    sql.NullTime `db:"ends_at"`
		Refused   ProblemCode  `db:"refused"` // or revoked, or past_end, which Advance handles
	}
	// The first reason that applies. The trigger on claims checks most of this again.
	err := tx.SelectContext(ctx, &approved, `
		select i.id, i.request_id, least(d.ends_at, r.ends_at) as ends_at,
		       case when item_outcome(i.id) is distinct from 'approve' then 'not_approved'
		            when x.id is not null                              then 'revoked'
		            when not d.same_terms                              then 'request_changed'
		            when coalesce(least(d.ends_at, r.ends_at), 'infinity') <= $4 then 'past_end'
		            when not is_active(p) then 'requester_inactive'
		            when e.gone_at is not null then 'not_requestable'
		            when a.person_id <> r.requester_id                then 'account_of_other_person'
		            when a.instance <> e.instance                     then 'account_elsewhere'
		            else '' end as refused
		  from request_items i
		  join access_requests r on r.id = i.request_id
		  join people p on p.id = r.requester_id
		  join accounts a on a.id = i.account_id
		  join entitlements e on e.id = i.entitlement_id
		  left join stop_orders x on x.item_id = i.id
		 cross join lateral (
		       select min(d.ends_at) as ends_at, bool_and(d.terms = request_terms(r.id)) as same_terms
		         from decisions d where d.item_id = i.id) d
		 where i.account_id = $1 and i.entitlement_id = $2 and i.state = 'approved' and i.request_id = any($3)
		 order by i.id`, l.AccountID, l.EntitlementID, l.requests, l.now)
	if err != nil {
		return err
	}
	found := false
	for _, item := range approved {
		if item.Refused == "" {
			if item.Refused, err = unproven(ctx, tx, item.ID); err != nil {
				return err
			}
		}
		switch item.Refused {
		case "":
		case "revoked", "past_end":
			continue
		default:
			if err := MoveItems(ctx, tx, []int64{item.ID}, Failed, Problem{Code: item.Refused}); err != nil {
				return err
			}
			err := Audit(ctx, tx, Event{Actor: "worker", Action: ProvisioningRefused, Alert: true,
				RequestID: item.RequestID, ItemID: item.ID, Details: map[string]any{"problem": item.Refused}})
			if err != nil {
				return err
			}
			continue
		}
		if held && !found {
			if err := l.claimUnexpected(ctx, tx, item.RequestID, item.ID); err != nil {
				return err
			}
			found = true
		}
		var claimID int64
		err := tx.GetContext(ctx, &claimID, `
			insert into claims (person_id, account_id, entitlement_id, source, item_id, ends_at, due_at)
			values ($1, $2, $3, 'request', $4, $5::timestamptz, $5::timestamptz + $6::interval)
			returning id`, l.PersonID, l.AccountID, l.EntitlementID, item.ID, item.EndsAt, sweepAfter.String())
		if err != nil {
			return mapError(err)
		}
		if err := MoveItems(ctx, tx, []int64{item.ID}, Provisioning, Problem{}); err != nil {
			return err
		}
		err = Audit(ctx, tx, Event{Actor: "worker", Action: ClaimCreated, RequestID: item.RequestID, ItemID: item.ID, ClaimID: claimID,
			Details: map[string]any{"assignment": l.String(), "held_before": held}})
		if err != nil {
			return err
		}
	}
	return nil
}

// claimUnexpected records access that existed before the claim and that no other claim explains: it is not ours to remove.
func (l lockedAssignment) claimUnexpected(ctx context.Context, tx *sqlx.Tx, requestID, itemID int64) error {
	var claimID int64
	err := tx.GetContext(ctx, &claimID, `
		insert into claims (person_id, account_id, entitlement_id, source, unexpected_for, granted_at)
		select $1, $2, $3, 'unexpected', $4, app_now()
		 where not exists (select from claims
		                    where account_id = $2 and entitlement_id = $3 and (removed_at is null or due_at is not null))
		returning id`, l.PersonID, l.AccountID, l.EntitlementID, itemID)
	if err = mapError(err); err == ErrNotFound { //nolint:errorlint // mapError returns it as it is
		return nil
	} else if err != nil {
		return err
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: AccessFound, Alert: true, RequestID: requestID,
		ItemID: itemID, ClaimID: claimID, Details: map[string]any{"assignment": l.String()}})
}

// RecordAssignment records what the target showed after the change. It returns false, and records nothing, if the claims
// changed in the meantime: reconcile again.
func RecordAssignment(ctx context.Context, conn *sqlx.Conn, s Assignment, held bool) (recorded bool, err error) {
	tx, err := conn.BeginTxx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("record the assignment of %s: %w", s, err)
	}
	defer tx.Rollback() //nolint:errcheck // as above
	l, err := lockAssignment(ctx, tx, s)
	if err != nil {
		return false, err
	}
	plan, err := l.plan(ctx, tx)
	if err != nil {
		return false, err
	}
	if plan.Want != held {
		return false, nil
	}
	if err := l.recordGranted(ctx, tx); err != nil {
		return false, fmt.Errorf("record what was granted to %s: %w", s, err)
	}
	if err := l.recordEnded(ctx, tx, held); err != nil {
		return false, fmt.Errorf("record what ended for %s: %w", s, err)
	}
	if err := tx.Commit(); err != nil {
		return false, fmt.Errorf("record the assignment of %s: %w", s, err)
	}
	return true, nil
}

// How often a pending grant is checked: first after firstCheck, then less often, at least every maxCheck.
const (
	firstCheck = time.Minute
	maxCheck   = time.Hour
)

// RecordWaiting records that a grant is pending, what it waits for, and when to check again: not before checkAfter, which the
// target asked for.
func RecordWaiting(ctx context.Context, conn *sqlx.Conn, s Assignment, waitsFor Problem, checkAfter time.Duration) error {
	tx, err := conn.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("record that %s waits: %w", s, err)
	}
	defer tx.Rollback() //nolint:errcheck // as above
	l, err := lockAssignment(ctx, tx, s)
	if err != nil {
		return err
	}
	var waiting []struct {
		ClaimID   int64         `db:"id"`
		ItemID    sql.NullInt64 `db:"item_id"`
		RequestID sql.NullInt64 `db:"request_id"`
		Checks    int           `db:"checks"`
	}
	err = tx.SelectContext(ctx, &waiting, `
		update claims c
		   set checks = c.checks + 1,
		       check_at = $3::timestamptz + greatest($4::interval, backoff(c.checks, $5, $6))
		  from claims o left join request_items i on i.id = o.item_id
		 where o.id = c.id and c.account_id = $1 and c.entitlement_id = $2 and c.granted_at is null
		   and is_live(c, $3)
		returning c.id, c.item_id, i.request_id, c.checks`,
		l.AccountID, l.EntitlementID, l.now, checkAfter.String(), firstCheck.String(), maxCheck.String())
	if err != nil {
		return fmt.Errorf("record that %s waits: %w", s, err)
	}
	for _, w := range waiting {
		if w.ItemID.Valid {
			if err := MoveItems(ctx, tx, []int64{w.ItemID.Int64}, Provisioning, waitsFor); err != nil {
				return err
			}
		}
		if w.Checks > 1 {
			continue
		}
		err := Audit(ctx, tx, Event{Actor: "worker", Action: ProvisioningAccepted, RequestID: w.RequestID.Int64,
			ItemID: w.ItemID.Int64, ClaimID: w.ClaimID,
			Details: map[string]any{"assignment": s.String(), "waits_for": waitsFor.Code, "details": waitsFor.Details}})
		if err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("record that %s waits: %w", s, err)
	}
	return nil
}

// ClaimAge returns how long ago an item got its claim; zero: it has none.
func ClaimAge(ctx context.Context, q Queryer, itemID int64) (time.Duration, error) {
	var seconds float64
	err := q.GetContext(ctx, &seconds, `
		select coalesce((select extract(epoch from app_now() - created_at) from claims where item_id = $1), 0)::float8`, itemID)
	if err != nil {
		return 0, fmt.Errorf("read how long item %d has waited: %w", itemID, err)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// recordGranted makes the assignment's live claims active. There are live claims only where it is held.
func (l lockedAssignment) recordGranted(ctx context.Context, tx *sqlx.Tx) error {
	var granted []struct {
		ClaimID   int64         `db:"id"`
		ItemID    sql.NullInt64 `db:"item_id"`
		RequestID sql.NullInt64 `db:"request_id"`
	}
	err := tx.SelectContext(ctx, &granted, `
		update claims c set granted_at = $3
		  from claims o left join request_items i on i.id = o.item_id
		 where o.id = c.id and c.account_id = $1 and c.entitlement_id = $2 and c.granted_at is null
		   and is_live(c, $3)
		returning c.id, c.item_id, i.request_id`, l.AccountID, l.EntitlementID, l.now)
	if err != nil {
		return err
	}
	for _, g := range granted {
		if g.ItemID.Valid {
			if err := MoveItems(ctx, tx, []int64{g.ItemID.Int64}, Active, Problem{}); err != nil {
				return err
			}
		}
		err := Audit(ctx, tx, Event{Actor: "worker", Action: AccessGranted, RequestID: g.RequestID.Int64,
			ItemID: g.ItemID.Int64, ClaimID: g.ClaimID, Details: map[string]any{"assignment": l.String()}})
		if err != nil {
			return err
		}
	}
	if len(granted) == 0 {
		return nil
	}
	return markOutagesDue(ctx, tx, l.EntitlementID)
}

// recordEnded ends the assignment's claims that are over, and if the target shows no access, confirms the removal of all that
// ended.
func (l lockedAssignment) recordEnded(ctx context.Context, tx *sqlx.Tx, held bool) error {
	var ended []struct {
		ClaimID   int64          `db:"id"`
		ItemID    sql.NullInt64  `db:"item_id"`
		RequestID sql.NullInt64  `db:"request_id"`
		State     sql.NullString `db:"state"`
		Revoked   bool           `db:"revoked"`
		Granted   bool           `db:"granted"` // the target once showed it
		Problem   Problem        `db:"problem"`
		JustEnded bool           `db:"just_ended"`
		LateBy    float64        `db:"late_by"` // seconds past its end or revocation
		Why       string         `db:"end_reason"`
	}
	// The target was just read, so nothing is in doubt.
	_, err := tx.ExecContext(ctx, `
		update claims set due_at = null, attempts = 0
		 where account_id = $1 and entitlement_id = $2 and removed_at is not null and due_at is not null`, l.AccountID, l.EntitlementID)
	if err != nil {
		return err
	}
	err = tx.SelectContext(ctx, &ended, `
		update claims c
		   set ended_at   = coalesce(c.ended_at, $4),
		       end_reason = case when c.ended_at is not null then c.end_reason
		                         when c.revoked_at is not null then 'revoked' else 'end reached' end,
		       removed_at = case when $3 then null else $4::timestamptz end,
		       -- Never seen granted: the answer to a grant may have been lost, and its effect still arrive.
		       due_at     = case when not $3 and c.granted_at is null and c.item_id is not null then $4::timestamptz + $5::interval end,
		       attempts   = 0
		  from claims o left join request_items i on i.id = o.item_id
		 where o.id = c.id and c.account_id = $1 and c.entitlement_id = $2 and c.removed_at is null
		   and not is_live(c, $4)
		   and (c.ended_at is null or c.due_at is not null or not $3)
		returning c.id, c.item_id, i.request_id, i.state, c.revoked_at is not null as revoked, c.granted_at is not null as granted,
		          coalesce(i.problem, '') as "problem.code", coalesce(i.problem_details, '{}') as "problem.details",
		          o.ended_at is null as just_ended, c.end_reason,
		          extract(epoch from $4 - least(c.revoked_at, c.ends_at, o.ended_at)) as late_by`,
		l.AccountID, l.EntitlementID, held, l.now, secondLook.String())
	if err != nil {
		return err
	}
	var changed []int64 // requests whose messages change, also where the item was over before
	for _, e := range ended {
		if e.RequestID.Valid {
			changed = append(changed, e.RequestID.Int64)
		}
		if state := e.State.String; e.ItemID.Valid && (state == Provisioning || state == Active) {
			var err error
			switch {
			case e.Revoked:
				err = MoveItems(ctx, tx, []int64{e.ItemID.Int64}, Revoked, Problem{})
			case e.Granted:
				err = MoveItems(ctx, tx, []int64{e.ItemID.Int64}, Ended, Problem{})
			case e.JustEnded: // its end passed before the target showed it
				err = FailedItem(ctx, tx, e.RequestID.Int64, e.ItemID.Int64, e.Problem.Became(EndPassed))
			default: // see FailItem
				err = FailedItem(ctx, tx, e.RequestID.Int64, e.ItemID.Int64, e.Problem)
			}
			if err != nil {
				return err
			}
		}
		action := AccessRevoked
		if held {
			action = AccessKept
		}
		err := Audit(ctx, tx, Event{Actor: "worker", Action: action, RequestID: e.RequestID.Int64,
			ItemID: e.ItemID.Int64, ClaimID: e.ClaimID,
			Details: map[string]any{"assignment": l.String(), "why": e.Why, "late_by_seconds": e.LateBy}})
		if err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `
		update access_requests set messages_due_at = app_now() where id = any($1)`, pq.Array(changed))
	return err
}

// MarkDoubtful makes an assignment due for the sweep. An attempt that lost the assignment's lock may have changed the target
// after another attempt changed and recorded it.
func MarkDoubtful(ctx context.Context, q Queryer, s Assignment) error {
	_, err := q.ExecContext(ctx, `
		update claims set due_at = app_now()
		 where id = (select max(id) from claims where account_id = $1 and entitlement_id = $2)`, s.AccountID, s.EntitlementID)
	if err != nil {
		return fmt.Errorf("mark the assignment of %s doubtful: %w", s, err)
	}
	return nil
}
