package schema

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/lib/pq"
)

// Event is one row of the audit: who did what, about what, on what basis.
type Event struct {
	Actor      string // person, worker, slackapp, sweep, import or policy
	PersonID   int64  // if a person did it; else 0
	Action     AuditAction
	Alert      bool // an operator should look at it
	RequestID  int64
	ItemID     int64
	ClaimID    int64
	ApprovalID int64
	Details    map[string]any // snake_case keys; no token, and no typed text that is not in the database anyway
}

// Audit adds events, if possible in the transaction that they describe. The database sets their time and role.
func Audit(ctx context.Context, q Queryer, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	var actors, actions, details pq.StringArray
	var alerts pq.BoolArray
	ids := make([][]sql.NullInt64, 5)
	for _, e := range events {
		if e.Details == nil {
			e.Details = map[string]any{}
		}
		text, err := json.Marshal(e.Details)
		if err != nil {
			return fmt.Errorf("audit %s: %w", e.Action, err)
		}
		actors, actions = append(actors, e.Actor), append(actions, string(e.Action))
		alerts, details = append(alerts, e.Alert), append(details, string(text))
		for i, id := range []int64{e.PersonID, e.RequestID, e.ItemID, e.ClaimID, e.ApprovalID} {
			ids[i] = append(ids[i], sql.NullInt64{Int64: id, Valid: id != 0})
		}
	}
	_, err := q.ExecContext(ctx, `
		insert into audit_events (actor, person_id, action, alert, request_id, item_id, claim_id, approval_id, details)
		select actor, person_id, action, alert, request_id, item_id, claim_id, approval_id, details
		  from unnest($1::text[], $2::text[], $3::boolean[], $4::jsonb[],
		              $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
		       with ordinality as e (actor, action, alert, details, person_id, request_id, item_id, claim_id, approval_id, n)
		 order by n`,
		actors, actions, alerts, details, pq.Array(ids[0]), pq.Array(ids[1]), pq.Array(ids[2]), pq.Array(ids[3]), pq.Array(ids[4]))
	if err != nil {
		return fmt.Errorf("audit %s: %w", events[0].Action, err)
	}
	return nil
}
