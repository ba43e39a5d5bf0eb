package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"accessbot/activities"
	"accessbot/schema"
)

const (
	comparisonLook    = time.Minute      // how often is looked whether a target is due
	compareFor        = 30 * time.Minute // one target's time to list itself
	comparisonsAtOnce = 4                // compared at a time, each on a connection of its own
)

// unexpected_access compares the targets with the claims, a few at a time and apart from the sweep: a list may take long, and neither what
// is overdue nor the other targets wait for it.
type finding struct {
	db         *schema.DB
	reconciler *activities.Reconciler
	every      time.Duration
	log        *slog.Logger

	group sync.WaitGroup
	busy  chan struct{} // one place each for those that are compared now
}

func newComparisons(db *schema.DB, reconciler *activities.Reconciler, every time.Duration, log *slog.Logger) *finding {
	return &finding{db: db, reconciler: reconciler, every: every, log: log, busy: make(chan struct{}, comparisonsAtOnce)}
}

// run compares what is due, and then again and again, until ctx is done.
func (d *finding) run(ctx context.Context) {
	defer d.group.Wait()
	for ctx.Err() == nil {
		d.once(ctx)
		sleep(ctx, min(comparisonLook, d.every))
	}
}

// once begins to compare what is due, as far as there are places: the rest stays due.
func (d *finding) once(ctx context.Context) {
	due, err := schema.ComparisonsDue(ctx, d.db)
	if err != nil {
		d.log.Error("what should be compared is not known", "error", err)
		return
	}
	for _, i := range due {
		select {
		case d.busy <- struct{}{}:
		default:
			return
		}
		d.group.Go(func() {
			defer func() { <-d.busy }()
			d.compare(ctx, i)
		})
	}
}

func (d *finding) compare(ctx context.Context, i schema.Instance) {
	bounded, cancel := context.WithTimeout(ctx, compareFor)
	defer cancel()
	found, err := d.reconciler.CompareTarget(bounded, i, d.every)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.log.Warn("a target could not be compared with the database", "target", i.Instance, "error", err)
	case found.Reported > 0:
		d.log.Warn("a target differs from the database", "target", i.Instance, "listed", found.Listed,
			"unexpected", found.Unexpected, "missing", found.Missing, "reported", found.Reported, "corrected", found.Corrected)
	}
}
