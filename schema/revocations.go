package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// StopOrder is a recorded order about an item or a claim: a withdrawal stops an item before access is set up, a revocation ends
// access before its end date. Its signal only tells the run to read it.
type StopOrder struct {
	ID         int64         `db:"id"`
	ItemID     sql.NullInt64 `db:"item_id"`
	ClaimID    sql.NullInt64 `db:"claim_id"`  // of a claim that belongs to no item
	PersonID   sql.NullInt64 `db:"person_id"` // null: the person left, or the workflow was cancelled
	PersonName string        `db:"person_name"`
	Kind       string        `db:"kind"`
	Reason     string        `db:"reason"`
	OrderedAt  time.Time     `db:"ordered_at"`
}

// Kinds of orders. KindPersonLeft and KindWorkflowCancelled withdraw an item without a claim, and revoke one with a claim.
const (
	KindWithdrawn         = "withdrawn"
	KindRemovedByHolder   = "removed_by_holder"
	KindRevoked           = "revoked"
	KindPersonLeft        = "person_left"
	KindWorkflowCancelled = "workflow_cancelled"
)

// LatestStopOrder returns the newest withdrawal or revocation by a person of items of a request, and its kind. ErrNotFound: there
// is none.
func LatestStopOrder(ctx context.Context, q Queryer, requestID int64) (r Recorded, err error) {
	err = q.GetContext(ctx, &r, `
		with latest as (
		    select o.person_id, o.kind, o.xmin as recorded_in
		      from request_items i join stop_orders o on o.item_id = i.id
		     where i.request_id = $1 and o.person_id is not null
		     order by o.id desc limit 1)
		select p.id as person_id, p.email as person, count(*) as items, l.kind as what
		  from latest l
		  join people p on p.id = l.person_id
		  join request_items i on i.request_id = $1
		  join stop_orders o on o.item_id = i.id and o.person_id = l.person_id and o.xmin = l.recorded_in -- the same transaction
		 group by p.id, l.kind`, requestID)
	if err != nil {
		return r, fmt.Errorf("latest withdrawal or revocation in request %d: %w", requestID, mapError(err))
	}
	return r, nil
}

// Withdraw records that the requester or submitter withdraws every item that has no claim yet and was not denied, and
// returns those items.
func (db *DB) Withdraw(ctx context.Context, requestID, personID int64) (items []int64, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := LockRequest(ctx, tx, requestID); err != nil {
			return err
		}
		err := tx.SelectContext(ctx, &items, `
			insert into stop_orders (item_id, person_id, kind)
			select i.id, $2, $3
			  from request_items i
			 where i.request_id = $1 and may_be_withdrawn(i)
			returning item_id`, requestID, personID, KindWithdrawn)
		if err != nil {
			return fmt.Errorf("withdraw request %d: %w", requestID, mapError(err))
		}
		if len(items) == 0 {
			return nil
		}
		return Audit(ctx, tx, Event{Actor: "person", PersonID: personID, Action: WithdrawalRecorded, RequestID: requestID,
			Details: map[string]any{"kind": KindWithdrawn, "items": items}})
	})
	return items, err
}

// RemoveAccess records that the holder ends their access before its end date. It returns the claim as it was before; a second
// order changes nothing.
func (db *DB) RemoveAccess(ctx context.Context, claimID, personID int64) (claim Claim, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := tx.GetContext(ctx, &claim, selectClaim+` where c.id = $1 and c.person_id = $2`, claimID, personID); err != nil {
			return fmt.Errorf("claim %d of person %d: %w", claimID, personID, mapError(err))
		}
		if !claim.Revocable {
			return nil
		}
		return recordRevocation(ctx, tx, claim, KindRemovedByHolder, sql.NullInt64{Int64: personID, Valid: true}, "")
	})
	return claim, err
}

// recordRevocation does nothing where there is an order already. A null person: the worker's own order.
func recordRevocation(ctx context.Context, tx *sqlx.Tx, claim Claim, kind string, person sql.NullInt64, reason string) error {
	claimID := sql.NullInt64{Int64: claim.ID, Valid: !claim.ItemID.Valid}
	var requestID int64
	err := tx.GetContext(ctx, &requestID, `
		insert into stop_orders (item_id, claim_id, person_id, kind, reason) values ($1, $2, $3, $4, $5)
		    on conflict do nothing
		returning coalesce((select i.request_id from request_items i where i.id = stop_orders.item_id), 0)`,
		claim.ItemID, claimID, person, kind, reason)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("record the revocation of claim %d: %w", claim.ID, mapError(err))
	}
	actor := "worker"
	if person.Valid {
		actor = "person"
	}
	return Audit(ctx, tx, Event{Actor: actor, PersonID: person.Int64, Action: RevocationRecorded, RequestID: requestID,
		ItemID: claim.ItemID.Int64, ClaimID: claim.ID, Details: map[string]any{"kind": kind, "reason": reason}})
}

// looksAfter: the person $2 looks after the entitlement e. Unlike may_administer, it is part of the query's plan.
const looksAfter = `exists (select from entitlement_owner_people(e.id) o where o.person_id = $2)`

// RevokeAccess records that an owner or administrator ends a claim's access at once, and why. It returns the claim as it was
// before; a second order changes nothing. ErrNotAllowed: the claim is not theirs to revoke, or they are not active.
func (db *DB) RevokeAccess(ctx context.Context, claimID, personID int64, reason string) (claim Claim, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := tx.GetContext(ctx, &claim, selectClaim+` where c.id = $1`, claimID); err != nil {
			return fmt.Errorf("claim %d: %w", claimID, mapError(err))
		}
		if err := mayRevoke(ctx, tx, claimID, personID); err != nil {
			return err
		}
		if !claim.Revocable {
			return nil
		}
		return recordRevocation(ctx, tx, claim, KindRevoked, sql.NullInt64{Int64: personID, Valid: true}, reason)
	})
	if err != nil && isRefused(err) {
		return claim, errors.Join(
			err,
			Audit(ctx, db, Event{Actor: "slackapp", PersonID: personID, Action: RevocationRefused, Alert: true,
				ClaimID: claimID, Details: map[string]any{"why": err.Error()}}),
		)
	}
	return claim, err
}

// mayRevoke returns ErrNotAllowed where a claim is not a person's to revoke, and ErrNotFound where there is none.
func mayRevoke(ctx context.Context, q Queryer, claimID, personID int64) error {
	var may bool
	err := q.GetContext(ctx, &may, `
		select `+looksAfter+` from claims c join entitlements e on e.id = c.entitlement_id where c.id = $1`,
		claimID, personID)
	if err != nil {
		return fmt.Errorf("find owners of claim %d: %w", claimID, mapError(err))
	}
	if !may {
		return fmt.Errorf("claim %d is not for person %d to revoke: %w", claimID, personID, ErrNotAllowed)
	}
	return nil
}
