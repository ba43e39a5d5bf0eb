package activities

import (
	"context"
	"slices"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
)

// What a signal claims to have happened. The names are the signals' own.
const (
	SaidDecisionRecorded   = "decision-recorded"
	SaidWithdrawalRecorded = "withdrawn"
	SaidRevocationRecorded = "revoked"
)

// auditSaid alerts to signals of which the database knows nothing. Whoever sends them gets nothing by it; that they were
// sent is worth knowing.
func auditSaid(ctx context.Context, tx *sqlx.Tx, r *schema.Request, said []string) error {
	recorded := map[string]func(schema.Item) bool{
		SaidDecisionRecorded:   func(i schema.Item) bool { return len(i.Decisions) > 0 },
		SaidWithdrawalRecorded: func(i schema.Item) bool { return i.StopOrder != nil && i.StopOrder.Kind == schema.KindWithdrawn },
		SaidRevocationRecorded: func(i schema.Item) bool { return i.StopOrder != nil && i.StopOrder.Kind != schema.KindWithdrawn },
	}
	for _, signal := range said {
		known, ok := recorded[signal]
		if !ok || slices.ContainsFunc(r.Items, known) {
			continue
		}
		err := schema.Audit(ctx, tx, schema.Event{Actor: "worker", Action: schema.SignalUnconfirmed, Alert: true, RequestID: r.ID, Details: map[string]any{"signal": signal}})
		if err != nil {
			return err
		}
	}
	return nil
}
