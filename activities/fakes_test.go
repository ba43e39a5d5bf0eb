package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

// fakeTarget is a target in memory whose operations can be made to fail.
type fakeTarget struct {
	mutex  sync.Mutex
	held   map[connector.Assignment]bool
	invite bool                          // granting sends an invitation, which accept accepts
	out    map[connector.Assignment]bool // open invitations
	faults map[string][]fault            // by operation, in order; one marked always stays
	calls  map[string]int
	people map[string]bool // people with an account; nil: everyone
}

// fault is what an operation does instead of its work. apply does the work.
type fault struct {
	always bool
	do     func(ctx context.Context, apply func()) error
}

func newFakeTarget() *fakeTarget {
	return &fakeTarget{
		held:   map[connector.Assignment]bool{},
		out:    map[connector.Assignment]bool{},
		faults: map[string][]fault{},
		calls:  map[string]int{},
	}
}

// next adds a fault to the next calls of an operation (read, grant, revoke, create, list).
func (f *fakeTarget) next(operation string, do func(ctx context.Context, apply func()) error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.faults[operation] = append(f.faults[operation], fault{do: do})
}

// always sets the fault of all calls of an operation.
func (f *fakeTarget) always(operation string, do func(ctx context.Context, apply func()) error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.faults[operation] = []fault{{always: true, do: do}}
}

// repair removes all faults.
func (f *fakeTarget) repair() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	clear(f.faults)
}

func (f *fakeTarget) set(account, object string, held bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.held[connector.Assignment{Account: account, Object: object}] = held
}

// accept accepts every invitation.
func (f *fakeTarget) accept() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for a := range f.out {
		f.held[a] = true
	}
	clear(f.out)
}

func (f *fakeTarget) holds(account, object string) bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.held[connector.Assignment{Account: account, Object: object}]
}

func (f *fakeTarget) holding() int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	n := 0
	for _, held := range f.held {
		if held {
			n++
		}
	}
	return n
}

func (f *fakeTarget) called(operation string) int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.calls[operation]
}

func (f *fakeTarget) do(ctx context.Context, operation string, apply func()) error {
	locked := func() {
		f.mutex.Lock()
		defer f.mutex.Unlock()
		apply()
	}
	f.mutex.Lock()
	f.calls[operation]++
	queue := f.faults[operation]
	if len(queue) == 0 {
		f.mutex.Unlock()
		locked()
		return nil
	}
	next := queue[0]
	if !next.always {
		f.faults[operation] = queue[1:]
	}
	f.mutex.Unlock()
	return next.do(ctx, locked)
}

// account returns Gone for a missing account. The caller holds mutex.
func (f *fakeTarget) account(name string) error {
	if f.people == nil || f.people[name] {
		return nil
	}
	return &connector.Gone{Part: connector.Account, Name: name}
}

func (f *fakeTarget) Read(ctx context.Context, a connector.Assignment) (state connector.State, err error) {
	var gone error
	err = f.do(ctx, "read", func() {
		gone = f.account(a.Account)
		state = connector.State{Held: f.held[a], Pending: f.out[a]}
		if state.Pending {
			state.On, state.WaitsFor = connector.PendingOnHolder, a.Account+" to accept the invitation"
		}
	})
	return state, errors.Join(err, gone)
}

func (f *fakeTarget) Grant(ctx context.Context, a connector.Assignment) error {
	var gone error
	err := f.do(ctx, "grant", func() {
		switch gone = f.account(a.Account); {
		case gone != nil:
		case f.invite:
			f.out[a] = true
		default:
			f.held[a] = true
		}
	})
	return errors.Join(err, gone)
}

func (f *fakeTarget) Revoke(ctx context.Context, a connector.Assignment) error {
	return f.do(ctx, "revoke", func() {
		f.held[a] = false
		delete(f.out, a)
	})
}

func (f *fakeTarget) Close() error { return nil }

func (f *fakeTarget) List(ctx context.Context, fn func(connector.Assignment) error) error {
	var all []connector.Assignment
	err := f.do(ctx, "list", func() {
		for a, held := range f.held {
			if held {
				all = append(all, a)
			}
		}
	})
	for _, a := range all {
		if err := fn(a); err != nil {
			return err
		}
	}
	return err
}

// creating is a fakeTarget whose connector creates missing accounts.
type creating struct{ *fakeTarget }

func (c creating) CreateAccount(ctx context.Context, account string) error {
	return c.do(ctx, "create", func() { c.people[account] = true })
}

