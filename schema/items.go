package schema

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// MoveItems moves items on to a state, and makes their requests and messages due. problem is for people; empty: none.
// Moving to the state that an item already has changes only its problem.
func MoveItems(ctx context.Context, tx Queryer, ids []int64, state, problem string) error {
	_, err := tx.ExecContext(ctx, `
		with moved as (
		    update request_items set state = $2, problem = $3
		     where id = any($1) and (state, problem) is distinct from ($2, $3)
		    returning request_id)
		update access_requests set due_at = app_now(), messages_due_at = app_now() where id in (select request_id from moved)`, pq.Array(ids), state, problem)
	if err != nil {
		return fmt.Errorf("move items %v to %s: %w", ids, state, refusal(err))
	}
	return nil
}

// FailItem ends an item that could not be given, and its claim: the seat is settled once more, in case it was given
// after all. It does nothing to an item that is not being given.
func (db *DB) FailItem(ctx context.Context, itemID int64, problem string) error {
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		var requestID int64
		if err := tx.GetContext(ctx, &requestID, `select request_id from request_items where id = $1`, itemID); err != nil {
			return fmt.Errorf("item %d: %w", itemID, refusal(err))
		}
		if err := LockRequest(ctx, tx, requestID); err != nil {
			return err
		}
		var giving bool
		err := tx.GetContext(ctx, &giving, `
			select i.state in ('approved', 'provisioning') and coalesce(r.ends_at, 'infinity') > app_now()
			       and not exists (select from releases x where x.item_id = i.id)
			  from request_items i join access_requests r on r.id = i.request_id
			 where i.id = $1`, itemID)
		if err != nil {
			return err
		}
		if !giving {
			return nil // it is over, or being taken back: that is what becomes of it
		}
		_, err = tx.ExecContext(ctx, `
			update claims set ended_at = app_now(), end_reason = 'could not be given', due_at = app_now()
			 where item_id = $1 and ended_at is null`, itemID)
		if err != nil {
			return fmt.Errorf("end the claim of item %d: %w", itemID, err)
		}
		if err := MoveItems(ctx, tx, []int64{itemID}, Failed, problem); err != nil {
			return err
		}
		return Audit(ctx, tx, Event{Actor: "worker", Action: "could not be given", Alert: true, RequestID: requestID, ItemID: itemID, Details: map[string]any{"problem": problem}})
	})
}

// SayRetrying tells people that an item is being given with difficulty: the target may be away before there is a claim. It
// changes nothing else.
func (db *DB) SayRetrying(ctx context.Context, itemID int64, problem string) error {
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		// The request before its item, as everybody locks them.
		_, err := tx.ExecContext(ctx, `
			update access_requests set messages_due_at = app_now()
			 where id = (select request_id from request_items where id = $1 and state in ('approved', 'provisioning') and problem <> $2)`, itemID, problem)
		if err != nil {
			return fmt.Errorf("say that item %d is retried: %w", itemID, err)
		}
		if _, err := tx.ExecContext(ctx, `update request_items set problem = $2 where id = $1 and state in ('approved', 'provisioning')`, itemID, problem); err != nil {
			return fmt.Errorf("say that item %d is retried: %w", itemID, err)
		}
		return nil
	})
}
