package schema

import (
	"database/sql"
	"time"
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
}

const selectClaim = `
select c.id, c.person_id, c.account_id, c.entitlement_id, c.source, c.item_id, c.ends_at, c.created_at, c.given_at, c.released_at, c.ended_at, c.end_reason, c.removed_at
  from claims c`

// Live tells whether the claim is a reason to hold its seat at the given instant.
func (c Claim) Live(now time.Time) bool {
	return !c.EndedAt.Valid && !c.ReleasedAt.Valid && (!c.EndsAt.Valid || c.EndsAt.Time.After(now))
}
