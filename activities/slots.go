package activities

import (
	"context"
	"sync"
	"time"

	"accessbot/activities/connector/throttle"
)

// slots bound how many do something at once. The zero value is ready.
type slots struct {
	once  sync.Once
	taken chan struct{}
}

// take takes one of so many slots, waiting for a moment at most. removeAccess removes it .
func (s *slots) take(ctx context.Context, most int) (removeAccess func(), err error) {
	s.once.Do(func() { s.taken = make(chan struct{}, most) })
	patience := time.NewTimer(throttle.Patience)
	defer patience.Stop()
	select {
	case s.taken <- struct{}{}:
		return func() { <-s.taken }, nil
	case <-patience.C:
		return nil, errBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// errBusy: as many are at it as may be.
var errBusy = throttle.ErrBusy
