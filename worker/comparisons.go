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
	checkComparisonsEvery = time.Minute      // whether one is due
	comparisonTimeout     = 30 * time.Minute // of one target
	maxComparisons        = 4                // at once, each with its own database connection
)

// comparisons compare the targets with the claims, a few at a time. They are not part of the sweep, as listing a target can take
// long, and neither overdue claims nor other targets should wait for it.
type comparisons struct {
	db         *schema.DB
	reconciler *activities.Reconciler
	every      time.Duration
	log        *slog.Logger

	group sync.WaitGroup
	slots chan struct{}
}

func newComparisons(db *schema.DB, reconciler *activities.Reconciler, every time.Duration, log *slog.Logger) *comparisons {
	return &comparisons{db: db, reconciler: reconciler, every: every, log: log, slots: make(chan struct{}, maxComparisons)}
}

// run compares due targets until ctx is done.
func (c *comparisons) run(ctx context.Context) {
	defer c.group.Wait()
	for ctx.Err() == nil {
		c.once(ctx)
		sleep(ctx, min(checkComparisonsEvery, c.every))
	}
}

// once starts comparing due targets, one per free slot. The others stay due.
func (c *comparisons) once(ctx context.Context) {
	due, err := schema.ComparisonsDue(ctx, c.db)
	if err != nil {
		c.log.Error("due comparisons not loaded", "error", err)
		return
	}
	for _, instance := range due {
		select {
		case c.slots <- struct{}{}:
		default:
			return
		}
		c.group.Go(func() {
			defer func() { <-c.slots }()
			c.compare(ctx, instance)
		})
	}
}

func (c *comparisons) compare(ctx context.Context, instance schema.Instance) {
	bounded, cancel := context.WithTimeout(ctx, comparisonTimeout)
	defer cancel()
	found, err := c.reconciler.CompareTarget(bounded, instance, c.every)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		c.log.Warn("comparison failed", "target", instance.Instance, "error", err)
	case found.Reported > 0:
		c.log.Warn("unexpected or missing access found", "target", instance.Instance, "listed", found.Listed,
			"unexpected", found.Unexpected, "missing", found.Missing, "reported", found.Reported, "corrected", found.Corrected)
	}
}
