package activities_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/outbox"
	"accessbot/slackapp/slacksim"
)

// month is a company over some weeks. Random steps happen in it, and the invariants of access must hold after each. rapid
// shrinks a failure and prints its seed.
type month struct {
	*company
	r            *rapid.T
	outbox       *outbox.Outbox
	slack        *slacksim.Workspace
	owen         int64
	people       []int64
	entitlements []int64
	requests     []schematest.Asked
	decisions    int                           // confirmed to people as recorded
	manualTasks  map[connector.Assignment]bool // access changed outside of us, which we may not know of
	left         map[int64]bool
}

// oneMonth is the testing.TB of one month: it fails through rapid, which then shrinks the steps, and cleans up when the month
// ends.
type oneMonth struct {
	testing.TB
	r        *rapid.T
	cleanups []func()
}

func (o *oneMonth) Cleanup(f func())               { o.cleanups = append(o.cleanups, f) }
func (o *oneMonth) Error(args ...any)              { o.r.Error(args...) }
func (o *oneMonth) Errorf(format string, a ...any) { o.r.Errorf(format, a...) }
func (o *oneMonth) Fatal(args ...any)              { o.r.Fatal(args...) }
func (o *oneMonth) Fatalf(format string, a ...any) { o.r.Fatalf(format, a...) }
func (o *oneMonth) FailNow()                       { o.r.FailNow() }
func (o *oneMonth) Failed() bool                   { return o.r.Failed() }

func (o *oneMonth) end() {
	for n := len(o.cleanups) - 1; n >= 0; n-- {
		o.cleanups[n]()
	}
}

func newMonth(t testing.TB, r *rapid.T) *month {
	t.Helper()
	c := &company{World: schematest.NewWorld(t), t: t, targets: map[string]*fakeTarget{}}
	c.do = c.activities(c.Worker)
	m := &month{company: c, r: r, manualTasks: map[connector.Assignment]bool{}, left: map[int64]bool{}}
	m.owen = m.Person("Owen")
	users := []slacksim.User{{Email: "owen@example.com", Name: "Owen"}}
	for n := range 3 { // few, so that steps concern the same people
		name := fmt.Sprintf("P%d", n)
		m.people = append(m.people, m.Person(name))
		users = append(users, slacksim.User{Email: fmt.Sprintf("p%d@example.com", n), Name: name})
	}
	for n := range 2 {
		app := m.Application(fmt.Sprintf("app%d", n), m.owen)
		m.entitlements = append(m.entitlements, m.Entitlement(app, "reader"))
	}
	server, err := slacksim.New(slacksim.Config{BotToken: "xoxb-test", AppToken: "xapp-test", Users: users})
	require.NoError(t, err)
	web := httptest.NewServer(server.Handler())
	t.Cleanup(func() { server.Close(); web.Close() })
	m.slack = slacksim.Dial(web.URL)
	m.outbox = &outbox.Outbox{
		DB:              c.Worker,
		Log:             c.do.Log,
		DefaultTimeZone: time.UTC,
		Slack:           slack.New("xoxb-test", slack.OptionAPIURL(web.URL+"/api/")),
	}
	return m
}

// active returns the people who have not left.
func (m *month) active() (people []int64) {
	for _, p := range m.people {
		if !m.left[p] {
			people = append(people, p)
		}
	}
	return people
}

func (m *month) one(label string, of []int64) int64 { return rapid.SampledFrom(of).Draw(m.r, label) }

// request picks an earlier request, or makes a new one. It never skips the step: rapid gives up if many steps are skipped.
func (m *month) request() schematest.Asked {
	if len(m.requests) == 0 {
		m.ask(m.r)
	}
	if rapid.IntRange(0, 3).Draw(m.r, "an old one") > 0 {
		return rapid.SampledFrom(m.requests[max(0, len(m.requests)-4):]).Draw(m.r, "request")
	}
	return rapid.SampledFrom(m.requests).Draw(m.r, "request")
}

// must reports whether something was recorded. It can be refused for one of these reasons, and must not fail otherwise.
func (m *month) must(err error, refusals ...error) (done bool) {
	var trigger *pq.Error
	if errors.As(err, &trigger) && strings.HasPrefix(string(trigger.Code), "AB") {
		return false
	}
	for _, refusal := range refusals {
		if errors.Is(err, refusal) {
			return false
		}
	}
	require.NoError(m.r, err)
	return true
}

