package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/schema/directory"
	"accessbot/schema/schematest"
	"accessbot/slackapp/outbox"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/views"
	"accessbot/worker/program"
)

// stage is the whole Slack app, started as main does, between a local Slack and a real PostgreSQL with the sample directory in
// it. Temporal is always down: nothing here may need it.
type stage struct {
	*testing.T
	db     *schematest.Database
	slack  *slacksim.Workspace
	apps   []string // base URLs of the replicas
	log    *syncBuffer
	worker *activities.Activities
	outbox *outbox.Outbox
	stop   func() // ends the app as a signal does, and waits for it
}

const (
	botToken = "xoxb-test-secret-token"
	appToken = "xapp-test-secret-token"
	secret   = "8f742231b10e8888abcd99yyyzzz85a5"
)

// unlimited lets tests act as fast as they can.
var unlimited = limit{perMinute: 1_000_000, burst: 10_000, atOnce: 1000}

// onBothTransports runs a test over HTTP and over Socket Mode.
func onBothTransports(t *testing.T, test func(s *stage)) {
	t.Run("over HTTP", func(t *testing.T) { test(newStage(t, 1, false)) })
	t.Run("over Socket Mode", func(t *testing.T) { test(newStage(t, 1, true)) })
}

// newStage starts that many replicas of the app. Over HTTP, payloads go to each in turn, as they do over Socket Mode.
func newStage(t *testing.T, replicas int, socket bool, change ...func(*config)) *stage {
	t.Helper()
	return newStageIn(t, "", replicas, socket, change...)
}

// newStageIn is newStage with a workspace of an enterprise; empty: of none.
func newStageIn(t *testing.T, enterpriseID string, replicas int, socket bool, change ...func(*config)) *stage {
	t.Helper()
	t.Parallel() // most of the time is waiting
	s := &stage{T: t, db: schematest.New(t), log: &syncBuffer{}}
	s.worker = &activities.Activities{DB: s.db.As(t, "accessbot_worker"), Log: slog.New(slog.DiscardHandler),
		Options: activities.Options{DefaultTimeZone: time.UTC}}
	s.outbox = &outbox.Outbox{DB: s.worker.DB, Log: s.worker.Log, DefaultTimeZone: time.UTC}
	_, err := directory.Import(t.Context(), s.db.As(t, "accessbot_directory"), "../schema/directory/sample", directory.Options{})
	require.NoError(t, err)

	users, err := slacksim.UsersFromDirectory("../schema/directory/sample/people.csv")
	require.NoError(t, err)
	slackConfig := slacksim.Config{
		EnterpriseID:  enterpriseID,
		BotToken:      botToken,
		AppToken:      appToken,
		SigningSecret: secret,
		Users:         users,
	}
	var listeners []net.Listener
	for range replicas {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		listeners, s.apps = append(listeners, l), append(s.apps, "http://"+l.Addr().String())
	}
	if !socket {
		front := s.inTurn()
		slackConfig.EventsURL, slackConfig.InteractivityURL, slackConfig.OptionsURL = front+"/slack/events", front+"/slack/interactivity", front+"/slack/options"
	}
	sim, err := slacksim.New(slackConfig)
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	web := httptest.NewServer(sim.Handler())
	t.Cleanup(web.Close)
	s.slack = slacksim.Dial(web.URL)
	s.outbox.Slack = slack.New(botToken, slack.OptionAPIURL(web.URL+"/api/"))

	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	s.stop = func() {
		stop()
		running.Wait()
	}
	t.Cleanup(s.stop)
	for _, l := range listeners {
		c := testConfig(botToken, web.URL)
		c.DatabaseURL, c.listener = program.Secret(s.db.RoleURL("accessbot_slackapp")), l
		if socket {
			c.AppToken = appToken
		}
		for _, f := range change {
			f(&c)
		}
		running.Go(func() {
			if err := run(ctx, c, slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))); err != nil {
				t.Error(err)
			}
		})
	}
	for _, address := range s.apps {
		s.eventually("the app is ready", func() bool { return status(address+"/readyz") == http.StatusOK })
	}
	if socket {
		require.NoError(t, s.slack.WaitForSockets(replicas, 10*time.Second))
	}
	t.Cleanup(func() {
		for _, hidden := range []string{botToken, appToken, secret} {
			if strings.Contains(s.log.String(), hidden) {
				t.Error("a token is in the log")
			}
		}
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	return s
}

// inTurn returns an address at which the replicas answer in turn, as behind a load balancer.
func (s *stage) inTurn() string {
	var turn atomic.Int64
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		target, err := url.Parse(s.apps[int(turn.Add(1))%len(s.apps)])
		if err != nil {
			panic(err)
		}
		r.SetURL(target)
		// The body is read first: if it is still being forwarded when the ack arrives, the proxy closes it and loses the ack.
		body, _ := io.ReadAll(r.In.Body) // the client may be gone
		r.Out.Body = io.NopCloser(bytes.NewReader(body))
	}})
	s.Cleanup(front.Close)
	return front.URL
}

func status(url string) int {
	resp, err := http.Get(url)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // only its status is looked at
	return resp.StatusCode
}

