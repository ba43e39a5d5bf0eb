package schema

import (
	"context"
	"fmt"
)

// Reason is one of the configured reasons for a request.
type Reason struct {
	Key          string `db:"key"`
	Label        string `db:"label"`
	NoteRequired bool   `db:"note_required"`
}

// Reasons returns the current reasons in their order; a select in Slack holds at most a hundred.
func Reasons(ctx context.Context, q Queryer) ([]Reason, error) {
	var reasons []Reason
	err := q.SelectContext(ctx, &reasons, `
		select key, label, note_required from reasons where gone_at is null order by position, lower(label), key limit 100`)
	if err != nil {
		return nil, fmt.Errorf("read the reasons: %w", err)
	}
	return reasons, nil
}
