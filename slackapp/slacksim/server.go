// Package slacksim is a local Slack for development and tests: the Web API, Events, interactivity and
// Socket Mode of one workspace with one app installed, and a client API and a page in the browser through which people act
// in it.
//
// An app uses it by its Web API root, http://127.0.0.1:PORT/api/, and need not know that it is not Slack.
// It refuses what Slack refuses: views and messages beyond Slack's limits, used and expired triggers,
// stale hashes, wrong tokens, late answers. It keeps its state in memory and serves only loopback.
package slacksim

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Config describes the workspace and its app. Zero fields get Slack's own values, or local ones.
type Config struct {
	TeamID, TeamName string
	EnterpriseID     string // of Enterprise Grid; empty: none
	AppID            string
	BotToken         string // xoxb-..., for the Web API
	AppToken         string // xapp-..., for Socket Mode
	SigningSecret    string
	Users            []User

	// The app's addresses, for HTTP mode. All empty: Socket Mode.
	EventsURL, InteractivityURL, OptionsURL string

	// For the page in the browser.
	As    string // the user it shows first, by e-mail address or ID; empty: the first of Users
	Links []Link

	Log *slog.Logger // nil: silent

	AckTimeout       time.Duration   // how long the app may take to answer: 3 s
	TriggerTTL       time.Duration   // how long a trigger_id is valid: 3 s
	EventRetryDelays []time.Duration // before the first, second, third retry of an event: at once, 1 and 5 minutes
	PingInterval     time.Duration   // of Socket Mode: 10 s
	RateLimits       bool            // enforce Slack's rate tiers
}

// Server is one workspace. Its methods may be called from several goroutines.
type Server struct {
	cfg     Config
	start   string // different after each restart, so that clients notice one
	log     *slog.Logger
	mux     *http.ServeMux
	sockets *sockets
	stop    chan struct{}
	tasks   sync.WaitGroup

	mu        sync.Mutex // guards all fields below; never held while the app is called
	seq       int64
	changed   chan struct{} // closed and replaced whenever seq rises
	users     map[string]*User
	order     []string // user IDs as they were added
	channels  map[string]*channel
	homes     map[string]*view   // by user
	stacks    map[string][]*view // by user: the open modals, the top one last
	triggers  map[string]*trigger
	replies   map[string]*replyURL
	notices   map[string][]Notice
	traffic   []Traffic
	trafficN  int64
	exchanges exchanges
	inboxes   map[string]*inbox // by user
	payloads  []Payload
	faults    []*Fault
	away      bool
	calls     map[string][]time.Time // for the rate tiers
	lastTS    int64
	issued    int64 // for IDs
}

