package main

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limit is how much one Slack user may send.
type limit struct {
	perMinute int // of each kind of payload, on average
	burst     int // of each kind, at once
	atOnce    int // being recorded, of all kinds: fewer than the connections
}

// userLimit allows a quick person, and ten of them within what Slack allows an app in a minute.
var userLimit = limit{perMinute: 120, burst: 30, atOnce: 6}

// Kinds of payloads, each with its own limit: searches are sent while the user types.
const (
	acts     = "acts"
	searches = "searches"
	visits   = "visits"
)

// limiter keeps one user from using up all places.
type limiter struct {
	limit limit

	mu sync.Mutex
	of map[string]*allowance // by user
}

// allowance is what one user may still send.
type allowance struct {
	rates     map[string]*rate.Limiter // by kind
	running   int
	refusedAt time.Time // when one of their payloads was last refused
}

// usersLimited bounds the memory of the limiter: about 1 KB per user.
const usersLimited = 10_000

// episode is how long a user must stay within the limit before they are told again.
const episode = 10 * time.Second

func newLimiter(l limit) *limiter { return &limiter{limit: l, of: map[string]*allowance{}} }

// enter reports whether a user's payload is accepted; the caller then calls leave when it is done. Of refused payloads, first
// marks the one that the user is told about.
func (l *limiter) enter(user, kind string) (ok, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.allowance(user)
	if a.rates[kind] == nil {
		a.rates[kind] = rate.NewLimiter(rate.Limit(float64(l.limit.perMinute)/60), l.limit.burst)
	}
	if a.running < l.limit.atOnce && a.rates[kind].Allow() {
		a.running++
		return true, false
	}
	now := time.Now()
	first = now.Sub(a.refusedAt) > episode
	a.refusedAt = now
	return false, first
}

func (l *limiter) leave(user string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of[user].running--
}

// allowance returns a user's allowance. If there are too many, those of idle users are reset.
func (l *limiter) allowance(user string) *allowance {
	a := l.of[user]
	if a != nil {
		return a
	}
	if len(l.of) >= usersLimited {
		for other, a := range l.of {
			if a.running == 0 {
				delete(l.of, other)
			}
		}
	}
	a = &allowance{rates: map[string]*rate.Limiter{}}
	l.of[user] = a
	return a
}
