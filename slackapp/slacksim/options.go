package slacksim

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// loadOptions asks the app for the options of an external select. As in Slack, an invalid answer only
// shows "No result"; the outcome says why.
func (s *Server) loadOptions(u *User, t Target, query, base string) (Outcome, error) {
	s.mu.Lock()
	f, e, err := s.find(u, t)
	if err == nil && !strings.HasSuffix(str(e.element, "type"), "external_select") {
		err = fmt.Errorf("%s: a %s loads no options", elementLabel(e), str(e.element, "type"))
	}
	if err == nil {
		least := 3 // Slack's default
		if n, ok := e.element["min_query_length"].(float64); ok {
			least = int(n)
		}
		if utf8.RuneCountInString(query) < least {
			err = fmt.Errorf("%s: Slack only asks the app from %d characters on", elementLabel(e), least)
		}
	}
	if err != nil {
		s.mu.Unlock()
		return Outcome{}, err
	}
	p := s.interaction("block_suggestion", u)
	p["block_id"], p["action_id"], p["value"] = e.control.block, e.control.action, query
	s.place(p, u, f, base, object{}) // carries no current state (bolt-js#1146)
	delete(p, "response_url")
	d := delivery{route: routeOptions, name: "block_suggestion", user: u.ID, payload: encodeJSON(p)}
	s.mu.Unlock()

	a := s.deliver(d)
	o := s.outcome(a)
	var reply object
	if a.ok() {
		if err := json.Unmarshal(a.body, &reply); err != nil {
			o.Problem = "the answer to the options request is not a JSON object"
		} else if problems := checkOptionsReply(reply); len(problems) > 0 {
			o.Problem = problems[0].String()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Problem != "" {
		s.notify(u.ID, noResult, o.Problem)
		return o, nil
	}
	o.Options = options(reply)
	f.loaded()[e.control] = o.Options
	return o, nil
}