// Faults.
var (
	doesNothing = func(context.Context, func()) error { return nil }
	lostAnswer  = func(_ context.Context, apply func()) error {
		apply()
		return &connector.Unavailable{Err: errors.New("connection reset")}
	}
	refusesConnection = func(context.Context, func()) error {
		return &connector.Unavailable{Err: errors.New("connection refused")}
	}
	denies      = func(context.Context, func()) error { return &connector.Denied{Fix: "grant it a password"} }
	limitsRate  = func(context.Context, func()) error { return &connector.RateLimited{RetryAfter: 42 * time.Second} }
	hasNoObject = func(context.Context, func()) error { return &connector.Gone{Part: connector.Object, Name: "crm/admin"} }
)

// neverAnswers blocks until the caller's timeout.
func neverAnswers(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return &connector.Unavailable{Err: ctx.Err()}
}

// blocked is a call that works once released. reached is closed when it begins.
type blocked struct{ reached, release chan struct{} }

func newBlocked() blocked { return blocked{make(chan struct{}), make(chan struct{})} }

func (h blocked) do(ctx context.Context, apply func()) error {
	close(h.reached)
	select {
	case <-h.release:
		apply()
		return nil
	case <-ctx.Done():
		return &connector.Unavailable{Err: ctx.Err()}
	}
}

// company is a world with activities and fake targets.
type company struct {
	*schematest.World
	t       testing.TB
	do      *activities.Activities
	limits  connector.Limits       // of every target
	creates bool                   // every target's connector creates missing accounts
	targets map[string]*fakeTarget // by instance
	mutex   sync.Mutex
}

func newCompany(t *testing.T) *company {
	t.Helper()
	t.Parallel()
	c := &company{World: schematest.NewWorld(t), t: t, targets: map[string]*fakeTarget{}}
	c.do = c.activities(c.Worker)
	return c
}

// activities returns the activities of one worker process.
func (c *company) activities(db *schema.DB) *activities.Activities {
	log := slog.New(slog.DiscardHandler)
	targets := &activities.Targets{
		Open: func(_, instance string) (connector.Connector, connector.Limits, error) {
			if c.creates {
				return creating{c.target(instance)}, c.limits, nil
			}
			return c.target(instance), c.limits, nil
		},
	}
	return &activities.Activities{
		DB: db, Log: log, Reconciler: &activities.Reconciler{DB: db, Targets: targets, Log: log},
		Options: activities.Options{ShowPeople: true, DefaultTimeZone: time.UTC},
	}
}

func (c *company) target(instance string) *fakeTarget {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.targets[instance] == nil {
		c.targets[instance] = newFakeTarget()
	}
	return c.targets[instance]
}

// grant makes one attempt to provision an item.
func (c *company) grant(item int64) error {
	return c.do.ProvisionAccess(context.Background(), activities.ItemInput{ItemID: item})
}

// revoke makes one attempt to de-provision a claim.
func (c *company) revoke(claim int64) error {
	return c.do.DeprovisionAccess(context.Background(), activities.ClaimInput{ClaimID: claim})
}

// reconcile makes one attempt to reconcile an item's assignment.
func (c *company) reconcile(item int64) error {
	assignment, err := schema.AssignmentOfItem(context.Background(), c.Worker, item)
	require.NoError(c.t, err)
	return c.do.Reconciler.Reconcile(context.Background(), assignment)
}

func (c *company) advance(request int64) activities.Next {
	c.t.Helper()
	next, err := c.do.Advance(context.Background(), activities.AdvanceInput{RequestID: request})
	require.NoError(c.t, err)
	return next
}

// retryDelay returns the retry delay in err; 0: that of the retry policy.
func retryDelay(t *testing.T, err error) time.Duration {
	t.Helper()
	var e *temporal.ApplicationError
	require.ErrorAs(t, err, &e)
	return e.NextRetryDelay()
}

// targetsMatchClaims checks invariant I1 for every assignment that ever had a claim, and that every claim that is not over has a
// due date.
func (c *company) targetsMatchClaims() {
	c.t.Helper()
	var assignments []struct {
		Account, Object, Instance string
		Live                      bool
		Ended, Due                int
	}
	require.NoError(c.t, c.Select(&assignments, `
		select a.account, e.target as object, e.instance,
		       bool_or(c.ended_at is null and c.revoked_at is null and coalesce(c.ends_at, 'infinity') > app_now()) as live,
		       count(c.ended_at) as ended, count(c.due_at) as due
		  from claims c join accounts a on a.id = c.account_id join entitlements e on e.id = c.entitlement_id
		 group by a.account, e.target, e.instance`))
	for _, s := range assignments {
		assert.Equal(c.t, s.Live, c.target(s.Instance).holds(s.Account, s.Object), "%s on %s", s.Account, s.Object)
	}
}
