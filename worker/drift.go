package main

import (
	"context"
	"log/slog"
	"time"

	"accessbot/activities"
	"accessbot/schema"
)

const (
	driftLook = time.Minute      // how often is looked whether a target is due
	driftFor  = 30 * time.Minute // one target's time to list itself
)

// drift compares the targets with the claims, one after the other and apart from the sweep: a list may take long, and what
// is overdue must not wait for it.
type drift struct {
	db      *schema.DB
	settler *activities.Settler
	every   time.Duration
	log     *slog.Logger
}

// run compares what is due, and then again and again, until ctx is done.
func (d *drift) run(ctx context.Context) {
	for ctx.Err() == nil {
		d.once(ctx)
		sleep(ctx, min(driftLook, d.every))
	}
}

func (d *drift) once(ctx context.Context) {
	due, err := schema.DriftDue(ctx, d.db)
	if err != nil {
		d.log.Error("what should be compared is not known", "error", err)
		return
	}
	for _, i := range due {
		bounded, cancel := context.WithTimeout(ctx, driftFor)
		found, err := d.settler.FindDrift(bounded, i, d.every)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.log.Warn("a target could not be compared with the record", "target", i.Instance, "error", err)
		case found.Reported > 0:
			d.log.Warn("a target differs from the record", "target", i.Instance, "listed", found.Listed,
				"unclaimed", found.Unclaimed, "missing", found.Missing, "reported", found.Reported, "corrected", found.Corrected)
		}
	}
}
