package activities

import (
	"context"
	"sync"
	"time"

	"accessbot/activities/connector/throttle"
)

// slots limit how many goroutines do something at once. The zero value is ready to use.
type slots struct {
	once  sync.Once
	taken chan struct{}
}

// take takes one of limit slots, and waits at most throttle.MaxWait for it. release frees it.
func (s *slots) take(ctx context.Context, limit int) (release func(), err error) {
	s.once.Do(func() { s.taken = make(chan struct{}, limit) })
	patience := time.NewTimer(throttle.MaxWait)
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

// errBusy: all slots, or the lock, are taken. Nothing was tried.
var errBusy = throttle.ErrBusy
