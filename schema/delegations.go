package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Delegation says who decides on behalf of a person, and when.
type Delegation struct {
	PersonID     int64         `db:"person_id"`
	DelegateID   sql.NullInt64 `db:"delegate_id"` // null: the delegation has ended
	DelegateName string        `db:"delegate_name"`
	StartsAt     time.Time     `db:"starts_at"`
	EndsAt       time.Time     `db:"ends_at"` // exclusive
}

// DelegationOf returns a person's current or future delegation; false: none.
func DelegationOf(ctx context.Context, q Queryer, personID int64) (d Delegation, ok bool, err error) {
	err = q.GetContext(ctx, &d, `
		select d.person_id, d.delegate_id, p.name as delegate_name, d.starts_at, d.ends_at
		  from delegation_of($1) d join people p on p.id = d.delegate_id`, personID)
	if errors.Is(err, sql.ErrNoRows) {
		return d, false, nil
	}
	if err != nil {
		return d, false, fmt.Errorf("find the delegation of person %d: %w", personID, err)
	}
	return d, true, nil
}

// Delegate records who decides on behalf of a person, or ends that. It returns at most 100 requests whose open approvals this
// may move; the sweep signals the others. ErrNotActive: the person or the delegate is not active.
func (db *DB) Delegate(ctx context.Context, d Delegation) (requests []int64, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `
			insert into delegations (person_id, delegate_id, starts_at, ends_at) values ($1, $2, $3, $4)`,
			d.PersonID, d.DelegateID, d.StartsAt, d.EndsAt)
		if err != nil {
			return fmt.Errorf("record the delegation of person %d: %w", d.PersonID, mapError(err))
		}
		err = tx.SelectContext(ctx, &requests, `
			select id from requests_routed_through($1) id order by 1 limit 100`, d.PersonID)
		if err != nil {
			return fmt.Errorf("find the requests that the delegation of person %d moves: %w", d.PersonID, err)
		}
		details := map[string]any{"delegate": d.DelegateID.Int64, "starts_at": d.StartsAt.UTC(), "ends_at": d.EndsAt.UTC()}
		action := DelegationRecorded
		if !d.DelegateID.Valid {
			action, details = DelegationEnded, nil
		}
		return Audit(ctx, tx, Event{Actor: "person", PersonID: d.PersonID, Action: action, Details: details})
	})
	return requests, err
}
