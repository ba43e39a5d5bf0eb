package slacksim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Change is what a person puts into an element; one field is set.
type Change struct {
	Option   string   `json:"option,omitempty"`    // an option's value: radio buttons, selects
	Options  []string `json:"options,omitempty"`   // options' values: checkboxes, multi-selects
	Text     string   `json:"text,omitempty"`      // text inputs
	Date     string   `json:"date,omitempty"`      // YYYY-MM-DD
	Time     string   `json:"time,omitempty"`      // HH:mm
	DateTime int64    `json:"date_time,omitempty"` // seconds since 1970
	User     string   `json:"user,omitempty"`      // a user's ID
	Enter    bool     `json:"enter,omitempty"`     // press Enter in a text input, after Text if that is set
	Clear    bool     `json:"clear,omitempty"`
}

// set changes what an element holds, and tells the app if Slack would.
func (s *Server) set(u *User, t Target, change Change, base string) (Outcome, error) {
	s.mu.Lock()
	f, e, err := s.find(u, t)
	if err != nil {
		s.mu.Unlock()
		return Outcome{}, err
	}
	held, err := held(e, f.state()[e.control], f.loaded()[e.control], change)
	if err != nil {
		s.mu.Unlock()
		return Outcome{}, fmt.Errorf("%s: %w", elementLabel(e), err)
	}
	f.state()[e.control] = held
	if f.view != nil {
		f.view.touched[e.control] = true
		delete(f.view.errors, e.control.block)
	}
	s.touch()
	if !dispatches(e, change) {
		o := Outcome{Seq: s.seq}
		s.mu.Unlock()
		return o, nil
	}
	d := s.blockActions(u, f, e, held, base)
	s.mu.Unlock()
	return s.act(u, d), nil
}

var textInputs = []string{"plain_text_input", "number_input", "email_text_input", "url_text_input", "rich_text_input"}

// dispatches reports whether a change is sent to the app: always outside input blocks, else with
// dispatch_action; text by default on Enter ("Block elements", dispatch_action_config).
func dispatches(e element, change Change) bool {
	if !e.input {
		return true
	}
	if !flag(e.block, "dispatch_action") {
		return false
	}
	if !slices.Contains(textInputs, str(e.element, "type")) {
		return true
	}
	on := list(obj(e.element, "dispatch_action_config"), "trigger_actions_on")
	if len(on) == 0 {
		on = []any{"on_enter_pressed"}
	}
	return change.Enter && slices.Contains(on, any("on_enter_pressed")) ||
		(change.Text != "" || change.Clear) && slices.Contains(on, any("on_character_entered"))
}

func pick(offered []object, value string) (object, error) {
	for _, o := range offered {
		if str(o, "value") == value {
			return o, nil
		}
	}
	return nil, fmt.Errorf("no option with the value %q", value)
}

// held returns what the element holds after the change.
func held(e element, before object, loaded []object, change Change) (object, error) {
	kind := str(e.element, "type")
	after := maps.Clone(before)
	offered := options(e.element)
	if strings.HasSuffix(kind, "external_select") {
		offered = loaded
	}
	switch kind {
	case "plain_text_input", "number_input", "email_text_input", "url_text_input":
		if strings.Contains(change.Text, "\n") && !flag(e.element, "multiline") {
			return nil, fmt.Errorf("takes only one line")
		}
		if change.Text != "" || change.Clear {
			after["value"] = orNull(change.Text)
		}
	case "static_select", "external_select", "radio_buttons":
		if change.Clear && kind != "radio_buttons" {
			after["selected_option"] = nil
			break
		}
		o, err := pick(offered, change.Option)
		if err != nil {
			return nil, err
		}
		after["selected_option"] = o
	case "checkboxes", "multi_static_select", "multi_external_select":
		chosen := []any{}
		for _, value := range change.Options {
			o, err := pick(append(offered, objects(list(before, "selected_options"))...), value)
			if err != nil {
				return nil, err
			}
			chosen = append(chosen, o)
		}
		if most, ok := e.element["max_selected_items"].(float64); ok && len(chosen) > int(most) {
			return nil, fmt.Errorf("takes at most %d", int(most))
		}
		after["selected_options"] = chosen
	case "datepicker":
		if _, err := time.Parse(time.DateOnly, change.Date); err != nil && !change.Clear {
			return nil, fmt.Errorf("a date picker has no such day: %q", change.Date)
		}
		after["selected_date"] = orNull(change.Date)
	case "timepicker":
		if !clock.MatchString(change.Time) && !change.Clear {
			return nil, fmt.Errorf("a time picker takes HH:mm, not %q", change.Time)
		}
		after["selected_time"] = orNull(change.Time)
	case "datetimepicker":
		after["selected_date_time"] = change.DateTime
	case "users_select":
		after["selected_user"] = orNull(change.User)
	default:
		return nil, fmt.Errorf("the local Slack cannot fill in a %s", kind)
	}
	return after, nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
