package slacksim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// clientRoutes serves what a Slack client sees and does, and what a test can do to Slack. Answers are
// JSON. An error is {"error": "..."} with 400 (impossible), 404 (no such user) or 409 (not on the screen
// any more: look again).
func (s *Server) clientRoutes() {
	handle := func(pattern string, h func(r *http.Request) (any, error)) {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if origin := r.Header.Get("Origin"); origin != "" {
				if u, err := url.Parse(origin); err != nil || !loopback(u.Host) {
					writeJSON(w, http.StatusForbidden, object{"error": "pages of other origins may not use the client API"})
					return
				}
			}
			kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
			if r.Method != http.MethodGet && kind != "" && kind != "application/json" {
				writeJSON(w, http.StatusUnsupportedMediaType, object{"error": "the client API takes JSON, not " + kind})
				return
			}
			answer, err := h(r)
			var g gone
			var n noUser
			switch {
			case err == nil:
				writeJSON(w, http.StatusOK, answer)
			case errors.As(err, &g):
				writeJSON(w, http.StatusConflict, object{"error": err.Error()})
			case errors.As(err, &n):
				writeJSON(w, http.StatusNotFound, object{"error": err.Error()})
			default:
				writeJSON(w, http.StatusBadRequest, object{"error": err.Error()})
			}
		})
	}
	handle("GET /client/users", s.clientUsers)
	handle("POST /client/users", s.clientAddUser)
	handle("PATCH /client/users/{user}", s.clientChangeUser)
	handle("GET /client/users/{user}/screen", s.clientScreen)
	handle("POST /client/users/{user}/open", s.clientOpen)
	handle("POST /client/users/{user}/press", s.clientPress)
	handle("POST /client/users/{user}/set", s.clientSet)
	handle("POST /client/users/{user}/options", s.clientOptions)
	handle("POST /client/users/{user}/submit", s.clientSubmit)
	handle("POST /client/users/{user}/close", s.clientClose)
	handle("GET /client/wait", s.clientWait)
	handle("GET /client/traffic", s.clientTraffic)
	handle("GET /client/faults", s.clientFaults)
	handle("POST /client/faults", s.clientAddFault)
	handle("DELETE /client/faults", s.clientClearFaults)
	handle("POST /client/away", s.clientAway)
	handle("GET /client/sockets", s.clientSockets)
	handle("POST /client/sockets/disconnect", s.clientDisconnect)
	handle("POST /client/deliver", s.clientDeliver)
	handle("POST /client/verify", s.clientVerify)
	handle("POST /client/sign", s.clientSign)
	handle("GET /client/payloads", s.clientPayloads)
	s.pageRoutes(handle)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(encodeJSON(v)) // the client may have gone
}

// noUser means that the user in the path does not exist.
type noUser struct{ who string }

func (n noUser) Error() string { return "no user " + n.who }

func read[T any](r *http.Request) (T, error) {
	var v T
	raw, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return v, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return v, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("read the request: %w", err)
	}
	return v, nil
}

// actor returns the user of the path, by ID or e-mail address. A deactivated user can do nothing.
func (s *Server) actor(r *http.Request) (*User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.findUser(r.PathValue("user"))
	switch {
	case u == nil:
		return nil, noUser{r.PathValue("user")}
	case u.Deleted:
		return nil, fmt.Errorf("%s is deactivated and cannot use Slack", u.ID)
	case s.away:
		return nil, fmt.Errorf("Slack is away")
	}
	copied := *u
	return &copied, nil
}

func (s *Server) clientUsers(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := []User{}
	for _, id := range s.order {
		users = append(users, *s.users[id])
	}
	return users, nil
}

