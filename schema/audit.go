package schema

import (
	"context"
	"encoding/json"
	"fmt"
)

// Event is one line of the audit: who did what, about what, on what basis.
type Event struct {
	Actor      string // person, worker, slackapp, sweep, import or policy
	PersonID   int64  // who, where a person did it; 0: nobody
	Action     string
	Alert      bool // somebody should look
	RequestID  int64
	ItemID     int64
	ClaimID    int64
	ApprovalID int64
	Details    map[string]any // never a token, and no text that Slack users typed beyond what the record holds anyway
}

// Audit appends an event, in the transaction that it tells of wherever there is one.
func Audit(ctx context.Context, q Queryer, e Event) error {
	if e.Details == nil {
		e.Details = map[string]any{}
	}
	details, err := json.Marshal(e.Details)
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	_, err = q.ExecContext(ctx, `
		insert into audit_events (actor, person_id, action, alert, request_id, item_id, claim_id, approval_id, details)
		values ($1, nullif($2::bigint, 0), $3, $4, nullif($5::bigint, 0), nullif($6::bigint, 0), nullif($7::bigint, 0), nullif($8::bigint, 0), $9)`,
		e.Actor, e.PersonID, e.Action, e.Alert, e.RequestID, e.ItemID, e.ClaimID, e.ApprovalID, string(details))
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	return nil
}