var spans = []time.Duration{0, 10 * time.Minute, time.Hour, 24 * time.Hour, 9 * 24 * time.Hour}

func (m *month) ask(*rapid.T) {
	person := m.one("person", m.active())
	what := []int64{m.one("entitlement", m.entitlements)}
	if other := m.one("another", m.entitlements); other != what[0] {
		what = append(what, other)
	}
	m.requests = append(m.requests, m.Request(person, rapid.SampledFrom(spans).Draw(m.r, "lasts"), what...))
}

func (m *month) decide(*rapid.T) {
	asked := m.request()
	m.advance(asked.ID) // which opens approvals
	r, err := schema.RequestByID(context.Background(), m.Worker, asked.ID)
	require.NoError(m.r, err)
	outcome := rapid.SampledFrom([]string{"approve", "approve", "approve", "approve", "approve", "deny"}).Draw(m.r, "outcome")
	for _, a := range r.Approvals {
		if a.State != "open" {
			continue
		}
		for _, item := range a.ItemIDs {
			if m.must(m.Decide(m.owen, a.ID, outcome, item)) {
				m.decisions++
			}
		}
	}
}

// run is one round of a request's run, which can crash in it.
func (m *month) run(*rapid.T) {
	asked := m.request()
	next := m.advance(asked.ID)
	for _, step := range next.Grant {
		if err := m.grant(step.ID); err != nil && rapid.IntRange(0, 5).Draw(m.r, "gives up") == 0 {
			require.NoError(m.r, m.Worker.FailItem(context.Background(), step.ID, schema.Problem{Code: schema.NotSetUpInTime}, true))
		}
	}
	for _, step := range next.Revoke {
		_ = m.revoke(step.ID) // a failure is retried in rest
	}
	_, _ = m.outbox.SyncMessages(context.Background(), outbox.SyncInput{RequestID: asked.ID}) // as above
}

func (m *month) withdraw(*rapid.T) {
	asked := m.request()
	_, err := m.SlackApp.Withdraw(context.Background(), asked.ID, m.requester(asked))
	m.must(err, schema.ErrNotActive)
}

func (m *month) removeAccess(*rapid.T) {
	asked := m.request()
	claim := m.Claim(rapid.SampledFrom(asked.Items).Draw(m.r, "item"))
	if claim == 0 {
		return // no access yet
	}
	_, err := m.SlackApp.RemoveAccess(context.Background(), claim, m.requester(asked))
	m.must(err, schema.ErrNotOpen, schema.ErrNotActive)
}

func (m *month) leave(*rapid.T) {
	if len(m.left) > 0 || rapid.IntRange(0, 9).Draw(m.r, "really") > 0 {
		return
	}
	person := m.one("person", m.people)
	m.left[person] = true
	m.Do(`update people set status = 'left' where id = $1`, person)
}

// imports adds an imported claim, or removes one.
func (m *month) imports(*rapid.T) {
	person, entitlement := m.one("person", m.active()), m.one("entitlement", m.entitlements)
	a := m.assignment(person, entitlement)
	if m.Claims(person, entitlement, "imported")+m.Claims(person, entitlement, "request") > 0 || m.manualTasks[a] {
		return // already known
	}
	m.target(m.instance(entitlement)).set(a.Account, a.Object, true)
	m.Imported(person, entitlement)
}

func (m *month) instance(entitlement int64) string {
	return schematest.Value[string](m.World, `select instance from entitlements where id = $1`, entitlement)
}

func (m *month) assignment(person, entitlement int64) connector.Assignment {
	account := m.Account(person, entitlement)
	return connector.Assignment{
		Account: schematest.Value[string](m.World, `select account from accounts where id = $1`, account),
		Object:  schematest.Value[string](m.World, `select target from entitlements where id = $1`, entitlement),
	}
}

func (m *month) timePasses(*rapid.T) {
	m.Shift(
		rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Minute, 3 * time.Minute, 3 * time.Minute, 12 * time.Minute, 70 * time.Minute, 5 * 24 * time.Hour}).
			Draw(m.r, "for"),
	)
}

