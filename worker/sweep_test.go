package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/outbox"
	"accessbot/slackapp/slacksim"
	"accessbot/workflows"
	"accessbot/workflows/starter"
)

// memory is a target in memory. fail, if set, is called before every call.
type memory struct {
	mutex sync.Mutex
	held  map[connector.Assignment]bool
	calls int
	fail  func(ctx context.Context) error
}

func (m *memory) call(ctx context.Context, f func()) error {
	m.mutex.Lock()
	fail := m.fail
	m.calls++
	m.mutex.Unlock()
	if fail != nil {
		if err := fail(ctx); err != nil {
			return err
		}
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	f()
	return nil
}

func (m *memory) Read(ctx context.Context, a connector.Assignment) (s connector.State, err error) {
	err = m.call(ctx, func() { s.Held = m.held[a] })
	return s, err
}

func (m *memory) Grant(ctx context.Context, a connector.Assignment) error {
	return m.call(ctx, func() { m.held[a] = true })
}

func (m *memory) Revoke(ctx context.Context, a connector.Assignment) error {
	return m.call(ctx, func() { delete(m.held, a) })
}

func (m *memory) Close() error { return nil }

func (m *memory) failWith(fail func(ctx context.Context) error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.fail = fail
}

func (m *memory) holding() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return len(m.held)
}

func (m *memory) called() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.calls
}

// fakeTemporal records the runs that are signalled.
type fakeTemporal struct {
	client.Client
	mutex     sync.Mutex
	signalled []string
	refuses   func(id string) error
}

func (f *fakeTemporal) SignalWithStartWorkflow(
	_ context.Context,
	id, _ string,
	_ any,
	_ client.StartWorkflowOptions,
	_ any,
	_ ...any,
) (client.WorkflowRun, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.signalled = append(f.signalled, id)
	if f.refuses != nil {
		return nil, f.refuses(id)
	}
	return nil, nil
}

// office is a company with a sweep. Ann is the requester. Owen owns the applications CRM and WIKI.
type office struct {
	*schematest.World
	t         *testing.T
	ann, owen int64
	crm, wiki int64 // an entitlement of each
	targets   map[string]*memory
	temporal  *fakeTemporal
	sweep     *sweep
}

func newOffice(t *testing.T) office {
	t.Helper()
	t.Parallel()
	w := schematest.NewWorld(t)
	o := office{
		World:    w,
		t:        t,
		ann:      w.Person("Ann"),
		owen:     w.Person("Owen"),
		temporal: &fakeTemporal{},
		targets:  map[string]*memory{},
	}
	for _, instance := range []string{"CRM", "WIKI"} {
		o.targets[instance] = &memory{held: map[connector.Assignment]bool{}}
	}
	o.crm, o.wiki = w.Entitlement(w.Application("crm", o.owen), "admin"), w.Entitlement(w.Application("wiki", o.owen), "admin")
	o.sweep = o.worker(o.temporal)
	return o
}

// worker returns one process's sweep.
func (o office) worker(temporal client.Client) *sweep {
	log := slog.New(slog.DiscardHandler)
	targets := &activities.Targets{
		Open: func(_, instance string) (connector.Connector, connector.Limits, error) {
			return o.targets[instance], connector.Limits{}, nil
		},
	}
	a := &activities.Activities{
		DB: o.Worker, Reconciler: &activities.Reconciler{DB: o.Worker, Targets: targets, Log: log}, Log: log,
		Options: activities.Options{DefaultTimeZone: time.UTC},
	}
	messages := &outbox.Outbox{
		DB: o.Worker, Log: log, DefaultTimeZone: time.UTC,
		Slack: slack.New("xoxb-test", slack.OptionAPIURL("http://127.0.0.1:1/")),
	}
	starter := &starter.Starter{Client: temporal, TaskQueue: "test", DB: o.Worker, Log: log}
	return &sweep{db: o.Worker, activities: a, outbox: messages, starter: starter, every: time.Minute, log: log}
}

func (o office) once() {
	o.t.Helper()
	require.NoError(o.t, o.sweep.once(context.Background()))
}

