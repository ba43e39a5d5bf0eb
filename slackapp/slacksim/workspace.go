package slacksim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Workspace drives a local Slack over its client API, as its users and as its operator.
type Workspace struct {
	base   string
	client *http.Client

	mu    sync.Mutex
	names map[string]string // of users, by ID
}

// Dial returns the local Slack at a URL, for example http://127.0.0.1:3002. It sends nothing yet.
func Dial(baseURL string) *Workspace {
	return &Workspace{base: strings.TrimSuffix(baseURL, "/"), client: &http.Client{Timeout: time.Minute}}
}

// Address returns the local Slack's URL, without a trailing slash.
func (w *Workspace) Address() string { return w.base }

// As returns an Actor for a user, by e-mail address or ID.
func (w *Workspace) As(emailOrID string) *Actor {
	return &Actor{w: w, who: emailOrID, timeout: 10 * time.Second}
}

// conflict is a 409: the target is no longer on the screen.
type conflict struct{ error }

// do calls the client API; in and out may be nil.
func (w *Workspace) do(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode for %s: %w", path, err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, w.base+path, body)
	if err != nil {
		return err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("the local Slack at %s: %w", w.base, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		var failed struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(raw, &failed) != nil || failed.Error == "" {
			failed.Error = fmt.Sprintf("%s: %s", resp.Status, raw)
		}
		if resp.StatusCode == http.StatusConflict {
			return conflict{errors.New(failed.Error)}
		}
		return errors.New(failed.Error)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("read the answer to %s: %w", path, err)
	}
	return nil
}

// Users returns all users, the app's own bot first.
func (w *Workspace) Users() ([]User, error) {
	var users []User
	return users, w.do(http.MethodGet, "/client/users", nil, &users)
}

// AddUser adds a member or, depending on the user's flags, a guest, a stranger or a bot.
func (w *Workspace) AddUser(u User) (User, error) {
	var added User
	return added, w.do(http.MethodPost, "/client/users", u, &added)
}

// ChangeUser changes properties of a user, by their JSON names: {"email": ...}, {"deleted": true}.
func (w *Workspace) ChangeUser(emailOrID string, change map[string]any) (User, error) {
	var changed User
	return changed, w.do(http.MethodPatch, "/client/users/"+url.PathEscape(emailOrID), change, &changed)
}

// Break adds a fault, which lasts for Times calls or until Mend. See Fault.
func (w *Workspace) Break(f Fault) error {
	return w.do(http.MethodPost, "/client/faults", f, nil)
}

// Mend removes all faults.
func (w *Workspace) Mend() error { return w.do(http.MethodDelete, "/client/faults", nil, nil) }

// Away makes Slack unavailable (true) or available again. While it is away no call is answered and nothing
// is delivered.
func (w *Workspace) Away(away bool) error {
	return w.do(http.MethodPost, "/client/away", object{"away": away}, nil)
}

// Disconnect asks every Socket Mode connection to reconnect; the reason is warning, refresh_requested or
// link_disabled.
func (w *Workspace) Disconnect(reason string) error {
	return w.do(http.MethodPost, "/client/sockets/disconnect", object{"reason": reason}, nil)
}

// WaitForSockets waits until the app has n Socket Mode connections.
func (w *Workspace) WaitForSockets(n int, timeout time.Duration) error {
	have := 0
	err := w.poll(timeout, func() (int64, bool, error) {
		var now struct {
			Seq         int64 `json:"seq"`
			Connections int   `json:"connections"`
		}
		err := w.do(http.MethodGet, "/client/sockets", nil, &now)
		have = now.Connections
		return now.Seq, have == n, err
	})
	if errors.Is(err, errTimeout) {
		return fmt.Errorf("the app has %d Socket Mode connections after %s, not %d", have, timeout, n)
	}
	return err
}

// Traffic returns the traffic between the app and Slack after a seq, the oldest first. See Traffic.Seq.
func (w *Workspace) Traffic(after int64) ([]Traffic, error) {
	var t []Traffic
	return t, w.do(http.MethodGet, fmt.Sprintf("/client/traffic?after=%d", after), nil, &t)
}

// LastPayload returns the newest payload of a type that was sent to the app ("block_actions",
// "view_submission", "app_home_opened", ...) and its route, so that it can be changed and delivered again.
func (w *Workspace) LastPayload(name string) (route string, payload map[string]any, err error) {
	var all []Payload
	if err := w.do(http.MethodGet, "/client/payloads", nil, &all); err != nil {
		return "", nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Name == name {
			err := json.Unmarshal(all[i].Payload, &payload)
			return all[i].Route, payload, err
		}
	}
	return "", nil, fmt.Errorf("no %s was sent to the app", name)
}

// VerifyURL verifies the app's URL for events, as Slack does when it is saved. An error says why the app failed.
func (w *Workspace) VerifyURL() error { return w.do(http.MethodPost, "/client/verify", nil, nil) }

// Delivered is the app's answer to a payload.
type Delivered struct {
	Acked   bool   `json:"acked"`
	Status  int    `json:"status"` // HTTP status; 0 over Socket Mode, or if there was no answer
	Body    string `json:"body"`
	Problem string `json:"problem"`
}

// Deliver sends any payload to the app as if from Slack: signed, or through its socket. The route is
// "events", "interactivity" or "options". A payload of type []byte or json.RawMessage is sent unchanged.
func (w *Workspace) Deliver(route string, payload any) (Delivered, error) {
	var d Delivered
	raw, err := asJSON(payload)
	if err != nil {
		return d, err
	}
	return d, w.do(http.MethodPost, "/client/deliver", object{"route": route, "payload": raw}, &d)
}

func asJSON(payload any) (json.RawMessage, error) {
	switch p := payload.(type) {
	case json.RawMessage:
		return p, nil
	case []byte:
		return p, nil
	}
	return json.Marshal(payload)
}

// SignOption changes how SignedRequest signs.
type SignOption func(object)

// SignedAt signs with another time, for example ten minutes ago.
func SignedAt(at time.Time) SignOption { return func(o object) { o["at"] = at } }

// SignedBody signs this body instead of the encoded payload.
func SignedBody(body []byte) SignOption {
	return func(o object) { o["body"] = base64.StdEncoding.EncodeToString(body) }
}

// SignedRequest returns a request that the app accepts as Slack's, in HTTP mode, without sending it. Tests
// send it twice, late, or changed.
func (w *Workspace) SignedRequest(route string, payload any, opts ...SignOption) (*http.Request, error) {
	raw, err := asJSON(payload)
	if err != nil {
		return nil, err
	}
	in := object{"route": route, "payload": raw}
	for _, o := range opts {
		o(in)
	}
	var signed struct {
		URL    string      `json:"url"`
		Header http.Header `json:"header"`
		Body   []byte      `json:"body"`
	}
	if err := w.do(http.MethodPost, "/client/sign", in, &signed); err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, signed.URL, bytes.NewReader(signed.Body))
	if err != nil {
		return nil, err
	}
	req.Header = signed.Header
	return req, nil
}