// crash stops a worker while it reconciles, before or after the target changed. Its locks end with its connections.
func (m *month) crash(*rapid.T) {
	asked := m.request()
	item := rapid.SampledFrom(asked.Items).Draw(m.r, "item")
	assignment, err := schema.AssignmentOfItem(context.Background(), m.Worker, item)
	require.NoError(m.r, err)
	ctx, die := context.WithCancel(context.Background())
	defer die()
	after := rapid.Bool().Draw(m.r, "after the target changed")
	dies := func(_ context.Context, apply func()) error {
		if after {
			apply()
		}
		die()
		return context.Canceled
	}
	target := m.target(assignment.Instance)
	target.next("grant", dies)
	target.next("revoke", dies)
	_ = m.do.Reconciler.Reconcile(ctx, assignment) // the crashed worker gets no result
	target.repair()
}

// targetFails makes the next calls of a target do nothing, lose their answers, or be refused.
func (m *month) targetFails(*rapid.T) {
	target := m.target(fmt.Sprintf("APP%d", rapid.IntRange(0, 1).Draw(m.r, "target")))
	kind := rapid.SampledFrom([]string{"nothing", "lost", "lost", "refused"}).Draw(m.r, "how")
	faults := map[string]func(context.Context, func()) error{
		"nothing": doesNothing,
		"lost":    lostAnswer,
		"refused": refusesConnection,
	}
	for range rapid.IntRange(1, 3).Draw(m.r, "times") {
		target.next(rapid.SampledFrom([]string{"grant", "revoke"}).Draw(m.r, "at"), faults[kind])
	}
}

func (m *month) slackFails(*rapid.T) {
	require.NoError(
		m.r,
		m.slack.Break(
			slacksim.Fault{
				Method: rapid.SampledFrom([]string{"chat.postMessage", "chat.update"}).Draw(m.r, "at"),
				Kind:   "status",
				Status: 503,
				Times:  2,
			},
		),
	)
}

func (m *month) sweep(*rapid.T) {
	due, err := schema.DueClaims(context.Background(), m.Worker, 100)
	require.NoError(m.r, err)
	for _, c := range due {
		if c.HolderLeft {
			_, err := m.Worker.RevokeLeaversClaim(context.Background(), c.ID)
			require.NoError(m.r, err)
		}
		if m.do.Reconciler.Reconcile(context.Background(), c.Assignment) == nil { // or it stays due
			require.NoError(m.r, schema.RecordAttempt(context.Background(), m.Worker, c.ID))
		}
	}
}

// checkInvariants is called after every step.
func (m *month) checkInvariants(r *rapid.T) {
	// I1: all access has a claim, and no granted access is missing while it should be held.
	var assignments []struct {
		Instance, Account, Object string
		Explained, Given          bool
	}
	require.NoError(r, m.Select(&assignments, `
		select e.instance, a.account, e.target as object, bool_or(c.removed_at is null or c.due_at is not null) as explained,
		       bool_or(c.granted_at is not null and c.ended_at is null and c.revoked_at is null and coalesce(c.ends_at, 'infinity') > app_now()) as given
		  from claims c join accounts a on a.id = c.account_id join entitlements e on e.id = c.entitlement_id group by 1, 2, 3`))
	known := map[string]bool{}
	for _, s := range assignments {
		held := m.target(s.Instance).holds(s.Account, s.Object)
		known[s.Instance+" "+s.Account+" "+s.Object] = true
		require.False(r, held && !s.Explained, "%s on %s: held without a claim", s.Account, s.Object)
		require.False(r, !held && s.Given, "%s on %s: granted, should be held, and is not", s.Account, s.Object)
	}
	for name, target := range m.targets {
		for a, held := range target.held {
			require.True(r, !held || known[name+" "+a.Account+" "+a.Object], "%s: held, and never had a claim", a)
		}
	}
	var is struct{ Ended, Undecided, Requests, Decisions int }
	require.NoError(r, m.Get(&is, `
		select (select count(*) from request_items i join claims c on c.item_id = i.id
		         where i.state in ('ended', 'revoked') and c.removed_at is null
		           and not exists (select from claims o where o.account_id = c.account_id and o.entitlement_id = c.entitlement_id and o.id <> c.id
		                              and (o.removed_at is null or o.ended_at >= c.ended_at))) as ended,
		       (select count(*) from claims c join request_items i on i.id = c.item_id join access_requests r on r.id = i.request_id
		         where not exists (select from decisions d where d.item_id = i.id and d.outcome = 'approve' and d.decided_by <> r.requester_id)) as undecided,
		       (select count(*) from access_requests) as requests,
		       (select count(*) from decisions) as decisions`))
	require.Zero(r, is.Ended, "I2: ended, but the access is not gone and no other claim keeps it")
	require.Zero(r, is.Undecided, "I3: every claim of a request has a decision by another person")
	require.Equal(r, len(m.requests), is.Requests, "I4: nothing that was confirmed as recorded is lost")
	require.Equal(r, m.decisions, is.Decisions, "I4")
}

