package schema

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// MoveItems moves items to a state and sets their problem (zero: none), and makes their requests and messages due. For an item
// in that state already it changes only the problem.
func MoveItems(ctx context.Context, tx Queryer, ids []int64, state string, problem Problem) error {
	_, err := tx.ExecContext(ctx, `
		with moved as (
		    update request_items set state = $5, `+setProblem+`
		     where id = any($1) and (state, problem, problem_details) is distinct from ($5, $2, $3::jsonb)
		    returning request_id)
		update access_requests set due_at = app_now(), messages_due_at = app_now() where id in (select request_id from moved)`,
		pq.Array(ids), problem.Code, problem.Details, pq.Array(targetProblems), state)
	if err != nil {
		return fmt.Errorf("move items %v to %s: %w", ids, state, mapError(err))
	}
	return nil
}

// FailItem ends an item that cannot be set up, and its claim. inDoubt says that the target could not be read: then an item with a
// claim fails only once the target shows no access (see RecordAssignment). It does nothing to an item that is not being set up.
func (db *DB) FailItem(ctx context.Context, itemID int64, problem Problem, inDoubt bool) error {
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		var requestID int64
		if err := tx.GetContext(ctx, &requestID, `select request_id from request_items where id = $1`, itemID); err != nil {
			return fmt.Errorf("item %d: %w", itemID, mapError(err))
		}
		if err := LockRequest(ctx, tx, requestID); err != nil {
			return err
		}
		granting, err := GrantingOf(ctx, tx, itemID)
		if err != nil || granting.Over {
			return err // it is over, or being revoked
		}
		ended, err := tx.ExecContext(ctx, `
			update claims set ended_at = app_now(), end_reason = 'could not be granted', due_at = app_now()
			 where item_id = $1 and ended_at is null`, itemID)
		if err != nil {
			return fmt.Errorf("end the claim of item %d: %w", itemID, err)
		}
		claims, err := ended.RowsAffected()
		if err != nil {
			return err
		}
		if inDoubt && claims > 0 {
			return MoveItems(ctx, tx, []int64{itemID}, Provisioning, problem)
		}
		return FailedItem(ctx, tx, requestID, itemID, problem)
	})
}

// FailedItem records that an item could not be set up, and why.
func FailedItem(ctx context.Context, tx Queryer, requestID, itemID int64, problem Problem) error {
	if err := MoveItems(ctx, tx, []int64{itemID}, Failed, problem); err != nil {
		return err
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: ProvisioningFailed, Alert: true, RequestID: requestID, ItemID: itemID,
		Details: map[string]any{"problem": problem.Code, "details": problem.Details}})
}