func (s *Server) clientAddUser(r *http.Request) (any, error) {
	u, err := read[User](r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.addUser(u); err != nil {
		return nil, err
	}
	s.touch()
	return *s.users[s.order[len(s.order)-1]], nil
}

// clientChangeUser changes the properties in the body. The ID can't change.
func (s *Server) clientChangeUser(r *http.Request) (any, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.findUser(r.PathValue("user"))
	if u == nil {
		return nil, noUser{r.PathValue("user")}
	}
	changed := *u
	if err := json.Unmarshal(raw, &changed); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	changed.ID = u.ID
	if err := changed.complete(s.cfg.TeamID, s.cfg.EnterpriseID); err != nil {
		return nil, err
	}
	if other := s.findUser(changed.Email); changed.Email != "" && other != nil && other != u {
		return nil, fmt.Errorf("the e-mail address %s belongs to %s", changed.Email, other.ID)
	}
	*u = changed
	s.touch()
	return changed, nil
}

func (s *Server) clientScreen(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.findUser(r.PathValue("user"))
	if u == nil {
		return nil, noUser{r.PathValue("user")}
	}
	return json.RawMessage(encodeJSON(s.screen(u))), nil
}

func (s *Server) clientOpen(r *http.Request) (any, error) {
	u, err := s.actor(r)
	if err != nil {
		return nil, err
	}
	body, err := read[struct {
		Tab string `json:"tab"` // home or messages
	}](r)
	if err != nil {
		return nil, err
	}
	if body.Tab != "home" && body.Tab != "messages" {
		return nil, fmt.Errorf("the app has the tabs home and messages, not %q", body.Tab)
	}
	return s.openTab(u, body.Tab), nil
}

// base returns this server's address as the caller reached it.
func base(r *http.Request) string { return "http://" + r.Host }

func (s *Server) clientPress(r *http.Request) (any, error) {
	u, err := s.actor(r)
	if err != nil {
		return nil, err
	}
	body, err := read[struct {
		Target
		Option string `json:"option"` // the value of an overflow menu's entry
		Value  string `json:"value"`  // of the button, to find it if its view was redrawn; empty: don't look for it
		Times  int    `json:"times"`  // all at once; 0 means 1
	}](r)
	if err != nil {
		return nil, err
	}
	return s.press(u, s.redrawn(u, body.Target, body.Value), body.Option, base(r), body.Times)
}

func (s *Server) clientSet(r *http.Request) (any, error) {
	u, err := s.actor(r)
	if err != nil {
		return nil, err
	}
	body, err := read[struct {
		Target
		Change Change `json:"change"`
	}](r)
	if err != nil {
		return nil, err
	}
	return s.set(u, body.Target, body.Change, base(r))
}

func (s *Server) clientOptions(r *http.Request) (any, error) {
	u, err := s.actor(r)
	if err != nil {
		return nil, err
	}
	body, err := read[struct {
		Target
		Query string `json:"query"`
	}](r)
	if err != nil {
		return nil, err
	}
	return s.loadOptions(u, body.Target, body.Query, base(r))
}

func (s *Server) clientSubmit(r *http.Request) (any, error) {
	u, err := s.actor(r)
	if err != nil {
		return nil, err
	}
	body, err := read[struct {
		Target
		Times int `json:"times"`
	}](r)
	if err != nil {
		return nil, err
	}
	return s.submit(u, body.Target, body.Times)
}

func (s *Server) clientClose(r *http.Request) (any, error) {
	u, err := s.actor(r)
	if err != nil {
		return nil, err
	}
	body, err := read[struct {
		All bool `json:"all"`
	}](r)
	if err != nil {
		return nil, err
	}
	return s.closeModal(u, body.All)
}

// clientWait returns when something has changed since seq "after", or after "timeout_ms" (10 s). It answers at once if "start"
// is set and differs, because the server has restarted.
func (s *Server) clientWait(r *http.Request) (any, error) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("after must be a seq")
	}
	start := r.URL.Query().Get("start")
	limit := 10 * time.Second
	if ms, err := strconv.Atoi(r.URL.Query().Get("timeout_ms")); err == nil {
		limit = time.Duration(ms) * time.Millisecond
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		s.mu.Lock()
		seq, changed := s.seq, s.changed
		s.mu.Unlock()
		if seq > after || start != "" && start != s.start {
			return object{"seq": seq, "start": s.start}, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return object{"seq": seq, "start": s.start}, nil
		case <-r.Context().Done():
			return object{"seq": seq, "start": s.start}, nil
		case <-s.stop:
			return object{"seq": seq, "start": s.start}, nil
		}
	}
}
