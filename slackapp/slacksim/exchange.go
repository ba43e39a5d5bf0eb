package slacksim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// exchange is the contents of one call or delivery, for display. It has no credentials: tokens are removed, and the secret part
// of response URLs is masked.
type exchange struct {
	Seq     int64           `json:"seq"` // Traffic.Seq
	Request json.RawMessage `json:"request,omitempty"`
	Answer  json.RawMessage `json:"answer,omitempty"` // the app's
}

// keptExchangeBytes is the total size of the newest exchanges that are kept.
const keptExchangeBytes = 16 << 20

type exchanges struct {
	kept  []exchange
	bytes int
}

func (e *exchanges) keep(x exchange) {
	size := len(x.Request) + len(x.Answer)
	if size == 0 {
		return
	}
	e.kept = append(e.kept, x)
	e.bytes += size
	for e.bytes > keptExchangeBytes {
		e.bytes -= len(e.kept[0].Request) + len(e.kept[0].Answer)
		e.kept[0] = exchange{} // free it: the slice still holds the array
		e.kept = e.kept[1:]
	}
}

func (e *exchanges) of(seq int64) (exchange, bool) {
	for i := len(e.kept) - 1; i >= 0; i-- {
		if e.kept[i].Seq == seq {
			return e.kept[i], true
		}
	}
	return exchange{}, false
}

const masked = "•••"

// shown returns JSON without secrets; nil if raw is not JSON.
func (s *Server) shown(raw []byte) json.RawMessage {
	var v any
	if len(bytes.TrimSpace(raw)) == 0 || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return s.mask(v)
}

func (s *Server) mask(v any) json.RawMessage {
	if o, ok := v.(object); ok {
		delete(o, "token")
		if reply := str(o, "response_url"); reply != "" {
			o["response_url"] = reply[:strings.LastIndex(reply, "/")+1] + masked
		}
	}
	raw := encodeJSON(v)
	for _, secret := range []string{s.cfg.BotToken, s.cfg.AppToken, s.cfg.SigningSecret} {
		if secret != "" { // the app may have put one anywhere
			raw = bytes.ReplaceAll(raw, []byte(secret), []byte(masked))
		}
	}
	return raw
}

// note adds a call's arguments, without the token, and the user it concerns to its traffic.
func (s *Server) note(t *Traffic, r *http.Request, body []byte) {
	c := &call{}
	if c.parse(r, body) != nil {
		return
	}
	for _, name := range []string{"view", "blocks", "attachments"} { // in a form, these are strings of JSON
		if v, ok := c.value(name); ok && v != nil {
			c.args[name] = v
		}
	}
	s.mu.Lock()
	t.User = s.concerned(c)
	s.mu.Unlock()
	t.request = s.mask(c.args)
}

// concerned returns the user that a call is about, if its arguments say so.
func (s *Server) concerned(c *call) string {
	for _, name := range []string{"user", "user_id", "users", "channel"} {
		if u := s.users[c.str(name)]; u != nil {
			return u.ID
		}
	}
	if t := s.triggers[c.str("trigger_id")]; t != nil {
		return t.user
	}
	if v := s.findView(c.str("view_id"), c.str("external_id")); v != nil {
		return v.user
	}
	if ch := s.channels[c.str("channel")]; ch != nil && len(ch.members) == 1 {
		return ch.members[0]
	}
	if email := c.str("email"); email != "" {
		if u := s.findUser(email); u != nil {
			return u.ID
		}
	}
	return ""
}