// rest repairs everything, lets all ends pass, and checks that no work and no messages are left (I5).
func (m *month) rest() {
	require.NoError(m.t, m.slack.Mend())
	m.finish(context.Background(), m.requests)
	m.checkInvariants(m.r)
	m.targetsMatchClaims()
	for range 3 {
		m.Shift(time.Hour)
		for _, asked := range m.requests {
			_, err := m.outbox.SyncMessages(context.Background(), outbox.SyncInput{RequestID: asked.ID})
			require.NoError(m.r, err)
		}
	}
	before := m.sentMessages()
	for _, asked := range m.requests {
		_, err := m.outbox.SyncMessages(context.Background(), outbox.SyncInput{RequestID: asked.ID})
		require.NoError(m.r, err)
	}
	require.Equal(m.r, before, m.sentMessages(), "I5: every message matches the database, so nothing is sent")
	require.Zero(
		m.r,
		schematest.Value[int](
			m.World,
			`select count(*) from request_items where state not in ('active', 'ended', 'revoked', 'denied', 'withdrawn', 'expired', 'failed', 'awaiting_approval')`,
		),
	)
}

// sentMessages counts the messages posted or edited so far.
func (m *month) sentMessages() int {
	traffic, err := m.slack.Traffic(0)
	require.NoError(m.t, err)
	n := 0
	for _, t := range traffic {
		if (t.Name == "chat.postMessage" || t.Name == "chat.update") && t.OK {
			n++
		}
	}
	return n
}

// totals counts what happened in several months.
type totals struct{ requests, given, gone, kept int }

// play runs a number of months, each with at least a number of requests. rapid's flags override them, and set the seed:
// -rapid.checks=20 -rapid.seed=1
func play(t *testing.T, months, requests int) (all totals) {
	t.Helper()
	for name, usual := range map[string]int{"rapid.checks": months, "rapid.steps": 40} {
		f := flag.Lookup(name)
		if was := f.Value.String(); was == f.DefValue {
			require.NoError(t, f.Value.Set(fmt.Sprint(usual)))
			defer f.Value.Set(was) //nolint:errcheck // restores a value that was valid
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		one := &oneMonth{TB: t, r: r}
		defer one.end()
		m := newMonth(one, r)
		for len(m.requests) < requests {
			r.Repeat(map[string]func(*rapid.T){
				"ask":            m.ask,
				"ask too":        m.ask,
				"ask as well":    m.ask,
				"decide":         m.decide,
				"decide too":     m.decide,
				"decide as well": m.decide,
				"decide more":    m.decide,
				"run":            m.run,
				"run too":        m.run,
				"run more":       m.run,
				"run as well":    m.run,
				"withdraw":       m.withdraw,
				"remove":         m.removeAccess,
				"leave":          m.leave,
				"import":         m.imports,
				"time passes":    m.timePasses,
				"crash":          m.crash,
				"target fails":   m.targetFails,
				"slack fails":    m.slackFails,
				"sweep":          m.sweep,
				"":               m.checkInvariants,
			})
		}
		m.rest()
		all.requests += len(m.requests)
		all.given += m.Audited(schema.AccessGranted)
		all.gone += m.Audited(schema.AccessRevoked)
		all.kept += m.Audited(schema.AccessKept)
	})
	t.Logf("%+v", all)
	return all
}

func TestMonth(t *testing.T) {
	t.Parallel()
	// Many requests, overlaps, revocations, imports, leavers, crashes, faults and clock jumps on PostgreSQL. The invariants I1 to
	// I5 are checked after each step.
	t.Run("random weeks of requests and faults keep every invariant", func(t *testing.T) {
		t.Parallel()
		long := play(t, 1, 200)
		require.GreaterOrEqual(t, long.requests, 200)
		// Short months shrink to few steps, and more of them fit into the time.
		play(t, 4, 20)
		// Far below the usual numbers (some 40 grants): months in which nothing happens test nothing.
		require.Greater(t, long.given, 10)
		require.NotZero(t, long.gone+long.kept)
	})
}
