package activities

import (
	"errors"
	"fmt"
	"sync"

	"accessbot/activities/connector"
	"accessbot/activities/connector/throttle"
)

// Targets are the connector instances, opened when they are first needed. Each has limits of its own, kept here and not
// by a task queue an instance: what is swept needs them too, a limit in Temporal would not hold for it, and an instance
// that the directory gains needs no worker of its own. Several workers each keep them.
type Targets struct {
	// Open opens the connector of an instance of that kind. See kinds.Config.
	Open func(kind, instance string) (connector.Connector, connector.Limits, error)

	mutex sync.Mutex
	open  map[string]*throttle.Target
}

// target answers the instance's connector. A missing or bad configuration is *connector.Denied.
func (t *Targets) target(kind, instance string) (*throttle.Target, error) {
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
		t.open = map[string]*throttle.Target{}
	}
	t.open[instance] = throttle.New(c, limits)
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
