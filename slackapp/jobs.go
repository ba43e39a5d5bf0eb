package main

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
)

// jobs is a queue of work after acks. It is bounded in total, per user, and by how many run at once. Jobs with the same key run
// one at a time, in order.
type jobs struct {
	log     *slog.Logger
	places  chan struct{}
	running chan struct{}
	group   sync.WaitGroup
	begin   func() // for tests: called before each job

	perUser int

	mu   sync.Mutex
	of   map[string]int   // places by user
	last map[string]*turn // by key: its newest job
}

// turn is a job's place behind those of its key.
type turn struct {
	begun bool
	done  chan struct{} // closed when it is done
}

func newJobs(atOnce, places, perUser int, log *slog.Logger) *jobs {
	return &jobs{log: log, places: make(chan struct{}, places), running: make(chan struct{}, atOnce), perUser: perUser,
		of: map[string]int{}, last: map[string]*turn{}}
}

// do queues f, to run once the key's earlier jobs are done. False: the queue is full, in total or for this user.
func (j *jobs) do(user, key string, f func(ctx context.Context)) bool {
	before, mine, ok := j.enter(user, key)
	if !ok {
		return false
	}
	j.group.Go(func() {
		defer j.leave(user, key, mine)
		if before != nil {
			<-before.done
		}
		j.running <- struct{}{}
		defer func() { <-j.running }()
		if j.begin != nil {
			j.begin()
		}
		j.mu.Lock()
		mine.begun = true
		j.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), workWithin)
		defer cancel()
		guarded(j.log, "job", func() { f(ctx) })
	})
	return true
}

func (j *jobs) enter(user, key string) (before, mine *turn, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.of[user] >= j.perUser {
		return nil, nil, false
	}
	select {
	case j.places <- struct{}{}:
	default:
		return nil, nil, false
	}
	j.of[user]++
	before, mine = j.last[key], &turn{done: make(chan struct{})}
	j.last[key] = mine
	return before, mine, true
}

func (j *jobs) leave(user, key string, mine *turn) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.last[key] == mine {
		delete(j.last, key)
	}
	if j.of[user]--; j.of[user] == 0 {
		delete(j.of, user)
	}
	close(mine.done)
	<-j.places
}

// waits reports whether the newest job of a key has not started.
func (j *jobs) waits(key string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	newest := j.last[key]
	return newest != nil && !newest.begun
}

// wait waits for all jobs, no longer than ctx.
func (j *jobs) wait(ctx context.Context) {
	waitFor(ctx, &j.group, j.log, "shutdown: some jobs were cut off")
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

// guarded runs f and reports whether it panicked: a bad payload must not stop the program.
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
