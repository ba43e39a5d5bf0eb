package main

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limit is how much one Slack user may send.
type limit struct {
	perMinute int // of each kind of payload, in the long run
	burst     int // of each kind, at once
	atOnce    int // being recorded, of all kinds: fewer than there are connections
}

// userLimit leaves room for a quick person, and for ten of them in what Slack itself allows an app in a minute.
var userLimit = limit{perMinute: 120, burst: 30, atOnce: 6}

// Kinds of payloads, each with a limit of its own: a search is sent while its user types.
const (
	acts     = "acts"
	searches = "searches"
	visits   = "visits"
)

// limiter keeps one user from taking the places of all.
type limiter struct {
	limit limit

	mu sync.Mutex
	of map[string]*allowance // by user
}

// allowance is what is left to one user.
type allowance struct {
	rates     map[string]*rate.Limiter // by kind
	running   int
	refusedAt time.Time // when a payload of theirs was refused last
}

// usersLimited bounds the memory that this takes: about 1 KB for each user.
const usersLimited = 10_000

// episode is how long a user has to be let through before they are told again that they are too fast.
const episode = 10 * time.Second

func newLimiter(l limit) *limiter { return &limiter{limit: l, of: map[string]*allowance{}} }

// enter tells whether a user's payload may be taken: leave is to be called after it then. Of the payloads that may not, first marks
// the one about which the user should be told.
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

// allowance is a user's. Where there are too many, those of whom nothing is being recorded begin again with a full one.
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
