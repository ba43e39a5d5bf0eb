package schema

import (
	"context"
	"fmt"
)

// Instance is a target system in the directory.
type Instance struct {
	Instance  string `db:"instance"`
	Connector string `db:"connector"` // the kind of target
}

// Instances returns the targets of all current applications, by name.
func Instances(ctx context.Context, q Queryer) ([]Instance, error) {
	var all []Instance
	err := q.SelectContext(ctx, &all, `
		select distinct instance, connector from applications where gone_at is null order by instance`)
	if err != nil {
		return nil, fmt.Errorf("list the targets of the directory: %w", err)
	}
	return all, nil
}
