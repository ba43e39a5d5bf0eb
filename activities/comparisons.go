package activities

import (
	"context"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/activities/connector"
	"accessbot/schema"
)

// comparisonBatch is how many assignments of a list are looked at together.
const comparisonBatch = 1000

// CompareTarget compares what a target shows with what the claims say, unless another worker does. It changes no target: what
// is to be corrected, the sweep reconciles. Targets that cannot list what they hold are not compared.
func (s *Reconciler) CompareTarget(ctx context.Context, i schema.Instance, every time.Duration) (found schema.ComparisonResult, err error) {
	defer s.survive(i.Instance, &err)
	target, err := s.Targets.target(i.Connector, i.Instance)
	if err != nil {
		return found, err
	}
	lister, lists := target.Connector().(connector.Lister)
	_, err = s.DB.Holding(ctx, schema.ComparisonLock(i.Instance), func(conn *sqlx.Conn) error {
		pass, err := schema.StartComparison(ctx, conn, i.Instance, every)
		if err != nil || !lists {
			return err
		}
		err = list(ctx, lister, func(accounts, objects []string) error { return pass.Listed(ctx, accounts, objects) })
		if err != nil {
			return errors.Join(err, pass.Failed(context.WithoutCancel(ctx), connector.ClassOf(err).String()))
		}
		found, err = pass.Finish(ctx)
		return err
	})
	return found, err
}

// list hands a target's list on in batches.
func list(ctx context.Context, lister connector.Lister, batch func(accounts, objects []string) error) error {
	var accounts, objects []string
	flush := func() error {
		defer func() { accounts, objects = accounts[:0], objects[:0] }()
		return batch(accounts, objects)
	}
	err := lister.List(ctx, func(a connector.Assignment) error {
		accounts, objects = append(accounts, a.Account), append(objects, a.Object)
		if len(accounts) == comparisonBatch {
			return flush()
		}
		return nil
	})
	if err != nil || len(accounts) == 0 {
		return err
	}
	return flush()
}

// List hands on what a target shows, in batches. False: it cannot tell.
func (s *Reconciler) List(ctx context.Context, i schema.Instance, batch func(accounts, objects []string) error) (bool, error) {
	target, err := s.Targets.target(i.Connector, i.Instance)
	if err != nil {
		return false, err
	}
	lister, ok := target.Connector().(connector.Lister)
	if !ok {
		return false, nil
	}
	return true, list(ctx, lister, batch)
}
