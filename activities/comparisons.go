package activities

import (
	"context"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/activities/connector"
	"accessbot/schema"
)

// comparisonBatch is how many listed assignments are compared in one query.
const comparisonBatch = 1000

// CompareTarget compares a target's access with the claims, unless another worker does. It changes no target: the sweep
// reconciles what differs. A target that cannot list its access is not compared.
func (r *Reconciler) CompareTarget(ctx context.Context, instance schema.Instance, every time.Duration,
) (result schema.ComparisonResult, err error) {
	defer r.recoverPanic(instance.Instance, &err)
	target, err := r.Targets.target(instance.Connector, instance.Instance)
	if err != nil {
		return result, err
	}
	lister, canList := target.Connector().(connector.Lister)
	_, err = r.DB.Holding(ctx, schema.ComparisonLock(instance.Instance), func(conn *sqlx.Conn) error {
		pass, err := schema.StartComparison(ctx, conn, instance.Instance, every)
		if err != nil || !canList {
			return err
		}
		err = list(ctx, lister, func(accounts, objects []string) error { return pass.Listed(ctx, accounts, objects) })
		if err != nil {
			return errors.Join(err, pass.Failed(context.WithoutCancel(ctx), connector.ClassOf(err).String()))
		}
		result, err = pass.Finish(ctx)
		return err
	})
	return result, err
}

// list passes a target's access on in batches.
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

// List passes a target's access on in batches. False: the target cannot list it.
func (r *Reconciler) List(ctx context.Context, instance schema.Instance, batch func(accounts, objects []string) error,
) (bool, error) {
	target, err := r.Targets.target(instance.Connector, instance.Instance)
	if err != nil {
		return false, err
	}
	lister, ok := target.Connector().(connector.Lister)
	if !ok {
		return false, nil
	}
	return true, list(ctx, lister, batch)
}
