package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/outbox"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/webapi"
)

// target is a target in memory whose operations can be made to fail.
type target struct {
	mutex  sync.Mutex
	held   map[connector.Assignment]bool
	faults map[string]fault // by operation (read, grant, revoke)
}

// fault is what an operation does instead of its work. apply does the work.
type fault struct {
	always bool
	do     func(apply func()) error
}

var (
	lostAnswer = func(apply func()) error {
		apply()
		return &connector.Unavailable{Err: errors.New("connection reset")}
	}
	refusesConnection = func(func()) error { return &connector.Unavailable{Err: errors.New("connection refused")} }
	denies            = func(func()) error { return &connector.Denied{Fix: "grant it a password"} }
	hasNoObject       = func(func()) error { return &connector.Gone{Part: connector.Object, Name: "crm/admin"} }
)

func (t *target) do(operation string, apply func()) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	f, ok := t.faults[operation]
	if !ok {
		apply()
		return nil
	}
	if !f.always {
		delete(t.faults, operation)
	}
	return f.do(apply)
}

func (t *target) Read(_ context.Context, a connector.Assignment) (state connector.State, err error) {
	err = t.do("read", func() { state.Held = t.held[a] })
	return state, err
}

func (t *target) Grant(_ context.Context, a connector.Assignment) error {
	return t.do("grant", func() { t.held[a] = true })
}

func (t *target) Revoke(_ context.Context, a connector.Assignment) error {
	return t.do("revoke", func() { delete(t.held, a) })
}

func (t *target) Close() error { return nil }

// next sets the fault of the next call of an operation.
func (t *target) next(operation string, do func(apply func()) error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.faults[operation] = fault{do: do}
}

// always sets the fault of all calls of an operation.
func (t *target) always(operation string, do func(apply func()) error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.faults[operation] = fault{always: true, do: do}
}

// repair removes all faults.
func (t *target) repair() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	clear(t.faults)
}

func (t *target) set(account, object string, held bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.held[connector.Assignment{Account: account, Object: object}] = held
}

// company is a requester, an owner and one application with one entitlement. Its people are in a local Slack, except Zoe.
type company struct {
	*schematest.World
	t         *testing.T
	do        *activities.Activities
	outbox    *outbox.Outbox
	slack     *slacksim.Workspace
	ann, owen int64
	crm       int64
	admin     int64
	target    *target // CRM
}

func newCompany(t *testing.T) *company {
	t.Helper()
	t.Parallel()
	s := &company{World: schematest.NewWorld(t), t: t}
	s.ann, s.owen = s.Person("Ann"), s.Person("Owen")
	s.crm = s.Application("crm", s.owen)
	s.admin = s.Entitlement(s.crm, "admin")

	var mutex sync.Mutex
	targets := map[string]*target{} // by instance
	open := func(_, instance string) (connector.Connector, connector.Limits, error) {
		mutex.Lock()
		defer mutex.Unlock()
		if targets[instance] == nil {
			targets[instance] = &target{held: map[connector.Assignment]bool{}, faults: map[string]fault{}}
		}
		return targets[instance], connector.Limits{}, nil
	}
	log := slog.New(slog.DiscardHandler)
	s.do = &activities.Activities{
		DB: s.Worker, Log: log, Reconciler: &activities.Reconciler{DB: s.Worker, Targets: &activities.Targets{Open: open}, Log: log},
		Options: activities.Options{ShowPeople: true, DefaultTimeZone: time.UTC},
	}
	_, _, err := open("", "CRM")
	require.NoError(t, err)
	s.target = targets["CRM"]

	const token = "xoxb-test"
	server, err := slacksim.New(slacksim.Config{BotToken: token, AppToken: "xapp-test", Users: []slacksim.User{
		{Email: "ann@example.com", Name: "Ann"}, {Email: "owen@example.com", Name: "Owen"}, {Email: "olga@example.com", Name: "Olga"},
	}})
	require.NoError(t, err)
	web := httptest.NewServer(server.Handler())
	t.Cleanup(func() { server.Close(); web.Close() })
	s.outbox = &outbox.Outbox{
		DB:              s.Worker,
		Log:             log,
		DefaultTimeZone: time.UTC,
		Slack: webapi.New(
			token,
			webapi.Options{APIURL: web.URL + "/api/", Timeout: outbox.SlackTimeout, LongestWait: outbox.SlackLongestWait},
		),
	}
	s.slack = slacksim.Dial(web.URL)
	return s
}

func (s *company) advance(request int64) activities.Next {
	s.t.Helper()
	next, err := s.do.Advance(context.Background(), activities.AdvanceInput{RequestID: request})
	require.NoError(s.t, err)
	return next
}

// grant makes one attempt to provision an item.
func (s *company) grant(item int64) error {
	return s.do.ProvisionAccess(context.Background(), activities.ItemInput{ItemID: item})
}

// revoke makes one attempt to de-provision a claim.
func (s *company) revoke(claim int64) error {
	return s.do.DeprovisionAccess(context.Background(), activities.ClaimInput{ClaimID: claim})
}

// approved is an approved request of Ann's; 0: permanent.
func (s *company) approved(lasts time.Duration) schematest.Asked {
	s.t.Helper()
	asked := s.Request(s.ann, lasts, s.admin)
	s.Approve(s.owen, asked)
	return asked
}

func (s *company) held() bool {
	s.target.mutex.Lock()
	defer s.target.mutex.Unlock()
	return s.target.held[connector.Assignment{Account: "ann", Object: "crm/admin"}]
}

func (s *company) approvals(request int64) []schema.Approval {
	s.t.Helper()
	r, err := schema.RequestByID(context.Background(), s.Worker, request)
	require.NoError(s.t, err)
	return r.Approvals
}

// decide records a person's decision about all items that they can decide now.
func (s *company) decide(by, request int64, outcome string) {
	s.t.Helper()
	for _, a := range s.approvals(request) {
		isCandidate := slices.ContainsFunc(a.Candidates, func(c schema.Candidate) bool { return c.PersonID == by })
		if a.State == "open" && isCandidate {
			require.NoError(s.t, s.Decide(by, a.ID, outcome, a.ItemIDs...))
		}
	}
}

// away delegates a person's approvals from now on and for a while.
func (s *company) away(who, delegate int64, lasts time.Duration) {
	s.t.Helper()
	starts := s.Now()
	_, err := s.SlackApp.Delegate(
		context.Background(),
		schema.Delegation{
			PersonID:   who,
			DelegateID: sql.NullInt64{Int64: delegate, Valid: true},
			StartsAt:   starts,
			EndsAt:     starts.Add(lasts),
		},
	)
	require.NoError(s.t, err)
}

// at sets the database's clock.
func (s *company) at(instant string) {
	s.t.Helper()
	s.Do(`update clock set shift = $1::timestamptz - clock_timestamp()`, instant)
}
