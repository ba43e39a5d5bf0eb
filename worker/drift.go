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
	driftLook = time.Minute      // how often is looked whether a target is due
	driftFor  = 30 * time.Minute // one target's time to list itself
	driftMost = 4                // compared at a time, each on a connection of its own
)

// drift compares the targets with the claims, a few at a time and apart from the sweep: a list may take long, and neither what
// is overdue nor the other targets wait for it.
type drift struct {
	db      *schema.DB
	settler *activities.Settler
	every   time.Duration
	log     *slog.Logger

	group sync.WaitGroup
	busy  chan struct{} // one place each for those that are compared now
}

func newDrift(db *schema.DB, settler *activities.Settler, every time.Duration, log *slog.Logger) *drift {
	return &drift{db: db, settler: settler, every: every, log: log, busy: make(chan struct{}, driftMost)}
}

// run compares what is due, and then again and again, until ctx is done.
func (d *drift) run(ctx context.Context) {
	defer d.group.Wait()
	for ctx.Err() == nil {
		d.once(ctx)
		sleep(ctx, min(driftLook, d.every))
	}
}

// once begins to compare what is due, as far as there are places: the rest stays due.
func (d *drift) once(ctx context.Context) {
	due, err := schema.DriftDue(ctx, d.db)
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

func (d *drift) compare(ctx context.Context, i schema.Instance) {
	bounded, cancel := context.WithTimeout(ctx, driftFor)
	defer cancel()
	found, err := d.settler.FindDrift(bounded, i, d.every)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.log.Warn("a target could not be compared with the record", "target", i.Instance, "error", err)
	case found.Reported > 0:
		d.log.Warn("a target differs from the record", "target", i.Instance, "listed", found.Listed,
			"unclaimed", found.Unclaimed, "missing", found.Missing, "reported", found.Reported, "corrected", found.Corrected)
	}
}
