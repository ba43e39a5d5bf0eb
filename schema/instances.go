package schema

import (
	"context"
	"fmt"
)

// Instance is a target system that the directory names.
type Instance struct {
	Instance  string `db:"instance"`
	Connector string `db:"connector"` // its kind
}

// Instances answers those of applications that are not gone, by name.
func Instances(ctx context.Context, q Queryer) ([]Instance, error) {
	var all []Instance
	err := q.SelectContext(ctx, &all, `select distinct instance, connector from applications where gone_at is null order by instance`)
	if err != nil {
		return nil, fmt.Errorf("the instances that the directory names: %w", err)
	}
	return all, nil
}
