package main

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
)

// jobs is the work that is done after acks. It is bounded twice: by how much of it there is, and by how much runs at once. Jobs
// with one key (a user's) run one after the other, in the order in which they came.
type jobs struct {
	log     *slog.Logger
	places  chan struct{}
	running chan struct{}
	group   sync.WaitGroup

	mu   sync.Mutex
	last map[string]chan struct{} // by key: closed when its newest job is done
}

func newJobs(atOnce, places int, log *slog.Logger) *jobs {
	return &jobs{log: log, places: make(chan struct{}, places), running: make(chan struct{}, atOnce), last: map[string]chan struct{}{}}
}

// enter takes a place for a payload and what follows from it. False: there is too much to do already.
func (j *jobs) enter() bool {
	select {
	case j.places <- struct{}{}:
		return true
	default:
		return false
	}
}

// leave gives a place back that no job took over.
func (j *jobs) leave() { <-j.places }

// run takes over the caller's place and does f, once the key's earlier jobs are done.
func (j *jobs) run(key string, f func(ctx context.Context)) {
	j.mu.Lock()
	before, done := j.last[key], make(chan struct{})
	j.last[key] = done
	j.mu.Unlock()
	j.group.Go(func() {
		defer j.leave()
		defer j.done(key, done)
		if before != nil {
			<-before
		}
		j.running <- struct{}{}
		defer func() { <-j.running }()
		ctx, cancel := context.WithTimeout(context.Background(), workWithin)
		defer cancel()
		guarded(j.log, "work after an ack", func() { f(ctx) })
	})
}

func (j *jobs) done(key string, done chan struct{}) {
	j.mu.Lock()
	if j.last[key] == done {
		delete(j.last, key)
	}
	j.mu.Unlock()
	close(done)
}

// wait waits for all jobs, no longer than ctx.
func (j *jobs) wait(ctx context.Context) {
	all := make(chan struct{})
	go func() {
		j.group.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-ctx.Done():
		j.log.Warn("some work after acks was cut off")
	}
}

// guarded does f and tells whether it panicked: one payload must not take the others with it.
func guarded(log *slog.Logger, where string, f func()) (panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("panic", "where", where, "panic", p, "stack", string(debug.Stack()))
			panicked = true
		}
	}()
	f()
	return false
}
