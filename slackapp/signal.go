package main

import (
	"context"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// wakeUp is the runs to start or signal.
type wakeUp struct {
	requests  []int64
	signal    string
	claim     *schema.Claim // instead: the run that ends this claim
	otherwise string        // what the user is told if Temporal is down; empty: nothing
	// The submitter of a new request, who is told what happens next to it.
	submittedBy int64
}

func wakeRequest(number int64, signal, otherwise string) *wakeUp {
	return &wakeUp{requests: []int64{number}, signal: signal, otherwise: otherwise}
}

// wake starts or signals runs, apart from all other work: Temporal may be slow. If it is down, the sweep does it later.
func (a *app) wake(ic *slack.InteractionCallback, w wakeUp) {
	otherwise := func(ctx context.Context) {
		switch {
		case w.submittedBy != 0:
			a.sayDelayed(ctx, ic.User.ID, w.requests[0], w.submittedBy)
		case w.otherwise != "":
			a.tell(ctx, ic, w.otherwise)
		}
	}
	done := a.signals.do(ic.User.ID, ic.User.ID, func(ctx context.Context) {
		if err := a.wakeAll(ctx, w); err != nil {
			a.log.Warn("signal failed, left to the sweep", "requests", w.requests, "error", err)
			otherwise(ctx)
		}
	})
	if !done {
		a.log.Error("signal queue full, left to the sweep", "requests", w.requests)
		a.also(ic.User.ID, ic.User.ID, otherwise)
	}
}

func (a *app) wakeAll(ctx context.Context, w wakeUp) error {
	ctx, cancel := context.WithTimeout(ctx, wakeWithin)
	defer cancel()
	if w.claim != nil {
		return a.starter.EndClaim(ctx, w.claim.ID)
	}
	for _, number := range w.requests {
		if err := a.starter.SignalRequest(ctx, number, w.signal); err != nil {
			return err
		}
	}
	return nil
}
