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
	Source        string        `db:"source"` // request, imported, found or birthright
	ItemID        sql.NullInt64 `db:"item_id"`
	EndsAt        sql.NullTime  `db:"ends_at"` // null: no end of its own
	CreatedAt     time.Time     `db:"created_at"`
	GivenAt       sql.NullTime  `db:"given_at"`    // the target was seen to show the access
	ReleasedAt    sql.NullTime  `db:"released_at"` // ordered back before its end
	EndedAt       sql.NullTime  `db:"ended_at"`
	EndReason     string        `db:"end_reason"`
	RemovedAt     sql.NullTime  `db:"removed_at"` // the target was seen without the access afterwards
	DueAt         sql.NullTime  `db:"due_at"`     // when the sweep settles its seat itself; null: nothing to settle
	LookAt        sql.NullTime  `db:"look_at"`    // giving is under way: when to look again whether it is done
}

const selectClaim = `
select c.id, c.person_id, c.account_id, c.entitlement_id, c.source, c.item_id, c.ends_at, c.created_at, c.given_at, c.released_at, c.ended_at, c.end_reason, c.removed_at, c.due_at, c.look_at
  from claims c`

// Live tells whether the claim is a reason to hold its seat at the given instant.
func (c Claim) Live(now time.Time) bool {
	return !c.EndedAt.Valid && !c.ReleasedAt.Valid && (!c.EndsAt.Valid || c.EndsAt.Time.After(now))
}

// Unsettled tells whether the claim is no reason any more and its seat has not been settled since.
func (c Claim) Unsettled(now time.Time) bool {
	return !c.Live(now) && c.DueAt.Valid && !c.RemovedAt.Valid
}

// AlertOverdue records, once a claim, that taking it back is later than after, and makes its request's messages due. It
// answers whether this was the once.
func (db *DB) AlertOverdue(ctx context.Context, claimID int64, after time.Duration, class string) (alerted bool, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		var request sql.NullInt64
		const overdue = ` c.alerted_at is null and c.removed_at is null and c.due_at is not null
			   and least(c.ends_at, c.released_at, c.ended_at) < app_now() - $2 * interval '1 second'`
		err := tx.GetContext(ctx, &request, `
			select i.request_id from claims c left join request_items i on i.id = c.item_id where c.id = $1 and`+overdue, claimID, after.Seconds())
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("whether claim %d is overdue: %w", claimID, err)
		}
		// The request before the claim, as everybody locks them.
		if _, err := tx.ExecContext(ctx, `update access_requests set messages_due_at = app_now() where id = $1`, request); err != nil {
			return fmt.Errorf("tell of claim %d, which is overdue: %w", claimID, err)
		}
		result, err := tx.ExecContext(ctx, `update claims c set alerted_at = app_now() where c.id = $1 and`+overdue, claimID, after.Seconds())
		if err != nil {
			return fmt.Errorf("claim %d is overdue: %w", claimID, err)
		}
		n, err := result.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		alerted = true
		return Audit(ctx, tx, Event{Actor: "worker", Action: "taking back is overdue", Alert: true, ClaimID: claimID, RequestID: request.Int64, Details: map[string]any{"class": class}})
	})
	return alerted, err
}

// RunClaim is what a run that takes one claim back needs to know of it.
type RunClaim struct {
	ItemID      sql.NullInt64 `db:"item_id"`
	RequestID   sql.NullInt64 `db:"request_id"`
	Ordered     bool          `db:"ordered"` // released, past its end, or ended and not settled
	Application string        `db:"application"`
	Entitlement string        `db:"entitlement"`
	Holder      string        `db:"holder"` // e-mail
	HolderID    int64         `db:"holder_id"`
}

// ClaimForRun answers ErrNotFound where there is no such claim.
func ClaimForRun(ctx context.Context, q Queryer, claimID int64) (RunClaim, error) {
	var c RunClaim
	err := q.GetContext(ctx, &c, `
		select c.item_id, i.request_id, a.name as application, e.name as entitlement, p.email as holder, p.id as holder_id,
		       coalesce(c.released_at is not null or c.ended_at is not null or c.ends_at <= app_now(), false) as ordered
		  from claims c
		  join entitlements e on e.id = c.entitlement_id
		  join applications a on a.id = e.application_id
		  join people p on p.id = c.person_id
		  left join request_items i on i.id = c.item_id
		 where c.id = $1`, claimID)
	if err != nil {
		return c, fmt.Errorf("claim %d: %w", claimID, refusal(err))
	}
	return c, nil
}