var errTimeout = errors.New("timed out")

// poll calls look after each change until it is done, an error, or the timeout (errTimeout).
func (w *Workspace) poll(timeout time.Duration, look func() (seq int64, done bool, err error)) error {
	deadline := time.Now().Add(timeout)
	for {
		seq, done, err := look()
		if err != nil || done {
			return err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return errTimeout
		}
		left = min(left, 30*time.Second) // below the client's own timeout
		path := fmt.Sprintf("/client/wait?after=%d&timeout_ms=%d", seq, left.Milliseconds()+1)
		if err := w.do(http.MethodGet, path, nil, nil); err != nil {
			return err
		}
	}
}

// userNames returns the names of the users mentioned on a screen.
func (w *Workspace) userNames(screen []byte) (map[string]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := true
	for _, m := range mention.FindAllSubmatch(screen, -1) {
		if _, ok := w.names[string(m[1])]; !ok {
			known = false
		}
	}
	if !known {
		users, err := w.Users()
		if err != nil {
			return nil, err
		}
		w.names = map[string]string{}
		for _, u := range users {
			w.names[u.ID] = u.Name
		}
		for _, m := range mention.FindAllSubmatch(screen, -1) { // unknown users: do not ask for them again
			if id := string(m[1]); w.names[id] == "" {
				w.names[id] = id
			}
		}
	}
	return w.names, nil
}
