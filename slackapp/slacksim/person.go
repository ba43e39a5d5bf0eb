package slacksim

import (
	"fmt"
	"maps"
	"sync"
	"time"
)

// Target is the element of a view or message that a person acts on.
type Target struct {
	ViewID   string `json:"view_id,omitempty"`
	TS       string `json:"ts,omitempty"`      // of a message, if there is no view
	Channel  string `json:"channel,omitempty"` // of that message; optional
	BlockID  string `json:"block_id,omitempty"`
	ActionID string `json:"action_id,omitempty"`

	// Forwarded means that this user presses a copy of another user's message.
	Forwarded bool `json:"forwarded,omitempty"`
}

// Outcome is the result of an action.
type Outcome struct {
	Seq        int64             `json:"seq"`
	Dispatched bool              `json:"dispatched"`        // it was sent to the app
	Acked      bool              `json:"acked"`             // the app acknowledged it in time
	Millis     int64             `json:"ms"`                // how long that took
	Problem    string            `json:"problem,omitempty"` // why it failed, for the developer; the user sees a notice
	Errors     map[string]string `json:"errors,omitempty"`  // of a submission, by block_id
	Options    []Block           `json:"options,omitempty"` // of an options request, including those of groups
}

// surface is the view or message of a target.
type surface struct {
	view    *view
	message *message
}

func (f surface) blocks() []object {
	if f.view != nil {
		return f.view.blocks()
	}
	return f.message.blocks
}

func (f surface) state() state {
	if f.view != nil {
		return f.view.state
	}
	return f.message.state
}

func (f surface) loaded() map[control][]object {
	if f.view != nil {
		return f.view.loaded
	}
	return f.message.loaded
}

// gone means that the target is not on the screen any more: the client should look again.
type gone struct{ what string }

func (g gone) Error() string { return g.what }

// find finds the surface and the element of a target on the user's screen.
func (s *Server) find(u *User, t Target) (surface, element, error) {
	var f surface
	switch {
	case t.ViewID != "":
		f.view = s.findView(t.ViewID, "")
		if f.view == nil || f.view.user != u.ID {
			return f, element{}, gone{"no such view is open: " + t.ViewID}
		}
		if stack := s.stacks[u.ID]; f.view.modal() && stack[len(stack)-1] != f.view {
			return f, element{}, gone{"another modal covers view " + t.ViewID}
		}
	default:
		reader := u.ID
		if t.Forwarded {
			reader = ""
		}
		f.message = s.findMessage(reader, t.Channel, t.TS)
		if f.message == nil {
			return f, element{}, gone{"no such message: " + t.TS}
		}
	}
	if t.ActionID == "" {
		return f, element{}, nil
	}
	e, ok := findElement(f.blocks(), control{t.BlockID, t.ActionID})
	if !ok {
		return f, e, gone{fmt.Sprintf("no element %s in block %s", t.ActionID, t.BlockID)}
	}
	return f, e, nil
}

// redrawn returns the current target of a button. The app may have published the Home tab again a moment ago, with new random
// block IDs where it sets none; the same button then has another block ID.
func (s *Server) redrawn(u *User, t Target, value string) Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, err := s.find(u, Target{ViewID: t.ViewID, TS: t.TS, Channel: t.Channel, Forwarded: t.Forwarded})
	if value == "" || err != nil {
		return t
	}
	if _, still := findElement(f.blocks(), control{t.BlockID, t.ActionID}); still {
		return t
	}
	for _, e := range elements(f.blocks()) {
		if e.control.action == t.ActionID && str(e.element, "value") == value {
			t.BlockID = e.control.block
			break
		}
	}
	return t
}

// interaction returns the properties that every interaction has.
func (s *Server) interaction(kind string, u *User) object {
	o := object{
		"type": kind, "token": "local", "api_app_id": s.cfg.AppID, "enterprise": nil, "is_enterprise_install": false,
		"team": object{"id": s.cfg.TeamID, "domain": "local"},
		"user": object{"id": u.ID, "username": u.handle(), "name": u.handle(), "team_id": u.TeamID},
	}
	if s.cfg.EnterpriseID != "" {
		o["enterprise"] = object{"id": s.cfg.EnterpriseID, "name": "Local Enterprise"}
	}
	return o
}

// place adds the view or message of an interaction.
func (s *Server) place(p object, u *User, f surface, base string, values object) {
	if f.view != nil {
		p["container"] = object{"type": "view", "view_id": f.view.id}
		p["view"] = f.view.payload(s, values)
		return
	}
	m := f.message
	p["container"] = object{"type": "message", "message_ts": m.ts, "channel_id": m.channel, "is_ephemeral": m.ephemeral != ""}
	p["channel"] = object{"id": m.channel, "name": "directmessage"}
	if m.ephemeral == "" {
		p["message"] = m.payload(s)
	}
	p["state"] = object{"values": values}
	p["response_url"] = s.newReplyURL(base, u.ID, m)
}

