// Package systemtest runs the whole system as its users and operators do: the real binaries, PostgreSQL and Temporal, and the
// local Slack. It tests what only the whole system can show, such as kill -9.
//
// Run it with ./temporal-dev.sh test ./worker/systemtest, which starts the servers and builds the binaries.
package systemtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/slacksim"
	"accessbot/workflows"
	"accessbot/workflows/starter"
)

const (
	sample        = "../../schema/directory/sample"
	botToken      = "xoxb-systemtest"
	appToken      = "xapp-systemtest"
	signingSecret = "systemtest-signing-secret"
)

// system is one whole accessbot. Its unique name keeps it apart from those of other tests.
type system struct {
	t         *testing.T
	id        string
	db        *schematest.Database
	target    *sqlx.DB // as the superuser, to read what the target really shows
	targetURL string   // as the connector's own role; a test may put a proxy in front
	slack     *slacksim.Workspace
	slackAPI  string // root of its Web API
	temporal  client.Client
	address   string // of Temporal
	starter   *starter.Starter
	worker    *process
	workerURL string // of its health check
	slackapp  *process
	appURL    string
	socket    bool // Slack reaches the app over Socket Mode
}

// start starts everything except the worker and the Slack app, which tests start when they need them.
func start(t *testing.T) *system {
	t.Helper()
	return startOn(t, setting(t, "TEST_TEMPORAL_ADDRESS"), sample)
}

func startOn(t *testing.T, temporalAddress, directory string) *system {
	t.Helper()
	return startNamed(t, "t"+randomHex(4), temporalAddress, directory)
}

// startNamed is startOn with a given name, which is visible in e-mail addresses.
func startNamed(t *testing.T, name, temporalAddress, directory string) *system {
	t.Helper()
	s := &system{t: t, id: name, db: schematest.New(t), address: temporalAddress, appURL: "http://" + freeAddress(t)}
	s.createTarget()
	s.importDirectory(directory)
	s.startSlack()
	s.connectTemporal()
	return s
}

// setting returns a variable that ./temporal-dev.sh test sets.
func setting(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run ./temporal-dev.sh test ./worker/systemtest", name)
	}
	return value
}

// email returns the address of a person of the sample directory in this system.
func (s *system) email(name string) string { return name + "@" + s.id + ".example" }

// object returns the target's role for an entitlement of the sample directory.
func (s *system) object(application, key string) string {
	return s.id + "-" + application + "/" + key
}

// holds reports whether the target shows that a person holds an entitlement.
func (s *system) holds(person, application, key string) bool {
	s.t.Helper()
	var held bool
	err := s.target.Get(&held, `
		select exists (select from pg_auth_members m join pg_roles o on o.oid = m.roleid join pg_roles a on a.oid = m.member
		                where o.rolname = $1 and a.rolname = $2)`, s.object(application, key), s.email(person))
	require.NoError(s.t, err)
	return held
}

// eventually waits for a condition; what describes it in the failure.
func (s *system) eventually(what string, condition func() bool) {
	s.t.Helper()
	require.Eventually(s.t, condition, 90*time.Second, 100*time.Millisecond, "%s", what)
}

// shiftClock moves the database's clock, which alone decides what is due.
func (s *system) shiftClock(by time.Duration) {
	s.t.Helper()
	_, err := s.db.Exec(`update clock set shift = shift + $1 * interval '1 second'`, by.Seconds())
	require.NoError(s.t, err)
}

// itemState returns the state of a request's items; different states are joined by commas.
func (s *system) itemState(request int64) string {
	s.t.Helper()
	var state string
	require.NoError(
		s.t,
		s.db.Get(&state, `select string_agg(distinct state, ',') from request_items where request_id = $1`, request),
	)
	return state
}

// ask submits a request as the Slack app does, without the form, for tests of what happens afterwards.
func (s *system) ask(person, application, key string, lasts time.Duration) (request int64) {
	s.t.Helper()
	app := s.db.As(s.t, "accessbot_slackapp")
	tx, err := app.Beginx()
	require.NoError(s.t, err)
	defer tx.Rollback() //nolint:errcheck // after the commit it does nothing
	err = tx.Get(&request, `
		insert into access_requests (view_id, requester_id, access_like, ends_at, time_zone, reason_key, note, policy_version)
		select $1, id, 'custom', case when $3::float8 > 0 then app_now() + $3::float8 * interval '1 second' end,
		       'UTC', 'project', 'privately noted', (select max(version) from policies) from people where email = $2
		returning id`, "V"+randomHex(8), s.email(person), lasts.Seconds())
	require.NoError(s.t, err)
	_, err = tx.Exec(`
		insert into request_items (request_id, entitlement_id, account_id)
		select $1, e.id, a.id from entitlements e join accounts a on a.instance = e.instance and a.account = $3 where e.target = $2`,
		request, s.object(application, key), s.email(person))
	require.NoError(s.t, err)
	require.NoError(s.t, tx.Commit())
	s.signal(request, workflows.SignalSubmitted)
	return request
}