// granted returns a request whose access was granted.
func (o office) granted(person int64, lasts time.Duration, entitlement int64) schematest.Asked {
	o.t.Helper()
	asked := o.Request(person, lasts, entitlement)
	o.Approve(o.owen, asked)
	require.NoError(o.t, o.sweep.activities.ProvisionAccess(context.Background(), activities.ItemInput{ItemID: asked.Items[0]}))
	require.Equal(o.t, "active", o.State(asked.Items[0]))
	return asked
}

func TestSweep(t *testing.T) {
	t.Run("overdue access is revoked without Temporal", func(t *testing.T) {
		o := newOffice(t)
		// A port that was free a moment ago, with no server.
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := listener.Addr().String()
		require.NoError(t, listener.Close())
		unavailable, err := client.NewLazyClient(client.Options{HostPort: address})
		require.NoError(t, err)
		defer unavailable.Close()
		o.sweep = o.worker(unavailable)

		asked, later := o.granted(o.ann, time.Hour, o.crm), o.granted(o.ann, 3*time.Hour, o.wiki)
		waiting := o.Request(o.owen, 0, o.crm)
		o.Shift(time.Hour + time.Minute)
		o.once()
		assert.Equal(t, 1, o.targets["CRM"].holding(), "its run has two minutes first")
		o.Shift(time.Minute)
		o.once()
		assert.Zero(t, o.targets["CRM"].holding())
		assert.Equal(t, "ended", o.State(asked.Items[0]))
		assert.InDelta(
			t,
			120,
			schematest.Value[float64](
				o.World,
				`select (details->>'late_by_seconds')::float8 from audit_events where action = 'access.revoked'`,
			),
			60,
		)
		assert.Equal(t, "active", o.State(later.Items[0]))
		assert.True(
			t,
			schematest.Value[bool](o.World, `select due_at <= app_now() from access_requests where id = $1`, waiting.ID),
			"a request that was not signalled stays due",
		)
	})

	t.Run("overdue access is revoked before anything else", func(t *testing.T) {
		o := newOffice(t)
		o.granted(o.ann, time.Hour, o.crm)
		o.Request(o.owen, 0, o.wiki)
		var temporal, slacks, early atomic.Int64 // calls of each, and those while access was still held
		called := func(calls *atomic.Int64) {
			calls.Add(1)
			if o.targets["CRM"].holding() > 0 {
				early.Add(1)
			}
		}
		o.temporal.refuses = func(string) error { called(&temporal); return nil }
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			called(&slacks)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		t.Cleanup(web.Close)
		o.sweep.outbox.Slack = slack.New("xoxb-test", slack.OptionAPIURL(web.URL+"/"))
		o.Shift(2 * time.Hour) // no sweep ran meanwhile
		o.once()
		assert.NotZero(t, temporal.Load())
		assert.NotZero(t, slacks.Load())
		assert.Zero(t, early.Load())
	})

	t.Run("access of a person who left is revoked", func(t *testing.T) {
		o := newOffice(t)
		asked := o.granted(o.ann, 0, o.crm)
		next, err := o.sweep.activities.Advance(context.Background(), activities.AdvanceInput{RequestID: asked.ID})
		require.NoError(t, err)
		require.True(t, next.Complete, "its run is over")
		o.targets["WIKI"].held[connector.Assignment{Account: "ann", Object: "wiki/admin"}] = true
		imported := o.Imported(o.ann, o.wiki)
		o.Do(`update people set status = 'left' where id = $1`, o.ann)
		o.once()
		assert.Zero(t, o.targets["CRM"].holding()+o.targets["WIKI"].holding())
		assert.Equal(t, "revoked", o.State(asked.Items[0]))
		assert.True(t, schematest.Value[bool](o.World, `select removed_at is not null from claims where id = $1`, imported))
		o.Shift(runGrace)
		o.once()
		assert.Equal(t, []string{workflows.RequestWorkflowID(asked.ID)}, o.temporal.signalled, "the request's run records it")
	})

	// The run slept through the sweep's work, or does it late.
	t.Run("late run of a person who left is harmless", func(t *testing.T) {
		o := newOffice(t)
		ctx := context.Background()
		asked := o.granted(o.ann, time.Hour, o.crm)
		claim := o.Claim(asked.Items[0])
		o.Do(`update people set status = 'left' where id = $1`, o.ann)
		o.once()
		require.Equal(t, "revoked", o.State(asked.Items[0]))
		outside := connector.Assignment{Account: "ann", Object: "crm/admin"} // granted without us, so not ours to revoke
		require.NoError(t, o.targets["CRM"].Grant(ctx, outside))
		for _, later := range []time.Duration{0, 2 * time.Hour} {
			o.Shift(later)
			next, err := o.sweep.activities.Advance(ctx, activities.AdvanceInput{RequestID: asked.ID})
			require.NoError(t, err)
			assert.True(t, next.Complete)
			assert.Empty(t, next.Grant)
			assert.Empty(t, next.Revoke)
			require.NoError(t, o.sweep.activities.ProvisionAccess(ctx, activities.ItemInput{ItemID: asked.Items[0]}))
			require.NoError(t, o.sweep.activities.DeprovisionAccess(ctx, activities.ClaimInput{ClaimID: claim}))
			assert.Equal(t, 1, o.targets["CRM"].holding())
		}
		assert.Equal(t, "revoked", o.State(asked.Items[0]))
		assert.Equal(t, 1, o.Audited(schema.AccessRevoked))
		assert.Equal(t, 1, schematest.Value[int](o.World, `select count(*) from claims`))
	})

	t.Run("live claim gets a new due date", func(t *testing.T) {
		o := newOffice(t)
		claim := o.Claim(o.granted(o.ann, time.Hour, o.crm).Items[0])
		o.Do(`update claims set due_at = app_now()`)
		o.once()
		assert.Equal(t, 1, o.targets["CRM"].holding())
		assert.True(
			t,
			schematest.Value[bool](o.World, `select due_at = ends_at + interval '2 minutes' from claims where id = $1`, claim),
		)
	})

	t.Run("run that does not react", func(t *testing.T) {
		t.Run("is signalled less and less often until it loads its next steps", func(t *testing.T) {
			o := newOffice(t)
			asked := o.Request(o.ann, 0, o.crm)
			for range 12 * 12 { // twelve hours
				o.Shift(retryInterval + runGrace)
				o.once()
			}
			signals := len(o.temporal.signalled)
			assert.GreaterOrEqual(t, signals, 12, "at least once an hour")
			assert.LessOrEqual(t, signals, 20)

			_, err := o.sweep.activities.Advance(context.Background(), activities.AdvanceInput{RequestID: asked.ID})
			require.NoError(t, err)
			o.Do(`update access_requests set due_at = app_now()`)
			for range 2 {
				o.Shift(retryInterval + runGrace)
				o.once()
			}
			assert.Len(t, o.temporal.signalled, signals+2, "then as often as at first")
		})
	})

	t.Run("overdue messages are sent, for closed runs too", func(t *testing.T) {
		o := newOffice(t)
		server, err := slacksim.New(
			slacksim.Config{BotToken: "xoxb-test", AppToken: "xapp-test", Users: []slacksim.User{{Email: "ann@example.com", Name: "Ann"}}},
		)
		require.NoError(t, err)
		web := httptest.NewServer(server.Handler())
		t.Cleanup(func() { server.Close(); web.Close() })
		asked := o.Request(o.ann, 0, o.crm)
		o.Do(`update access_requests set due_at = null, completed_at = app_now()`)
		o.Shift(messageGrace)
		o.once() // Slack is down
		assert.True(t, schematest.Value[bool](o.World, `select messages_due_at > app_now() from access_requests`), "retried later")
		o.sweep.outbox.Slack = slack.New("xoxb-test", slack.OptionAPIURL(web.URL+"/api/"))
		o.Shift(retryInterval + messageGrace)
		o.once()
		messages, err := slacksim.Dial(web.URL).As("ann@example.com").Messages()
		require.NoError(t, err)
		require.Len(t, messages, 1)
		assert.Contains(t, messages[0].Text(), fmt.Sprintf("#%d", asked.ID))
		assert.True(t, schematest.Value[bool](o.World, `select messages_due_at is null from access_requests`))
	})

	t.Run("silent Slack does not delay the sweep", func(t *testing.T) {
		o := newOffice(t)
		hang := make(chan struct{})
		web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}))
		t.Cleanup(func() { close(hang); web.Close() })
		for range 5 {
			o.Request(o.ann, 0, o.crm)
		}
		o.Shift(time.Hour)
		o.sweep.outbox.Slack = slack.New("xoxb-test", slack.OptionAPIURL(web.URL+"/"))
		began := time.Now()
		o.once()
		assert.Less(t, time.Since(began), sendTimeout+5*time.Second)
		assert.NoError(t, checkReady(context.Background(), o.Worker, time.Minute))
	})

	t.Run("only one sweep works at a time", func(t *testing.T) {
		o := newOffice(t)
		o.granted(o.ann, time.Hour, o.crm)
		o.Shift(2 * time.Hour)
		reached, release := make(chan struct{}), make(chan struct{})
		var first sync.Once
		o.targets["CRM"].failWith(func(context.Context) error {
			first.Do(func() { close(reached) })
			<-release
			return nil
		})
		done := make(chan error, 1)
		go func() { done <- o.sweep.once(context.Background()) }()
		<-reached
		calls := o.targets["CRM"].called()
		require.NoError(t, o.worker(o.temporal).once(context.Background()), "the second has nothing to do")
		assert.Equal(t, calls, o.targets["CRM"].called())
		assert.True(t, schematest.Value[bool](o.World, `select finished_at is null from sweeps`))
		close(release)
		require.NoError(t, <-done)
		assert.Zero(t, o.targets["CRM"].holding())
		require.NoError(t, o.worker(o.temporal).once(context.Background()), "the lock is released")
	})

	t.Run("unavailable target is tried less often and delays no other", func(t *testing.T) {
		o := newOffice(t)
		crm := o.Claim(o.granted(o.ann, time.Hour, o.crm).Items[0])
		o.granted(o.ann, time.Hour, o.wiki)
		o.Shift(2 * time.Hour)
		o.targets["CRM"].failWith(func(context.Context) error { return &connector.Unavailable{Err: errors.New("down")} })
		var waits []float64
		for range 8 {
			o.once()
			wait := schematest.Value[float64](
				o.World,
				`select extract(epoch from due_at - app_now())::float8 from claims where id = $1`,
				crm,
			)
			waits = append(waits, wait)
			o.once()
			o.Shift(time.Duration(wait+1) * time.Second)
		}
		for n, minutes := range []float64{1, 2, 4, 8, 16, 30, 30, 30} {
			assert.InDelta(t, minutes*60, waits[n], 5)
		}
		assert.Equal(t, 8, o.targets["CRM"].called()-3, "once per due date; three were for granting")
		assert.Zero(t, o.targets["WIKI"].holding())
		assert.Equal(t, 1, o.Alerts(schema.RevocationOverdue))
		o.targets["CRM"].failWith(nil)
		o.once()
		assert.Zero(t, o.targets["CRM"].holding())
	})

	t.Run("assignment that is being reconciled stays due", func(t *testing.T) {
		o := newOffice(t)
		claim := o.Claim(o.granted(o.ann, time.Hour, o.crm).Items[0])
		o.Shift(62 * time.Minute)
		conn, err := o.As(t, "accessbot_auditor").Connx(context.Background()) // every role that can connect can hold a lock
		require.NoError(t, err)
		defer conn.Close() // the test is over
		assignment, err := schema.AssignmentOfClaim(context.Background(), o.Worker, claim)
		require.NoError(t, err)
		locked, err := assignment.Lock().Try(context.Background(), conn)
		require.NoError(t, err)
		require.True(t, locked)
		o.once()
		assert.True(
			t,
			schematest.Value[bool](
				o.World,
				`select due_at <= app_now() and attempts = 0 and alerted_at is null from claims where id = $1`,
				claim,
			),
		)
		o.Shift(time.Hour)
		o.once()
		o.once()
		assert.Equal(t, 1, o.Alerts(schema.RevocationOverdue), "a lock that is held for so long raises the alert")
		assert.True(t, schematest.Value[bool](o.World, `select due_at <= app_now() and attempts = 0 from claims where id = $1`, claim))
		require.NoError(t, assignment.Lock().Release(context.Background(), conn))
		o.once()
		assert.Zero(t, o.targets["CRM"].holding())
	})

	t.Run("worker is ready while sweeps succeed", func(t *testing.T) {
		o := newOffice(t)
		require.ErrorContains(t, checkReady(context.Background(), o.Worker, time.Minute), "no sweep")
		o.once()
		require.NoError(t, checkReady(context.Background(), o.Worker, time.Minute))
		o.Shift(2*time.Minute + reconcileTimeout + time.Second)
		require.ErrorContains(t, checkReady(context.Background(), o.Worker, time.Minute), "the last sweep")
	})

	t.Run("stale drafts and events are deleted", func(t *testing.T) {
		o := newOffice(t)
		o.Do(`insert into form_drafts (view_id, person_id, time_zone) values ('V1', $1, 'UTC')`, o.ann)
		o.Do(`insert into slack_events (event_id) values ('Ev1')`)
		o.Shift(25 * time.Hour)
		o.Do(`insert into form_drafts (view_id, person_id, time_zone) values ('V2', $1, 'UTC')`, o.ann)
		o.once()
		assert.Equal(
			t,
			1,
			schematest.Value[int](o.World, `select (select count(*) from form_drafts) + (select count(*) from slack_events)`),
		)
	})
}

