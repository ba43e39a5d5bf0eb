package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Delegation says who decides in a person's place, and when.
type Delegation struct {
	PersonID     int64         `db:"person_id"`
	DelegateID   sql.NullInt64 `db:"delegate_id"` // null: back again
	DelegateName string        `db:"delegate_name"`
	StartsAt     time.Time     `db:"starts_at"`
	EndsAt       time.Time     `db:"ends_at"` // the first instant at which the person decides again
}

// DelegationOf answers what holds or will hold of a person; false: nothing.
func DelegationOf(ctx context.Context, q Queryer, personID int64) (d Delegation, ok bool, err error) {
	err = q.GetContext(ctx, &d, `
		select d.person_id, d.delegate_id, p.name as delegate_name, d.starts_at, d.ends_at
		  from delegation_of($1) d join people p on p.id = d.delegate_id`, personID)
	if errors.Is(err, sql.ErrNoRows) {
		return d, false, nil
	}
	if err != nil {
		return d, false, fmt.Errorf("who decides in the place of person %d: %w", personID, err)
	}
	return d, true, nil
}

// Delegate records who decides in a person's place, or that the person is back. It answers the requests whose open
// approvals this may move, at most 100: the sweep wakes the others. ErrNotActive: one of the two is not active.
func (db *DB) Delegate(ctx context.Context, d Delegation) (requests []int64, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `
			insert into delegations (person_id, delegate_id, starts_at, ends_at) values ($1, $2, $3, $4)`, d.PersonID, d.DelegateID, d.StartsAt, d.EndsAt)
		if err != nil {
			return fmt.Errorf("record who decides in the place of person %d: %w", d.PersonID, refusal(err))
		}
		err = tx.SelectContext(ctx, &requests, `
			select id from requests_routed_through($1) id order by 1 limit 100`, d.PersonID)
		if err != nil {
			return fmt.Errorf("what waits for person %d: %w", d.PersonID, err)
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
