package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Release is an order to stop asking for an item, or to revoke access .
type Release struct {
	ID         int64         `db:"id"`
	ItemID     sql.NullInt64 `db:"item_id"`
	ClaimID    sql.NullInt64 `db:"claim_id"`
	PersonID   sql.NullInt64 `db:"person_id"` // null: no one pressed anything
	PersonName string        `db:"person_name"`
	Kind       string        `db:"kind"` // withdrawn, removed_by_holder, revoked, left or cancelled
	Reason     string        `db:"reason"`
	RevokedAt  time.Time     `db:"revoked_at"`
}

// Kinds of release.
const (
	WithdrawnByRequester  = "withdrawn"
	KindRemovedByHolder   = "removed_by_holder"
	KindRevoked           = "revoked"
	KindPersonLeft        = "left"
	KindWorkflowCancelled = "cancelled"
)

// Withdraw records that the requester no longer asks for what is not being granted yet, and answers those items. None:
// everything is decided or given already.
func (db *DB) Withdraw(ctx context.Context, requestID, personID int64) (items []int64, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := LockRequest(ctx, tx, requestID); err != nil {
			return err
		}
		err := tx.SelectContext(ctx, &items, `
			insert into releases (item_id, person_id, kind)
			select i.id, $2, 'withdrawn'
			  from request_items i
			 where i.request_id = $1 and i.state in ('submitted', 'awaiting_approval', 'approved')
			   and not exists (select from releases r where r.item_id = i.id)
			   and not exists (select from decisions d where d.item_id = i.id and d.outcome = 'deny')
			   and not exists (select from claims c where c.item_id = i.id)
			returning item_id`, requestID, personID)
		if err != nil {
			return fmt.Errorf("withdraw request %d: %w", requestID, refusal(err))
		}
		if len(items) == 0 {
			return nil
		}
		return Audit(ctx, tx, Event{Actor: "person", PersonID: personID, Action: "withdrawn", RequestID: requestID, Details: map[string]any{"items": items}})
	})
	return items, err
}

// RemoveAccess records that the holder removes access  before its end. It answers the released claim; pressing twice is
// one release.
func (db *DB) RemoveAccess(ctx context.Context, claimID, personID int64) (claim Claim, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := tx.GetContext(ctx, &claim, selectClaim+` where c.id = $1 and c.person_id = $2`, claimID, personID); err != nil {
			return fmt.Errorf("claim %d of person %d: %w", claimID, personID, refusal(err))
		}
		if claim.RevokedAt.Valid || claim.EndedAt.Valid {
			return nil
		}
		return release(ctx, tx, []Claim{claim}, KindRemovedByHolder, sql.NullInt64{Int64: personID, Valid: true}, "")
	})
	return claim, err
}

// release orders claims back. Those that are released already, are left alone.
func release(ctx context.Context, tx *sqlx.Tx, claims []Claim, kind string, person sql.NullInt64, reason string) error {
	var items, others []int64
	for _, c := range claims {
		if c.ItemID.Valid {
			items = append(items, c.ItemID.Int64)
		} else {
			others = append(others, c.ID)
		}
	}
	var recorded []struct {
		ItemID    int64 `db:"item_id"`
		ClaimID   int64 `db:"claim_id"`
		RequestID int64 `db:"request_id"`
	}
	err := tx.SelectContext(ctx, &recorded, `
		insert into releases (item_id, claim_id, person_id, kind, reason)
		select t.item_id, t.claim_id, $3, $4, $5
		  from (select unnest($1::bigint[]) as item_id, null::bigint as claim_id
		        union all
		        select null, unnest($2::bigint[])) t
		    on conflict do nothing
		returning coalesce(item_id, 0) as item_id, coalesce(claim_id, (select c.id from claims c where c.item_id = releases.item_id), 0) as claim_id,
		          coalesce((select i.request_id from request_items i where i.id = releases.item_id), 0) as request_id`, pq.Array(items), pq.Array(others), person, kind, reason)
	if err != nil {
		return fmt.Errorf("record the release: %w", refusal(err))
	}
	var events []Event
	for _, r := range recorded {
		events = append(events, Event{Actor: actorOf(person), PersonID: person.Int64, Action: "released: " + kind,
			RequestID: r.RequestID, ItemID: r.ItemID, ClaimID: r.ClaimID, Details: map[string]any{"reason": reason}})
	}
	return Audit(ctx, tx, events...)
}

func actorOf(person sql.NullInt64) string {
	if person.Valid {
		return "person"
	}
	return "worker"
}

// looksAfter: the person $2 owns the entitlement e or its application, or is an administrator.
const looksAfter = `(exists (select from people me where me.id = $2 and me.administrator)
		    or exists (select from entitlement_owners o where o.entitlement_id = e.id and o.person_id = $2)
		    or exists (select from application_owners o where o.application_id = e.application_id and o.person_id = $2))`

// RevokeAccess records that someone who looks after what a claim grants, or the manager to whom it was listed after a job change,
// revokes it  at once, and why. It answers the released claim; ErrNotAllowed: it is not theirs to revoke; ErrNotActive:
// they are not active; pressing twice is one release.
func (db *DB) RevokeAccess(ctx context.Context, claimID, personID int64, reason string) (claim Claim, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := tx.GetContext(ctx, &claim, selectClaim+` where c.id = $1`, claimID); err != nil {
			return fmt.Errorf("claim %d: %w", claimID, refusal(err))
		}
		if err := mayRevoke(ctx, tx, claimID, personID); err != nil {
			return err
		}
		if claim.RevokedAt.Valid || claim.EndedAt.Valid {
			return nil
		}
		return release(ctx, tx, []Claim{claim}, KindRevoked, sql.NullInt64{Int64: personID, Valid: true}, reason)
	})
	if err != nil && isRefusal(err) {
		return claim, errors.Join(err, AuditRevocationRefused(ctx, db, claimID, personID, err))
	}
	return claim, err
}

// mayRevoke answers ErrNotAllowed where a claim is not a person's to revoke, and ErrNotFound where there is none.
func mayRevoke(ctx context.Context, q Queryer, claimID, personID int64) error {
	var may bool
	err := q.GetContext(ctx, &may, `select `+looksAfter+` or `+listedToManager+` from claims c join entitlements e on e.id = c.entitlement_id where c.id = $1`, claimID, personID)
	if err != nil {
		return fmt.Errorf("who looks after claim %d: %w", claimID, refusal(err))
	}
	if !may {
		return fmt.Errorf("claim %d is not for person %d to revoke: %w", claimID, personID, ErrNotAllowed)
	}
	return nil
}

// AuditRevocationRefused records that someone tried to revoke what is not theirs to.
func AuditRevocationRefused(ctx context.Context, q Queryer, claimID, personID int64, why error) error {
	return Audit(ctx, q, Event{Actor: "slackapp", PersonID: personID, Action: "revoking refused", Alert: true, ClaimID: claimID, Details: map[string]any{"why": why.Error()}})
}
