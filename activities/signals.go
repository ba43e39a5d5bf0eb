package activities

import (
	"context"
	"slices"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
)

// Names of the signals that a record must back.
const (
	SignalDecisionRecorded   = "decision-recorded"
	SignalWithdrawalRecorded = "withdrawal-recorded"
	SignalRevocationRecorded = "revocation-recorded"
)

// auditSignals raises an alert for each signal without a record. Such a signal changes nothing, but operators should know.
func auditSignals(ctx context.Context, tx *sqlx.Tx, r *schema.Request, signals []string) error {
	recorded := map[string]func(schema.Item) bool{
		SignalDecisionRecorded: func(item schema.Item) bool { return len(item.Decisions) > 0 },
		SignalWithdrawalRecorded: func(item schema.Item) bool {
			return item.StopOrder != nil && item.StopOrder.Kind == schema.KindWithdrawn
		},
		SignalRevocationRecorded: func(item schema.Item) bool {
			return item.StopOrder != nil && item.StopOrder.Kind != schema.KindWithdrawn
		},
	}
	for _, signal := range signals {
		isRecorded, ok := recorded[signal]
		if !ok || slices.ContainsFunc(r.Items, isRecorded) {
			continue
		}
		err := schema.Audit(ctx, tx, schema.Event{Actor: "worker", Action: schema.SignalUnconfirmed, Alert: true, RequestID: r.ID, Details: map[string]any{"signal": signal}})
		if err != nil {
			return err
		}
	}
	return nil
}