// New creates a workspace. Serve its Handler with an http.Server on loopback. New fails if the
// configuration is inconsistent or two users have the same ID.
func New(cfg Config) (*Server, error) {
	setDefault(&cfg.TeamID, "T0LOCALSIM")
	setDefault(&cfg.TeamName, "Local Workspace")
	setDefault(&cfg.AppID, "A0LOCALSIM")
	setDefault(&cfg.AckTimeout, 3*time.Second)
	setDefault(&cfg.TriggerTTL, 3*time.Second)
	setDefault(&cfg.PingInterval, 10*time.Second)
	if cfg.EventRetryDelays == nil {
		cfg.EventRetryDelays = []time.Duration{0, time.Minute, 5 * time.Minute}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.BotToken == "" {
		return nil, fmt.Errorf("slacksim: no bot token: the app needs one for the Web API")
	}
	urls := 0
	for _, u := range []string{cfg.EventsURL, cfg.InteractivityURL, cfg.OptionsURL} {
		if u != "" {
			urls++
			if p, err := url.Parse(u); err != nil || p.Scheme == "" || p.Host == "" {
				return nil, fmt.Errorf("slacksim: %q is not an app's URL", u)
			}
		}
	}
	switch {
	case urls != 0 && urls != 3:
		return nil, fmt.Errorf("slacksim: HTTP mode needs URLs for events, interactivity and options, Socket Mode needs none of them")
	case urls == 3 && cfg.SigningSecret == "":
		return nil, fmt.Errorf("slacksim: HTTP mode needs a signing secret: the app would refuse unsigned requests")
	case urls == 0 && cfg.AppToken == "":
		return nil, fmt.Errorf("slacksim: Socket Mode needs an app token (xapp-...)")
	}
	s := &Server{
		cfg: cfg, log: cfg.Log, stop: make(chan struct{}), changed: make(chan struct{}),
		users: map[string]*User{}, channels: map[string]*channel{}, homes: map[string]*view{},
		stacks: map[string][]*view{}, triggers: map[string]*trigger{}, replies: map[string]*replyURL{},
		notices: map[string][]Notice{}, calls: map[string][]time.Time{}, inboxes: map[string]*inbox{},
		start: randomID() + randomID(),
	}
	s.sockets = newSockets(s)
	for _, u := range append([]User{{ID: botUserID, Name: "accessbot", Bot: true}}, cfg.Users...) {
		if err := s.addUser(u); err != nil {
			return nil, fmt.Errorf("slacksim: %w", err)
		}
	}
	if cfg.As != "" && s.findUser(cfg.As) == nil {
		return nil, fmt.Errorf("slacksim: the workspace has no user %s", cfg.As)
	}
	for _, l := range cfg.Links {
		if u, err := url.Parse(l.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || l.Text == "" {
			return nil, fmt.Errorf("slacksim: %q with the URL %q is not a link", l.Text, l.URL)
		}
	}
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("/api/{method}", s.serveAPI)
	s.mux.HandleFunc("POST /response/{token}", s.serveReplyURL)
	s.mux.HandleFunc("GET /link", s.sockets.serve)
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	s.mux.HandleFunc("GET /{$}", s.serveRoot)
	s.clientRoutes()
	return s, nil
}

const (
	botUserID = "U0LOCALBOT"
	botID     = "B0LOCALBOT"
)

// Handler serves everything, only to callers on loopback.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(r.RemoteAddr) || !loopback(r.Host) {
			http.Error(w, "the local Slack only serves loopback", http.StatusForbidden)
			return
		}
		s.mux.ServeHTTP(w, r)
	})
}

// Close closes the sockets and ends retries, and waits for them.
func (s *Server) Close() {
	close(s.stop)
	s.sockets.closeAll()
	s.tasks.Wait()
}

// touch tells all waiting clients that something visible has changed. Call it with mu held.
func (s *Server) touch() {
	s.seq++
	close(s.changed)
	s.changed = make(chan struct{})
}

// newID returns a new ID in Slack's form: one or two letters and capitals. IDs are unique even after a restart, because apps
// store them.
func (s *Server) newID(prefix string) string {
	s.issued = max(s.issued+1, time.Now().UnixMicro())
	return fmt.Sprintf("%s0%X", prefix, s.issued)
}

// newTS returns a message timestamp that is later than all before.
func (s *Server) newTS() string {
	now := time.Now().UnixMicro()
	s.lastTS = max(now, s.lastTS+1)
	return fmt.Sprintf("%d.%06d", s.lastTS/1e6, s.lastTS%1e6)
}

func (s *Server) addUser(u User) error {
	if err := u.complete(s.cfg.TeamID, s.cfg.EnterpriseID); err != nil {
		return err
	}
	if _, ok := s.users[u.ID]; ok {
		return fmt.Errorf("two users with the ID %s", u.ID)
	}
	for _, other := range s.users {
		if u.Email != "" && strings.EqualFold(other.Email, u.Email) {
			return fmt.Errorf("two users with the e-mail %s", u.Email)
		}
	}
	s.users[u.ID] = &u
	s.order = append(s.order, u.ID)
	return nil
}

// findUser finds a user by ID or e-mail address.
func (s *Server) findUser(idOrEmail string) *User {
	if u, ok := s.users[idOrEmail]; ok {
		return u
	}
	for _, id := range s.order {
		if u := s.users[id]; u.Email != "" && strings.EqualFold(u.Email, idOrEmail) {
			return u
		}
	}
	return nil
}

func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}
