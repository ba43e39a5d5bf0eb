package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"accessbot/activities/connector"
)

// lineLength is how many may wait for a slot of one target, and lineWait how long: a dead target must not fill the worker
// with those who wait for it.
const (
	lineLength = 64
	lineWait   = 3 * time.Second
)

// Targets are the connector instances, opened when they are first needed. Each has limits of its own, kept here and not
// by a task queue an instance: what is swept needs them too, a limit in Temporal would not hold for it, and an instance
// that the directory gains needs no worker of its own. Several workers each keep them.
type Targets struct {
	// Open opens the connector of an instance of that kind. See kinds.Config.
	Open func(kind, instance string) (connector.Connector, connector.Limits, error)

	mutex sync.Mutex
	open  map[string]*target
}

// usual are the limits of a target that has none of its own.
var usual = connector.Limits{Concurrency: 4}

// target is an open connector. While it answers slowly, or never, it holds as many connections to the record as its slots,
// and no more.
type target struct {
	connector.Connector
	most  int
	slots slots
	line  chan struct{}
	rate  *rate.Limiter
	pause pause
}

func newTarget(c connector.Connector, limits connector.Limits) *target {
	if limits.Concurrency == 0 {
		limits.Concurrency = usual.Concurrency
	}
	perSecond := rate.Inf
	if limits.PerSecond > 0 {
		perSecond = rate.Limit(limits.PerSecond)
	}
	return &target{Connector: c, most: limits.Concurrency, line: make(chan struct{}, lineLength), rate: rate.NewLimiter(perSecond, 1)}
}

// acquire takes one of the target's slots, waiting in line for a moment at most. release gives the slot back.
func (t *target) acquire(ctx context.Context) (release func(), err error) {
	if left := t.pause.left(); left > 0 {
		return nil, &connector.RateLimited{RetryAfter: left}
	}
	select {
	case t.line <- struct{}{}:
		defer func() { <-t.line }()
	default:
		return nil, errBusy
	}
	release, err = t.slots.take(ctx, t.most)
	if err != nil {
		return nil, err
	}
	patience, cancel := context.WithTimeout(ctx, lineWait)
	defer cancel()
	if err := t.rate.Wait(patience); err != nil { // it says at once that its turn would come too late
		release()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errBusy
	}
	return release, nil
}

// met keeps everybody away for as long as the target said, if it asks for fewer calls.
func (t *target) met(err error) {
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

// target answers the instance's connector. A missing or bad configuration is *connector.Denied.
func (t *Targets) target(kind, instance string) (*target, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if known, ok := t.open[instance]; ok {
		return known, nil
	}
	c, limits, err := t.Open(kind, instance)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", instance, err)
	}
	if t.open == nil {
		t.open = map[string]*target{}
	}
	t.open[instance] = newTarget(c, limits)
	return t.open[instance], nil
}

// Close closes every connector that was opened.
func (t *Targets) Close() error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var errs []error
	for _, target := range t.open {
		errs = append(errs, target.Close())
	}
	t.open = nil
	return errors.Join(errs...)
}
