package activities

import (
	"errors"
	"fmt"
	"sync"

	"accessbot/activities/connector"
	"accessbot/activities/connector/throttle"
)

// Targets are the connector instances. Each is opened when it is first needed, and has its own limits. The limits are per
// worker. They are not task queues in Temporal, as the sweep must obey them too and a new instance should need no new worker.
type Targets struct {
	// Open opens the connector of an instance: see kinds.Config.
	Open func(kind, instance string) (connector.Connector, connector.Limits, error)

	mutex sync.Mutex
	open  map[string]*throttle.Target
}

// target returns the instance's connector. A missing or bad configuration is *connector.Denied.
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

// Close closes all open connectors.
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
