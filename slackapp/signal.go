package main

import (
	"context"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/workflows"
)

// wakeUp are the runs that should read the database again.
type wakeUp struct {
	requests  []int64
	signal    string
	claim     *schema.Claim // in their place: the run that ends this claim
	otherwise string        // what the user who acted is told where Temporal does not take it; empty: nothing
	// Of a request that was just submitted: who did, and is told in its place what will become of it.
	submittedBy int64
}

func wakeRequest(number int64, signal, otherwise string) *wakeUp {
	return &wakeUp{requests: []int64{number}, signal: signal, otherwise: otherwise}
}

// wake wakes runs, apart from all other work: Temporal may take its time. Where it does not take a signal, the sweep will see to
// it and to the rest.
func (a *app) wake(ic *slack.InteractionCallback, w wakeUp) {
	otherwise := func(ctx context.Context) {
		switch {
		case w.submittedBy != 0:
			a.sayDelayed(ctx, ic.User.ID, w.requests[0], w.submittedBy)
		case w.otherwise != "":
			a.tellLater(ctx, ic, w.otherwise)
		}
	}
	done := a.signals.do(ic.User.ID, ic.User.ID, func(ctx context.Context) {
		if err := a.wakeAll(ctx, w); err != nil {
			a.log.Warn("a run was not woken: the sweep will do it", "requests", w.requests, "error", err)
			otherwise(ctx)
		}
	})
	if !done {
		a.log.Error("too many runs to wake: the sweep will do it", "requests", w.requests)
		a.also(ic.User.ID, ic.User.ID, otherwise)
	}
}

func (a *app) wakeAll(ctx context.Context, w wakeUp) error {
	ctx, cancel := context.WithTimeout(ctx, wakeWithin)
	defer cancel()
	if w.claim != nil {
		return a.wakeClaim(ctx, *w.claim)
	}
	for _, number := range w.requests {
		if err := a.starter.SignalRequest(ctx, number, w.signal); err != nil {
			return err
		}
	}
	return nil
}

// wakeClaim wakes the run that ends a claim: its request's, or where that is over, one of its own.
func (a *app) wakeClaim(ctx context.Context, claim schema.Claim) error {
	if !claim.ItemID.Valid || !claim.EndsAt.Valid {
		return a.starter.StartEndAccess(ctx, claim.ID)
	}
	number, err := schema.RequestOfItem(ctx, a.db, claim.ItemID.Int64)
	if err != nil {
		return err
	}
	return a.starter.SignalRequest(ctx, number, workflows.SignalRevocationRecorded)
}
