package slacksim

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// call is one call of a Web API method.
type call struct {
	method string
	token  string
	args   object // strings from a form, any value from JSON
	base   string // this server's address, as the app reached it
}

// refusal is the error of a Web API answer: Slack's code, and the problems of invalid arguments.
type refusal struct {
	code     string
	problems []Problem
}

func refuse(code string) *refusal { return &refusal{code: code} }

// method is one Web API method. It runs with the server's lock held.
type method struct {
	run   func(s *Server, c *call) (object, *refusal)
	token string // bot or app
	tier  int    // calls per minute that Slack allows; 0: no limit of its own
}

var methods = map[string]method{
	"auth.test":             {(*Server).authTest, "bot", 0},
	"apps.connections.open": {(*Server).connectionsOpen, "app", 20},
	"bots.info":             {(*Server).botsInfo, "bot", 50},
	"users.info":            {(*Server).usersInfo, "bot", 100},
	"users.lookupByEmail":   {(*Server).usersLookupByEmail, "bot", 50},
	"conversations.open":    {(*Server).conversationsOpen, "bot", 50},
	"chat.postMessage":      {(*Server).chatPostMessage, "bot", 0}, // one per second and channel: see overRate
	"chat.update":           {(*Server).chatUpdate, "bot", 50},
	"chat.delete":           {(*Server).chatDelete, "bot", 50},
	"chat.postEphemeral":    {(*Server).chatPostEphemeral, "bot", 100},
	"views.open":            {(*Server).viewsOpen, "bot", 100},
	"views.push":            {(*Server).viewsPush, "bot", 100},
	"views.update":          {(*Server).viewsUpdate, "bot", 100},
	"views.publish":         {(*Server).viewsPublish, "bot", 100},
}

// serveAPI serves /api/<method>. It answers 200 with ok and error, as Slack does, unless there is a fault.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	name := r.PathValue("method")
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return // the caller has gone
	}
	t := Traffic{Direction: fromApp, Name: name, Bytes: len(body), At: start}
	defer func() { s.record(t, start) }()
	s.note(&t, r, body)

	fault, ended := s.meetFault(w, r, name, &t)
	if ended {
		return
	}

	var answer object
	var no *refusal
	switch {
	case fault.is(faultRateLimited):
		no = refuse("ratelimited")
	case fault.is(faultError):
		no = refuse(fault.Error)
	default:
		answer, no = s.call(r, name, body)
	}
	if fault.After { // the work is done, but its answer is lost
		t.Error = "answer lost"
		if fault.is(faultStatus) {
			t.Status = fault.Status
			w.WriteHeader(fault.Status)
		} else {
			hangUp(w)
		}
		return
	}
	if no == nil {
		answer["ok"] = true
	} else {
		answer = object{"ok": false, "error": no.code}
		t.Error = no.code
		if len(no.problems) > 0 {
			messages, plain := []string{}, []string{}
			for _, p := range no.problems {
				messages = append(messages, p.String())
				plain = append(plain, strings.TrimPrefix(p.String(), "[ERROR] "))
			}
			answer["errors"], answer["response_metadata"] = plain, object{"messages": messages}
			t.Error += ": " + strings.Join(plain, "; ")
		}
	}
	out, err := json.Marshal(answer)
	if err != nil {
		s.log.Error("encode an answer", "method", name, "error", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	t.Status, t.OK, t.ReplyBytes = http.StatusOK, no == nil, len(out)
	if no != nil && no.code == "ratelimited" {
		t.Status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(max(1, fault.RetryAfter)))
		w.WriteHeader(t.Status)
	}
	_, _ = w.Write(out) // the caller may have gone
}

