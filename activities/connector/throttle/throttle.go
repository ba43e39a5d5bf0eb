// Package throttle keeps what one target system is asked for within its limits.
package throttle

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"accessbot/activities/connector"
)

// lineLength is how many may wait for a slot of one target, and Patience how
// long: a dead target must not fill the worker with those who wait for it.
const (
	lineLength = 64
	Patience   = 3 * time.Second
)

// ErrBusy: as many are at it as may be.
var ErrBusy = errors.New("as many are at it as may be")

// usual are the limits of a target that has none of its own.
var usual = connector.Limits{Concurrency: 4}

// Target is an open connector and its limits. While it answers slowly, or never,
// no more calls are made than it has slots.
//
// It is no Connector itself, and wraps none: it hands out the connector as it
// is. A wrapper would hide what that can do beyond connector.Connector
// (AccountCreator, Checker, Lister) from those who ask it by a type assertion.
type Target struct {
	connector connector.Connector
	slots     chan struct{}
	line      chan struct{}
	rate      *rate.Limiter
	pause     pause
}

// New keeps a connector within limits; zero: the usual ones.
func New(c connector.Connector, limits connector.Limits) *Target {
	if limits.Concurrency == 0 {
		limits.Concurrency = usual.Concurrency
	}
	perSecond := rate.Inf
	if limits.PerSecond > 0 {
		perSecond = rate.Limit(limits.PerSecond)
	}
	return &Target{
		connector: c, slots: make(chan struct{}, limits.Concurrency), line: make(chan struct{}, lineLength),
		rate: rate.NewLimiter(perSecond, 1),
	}
}

// Connector hands out the connector for what takes no slot, such as a listing.
func (t *Target) Connector() connector.Connector { return t.connector }

// Close closes the connector.
func (t *Target) Close() error { return t.connector.Close() }

// Acquire takes one of the target's slots, waiting in line for a moment at most,
// and hands out the connector. done removes the slot , and is told what came of
// it: a target that asks for fewer calls is left alone for as long as it said.
func (t *Target) Acquire(ctx context.Context) (c connector.Connector, done func(error), err error) {
	if left := t.pause.left(); left > 0 {
		return nil, nil, &connector.RateLimited{RetryAfter: left}
	}
	select {
	case t.line <- struct{}{}:
		defer func() { <-t.line }()
	default:
		return nil, nil, ErrBusy
	}
	patience := time.NewTimer(Patience)
	defer patience.Stop()
	select {
	case t.slots <- struct{}{}:
	case <-patience.C:
		return nil, nil, ErrBusy
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if err := t.turn(ctx); err != nil {
		<-t.slots
		return nil, nil, err
	}
	return t.connector, func(err error) { t.met(err); <-t.slots }, nil
}

// turn waits as the target's rate demands.
func (t *Target) turn(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	err := t.rate.Wait(bounded) // it says at once that its turn would come too late
	if err != nil && ctx.Err() == nil {
		return ErrBusy
	}
	if err != nil {
		return ctx.Err()
	}
	return nil
}

// met leaves the target alone for as long as it said, if it asks for fewer calls.
func (t *Target) met(err error) {
	var limited *connector.RateLimited
	if errors.As(err, &limited) {
		t.pause.atLeast(limited.RetryAfter)
	}
}

// pause is a time during which a target is left alone. The zero value is none.
type pause struct {
	mutex sync.Mutex
	until time.Time
}

func (p *pause) left() time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return time.Until(p.until)
}

func (p *pause) atLeast(d time.Duration) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until = until
	}
}
