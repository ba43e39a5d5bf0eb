package slacksim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"time"
)

// maxStack is how many modals can be open on top of each other ("Modals", the view stack).
const maxStack = 3

// control identifies an interactive element within a view or message.
type control struct{ block, action string }

// state is the values of a view's or message's elements, in the form of Slack's state.values.
type state map[control]object

// view is one modal or home tab that is being shown.
type view struct {
	id, user        string
	hash            string
	rootID, prevID  string
	spec            object // as the app sent it, with block_id and action_id filled in
	state           state  // of every element that was ever shown, including removed ones
	touched         map[control]bool
	loaded          map[control][]object // the latest options of external selects
	errors          map[string]string    // shown at input blocks, by block_id
	notice          string               // shown above the buttons
	forgetsInitials bool                 // the fault of bolt-js#1258
}

func (v *view) modal() bool      { return str(v.spec, "type") == "modal" }
func (v *view) blocks() []object { return objects(list(v.spec, "blocks")) }

// element is one interactive element with its block.
type element struct {
	control
	block   object
	element object
	input   bool // it is an input block's element
}

// elements returns the interactive elements of blocks, in the order in which they are shown.
func elements(blocks []object) []element {
	var all []element
	add := func(b object, e object, input bool) {
		if str(e, "action_id") != "" {
			all = append(all, element{control{str(b, "block_id"), str(e, "action_id")}, b, e, input})
		}
	}
	for _, b := range blocks {
		switch str(b, "type") {
		case "input":
			add(b, obj(b, "element"), true)
		case "section":
			add(b, obj(b, "accessory"), false)
		case "actions":
			for _, e := range objects(list(b, "elements")) {
				add(b, e, false)
			}
		}
	}
	return all
}

func findElement(blocks []object, c control) (element, bool) {
	for _, e := range elements(blocks) {
		if e.control == c {
			return e, true
		}
	}
	return element{}, false
}

// fillIDs gives a random ID to every block and interactive element without one, as Slack does. So a block
// without an ID of its own loses its input on an update.
func fillIDs(blocks []object) {
	fill := func(o object, name string) {
		if str(o, name) == "" {
			o[name] = randomID()
		}
	}
	for _, b := range blocks {
		fill(b, "block_id")
		inner := objects(list(b, "elements"))
		if str(b, "type") == "context" || str(b, "type") == "rich_text" {
			inner = nil
		}
		for _, name := range []string{"element", "accessory"} {
			if e := obj(b, name); e != nil && str(e, "type") != "image" {
				inner = append(inner, e)
			}
		}
		for _, e := range inner {
			fill(e, "action_id")
		}
	}
}

func randomID() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	id := make([]byte, 5)
	for i := range id {
		id[i] = letters[rand.IntN(len(letters))]
	}
	return string(id)
}

// show sets a new spec. An element with the same block_id and action_id keeps the user's input and ignores
// initial_*; one with a new block_id starts from its initial_*. This also applies to a block that was
// removed for a while (bolt-python#1036). Source: "Modifying modals", "Reusing block_id and action_id";
// bolt-js#625.
func (v *view) show(spec object) {
	v.spec = spec
	fillIDs(v.blocks())
	v.hash = fmt.Sprintf("%d.%s%s", time.Now().Unix(), randomID(), randomID())
	v.errors, v.notice = nil, ""
	for _, e := range elements(v.blocks()) {
		initial := initialState(e.element)
		if initial == nil {
			continue
		}
		if kept, ok := v.state[e.control]; !ok || kept["type"] != initial["type"] {
			v.state[e.control] = initial
			delete(v.touched, e.control)
			delete(v.loaded, e.control)
		}
	}
}

// values returns state.values: the value of every element that is shown.
func (v *view) values() object { return shownState(v.blocks(), v.state, v) }

func shownState(blocks []object, st state, v *view) object {
	values := object{}
	for _, e := range elements(blocks) {
		held, ok := st[e.control]
		if !ok {
			continue
		}
		if v != nil && v.forgetsInitials && !v.touched[e.control] && held["selected_options"] != nil {
			held = object{"type": held["type"], "selected_options": []any{}}
		}
		if values[e.control.block] == nil {
			values[e.control.block] = object{}
		}
		values[e.control.block].(object)[e.control.action] = held
	}
	return values
}

