package slacksim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"accessbot/slackapp/slacksim"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"
)

const (
	botToken = "xoxb-local-test"
	appToken = "xapp-local-test"
	secret   = "8f742231b10e8888abcd99yyyzzz85a5"
	ann      = "ann@example.com"
	ben      = "ben@example.com"
)

// app is an ordinary small app written with slack-go, which does not know the local Slack.
type app struct {
	t   testing.TB
	api *slack.Client

	mu           sync.Mutex
	interactions []slack.InteractionCallback
	events       []slackevents.EventsAPIEvent
	headers      []http.Header

	onEvent  func(e slackevents.EventsAPIEvent)
	onAction func(ic slack.InteractionCallback)
	onSubmit func(ic slack.InteractionCallback) any
	options  func(ic slack.InteractionCallback) any
	before   func(kind string) // runs before the ack
	status   func(kind string) int
	instead  http.Handler // handles verified requests instead
}

// replace sets another handler for verified requests.
func (a *app) replace(h http.Handler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.instead = h
}

func (a *app) interaction(ic slack.InteractionCallback) (reply any, after func()) {
	a.mu.Lock()
	a.interactions = append(a.interactions, ic)
	a.mu.Unlock()
	if a.before != nil {
		a.before(string(ic.Type))
	}
	switch ic.Type {
	case slack.InteractionTypeBlockActions:
		return nil, func() {
			if a.onAction != nil {
				a.onAction(ic)
			}
		}
	case slack.InteractionTypeViewSubmission:
		if a.onSubmit != nil {
			return a.onSubmit(ic), nil
		}
	case slack.InteractionTypeBlockSuggestion:
		if a.options != nil {
			return a.options(ic), nil
		}
	}
	return nil, nil
}

func (a *app) event(e slackevents.EventsAPIEvent) {
	a.mu.Lock()
	a.events = append(a.events, e)
	a.mu.Unlock()
	if a.onEvent != nil {
		a.onEvent(e)
	}
}

// of returns the interactions of one type that the app received.
func (a *app) of(kind slack.InteractionType) []slack.InteractionCallback {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []slack.InteractionCallback
	for _, ic := range a.interactions {
		if ic.Type == kind {
			found = append(found, ic)
		}
	}
	return found
}

// ServeHTTP serves the app in HTTP mode, and verifies each request with slack-go.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v, err := slack.NewSecretsVerifier(r.Header, secret)
	if err == nil {
		_, _ = v.Write(body)
		err = v.Ensure()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	a.mu.Lock()
	a.headers = append(a.headers, r.Header)
	instead := a.instead
	a.mu.Unlock()
	if instead != nil {
		instead.ServeHTTP(w, r)
		return
	}
	kind := strings.TrimPrefix(r.URL.Path, "/slack/")
	if a.status != nil {
		if status := a.status(kind); status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
	}
	if kind == "events" {
		e, err := slackevents.ParseEvent(body, slackevents.OptionNoVerifyToken())
		if err != nil {
			a.t.Errorf("parse event: %v", err)
		}
		if a.before != nil {
			a.before("event")
		}
		w.WriteHeader(http.StatusOK)
		go a.event(e)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	ic, err := slack.InteractionCallbackParse(r)
	if err != nil {
		a.t.Errorf("parse interaction: %v", err)
	}
	reply, after := a.interaction(ic)
	if reply != nil {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(reply)
	}
	if after != nil {
		go after()
	}
}

// listen runs the app in Socket Mode, with slack-go's own client.
func (a *app) listen(ctx context.Context, client *socketmode.Client) {
	go func() { _ = client.RunContext(ctx) }()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-client.Events:
			switch e.Type {
			case socketmode.EventTypeEventsAPI:
				if a.before != nil {
					a.before("event")
				}
				_ = client.Ack(*e.Request)
				go a.event(e.Data.(slackevents.EventsAPIEvent))
			case socketmode.EventTypeInteractive:
				go func() {
					reply, after := a.interaction(e.Data.(slack.InteractionCallback))
					if reply != nil {
						_ = client.Ack(*e.Request, reply)
					} else {
						_ = client.Ack(*e.Request)
					}
					if after != nil {
						after()
					}
				}()
			case socketmode.EventTypeErrorBadMessage:
				a.t.Errorf("slack-go cannot read a message: %v", e.Data)
			}
		}
	}
}

// installed is a local Slack with an app.
type installed struct {
	ws  *slacksim.Workspace
	app *app
	url string // of the local Slack
}

func people() []slacksim.User {
	return []slacksim.User{
		{Email: ann, Name: "Ann Example", TZ: "Europe/Berlin"},
		{Email: ben, Name: "Ben Example"},
	}
}

// serve starts a local Slack; its app need not exist.
func serve(t testing.TB, cfg slacksim.Config) string {
	t.Helper()
	cfg.BotToken, cfg.AppToken, cfg.SigningSecret = botToken, appToken, secret
	if cfg.Users == nil {
		cfg.Users = people()
	}
	s, err := slacksim.New(cfg)
	require.NoError(t, err)
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(func() { s.Close(); srv.Close() })
	return srv.URL
}

// install starts a local Slack and the app, with one transport.
func install(t testing.TB, transport string, a *app, change ...func(*slacksim.Config)) *installed {
	t.Helper()
	a.t = t
	var cfg slacksim.Config
	if transport == "http" {
		mux := httptest.NewServer(a)
		t.Cleanup(mux.Close)
		cfg.EventsURL = mux.URL + "/slack/events"
		cfg.InteractivityURL = mux.URL + "/slack/interactivity"
		cfg.OptionsURL = mux.URL + "/slack/options"
	}
	for _, c := range change {
		c(&cfg)
	}
	url := serve(t, cfg)
	a.api = slack.New(botToken, slack.OptionAPIURL(url+"/api/"), slack.OptionAppLevelToken(appToken))
	ws := slacksim.Dial(url)
	if transport == "socket" {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); a.listen(ctx, socketmode.New(a.api)) }()
		t.Cleanup(func() { cancel(); <-done })
		require.NoError(t, ws.WaitForSockets(1, 10*time.Second))
	}
	return &installed{ws, a, url}
}

// onEach runs a test with both transports.
func onEach(t *testing.T, test func(t *testing.T, transport string)) {
	for _, transport := range []string{"http", "socket"} {
		t.Run(transport, func(t *testing.T) { test(t, transport) })
	}
}

func text(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

func button(action, value, label string) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(action, value, text(label))
}

func option(value string) *slack.OptionBlockObject {
	return slack.NewOptionBlockObject(value, text(strings.ToUpper(value[:1])+value[1:]), nil)
}

func home(blocks ...slack.Block) slack.HomeTabViewRequest {
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: append([]slack.Block{}, blocks...)}}
}

func modal(blocks ...slack.Block) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type: slack.VTModal, Title: text("Request Access"), Submit: text("Send"), Close: text("Cancel"),
		CallbackID: "form", Blocks: slack.Blocks{BlockSet: append([]slack.Block{}, blocks...)},
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return raw
}

// dial opens another Socket Mode connection, without slack-go's client.
func dial(t testing.TB, api *slack.Client) *websocket.Conn {
	t.Helper()
	_, address, err := api.StartSocketModeContext(t.Context())
	require.NoError(t, err)
	conn, resp, err := websocket.DefaultDialer.Dial(address, nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func connect(t testing.TB, address string) error {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.Dial(address, nil)
	if err != nil {
		if resp != nil {
			_ = resp.Body.Close()
		}
		return err
	}
	t.Cleanup(func() { _ = conn.Close() })
	return nil
}