// signal signals the run as the Slack app does after its ack. While Temporal is down this fails, and the sweep does it later.
func (s *system) signal(request int64, signal string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.starter.SignalRequest(ctx, request, signal); err != nil {
		s.t.Logf("run not signalled, the sweep does it later: %v", err)
	}
}

// approve approves all items of a request.
func (s *system) approve(person string, request int64) {
	s.t.Helper()
	s.answer(person, request, schema.Answer{Approve: true})
}

// answer waits for the approval message in the approver's Slack, and records the decision as its button does.
func (s *system) answer(person string, request int64, answer schema.Answer) {
	s.t.Helper()
	s.as(person).WaitForMessage(fmt.Sprintf("#%d", request))
	app := s.db.As(s.t, "accessbot_slackapp")
	var m struct {
		ID       int64  `db:"id"`
		PersonID int64  `db:"person_id"`
		Terms    string `db:"terms"`
	}
	s.eventually("the approval message is recorded as sent", func() bool {
		return app.Get(&m, `
			select m.id, m.person_id, m.terms from slack_messages m join people p on p.id = m.person_id
			 where m.request_id = $1 and p.email = $2 and m.kind = 'approval' and m.ts <> ''`, request, s.email(person)) == nil
	})
	answer.MessageID, answer.PersonID, answer.Terms = m.ID, m.PersonID, m.Terms
	decided, err := app.Decide(context.Background(), answer)
	require.NoError(s.t, err)
	require.NotEmpty(s.t, decided.Items)
	s.signal(request, workflows.SignalDecisionRecorded)
}

func (s *system) createTarget() {
	s.t.Helper()
	admin, err := url.Parse(setting(s.t, "TEST_TARGET_URL"))
	require.NoError(s.t, err)
	s.target, err = sqlx.Open("postgres", admin.String())
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = s.target.Close() }) // the test is over
	connector := "connector_" + s.id
	_, err = s.target.Exec(`create role ` + connector + ` login createrole`)
	require.NoError(s.t, err)
	s.t.Cleanup(s.dropRoles)
	admin.User = url.User(connector)
	s.targetURL = admin.String()
}

// dropRoles drops this system's roles, which belong to the whole server.
func (s *system) dropRoles() {
	var roles []string
	err := s.target.Select(&roles, `select rolname from pg_roles where rolname like $1 or rolname like $2 or rolname = $3`,
		s.id+"-%/%", "%@"+s.id+".example", "connector_"+s.id)
	if err != nil {
		s.t.Error(err)
		return
	}
	for i, role := range roles {
		roles[i] = pq.QuoteIdentifier(role)
	}
	if _, err := s.target.Exec(`drop role ` + strings.Join(roles, ", ")); err != nil {
		s.t.Error(err)
	}
}

// importDirectory imports a directory under this system's names, and creates its roles and memberships in the target.
func (s *system) importDirectory(directory string) {
	s.t.Helper()
	own := s.ownDirectory(directory)
	s.runOnce("worker", []string{"import", own}, "DATABASE_URL="+s.db.RoleURL("accessbot_directory"))
	s.runOnce(
		"devtool",
		[]string{"seed-target", "-database", s.db.RoleURL("accessbot_auditor"), "-target", s.targetURL, "POSTGRESQL"},
	)
}

// ownDirectory returns a copy of a directory under this system's names.
func (s *system) ownDirectory(directory string) string {
	s.t.Helper()
	own := s.t.TempDir()
	files, err := filepath.Glob(filepath.Join(directory, "*.csv"))
	require.NoError(s.t, err)
	require.NotEmpty(s.t, files)
	for _, file := range files {
		require.NoError(s.t, os.WriteFile(filepath.Join(own, filepath.Base(file)), s.rename(file), 0o600))
	}
	return own
}

