// Package slacksim is a local Slack for development and tests: the Web API, Events, interactivity and
// Socket Mode of one workspace with one app installed, and a client API and a page in the browser through which people act
// in it.
//
// An app is pointed at it by its Web API root, http://127.0.0.1:PORT/api/, and need not know that it
// is not Slack. It is worth having because it refuses what Slack refuses: views and messages beyond
// Slack's limits, used and expired triggers, stale hashes, wrong tokens, late answers. It keeps its
// state in memory and serves loopback only.
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

// Config describes the workspace and its one app. Zero fields get Slack's own values, or local ones.
type Config struct {
	TeamID, TeamName string
	EnterpriseID     string // of Enterprise Grid; empty: none
	AppID            string
	BotToken         string // xoxb-..., for the Web API
	AppToken         string // xapp-..., for Socket Mode
	SigningSecret    string
	Users            []User

	// Where the app listens, for HTTP mode. All empty: Socket Mode, to whoever is connected.
	EventsURL, InteractivityURL, OptionsURL string

	// Of the page in the browser.
	As    string // who one is there at first, by e-mail or ID; empty: the first of Users
	Links []Link

	Log *slog.Logger // nil: silent

	AckTimeout       time.Duration   // how long the app may take to answer: 3 s
	TriggerTTL       time.Duration   // how long a trigger_id is valid: 3 s
	EventRetryDelays []time.Duration // before the first, second, third retry of an event: at once, 1 and 5 minutes
	PingInterval     time.Duration   // of Socket Mode: 10 s
	RateLimits       bool            // hold the app to Slack's rate tiers
}

// Server is one workspace. Its methods may be called from several goroutines.
type Server struct {
	cfg     Config
	start   string // another one each time: who waits notices a restart by it
	log     *slog.Logger
	mux     *http.ServeMux
	sockets *sockets
	stop    chan struct{}
	tasks   sync.WaitGroup

	mu        sync.Mutex // guards all below; never held while the app is called
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

// New starts a workspace. It serves nothing by itself: grant Handler to an http.Server on loopback.
// It fails if the configuration contradicts itself or two users have one ID.
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
		return nil, fmt.Errorf("slacksim: no bot token: the app would have nothing to show to the Web API")
	}
	urls := 0
	for _, u := range []string{cfg.EventsURL, cfg.InteractivityURL, cfg.OptionsURL} {
		if u != "" {
			urls++
			if p, err := url.Parse(u); err != nil || p.Scheme == "" || p.Host == "" {
				return nil, fmt.Errorf("slacksim: %q is no address of an app", u)
			}
		}
	}
	switch {
	case urls != 0 && urls != 3:
		return nil, fmt.Errorf("slacksim: HTTP mode needs the events, interactivity and options URLs, Socket Mode none of them")
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
		return nil, fmt.Errorf("slacksim: no one in the workspace is %s", cfg.As)
	}
	for _, l := range cfg.Links {
		if u, err := url.Parse(l.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || l.Text == "" {
			return nil, fmt.Errorf("slacksim: %q to %q is no link", l.Text, l.URL)
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

// Handler serves everything, to callers on loopback only.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(r.RemoteAddr) || !loopback(r.Host) {
			http.Error(w, "the local Slack serves loopback only", http.StatusForbidden)
			return
		}
		s.mux.ServeHTTP(w, r)
	})
}

// Close ends the sockets and what is still being retried, and waits for it.
func (s *Server) Close() {
	close(s.stop)
	s.sockets.closeAll()
	s.tasks.Wait()
}

// touch tells everyone who waits that something to be seen has changed. Call it with mu held.
func (s *Server) touch() {
	s.seq++
	close(s.changed)
	s.changed = make(chan struct{})
}

// newID issues an ID in Slack's form: a letter or two and capitals. Like Slack's, and though a restart forgets all else,
// no ID is ever issued twice: apps keep them.
func (s *Server) newID(prefix string) string {
	s.issued = max(s.issued+1, time.Now().UnixMicro())
	return fmt.Sprintf("%s0%X", prefix, s.issued)
}

// newTS issues a message timestamp, each later than all before.
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

// findUser finds a user by ID or e-mail.
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