// payload returns the view as the app gets it; nil values leave the state empty.
func (v *view) payload(s *Server, values object) object {
	if values == nil {
		values = object{}
	}
	o := object{
		"private_metadata": "", "callback_id": "", "external_id": "", "title": nil, "submit": nil, "close": nil,
		"clear_on_close": false, "notify_on_close": false,
	}
	maps.Copy(o, v.spec)
	maps.Copy(o, object{
		"id": v.id, "team_id": s.cfg.TeamID, "app_id": s.cfg.AppID, "app_installed_team_id": s.cfg.TeamID,
		"bot_id": botID, "hash": v.hash, "root_view_id": v.rootID, "previous_view_id": nil,
		"state": object{"values": values},
	})
	if v.prevID != "" {
		o["previous_view_id"] = v.prevID
	}
	return o
}

// initialState returns an element's value before any input; nil if it can't have one.
func initialState(e object) object {
	kind := str(e, "type")
	or := func(name string) any { // the initial value, or null
		if v, ok := e[name]; ok {
			return v
		}
		return nil
	}
	many := func(name string) any {
		if l := list(e, name); l != nil {
			return l
		}
		return []any{}
	}
	switch kind {
	case "plain_text_input", "number_input", "email_text_input", "url_text_input":
		return object{"type": kind, "value": or("initial_value")}
	case "rich_text_input":
		return object{"type": kind, "rich_text_value": or("initial_value")}
	case "static_select", "external_select", "radio_buttons":
		return object{"type": kind, "selected_option": or("initial_option")}
	case "checkboxes", "multi_static_select", "multi_external_select":
		return object{"type": kind, "selected_options": many("initial_options")}
	case "datepicker":
		return object{"type": kind, "selected_date": or("initial_date")}
	case "timepicker":
		st := object{"type": kind, "selected_time": or("initial_time")}
		if z := str(e, "timezone"); z != "" {
			st["timezone"] = z
		}
		return st
	case "datetimepicker":
		return object{"type": kind, "selected_date_time": or("initial_date_time")}
	case "users_select":
		return object{"type": kind, "selected_user": or("initial_user")}
	case "conversations_select":
		return object{"type": kind, "selected_conversation": or("initial_conversation")}
	case "channels_select":
		return object{"type": kind, "selected_channel": or("initial_channel")}
	case "multi_users_select":
		return object{"type": kind, "selected_users": many("initial_users")}
	case "multi_conversations_select":
		return object{"type": kind, "selected_conversations": many("initial_conversations")}
	case "multi_channels_select":
		return object{"type": kind, "selected_channels": many("initial_channels")}
	case "file_input":
		return object{"type": kind, "files": []any{}}
	}
	return nil
}

// openModal puts a modal on the user's stack.
func (s *Server) openModal(user string, spec object, push bool) *view {
	v := &view{id: s.newID("V"), user: user, state: state{}, touched: map[control]bool{}, loaded: map[control][]object{}}
	v.rootID = v.id
	if stack := s.stacks[user]; push && len(stack) > 0 {
		v.rootID, v.prevID = stack[0].rootID, stack[len(stack)-1].id
	}
	v.forgetsInitials = s.faultActive(faultForgetInitials)
	v.show(spec)
	s.stacks[user] = append(s.stacks[user], v)
	s.touch()
	return v
}

// findView finds a shown view by its ID, or by the app's external ID.
func (s *Server) findView(id, externalID string) *view {
	match := func(v *view) bool {
		return id != "" && v.id == id || id == "" && externalID != "" && str(v.spec, "external_id") == externalID
	}
	for _, v := range s.homes {
		if match(v) {
			return v
		}
	}
	for _, stack := range s.stacks {
		for _, v := range stack {
			if match(v) {
				return v
			}
		}
	}
	return nil
}

// removeView removes a modal from its user's stack.
func (s *Server) removeView(v *view) {
	stack := s.stacks[v.user]
	for i, w := range stack {
		if w == v {
			s.stacks[v.user] = append(stack[:i:i], stack[i+1:]...)
			s.touch()
			return
		}
	}
}
