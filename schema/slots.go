package schema

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// ErrBusy: all slots, or the lock, are taken. Nothing was tried.
var ErrBusy = errors.New("all slots or the lock are taken")

// MaxSyncs is how many syncs of messages one worker makes at once: each holds a database connection during calls to Slack, and a
// Slack that does not answer must not use up the connections.
const MaxSyncs = 4

// patience is how long a slot is waited for.
const patience = 3 * time.Second

// Slots limit how many goroutines do something at once, such as holding a database connection during calls to other systems. The
// zero value is ready to use.
type Slots struct {
	once  sync.Once
	taken chan struct{}
}

// Take takes one of limit slots, and waits a moment for it at most: then it is ErrBusy. release frees it.
func (s *Slots) Take(ctx context.Context, limit int) (release func(), err error) {
	s.once.Do(func() { s.taken = make(chan struct{}, limit) })
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case s.taken <- struct{}{}:
		return func() { <-s.taken }, nil
	case <-wait.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Retry intervals while a lock or all slots are taken.
const (
	firstBusyRetry = 2 * time.Second
	lastBusyRetry  = time.Minute
)

// BusyRetry is the delay before the next attempt while others hold the lock or slots. Attempts count from 1. It doubles, and has
// jitter.
func BusyRetry(attempt int32) time.Duration {
	delay := min(firstBusyRetry<<min(attempt-1, 10), lastBusyRetry)
	return delay + rand.N(delay/2) //nolint:gosec // jitter is no secret
}