// call finds the method, checks the token and runs it.
func (s *Server) call(r *http.Request, name string, body []byte) (object, *refusal) {
	m, ok := methods[name]
	if !ok {
		return nil, refuse("unknown_method")
	}
	c := &call{method: name, base: "http://" + r.Host}
	if no := c.parse(r, body); no != nil {
		return nil, no
	}
	want, other := s.cfg.BotToken, s.cfg.AppToken
	if m.token == "app" {
		want, other = other, want
	}
	switch {
	case c.token == "":
		return nil, refuse("not_authed")
	case c.token == want:
	case c.token == other:
		return nil, refuse("not_allowed_token_type")
	default:
		return nil, refuse("invalid_auth")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.RateLimits && s.overRate(name, m.tier, c) {
		return nil, refuse("ratelimited")
	}
	answer, no := m.run(s, c)
	if no != nil {
		return nil, no
	}
	// Copied while locked: the answer may share values that later calls change.
	raw, err := json.Marshal(answer)
	if err == nil {
		answer = nil
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil {
		return nil, refuse("internal_error")
	}
	return answer, nil
}

func (c *call) parse(r *http.Request, body []byte) *refusal {
	c.args = object{}
	for name, v := range r.URL.Query() {
		c.args[name] = v[0]
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case len(body) == 0:
	case kind == "application/json":
		var o object
		if err := json.Unmarshal(body, &o); err != nil {
			return refuse("invalid_json")
		}
		for name, v := range o {
			c.args[name] = v
		}
	default:
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if err := r.ParseForm(); err != nil {
			return refuse("invalid_form_data")
		}
		for name, v := range r.PostForm {
			c.args[name] = v[0]
		}
	}
	c.token = c.str("token")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		c.token = bearer
	}
	return nil
}

func (c *call) str(name string) string { return str(c.args, name) }

// value returns a JSON argument, sent as JSON or as a form field that contains JSON. It returns false if
// that field is not JSON.
func (c *call) value(name string) (any, bool) {
	v := c.args[name]
	s, ok := v.(string)
	if !ok || s == "" {
		return v, true
	}
	var parsed any
	if err := json.Unmarshal([]byte(s), &parsed); err != nil {
		return nil, false
	}
	return parsed, true
}

// overRate counts the call and reports whether there were too many within the last minute.
func (s *Server) overRate(name string, perMinute int, c *call) bool {
	window := time.Minute
	if name == "chat.postMessage" {
		name, perMinute, window = name+" "+c.str("channel"), 1, time.Second
	}
	if perMinute == 0 {
		return false
	}
	recent := s.calls[name]
	for len(recent) > 0 && time.Since(recent[0]) > window {
		recent = recent[1:]
	}
	over := len(recent) >= perMinute
	if !over {
		recent = append(recent, time.Now())
	}
	s.calls[name] = recent
	return over
}

func (s *Server) authTest(c *call) (object, *refusal) {
	o := object{
		"url": c.base + "/", "team": s.cfg.TeamName, "team_id": s.cfg.TeamID, "user": s.users[botUserID].handle(),
		"user_id": botUserID, "bot_id": botID, "is_enterprise_install": false,
	}
	if s.cfg.EnterpriseID != "" {
		o["enterprise_id"] = s.cfg.EnterpriseID
	}
	return o, nil
}

func (s *Server) botsInfo(c *call) (object, *refusal) {
	if c.str("bot") != botID {
		return nil, refuse("bot_not_found")
	}
	bot := s.users[botUserID]
	return object{"bot": object{
		"id": botID, "app_id": s.cfg.AppID, "user_id": botUserID, "name": bot.Name, "deleted": false, "updated": 1, "icons": object{},
	}}, nil
}

func (s *Server) usersInfo(c *call) (object, *refusal) {
	u := s.users[c.str("user")]
	if u == nil {
		return nil, refuse("user_not_found")
	}
	return object{"user": u.profile()}, nil
}

// usersLookupByEmail also finds guests and strangers, who the app must refuse. It does not find
// deactivated users ("users.lookupByEmail", users_not_found).
func (s *Server) usersLookupByEmail(c *call) (object, *refusal) {
	email := strings.TrimSpace(c.str("email"))
	u := s.findUser(email)
	if u == nil || u.Email == "" || !strings.EqualFold(u.Email, email) || u.Deleted || u.Bot {
		return nil, refuse("users_not_found")
	}
	return object{"user": u.profile()}, nil
}

func (s *Server) conversationsOpen(c *call) (object, *refusal) {
	if id := c.str("channel"); id != "" {
		ch := s.channels[id]
		if ch == nil {
			return nil, refuse("channel_not_found")
		}
		return object{"channel": object{"id": ch.id}, "no_op": true, "already_open": true}, nil
	}
	var users []string
	for id := range strings.SplitSeq(c.str("users"), ",") {
		if id = strings.TrimSpace(id); id != "" {
			users = append(users, id)
		}
	}
	switch {
	case len(users) == 0:
		return nil, refuse("users_list_not_supplied")
	case len(users) > 8:
		return nil, refuse("too_many_users")
	}
	for _, id := range users {
		u := s.users[id]
		switch {
		case u == nil:
			return nil, refuse("user_not_found")
		case u.Deleted:
			return nil, refuse("user_disabled")
		case u.Bot:
			return nil, refuse("cannot_dm_bot")
		}
	}
	ch, opened := s.conversationWith(users)
	o := object{"id": ch.id}
	if c.str("return_im") == "true" || c.args["return_im"] == true {
		o["is_im"], o["is_open"], o["user"] = true, true, users[0]
	}
	return object{"channel": o, "no_op": opened, "already_open": opened}, nil
}

// problemsOf adds the line that Slack puts before the problems of a view.
func problemsOf(problems []Problem) []Problem {
	return append([]Problem{{"/view", "failed to match all allowed schemas"}}, problems...)
}
