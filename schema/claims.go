package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Claim is one reason why a person should hold an entitlement.
type Claim struct {
	ID            int64         `db:"id"`
	PersonID      int64         `db:"person_id"`
	AccountID     int64         `db:"account_id"`
	EntitlementID int64         `db:"entitlement_id"`
	Source        string        `db:"source"` // request, imported, unexpected or correction
	ItemID        sql.NullInt64 `db:"item_id"`
	EndsAt        sql.NullTime  `db:"ends_at"` // null: no end of its own
	CreatedAt     time.Time     `db:"created_at"`
	GrantedAt     sql.NullTime  `db:"granted_at"` // the target showed the access
	RevokedAt     sql.NullTime  `db:"revoked_at"` // a revocation was ordered
	EndedAt       sql.NullTime  `db:"ended_at"`
	EndReason     string        `db:"end_reason"`
	RemovedAt     sql.NullTime  `db:"removed_at"` // the target showed no access after the end
	DueAt         sql.NullTime  `db:"due_at"`     // when the sweep reconciles its assignment itself; null: nothing to reconcile
	CheckAt       sql.NullTime  `db:"check_at"`   // when to check a pending grant; null: it is not pending
	AlertedAt     sql.NullTime  `db:"alerted_at"` // owners and operators were told that removing it is overdue
	Revocable     bool          `db:"revocable"`  // when it was read, nothing had ended it early
	Live          bool          `db:"live"`       // when it was read, it was a reason to hold its assignment
}

const selectClaim = `
select c.id, c.person_id, c.account_id, c.entitlement_id, c.source, c.item_id, c.ends_at, c.created_at,
       c.granted_at, c.revoked_at, c.ended_at, c.end_reason, c.removed_at, c.due_at, c.check_at, c.alerted_at,
       is_revocable(c) as revocable, is_live(c) as live
  from claims c`

// NeedsRevoking reports whether the claim is over and its assignment has not been reconciled since.
func (c Claim) NeedsRevoking() bool { return !c.Live && c.DueAt.Valid && !c.RemovedAt.Valid }

// AlertOverdue records once for each claim that its removal has taken longer than after, and makes its request's messages due.
// It returns whether this call recorded it.
func (db *DB) AlertOverdue(ctx context.Context, claimID int64, after time.Duration, class string) (alerted bool, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		var request sql.NullInt64
		const overdue = ` c.alerted_at is null and c.removed_at is null and c.due_at is not null
			   and least(c.ends_at, c.revoked_at, c.ended_at) < app_now() - $2 * interval '1 second'`
		err := tx.GetContext(ctx, &request, `
			select i.request_id from claims c left join request_items i on i.id = c.item_id where c.id = $1 and`+overdue,
			claimID, after.Seconds())
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("check whether claim %d is overdue: %w", claimID, err)
		}
		// The request before the claim: the order of every transaction that locks both.
		if _, err := tx.ExecContext(ctx, `update access_requests set messages_due_at = app_now() where id = $1`, request); err != nil {
			return fmt.Errorf("make the messages of overdue claim %d due: %w", claimID, err)
		}
		result, err := tx.ExecContext(ctx, `
			update claims c set alerted_at = app_now() where c.id = $1 and`+overdue, claimID, after.Seconds())
		if err != nil {
			return fmt.Errorf("alert that claim %d is overdue: %w", claimID, err)
		}
		n, err := result.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		alerted = true
		return Audit(ctx, tx, Event{Actor: "worker", Action: RevocationOverdue, Alert: true, ClaimID: claimID,
			RequestID: request.Int64, Details: map[string]any{"class": class}})
	})
	return alerted, err
}

// RunClaim is what a run that ends one claim needs to know of it.
type RunClaim struct {
	RequestID   sql.NullInt64 `db:"request_id"` // null: it did not come from a request
	State       string        `db:"state"`      // Revoked, Ended (or past its end); empty: it is live
	Application string        `db:"application"`
	Entitlement string        `db:"entitlement"`
	Holder      string        `db:"holder"` // e-mail
	HolderName  string        `db:"holder_name"`
	HolderID    int64         `db:"holder_id"`
}

// ClaimForRun returns ErrNotFound where there is no such claim.
func ClaimForRun(ctx context.Context, q Queryer, claimID int64) (RunClaim, error) {
	var c RunClaim
	err := q.GetContext(ctx, &c, `
		select i.request_id, a.name as application, e.name as entitlement,
		       p.email as holder, p.name as holder_name, p.id as holder_id,
		       case when is_live(c) then '' when c.revoked_at is not null then 'revoked' else 'ended' end as state
		  from claims c
		  join entitlements e on e.id = c.entitlement_id
		  join applications a on a.id = e.application_id
		  join people p on p.id = c.person_id
		  left join request_items i on i.id = c.item_id
		 where c.id = $1`, claimID)
	if err != nil {
		return c, fmt.Errorf("claim %d: %w", claimID, mapError(err))
	}
	return c, nil
}

// HeldLonger returns the items of a request whose access outlasts the request's end, because another live claim ends later
// or never.
func HeldLonger(ctx context.Context, q Queryer, requestID int64) ([]int64, error) {
	var items []int64
	err := q.SelectContext(ctx, &items, `
		select i.id
		  from request_items i
		  join claims c on c.item_id = i.id
		 where i.request_id = $1
		   and exists (select from claims o where o.account_id = c.account_id and o.entitlement_id = c.entitlement_id and o.id <> c.id
		                  and (o.ends_at is null or o.ends_at > c.ends_at) and is_live(o))`, requestID)
	if err != nil {
		return nil, fmt.Errorf("find what outlasts request %d: %w", requestID, err)
	}
	return items, nil
}

// EndingSoonContent returns the request and the entitlements of an "ending soon" message to its reader; ErrNotFound to anyone
// else.
func EndingSoonContent(
	ctx context.Context,
	q Queryer,
	messageID, readerID int64,
) (requestID int64, entitlements []int64, err error) {
	var named []struct {
		RequestID     int64 `db:"request_id"`
		EntitlementID int64 `db:"entitlement_id"`
	}
	err = q.SelectContext(ctx, &named, `
		select i.request_id, i.entitlement_id
		  from slack_messages m
		  join request_items i on i.request_id = m.request_id and i.id = any(m.item_ids)
		 where m.id = $1 and m.person_id = $2 and m.kind = 'ending_soon'`, messageID, readerID)
	if err == nil && len(named) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read what message %d told person %d: %w", messageID, readerID, err)
	}
	for _, n := range named {
		requestID, entitlements = n.RequestID, append(entitlements, n.EntitlementID)
	}
	return requestID, entitlements, nil
}