// openTab opens a tab of the app, which gets app_home_opened.
func (s *Server) openTab(u *User, tab string) Outcome {
	s.mu.Lock()
	ch, _ := s.conversationWith([]string{u.ID})
	event := object{
		"type": "app_home_opened", "user": u.ID, "channel": ch.id, "tab": tab, "event_ts": s.newTS(),
	}
	if v := s.homes[u.ID]; v != nil && tab == "home" {
		event["view"] = v.payload(s, v.values())
	}
	if tab == "messages" {
		s.markRead(u.ID, s.inbox(u.ID).latest)
	}
	d := delivery{route: routeEvents, name: "app_home_opened", user: u.ID, payload: encodeJSON(s.envelope(event))}
	twice := s.takeTwice(d.name)
	s.mu.Unlock()
	return s.outcome(s.deliverEvent(d, twice))
}

// envelope returns an event as the Events API sends it.
func (s *Server) envelope(event object) object {
	return object{
		"token": "local", "team_id": s.cfg.TeamID, "api_app_id": s.cfg.AppID, "event": event, "type": "event_callback",
		"event_id": s.newID("Ev"), "event_time": time.Now().Unix(), "is_ext_shared_channel": false,
		"authorizations": []any{object{
			"enterprise_id": nil, "team_id": s.cfg.TeamID, "user_id": botUserID, "is_bot": true, "is_enterprise_install": false,
		}},
	}
}

func (s *Server) outcome(a ack) Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Outcome{Seq: s.seq, Dispatched: true, Acked: a.ok(), Millis: a.took.Milliseconds(), Problem: a.detail}
}

// press presses a button, or selects an entry of an overflow menu: once, or several times at once, as an
// impatient user or a bad network would.
func (s *Server) press(u *User, t Target, option, base string, times int) (Outcome, error) {
	s.mu.Lock()
	f, e, err := s.find(u, t)
	var fields object
	if err == nil {
		switch kind := str(e.element, "type"); kind {
		case "button", "workflow_button":
			fields = object{"type": "button", "text": e.element["text"]}
			for _, name := range []string{"value", "style"} {
				if v, ok := e.element[name]; ok {
					fields[name] = v
				}
			}
		case "overflow":
			var chosen object
			if chosen, err = pick(options(e.element), option); err == nil {
				fields = object{"type": kind, "selected_option": chosen}
			}
		default:
			err = fmt.Errorf("a %s cannot be pressed", kind)
		}
	}
	if err != nil {
		s.mu.Unlock()
		return Outcome{}, err
	}
	var ds []delivery
	for range max(1, times) {
		ds = append(ds, s.blockActions(u, f, e, fields, base))
	}
	s.mu.Unlock()
	return s.atOnce(ds, func(d delivery) Outcome { return s.act(u, d) }), nil
}

// atOnce does all deliveries at the same time. It returns the first outcome with a problem, else the last.
func (s *Server) atOnce(ds []delivery, do func(delivery) Outcome) Outcome {
	outcomes := make([]Outcome, len(ds))
	var wg sync.WaitGroup
	for i, d := range ds {
		wg.Go(func() { outcomes[i] = do(d) })
	}
	wg.Wait()
	for _, o := range outcomes {
		if o.Problem != "" {
			return o
		}
	}
	return outcomes[len(outcomes)-1]
}

// blockActions returns the payload of one action. Call it with mu held.
func (s *Server) blockActions(u *User, f surface, e element, fields object, base string) delivery {
	action := object{"block_id": e.control.block, "action_id": e.control.action, "action_ts": s.newTS()}
	maps.Copy(action, fields)
	p := s.interaction("block_actions", u)
	p["actions"] = []any{action}
	viewID := ""
	if f.view != nil && f.view.modal() {
		viewID = f.view.id
	}
	p["trigger_id"] = s.newTrigger(u.ID, viewID)
	s.place(p, u, f, base, shownState(f.blocks(), f.state(), f.view))
	return delivery{route: routeInteractivity, name: "block_actions", user: u.ID, payload: encodeJSON(p)}
}

// act delivers an action, and shows the user a notice if the app does not acknowledge it. Actions are not
// retried.
func (s *Server) act(u *User, d delivery) Outcome {
	a := s.deliver(d)
	if !a.ok() {
		s.mu.Lock()
		s.notify(u.ID, somethingWrong, a.detail)
		s.mu.Unlock()
	}
	return s.outcome(a)
}
