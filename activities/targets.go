package activities

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"accessbot/activities/connector"
	"accessbot/activities/connector/kinds"
)

const (
	// perTarget is how many seats of one target are settled at once. A target that answers slowly, or never, holds so
	// many connections to the record and no more.
	perTarget = 4
	// lineLength is how many may wait for a slot of one target, and lineWait how long: a dead target must not fill the
	// worker with those who wait for it.
	lineLength = 64
	lineWait   = 3 * time.Second
)

// Targets are the connector instances, opened when they are first needed.
type Targets struct {
	// URL answers where an instance reaches its target; nil: the variable TARGET_<INSTANCE>_URL.
	URL func(instance string) string
	// Open opens a connector of a kind; nil: the kinds that this program knows.
	Open func(kind, url string) (connector.Connector, error)

	mutex sync.Mutex
	open  map[string]*target
}

type target struct {
	connector.Connector
	slots slots
	line  chan struct{}
}

// acquire takes one of the target's slots, waiting in line for a moment at most. release gives the slot back.
func (t *target) acquire(ctx context.Context) (release func(), err error) {
	select {
	case t.line <- struct{}{}:
		defer func() { <-t.line }()
	default:
		return nil, errBusy
	}
	return t.slots.take(ctx, perTarget)
}

// target answers the instance's connector. A missing or bad configuration is *connector.Denied.
func (t *Targets) target(kind, instance string) (*target, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if known, ok := t.open[instance]; ok {
		return known, nil
	}
	variable := "TARGET_" + instance + "_URL"
	url := os.Getenv(variable)
	if t.URL != nil {
		url = t.URL(instance)
	}
	if url == "" {
		return nil, &connector.Denied{Do: "set " + variable + " for the worker", Err: fmt.Errorf("no address is configured for the target %s", instance)}
	}
	open := t.Open
	if open == nil {
		open = kinds.Open
	}
	c, err := open(kind, url)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", instance, err)
	}
	if t.open == nil {
		t.open = map[string]*target{}
	}
	t.open[instance] = &target{Connector: c, line: make(chan struct{}, lineLength)}
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
