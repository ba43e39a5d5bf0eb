// Package throttle enforces the limits of target systems.
package throttle

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"accessbot/activities/connector"
)

// At most maxWaiting callers wait for a slot of one target, each for at most MaxWait, so that a target that is down does not fill
// the worker with waiting callers.
const (
	maxWaiting = 64
	MaxWait    = 3 * time.Second
)

// ErrBusy means that all slots are in use.
var ErrBusy = errors.New("all slots are in use")

// defaultLimits apply to a target without limits of its own.
var defaultLimits = connector.Limits{Concurrency: 4}

// Target is an open connector with its limits. A target that is slow or does not answer gets no more calls than it has slots.
//
// Target does not implement Connector and does not wrap one: Acquire returns the connector itself. A wrapper would hide its
// optional interfaces (AccountCreator, Checker, Lister) from type assertions.
type Target struct {
	connector connector.Connector
	slots     chan struct{}
	queue     chan struct{}
	rate      *rate.Limiter
	pause     pause
}

// New limits a connector. Zero limits are the defaults.
func New(c connector.Connector, limits connector.Limits) *Target {
	if limits.Concurrency == 0 {
		limits.Concurrency = defaultLimits.Concurrency
	}
	perSecond := rate.Inf
	if limits.PerSecond > 0 {
		perSecond = rate.Limit(limits.PerSecond)
	}
	return &Target{
		connector: c, slots: make(chan struct{}, limits.Concurrency), queue: make(chan struct{}, maxWaiting),
		rate: rate.NewLimiter(perSecond, 1),
	}
}

// Connector returns the connector for calls that need no slot, such as List.
func (t *Target) Connector() connector.Connector { return t.connector }

// Close closes the connector.
func (t *Target) Close() error { return t.connector.Close() }

// Acquire waits for one of the target's slots, at most MaxWait, and returns the connector. The caller calls done with the result
// of its call. It frees the slot, and if the target asked for fewer calls, Acquire refuses all callers for as long as it asked.
func (t *Target) Acquire(ctx context.Context) (c connector.Connector, done func(error), err error) {
	if left := t.pause.left(); left > 0 {
		return nil, nil, &connector.RateLimited{RetryAfter: left}
	}
	select {
	case t.queue <- struct{}{}:
		defer func() { <-t.queue }()
	default:
		return nil, nil, ErrBusy
	}
	timer := time.NewTimer(MaxWait)
	defer timer.Stop()
	select {
	case t.slots <- struct{}{}:
	case <-timer.C:
		return nil, nil, ErrBusy
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if err := t.waitForRate(ctx); err != nil {
		<-t.slots
		return nil, nil, err
	}
	return t.connector, func(err error) { t.pauseAfter(err); <-t.slots }, nil
}

// waitForRate waits until the target's rate allows one more call.
func (t *Target) waitForRate(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, MaxWait)
	defer cancel()
	err := t.rate.Wait(bounded) // fails at once if the wait would be too long
	if err != nil && ctx.Err() == nil {
		return ErrBusy
	}
	if err != nil {
		return ctx.Err()
	}
	return nil
}

// pauseAfter pauses calls to a target that asked for fewer.
func (t *Target) pauseAfter(err error) {
	var limited *connector.RateLimited
	if errors.As(err, &limited) {
		t.pause.atLeast(limited.RetryAfter)
	}
}

// pause is a time during which a target gets no calls. The zero value is over.
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
