package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/outbox"
)

// busyTarget is a slow target that counts concurrent calls and can limit calls.
type busyTarget struct {
	*memory
	takes      time.Duration
	limitEvery int64 // every nth call is answered with Retry-After; 0: none
	inside     atomic.Int64
	most       atomic.Int64
	all        atomic.Int64
	limited    atomic.Int64 // Unix nanoseconds until which no call is allowed
	tooSoon    atomic.Int64 // calls that came anyway
}

func (b *busyTarget) call(ctx context.Context, do func() error) error {
	b.most.Store(max(b.most.Load(), b.inside.Add(1)))
	defer b.inside.Add(-1)
	pause := time.NewTimer(b.takes)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return &connector.Unavailable{Err: ctx.Err()}
	}
	if time.Now().UnixNano() < b.limited.Load() {
		b.tooSoon.Add(1)
	}
	if n := b.all.Add(1); b.limitEvery > 0 && n%b.limitEvery == 0 {
		b.limited.Store(time.Now().Add(time.Second).UnixNano()) // long enough for a call to come too soon on a busy machine
		return &connector.RateLimited{RetryAfter: 1100 * time.Millisecond}
	}
	return do()
}

func (b *busyTarget) Read(ctx context.Context, a connector.Assignment) (state connector.State, err error) {
	err = b.call(ctx, func() error { state, err = b.memory.Read(ctx, a); return err })
	return state, err
}

func (b *busyTarget) Revoke(ctx context.Context, a connector.Assignment) error {
	return b.call(ctx, func() error { return b.memory.Revoke(ctx, a) })
}

// storm returns an office with many claims that end in the same second.
func storm(t *testing.T, ends int, target *busyTarget, limits connector.Limits) (office, *sweep) {
	t.Helper()
	o := newOffice(t)
	o.Do(
		`insert into people (email, name, status) select 'storm' || n || '@example.com', 'Storm ' || n, 'active' from generate_series(1, $1) n`,
		ends,
	)
	o.Do(`insert into accounts (person_id, instance, account) select id, 'CRM', email from people where email like 'storm%'`)
	// Imported claims end like others, and need no decisions.
	o.Do(`insert into claims (person_id, account_id, entitlement_id, source, granted_at, ends_at, due_at)
	      select a.person_id, a.id, $1, 'imported', app_now(), app_now() + interval '1 hour', app_now() + interval '1 hour' from accounts a where a.account like 'storm%'`, o.crm)
	target.memory = o.targets["CRM"]
	var accounts []string
	require.NoError(t, o.Select(&accounts, `select account from accounts where account like 'storm%'`))
	object := schematest.Value[string](o.World, `select target from entitlements where id = $1`, o.crm)
	for _, account := range accounts {
		target.held[connector.Assignment{Account: account, Object: object}] = true
	}
	db := o.smallPool(t)
	targets := &activities.Targets{Open: func(_, instance string) (connector.Connector, connector.Limits, error) {
		if instance == "CRM" {
			return target, limits, nil
		}
		return o.targets[instance], connector.Limits{}, nil
	}}
	log := slog.New(slog.DiscardHandler)
	s := *o.sweep
	s.db = db
	s.activities = &activities.Activities{
		DB:         db,
		Reconciler: &activities.Reconciler{DB: db, Targets: targets, Log: log},
		Log:        log,
		Options:    o.sweep.activities.Options,
	}
	s.outbox = &outbox.Outbox{DB: db, Slack: o.sweep.outbox.Slack, Log: log, DefaultTimeZone: time.UTC}
	return o, &s
}