// rename returns a CSV file with this system's names for people and applications.
func (s *system) rename(file string) []byte {
	s.t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(s.t, err)
	for _, domain := range []string{"@example.com", "@kubernetes.example"} {
		text = bytes.ReplaceAll(text, []byte(domain), []byte("@"+s.id+".example"))
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(s.t, err)
	for column, name := range rows[0] {
		if name != "application" && name != "slug" {
			continue
		}
		for _, row := range rows[1:] {
			row[column] = s.id + "-" + row[column]
		}
	}
	var out bytes.Buffer
	require.NoError(s.t, csv.NewWriter(&out).WriteAll(rows))
	return out.Bytes()
}

func (s *system) startSlack() {
	s.t.Helper()
	var people []struct {
		Email string `db:"email"`
		Name  string `db:"name"`
		Zone  string `db:"time_zone"`
	}
	require.NoError(s.t, s.db.Select(&people, `select email, name, time_zone from people where status <> 'left'`))
	users := make([]slacksim.User, len(people))
	for i, p := range people {
		users[i] = slacksim.User{Email: p.Email, Name: p.Name, TZ: p.Zone}
	}
	config := slacksim.Config{BotToken: botToken, SigningSecret: signingSecret, Users: users}
	if s.socket {
		config.AppToken = appToken
	} else {
		slack := s.appURL + "/slack/"
		config.EventsURL, config.InteractivityURL, config.OptionsURL = slack+"events", slack+"interactivity", slack+"options"
	}
	server, err := slacksim.New(config)
	require.NoError(s.t, err)
	listener := httptest.NewServer(server.Handler())
	s.t.Cleanup(func() { server.Close(); listener.Close() })
	s.slack = slacksim.Dial(listener.URL)
	s.slackAPI = listener.URL + "/api/"
}

func (s *system) connectTemporal() {
	s.t.Helper()
	registrar, err := client.NewNamespaceClient(client.Options{HostPort: s.address, Logger: quiet{}})
	require.NoError(s.t, err)
	defer registrar.Close()
	err = registrar.Register(context.Background(), &workflowservice.RegisterNamespaceRequest{
		Namespace: s.id, WorkflowExecutionRetentionPeriod: durationpb.New(72 * time.Hour),
	})
	require.NoError(s.t, err)
	s.temporal, err = client.NewLazyClient(client.Options{HostPort: s.address, Namespace: s.id, Logger: quiet{}})
	require.NoError(s.t, err)
	s.t.Cleanup(s.temporal.Close)
	s.starter = &starter.Starter{
		Client:     s.temporal,
		TaskQueue:  workflows.DefaultTaskQueue,
		DB:         s.db.As(s.t, "accessbot_slackapp"),
		ShowPeople: true,
		Log:        discard,
	}
}

// startWorker starts the worker, or restarts it.
func (s *system) startWorker(extra ...string) {
	s.t.Helper()
	address := freeAddress(s.t)
	s.workerURL = "http://" + address
	s.worker = s.run("worker", address, append([]string{
		"DATABASE_URL=" + s.db.RoleURL("accessbot_worker"),
		"TEMPORAL_ADDRESS=" + s.address, "TEMPORAL_NAMESPACE=" + s.id,
		"SLACK_BOT_TOKEN=" + botToken, "SLACK_API_URL=" + s.slackAPI,
		"TARGET_POSTGRESQL_URL=" + s.targetURL,
		"SWEEP_EVERY=1s",
	}, extra...))
	waitReady(s.t, "http://"+address+"/healthz", s.worker)
}

// useSocketMode starts a new workspace that reaches the app in Socket Mode.
func (s *system) useSocketMode() {
	s.t.Helper()
	s.socket = true
	s.startSlack()
}

// startSlackApp starts the Slack app.
func (s *system) startSlackApp(extra ...string) {
	s.t.Helper()
	if s.socket {
		extra = append(extra, "SLACK_APP_TOKEN="+appToken)
	}
	s.slackapp = s.run("slackapp", strings.TrimPrefix(s.appURL, "http://"), append([]string{
		"DATABASE_URL=" + s.db.RoleURL("accessbot_slackapp"),
		"TEMPORAL_ADDRESS=" + s.address, "TEMPORAL_NAMESPACE=" + s.id,
		"SLACK_BOT_TOKEN=" + botToken, "SLACK_API_URL=" + s.slackAPI, "SLACK_SIGNING_SECRET=" + signingSecret,
		"MAX_ACTIONS_PER_MINUTE=6000", // tests are faster than people
	}, extra...))
	waitReady(s.t, s.appURL+"/readyz", s.slackapp)
	if s.socket {
		require.NoError(s.t, s.slack.WaitForSockets(1, 30*time.Second))
	}
}

// process is one of our binaries, running.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	done chan struct{}
}

func (s *system) run(binary, address string, env []string) *process {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(setting(s.t, "TEST_BIN"), binary))
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.t.TempDir(), "LISTEN_ADDR=" + address}, env...)
	p := &process{t: s.t, name: binary, cmd: cmd, done: make(chan struct{})}
	log, err := os.Create(filepath.Join(s.t.TempDir(), binary+".log"))
	require.NoError(s.t, err)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(s.t, cmd.Start())
	go func() {
		_ = cmd.Wait() // reports that it was killed
		close(p.done)
	}()
	s.t.Cleanup(func() {
		p.stop()
		if s.t.Failed() {
			text, _ := os.ReadFile(log.Name()) // an error leaves the text empty
			s.t.Logf("log of %s:\n%s", binary, text[max(0, len(text)-6000):])
		}
		_ = log.Close() // only the process writes to it
	})
	return p
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
	<-p.done
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill() // as above
		<-p.done
	}
}

func (s *system) runOnce(binary string, args []string, env ...string) string {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(setting(s.t, "TEST_BIN"), binary), args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "%s %v: %s", binary, args, out)
	return string(out)
}

func waitReady(t *testing.T, url string, p *process) {
	t.Helper()
	require.Eventually(t, func() bool {
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		_ = response.Body.Close() // only the status matters
		return response.StatusCode < 300
	}, 30*time.Second, 50*time.Millisecond, "%s is not ready at %s", p.name, url)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	if _, err := rand.Read(b); err != nil {
		panic(err) // rand.Read never fails
	}
	return hex.EncodeToString(b)
}
