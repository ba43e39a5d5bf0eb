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
	begin   func() // for tests: called before each job

	mu   sync.Mutex
	last map[string]chan struct{} // by key: closed when its newest job is done
}

func newJobs(atOnce, places int, log *slog.Logger) *jobs {
	return &jobs{log: log, places: make(chan struct{}, places), running: make(chan struct{}, atOnce), last: map[string]chan struct{}{}}
}

// do takes a place for f and does it, once the key's earlier jobs are done. False: there is too much to do already.
func (j *jobs) do(key string, f func(ctx context.Context)) bool {
	select {
	case j.places <- struct{}{}:
	default:
		return false
	}
	j.mu.Lock()
	before, done := j.last[key], make(chan struct{})
	j.last[key] = done
	j.mu.Unlock()
	j.group.Go(func() {
		defer func() { <-j.places }()
		defer j.done(key, done)
		if before != nil {
			<-before
		}
		j.running <- struct{}{}
		defer func() { <-j.running }()
		if j.begin != nil {
			j.begin()
		}
		ctx, cancel := context.WithTimeout(context.Background(), workWithin)
		defer cancel()
		guarded(j.log, "work after an ack", func() { f(ctx) })
	})
	return true
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
	waitFor(ctx, &j.group, j.log, "some work after acks was cut off")
}

// waitFor waits for a group, no longer than ctx.
func waitFor(ctx context.Context, group *sync.WaitGroup, log *slog.Logger, cutOff string) {
	all := make(chan struct{})
	go func() {
		group.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-ctx.Done():
		log.Warn(cutOff)
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
