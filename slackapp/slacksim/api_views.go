package slacksim

import (
	"encoding/json"
	"fmt"
	"time"
)

// trigger is a trigger_id: it opens one modal for the user who acted, within TriggerTTL.
type trigger struct {
	user    string
	view    string // the modal that the user acted in, or ""
	expires time.Time
	used    bool
}

func (s *Server) newTrigger(user, viewID string) string {
	for id, t := range s.triggers { // delete those that expired long ago
		if time.Since(t.expires) > time.Minute {
			delete(s.triggers, id)
		}
	}
	id := fmt.Sprintf("%d.%s.%s", time.Now().UnixNano(), s.newID("T"), randomID()+randomID())
	s.triggers[id] = &trigger{user: user, view: viewID, expires: time.Now().Add(s.cfg.TriggerTTL)}
	return id
}

// takeTrigger uses a trigger up.
func (s *Server) takeTrigger(id string) (*trigger, *refusal) {
	t := s.triggers[id]
	switch {
	case t == nil:
		return nil, refuse("invalid_trigger_id")
	case t.used:
		return nil, refuse("exchanged_trigger_id")
	case time.Now().After(t.expires):
		return nil, refuse("expired_trigger_id")
	}
	t.used = true
	return t, nil
}

// viewArg reads and checks the view of a call.
func (c *call) viewArg(kind string) (object, *refusal) {
	v, ok := c.value("view")
	if !ok || v == nil {
		return nil, &refusal{"invalid_arguments", []Problem{{"/view", "must provide an object"}}}
	}
	problems := checkView(v)
	if spec, _ := v.(object); len(problems) == 0 && str(spec, "type") != kind {
		problems = []Problem{{"/view/type", "must be " + kind}}
	}
	if len(problems) > 0 {
		return nil, &refusal{"invalid_arguments", problemsOf(problems)}
	}
	if raw, err := json.Marshal(v); err != nil || len(raw) > maxViewBytes {
		return nil, refuse("view_too_large")
	}
	return v.(object), nil
}

func (s *Server) viewsOpen(c *call) (object, *refusal) {
	spec, no := c.viewArg("modal")
	if no != nil {
		return nil, no
	}
	if no := s.externalIDFree(spec, nil); no != nil {
		return nil, no
	}
	t, no := s.takeTrigger(c.str("trigger_id"))
	if no != nil {
		return nil, no
	}
	// Opened from within a modal, it covers that modal with a stack of its own. Slack does not define what
	// happens then (bolt-js#1827): apps should push or update instead.
	v := s.openModal(t.user, spec, false)
	return object{"view": v.payload(s, nil)}, nil
}

func (s *Server) viewsPush(c *call) (object, *refusal) {
	spec, no := c.viewArg("modal")
	if no != nil {
		return nil, no
	}
	if no := s.externalIDFree(spec, nil); no != nil {
		return nil, no
	}
	t, no := s.takeTrigger(c.str("trigger_id"))
	switch {
	case no != nil:
		return nil, no
	case t.view == "":
		return nil, refuse("invalid_trigger_id") // only a trigger from a modal can push
	case len(s.stacks[t.user]) == 0:
		return nil, refuse("not_found")
	case len(s.stacks[t.user]) >= maxStack:
		return nil, refuse("push_limit_reached")
	}
	v := s.openModal(t.user, spec, true)
	return object{"view": v.payload(s, nil)}, nil
}

func (s *Server) viewsUpdate(c *call) (object, *refusal) {
	v := s.findView(c.str("view_id"), c.str("external_id"))
	kind := "modal"
	if v != nil {
		kind = str(v.spec, "type")
	}
	spec, no := c.viewArg(kind)
	switch {
	case no != nil:
		return nil, no
	case v == nil:
		return nil, refuse("not_found")
	case c.str("hash") != "" && c.str("hash") != v.hash:
		return nil, refuse("hash_conflict")
	}
	if no := s.externalIDFree(spec, v); no != nil {
		return nil, no
	}
	v.show(spec)
	s.touch()
	return object{"view": v.payload(s, nil)}, nil
}

func (s *Server) viewsPublish(c *call) (object, *refusal) {
	spec, no := c.viewArg("home")
	if no != nil {
		return nil, no
	}
	u := s.users[c.str("user_id")]
	switch {
	case u == nil || u.Deleted:
		return nil, refuse("user_not_found")
	case u.Bot:
		return nil, refuse("not_enabled")
	}
	v := s.homes[u.ID]
	hash := c.str("hash")
	if hash != "" && (v == nil || hash != v.hash) {
		return nil, refuse("hash_conflict")
	}
	if no := s.externalIDFree(spec, v); no != nil {
		return nil, no
	}
	if v == nil {
		v = &view{id: s.newID("V"), user: u.ID, state: state{}, touched: map[control]bool{}, loaded: map[control][]object{}}
		v.rootID = v.id
		s.homes[u.ID] = v
	}
	v.show(spec)
	s.touch()
	return object{"view": v.payload(s, nil)}, nil
}

func (s *Server) externalIDFree(spec object, mine *view) *refusal {
	if id := str(spec, "external_id"); id != "" {
		if other := s.findView("", id); other != nil && other != mine {
			return refuse("duplicate_external_id")
		}
	}
	return nil
}