func TestStarter(t *testing.T) {
	t.Run("only overdue runs are signalled, and not too often", func(t *testing.T) {
		o := newOffice(t)
		overdue, early := o.Request(o.ann, 0, o.crm), o.Request(o.ann, 0, o.wiki)
		o.Do(`update access_requests set due_at = app_now() + interval '1 hour' where id = $1`, early.ID)
		o.once()
		assert.Empty(t, o.temporal.signalled, "a run has a moment to do it itself")
		o.Shift(runGrace)
		o.once()
		assert.Equal(t, []string{workflows.RequestWorkflowID(overdue.ID)}, o.temporal.signalled)
		o.once()
		assert.Len(t, o.temporal.signalled, 1, "a busy run is not signalled again at once")
		o.Shift(retryInterval + runGrace)
		o.once()
		assert.Len(t, o.temporal.signalled, 2)
	})

	t.Run("run that cannot be signalled does not delay others", func(t *testing.T) {
		o := newOffice(t)
		bad, good := o.Request(o.ann, 0, o.crm), o.Request(o.ann, 0, o.wiki)
		o.Shift(time.Hour)
		o.temporal.refuses = func(id string) error {
			if id == workflows.RequestWorkflowID(bad.ID) {
				return errors.New("refused")
			}
			return nil
		}
		o.once()
		assert.Contains(t, o.temporal.signalled, workflows.RequestWorkflowID(good.ID))
		assert.True(t, schematest.Value[bool](o.World, `select due_at <= app_now() from access_requests where id = $1`, bad.ID))
		assert.False(t, schematest.Value[bool](o.World, `select due_at <= app_now() from access_requests where id = $1`, good.ID))
	})

	t.Run("unavailable Temporal is not called for each request", func(t *testing.T) {
		o := newOffice(t)
		for range 10 {
			o.Request(o.ann, 0, o.crm)
		}
		o.Shift(time.Hour)
		o.temporal.refuses = func(string) error { return errors.New("unavailable") }
		o.once()
		assert.Len(t, o.temporal.signalled, maxSignalFailures)
		assert.Equal(t, 10, schematest.Value[int](o.World, `select count(*) from access_requests where due_at <= app_now()`))
	})
}