// as returns one of the sample's people, acting in Slack.
func (s *stage) as(name string) *slacksim.MustActor {
	return s.slack.As(name + "@example.com").Must(s)
}

// eventually waits until a condition holds.
func (s *stage) eventually(what string, so func() bool) {
	s.Helper()
	require.Eventually(s, so, 15*time.Second, 20*time.Millisecond, what)
}

// one reads one value from the database.
func one[V any](s *stage, query string, args ...any) V {
	s.Helper()
	var v V
	require.NoError(s, s.db.Get(&v, query, args...))
	return v
}

// do changes the database as its owner: what another program would do.
func (s *stage) do(query string, args ...any) {
	s.Helper()
	_, err := s.db.Exec(query, args...)
	require.NoError(s, err)
}

func (s *stage) entitlement(application, key string) int64 {
	s.Helper()
	return one[int64](
		s,
		`select e.id from entitlements e join applications a on a.id = e.application_id where a.slug = $1 and e.key = $2`,
		application,
		key,
	)
}

// asked returns application/key of the items of a request.
func (s *stage) asked(number int64) []string {
	s.Helper()
	keys := []string{}
	require.NoError(
		s,
		s.db.Select(&keys, `select a.slug || '/' || e.key from request_items i join entitlements e on e.id = i.entitlement_id
		join applications a on a.id = e.application_id where i.request_id = $1 order by 1`, number),
	)
	return keys
}

// newest returns the number of the newest request; 0: there is none.
func (s *stage) newest() int64 {
	s.Helper()
	return one[int64](s, `select coalesce(max(id), 0) from access_requests`)
}

func (s *stage) alerts(action schema.AuditAction) int {
	s.Helper()
	return one[int](s, `select count(*) from audit_events where alert and action = $1`, action)
}

// work does the worker's part for a request: it advances the request and sends its messages.
func (s *stage) work(number int64) {
	s.Helper()
	_, err := s.worker.Advance(s.Context(), activities.AdvanceInput{RequestID: number})
	require.NoError(s, err)
	_, err = s.outbox.SyncMessages(s.Context(), outbox.SyncInput{RequestID: number})
	require.NoError(s, err)
}

// grant makes an approved item active, as the worker does once the target shows the access.
func (s *stage) grant(number int64) {
	s.Helper()
	s.do(`insert into claims (person_id, account_id, entitlement_id, source, item_id, ends_at, due_at)
	      select r.requester_id, i.account_id, i.entitlement_id, 'request', i.id, r.ends_at, r.ends_at
	        from request_items i join access_requests r on r.id = i.request_id where r.id = $1 and i.state = 'approved'`, number)
	s.do(`update request_items set state = 'provisioning' where request_id = $1 and state = 'approved'`, number)
	s.do(`update claims set granted_at = app_now() where item_id in (select id from request_items where request_id = $1)`, number)
	s.do(`update request_items set state = 'active' where request_id = $1 and state = 'provisioning'`, number)
}

// asks lets a person request grants by name, like another person and permanently. It returns the request's number.
func (s *stage) asks(who, like, likeName string, grants ...string) int64 {
	s.Helper()
	a := s.as(who)
	s.openForm(a)
	a.Pick("Person", like, likeName)
	a.WaitForModal("Select all access grants")
	a.Tick(grants...)
	a.Choose("Reason", "Project work")
	a.SubmitAccepted()
	return s.newest()
}

func (s *stage) openForm(a *slacksim.MustActor) {
	s.Helper()
	a.OpenHome()
	a.Press("Request Access")
	a.WaitForModal("Access Like")
}

// drawn waits until the form that a user has open shows its draft, and the drawing is recorded: nothing
// more of what was done before is on its way.
func (s *stage) drawn(a *slacksim.MustActor) {
	s.Helper()
	var draft struct {
		ViewID     string `db:"view_id"`
		Hash       string `db:"view_hash"`
		Generation int    `db:"generation"`
	}
	s.eventually("the form is drawn", func() bool {
		modals := a.Screen().Modals
		if len(modals) == 0 {
			return false
		}
		front := modals[len(modals)-1]
		require.NoError(s, s.db.Get(&draft, `select view_id, view_hash, generation from form_drafts where view_id = $1`, front.ID))
		for _, block := range front.Blocks {
			id, _ := block["block_id"].(string)
			if generation, _, ok := views.ParseGrantsBlock(id); ok && generation != draft.Generation {
				return false
			}
		}
		return draft.Hash == front.Hash
	})
}

// on grants a form's test database row by view, as the app's own role reads it.
func (s *stage) person(name string) schema.Person {
	s.Helper()
	p, err := schema.PersonByEmail(s.Context(), s.db, name+"@example.com")
	require.NoError(s, err)
	return p
}

// syncBuffer is a log that is safe for concurrent use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// testConfig is the app's configuration for a local Slack, without limits, Temporal and a database.
func testConfig(token program.Secret, slackURL string) config {
	return config{
		Common: program.Common{
			Temporal: client.Options{HostPort: "127.0.0.1:1"}, TaskQueue: "test", BotToken: token,
			SlackAPIURL: program.RootURL(slackURL + "/api/"), DefaultTimeZone: "UTC",
		},
		SigningSecret: secret, MatchByEmail: true, limit: unlimited,
	}
}