// smallPool returns the database with 20 connections, the least that a worker accepts.
func (o office) smallPool(t *testing.T) *schema.DB {
	t.Helper()
	db, err := schema.Open(o.RoleURL("accessbot_worker"), 20)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// sweepAll sweeps until all claims have ended, and returns how late each ended, in seconds.
func (o office) sweepAll(t *testing.T, s *sweep, ends int) []float64 {
	t.Helper()
	until := time.Now().Add(3*time.Minute + time.Duration(ends)*100*time.Millisecond)
	for {
		require.NoError(t, s.once(context.Background()))
		left := schematest.Value[int](o.World, `select count(*) from claims where source = 'imported' and removed_at is null`)
		if left == 0 {
			break
		}
		require.True(t, time.Now().Before(until), "%d of %d are left", left, ends)
	}
	require.Zero(t, o.targets["CRM"].holding())
	var late []float64
	require.NoError(
		t,
		o.Select(&late, `select (details->>'late_by_seconds')::float8 from audit_events where action = 'access.revoked'`),
	)
	require.Len(t, late, ends, "how late each was is recorded")
	slices.Sort(late)
	return late
}

func TestStorm(t *testing.T) {
	t.Run("two thousand ends in one second are revoked with twenty connections", func(t *testing.T) {
		const ends = 2000
		target := &busyTarget{takes: 2 * time.Millisecond}
		o, s := storm(t, ends, target, connector.Limits{Concurrency: 3})
		require.NoError(t, s.once(context.Background()))
		require.Equal(t, ends, o.targets["CRM"].holding(), "nothing is revoked early")

		// Another target never answers.
		unanswered := o.granted(o.ann, time.Hour, o.wiki)
		o.targets["WIKI"].failWith(func(ctx context.Context) error {
			<-ctx.Done()
			return &connector.Unavailable{Err: errors.New("no answer")}
		})
		began := time.Now()
		o.Shift(time.Hour + time.Second)
		late := o.sweepAll(t, s, ends)
		t.Logf(
			"%d ends: p50 %.1f s late, p99 %.1f s, the last %.1f s; at most %d concurrent calls of the target; %d calls in %s",
			ends,
			late[ends/2],
			late[ends*99/100],
			late[ends-1],
			target.most.Load(),
			target.all.Load(),
			time.Since(began).Round(time.Millisecond),
		)
		require.GreaterOrEqual(t, late[0], 0.0, "none was early")
		require.LessOrEqual(t, target.most.Load(), int64(3), "the target's limit")
		require.NotZero(t, unanswered.ID)
	})

	t.Run("rate limit of a target is obeyed", func(t *testing.T) {
		ends := stormEnds(t)
		target := &busyTarget{takes: 100 * time.Microsecond, limitEvery: 499}
		o, s := storm(t, ends, target, connector.Limits{Concurrency: 3})
		o.Shift(time.Hour + time.Second)
		done := make(chan struct{})
		go func() { // time passes, so that postponed claims fall due
			defer close(done)
			for schematest.Value[int](o.World, `select count(*) from claims where source = 'imported' and removed_at is null`) > 0 {
				o.Shift(time.Minute)
				<-time.After(50 * time.Millisecond)
			}
		}()
		began := time.Now()
		o.sweepAll(t, s, ends)
		<-done
		limited := target.all.Load() / target.limitEvery
		t.Logf(
			"%d ends in %s: %d calls, %d of them answered with Retry-After, %d made before it passed",
			ends,
			time.Since(began).Round(time.Millisecond),
			target.all.Load(),
			limited,
			target.tooSoon.Load(),
		)
		require.NotZero(t, limited)
		require.LessOrEqual(
			t,
			target.tooSoon.Load(),
			limited*2*2,
			"only the two other assignments in progress continue, with at most two calls each",
		)
	})
}

// stormEnds returns the number of claims that end at once. STORM_ENDS=10000 ./temporal-dev.sh test ./worker -run Storm -v uses
// more, which takes longer: the sweep handles any number in batches of claimsPerBatch.
func stormEnds(t *testing.T) int {
	t.Helper()
	given := os.Getenv("STORM_ENDS")
	if given == "" {
		return 1000
	}
	ends, err := strconv.Atoi(given)
	require.NoError(t, err, "STORM_ENDS is a number")
	return ends
}
