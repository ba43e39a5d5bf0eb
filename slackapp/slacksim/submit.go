package slacksim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// submit submits the top modal, once or several times at once.
func (s *Server) submit(u *User, t Target, times int) (Outcome, error) {
	s.mu.Lock()
	t.BlockID, t.ActionID = "", ""
	f, _, err := s.find(u, t)
	v := f.view
	if err == nil && (v == nil || !v.modal() || v.spec["submit"] == nil) {
		err = fmt.Errorf("there is nothing to submit here")
	}
	if err != nil {
		s.mu.Unlock()
		return Outcome{}, err
	}
	v.errors, v.notice = v.invalid(), ""
	s.touch()
	if len(v.errors) > 0 { // the client itself refuses and tells the app nothing
		o := Outcome{Seq: s.seq, Errors: maps.Clone(v.errors)}
		s.mu.Unlock()
		return o, nil
	}
	var ds []delivery
	for range max(1, times) {
		p := s.interaction("view_submission", u)
		p["trigger_id"] = s.newTrigger(u.ID, v.id)
		p["view"], p["response_urls"] = v.payload(s, v.values()), []any{}
		ds = append(ds, delivery{route: routeInteractivity, name: "view_submission", user: u.ID, payload: encodeJSON(p)})
	}
	s.mu.Unlock()
	return s.atOnce(ds, func(d delivery) Outcome { return s.submitted(u, v, d) }), nil
}

// submitted delivers a submission and shows the user the result.
func (s *Server) submitted(u *User, v *view, d delivery) Outcome {
	a := s.deliver(d)
	o := s.outcome(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Problem == "" {
		o.Problem = s.answerSubmission(u, v, a.body)
	}
	if o.Problem != "" {
		v.notice = troubleConnecting
		s.notify(u.ID, troubleConnecting, o.Problem)
	}
	o.Errors, o.Seq = maps.Clone(v.errors), s.seq
	return o
}

// answerSubmission applies the app's answer to a submission, and returns what is wrong with it. Source:
// "Modals", response actions.
func (s *Server) answerSubmission(u *User, v *view, body []byte) (problem string) {
	if body = bytes.TrimSpace(body); len(body) == 0 {
		s.removeView(v)
		return ""
	}
	var answer object
	if err := json.Unmarshal(body, &answer); err != nil {
		return "the answer to the submission is neither empty nor a JSON object"
	}
	if len(answer) == 0 {
		s.removeView(v)
		return ""
	}
	action := str(answer, "response_action")
	switch action {
	case "clear":
		s.stacks[u.ID] = nil
		s.touch()
		return ""
	case "errors":
		return s.showErrors(v, obj(answer, "errors"))
	case "update", "push":
		problems := checkView(answer["view"])
		spec := obj(answer, "view")
		if len(problems) == 0 && str(spec, "type") != "modal" {
			problems = []Problem{{"/view/type", "must be modal"}}
		}
		if len(problems) > 0 {
			return problems[0].String()
		}
		if action == "update" {
			v.show(spec)
			s.touch()
			return ""
		}
		if len(s.stacks[u.ID]) >= maxStack {
			return "push_limit_reached"
		}
		s.openModal(u.ID, spec, true)
		return ""
	}
	return fmt.Sprintf("unknown response_action %q", action)
}

func (s *Server) showErrors(v *view, errors object) string {
	if len(errors) == 0 {
		return "response_action errors without errors"
	}
	shown := map[string]string{}
	for id, text := range errors {
		at := slices.IndexFunc(v.blocks(), func(b object) bool { return str(b, "block_id") == id && str(b, "type") == "input" })
		if at < 0 {
			return fmt.Sprintf("response_action errors: %q is not an input block of the view", id)
		}
		t, ok := text.(string)
		if !ok || t == "" {
			return fmt.Sprintf("response_action errors: the error at %q is not a text", id)
		}
		shown[id] = t
	}
	v.errors = shown
	s.touch()
	return ""
}

// closeModal closes the top modal, or all modals, and tells the app if it asked for that
// (notify_on_close). Closing a view with clear_on_close closes all.
func (s *Server) closeModal(u *User, all bool) (Outcome, error) {
	s.mu.Lock()
	stack := s.stacks[u.ID]
	if len(stack) == 0 {
		s.mu.Unlock()
		return Outcome{}, gone{"no modal is open"}
	}
	top := stack[len(stack)-1]
	all = all || flag(top.spec, "clear_on_close")
	closed := stack[len(stack)-1:]
	if all {
		closed = slices.Clone(stack)
		slices.Reverse(closed)
	}
	var ds []delivery
	for _, v := range slices.Clone(closed) {
		if flag(v.spec, "notify_on_close") {
			p := s.interaction("view_closed", u)
			p["view"], p["is_cleared"] = v.payload(s, v.values()), all
			ds = append(ds, delivery{route: routeInteractivity, name: "view_closed", user: u.ID, payload: encodeJSON(p)})
		}
		s.removeView(v)
	}
	o := Outcome{Seq: s.seq}
	s.mu.Unlock()
	for _, d := range ds {
		a := s.deliver(d)
		o = s.outcome(a)
	}
	return o, nil
}
