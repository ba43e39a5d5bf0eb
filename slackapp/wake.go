package main

import (
	"context"
	"fmt"

	"accessbot/schema"
	"accessbot/workflows"
)

// wake wakes the run of a request, apart from all other work: Temporal may take its time. Where it does not take the signal,
// the sweep will see to it, and otherwise says so to the user.
func (a *app) wake(requestID int64, signal string, otherwise func(ctx context.Context)) {
	a.wakeWith(fmt.Sprintf("request %d", requestID), otherwise, func(ctx context.Context) error {
		return a.waker.Request(ctx, requestID, signal)
	})
}

// wakeClaim wakes the run that ends a claim: its request's, or where that is over, one of its own.
func (a *app) wakeClaim(claim schema.Claim, otherwise func(ctx context.Context)) {
	a.wakeWith(fmt.Sprintf("claim %d", claim.ID), otherwise, func(ctx context.Context) error {
		if !claim.ItemID.Valid || !claim.EndsAt.Valid {
			return a.waker.Claim(ctx, claim.ID)
		}
		number, err := schema.RequestOfItem(ctx, a.db, claim.ItemID.Int64)
		if err != nil {
			return err
		}
		return a.waker.Request(ctx, number, workflows.SignalReleased)
	})
}

func (a *app) wakeWith(key string, otherwise func(ctx context.Context), wake func(ctx context.Context) error) {
	if !a.wakes.enter() {
		a.log.Error("too many runs to wake: the sweep will do it", "of", key)
		return
	}
	a.wakes.run(key, func(ctx context.Context) {
		short, cancel := context.WithTimeout(ctx, wakeWithin)
		defer cancel()
		if err := wake(short); err != nil {
			a.log.Warn("a run was not woken: the sweep will do it", "of", key, "error", err)
			otherwise(ctx)
		}
	})
}
