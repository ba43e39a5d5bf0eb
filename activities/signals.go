package activities

import (
	"context"
	"slices"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
)

// Signal is one that a run received. Workflows define the names.
type Signal struct {
	Name string
	Says Recorded // what it says is in the database; empty: nothing that could be missing
}

// Recorded is what a signal says is recorded.
type Recorded string

// What signals say is recorded.
const (
	DecisionRecorded   Recorded = "decision"
	WithdrawalRecorded Recorded = "withdrawal"
	RevocationRecorded Recorded = "revocation"
)

// auditSignals raises an alert for each signal without a record. Such a signal changes nothing, but operators should know.
func auditSignals(ctx context.Context, tx *sqlx.Tx, r *schema.Request, signals []Signal) error {
	recorded := map[Recorded]func(schema.Item) bool{
		DecisionRecorded: func(item schema.Item) bool { return len(item.Decisions) > 0 },
		WithdrawalRecorded: func(item schema.Item) bool {
			return item.StopOrder != nil && item.StopOrder.Kind == schema.KindWithdrawn
		},
		RevocationRecorded: func(item schema.Item) bool {
			return item.StopOrder != nil && item.StopOrder.Kind != schema.KindWithdrawn
		},
	}
	for _, signal := range signals {
		isRecorded, ok := recorded[signal.Says]
		if !ok || slices.ContainsFunc(r.Items, isRecorded) {
			continue
		}
		err := schema.Audit(
			ctx,
			tx,
			schema.Event{
				Actor:     "worker",
				Action:    schema.SignalUnconfirmed,
				Alert:     true,
				RequestID: r.ID,
				Details:   map[string]any{"signal": signal.Name},
			},
		)
		if err != nil {
			return err
		}
	}
	return nil
}
