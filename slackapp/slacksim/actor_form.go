package slacksim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// named finds the only thing whose name is want, else the only one whose name contains it.
func named[T any](things []T, name func(T) string, want, kind string) (T, error) {
	var none T
	for _, same := range []func(string) bool{
		func(n string) bool { return n == want },
		func(n string) bool { return strings.Contains(n, want) },
	} {
		var found []T
		for _, t := range things {
			if same(name(t)) {
				found = append(found, t)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return none, fmt.Errorf("%d of the %s match %q: use a longer name", len(found), plural(kind), want)
		}
	}
	return none, notThere{fmt.Sprintf("no %s %q", kind, want)}
}

func plural(kind string) string {
	if strings.HasSuffix(kind, "x") {
		return kind + "es"
	}
	return kind + "s"
}

// pressable is a button or an entry of an overflow menu.
type pressable struct {
	target Target
	text   string
	option string // the entry's value
	beside string // the text next to it
}

// pressables returns what can be pressed in blocks. The text next to an actions block is the nearest
// text before it.
func pressables(blocks []object, t Target, names map[string]string) []pressable {
	var all []pressable
	before := ""
	for _, b := range blocks {
		text := readable(blockText(b), names)
		if text != "" {
			before = text
		}
		for _, e := range elements([]object{b}) {
			p := pressable{target: t, beside: before}
			p.target.BlockID, p.target.ActionID = e.control.block, e.control.action
			switch str(e.element, "type") {
			case "button", "workflow_button":
				p.text = str(obj(e.element, "text"), "text")
				all = append(all, p)
			case "overflow":
				for _, o := range options(e.element) {
					p.text, p.option = readText(obj(o, "text"), names), str(o, "value")
					all = append(all, p)
				}
			}
		}
	}
	return all
}

// Press presses a button (or an entry of an overflow menu) by its text, and confirms if it asks.
func (a *Actor) Press(text string) error { return a.PressBeside("", text) }

// PressBeside presses the button next to a text: in its section, or right below it.
func (a *Actor) PressBeside(beside, text string) error {
	return a.await(func(sc Screen, names map[string]string) error {
		v := front(sc)
		if v == nil {
			return notThere{fmt.Sprintf("no button %q", text)}
		}
		all := pressables(v.Blocks, Target{ViewID: v.ID}, names)
		all = slices.DeleteFunc(all, func(p pressable) bool { return !strings.Contains(p.beside, beside) })
		return a.pressOne(all, text, 1)
	})
}

func (a *Actor) pressOne(all []pressable, text string, times int) error {
	p, err := named(all, func(p pressable) string { return p.text }, text, "button")
	if err != nil {
		return err
	}
	t := p.target
	return a.act("/press", object{
		"view_id": t.ViewID, "ts": t.TS, "channel": t.Channel, "block_id": t.BlockID, "action_id": t.ActionID,
		"forwarded": t.Forwarded, "option": p.option, "times": times,
	})
}

// labelled finds the only control with a label in front, of one of these kinds (any kind if there are none).
func labelled(sc Screen, label string, kinds ...string) (*View, element, error) {
	v := front(sc)
	if v == nil {
		return nil, element{}, notThere{fmt.Sprintf("no field %q", label)}
	}
	var fit, other []element
	for _, e := range elements(v.Blocks) {
		switch kind := str(e.element, "type"); {
		case kind == "button" || kind == "overflow":
		case len(kinds) == 0 || slices.Contains(kinds, kind):
			fit = append(fit, e)
		default:
			other = append(other, e)
		}
	}
	e, err := named(fit, elementLabel, label, "field")
	if errors.As(err, &notThere{}) {
		if o, wrong := named(other, elementLabel, label, "field"); wrong == nil {
			err = notThere{fmt.Sprintf("the field %q is a %s, not one of %s", label, str(o.element, "type"), strings.Join(kinds, ", "))}
		}
	}
	return v, e, err
}

func heldBy(v *View, e element) map[string]any { return v.State[e.control.block][e.control.action] }

func (a *Actor) change(v *View, e element, change Change) error {
	return a.act("/set", object{
		"view_id": v.ID, "block_id": e.control.block, "action_id": e.control.action, "change": change,
	})
}

func optionText(names map[string]string) func(object) string {
	return func(o object) string { return readText(obj(o, "text"), names) }
}

// Choose selects an option of radio buttons or of a select by its text; in a multi-select it adds it.
func (a *Actor) Choose(label, option string) error {
	return a.await(func(sc Screen, names map[string]string) error {
		v, e, err := labelled(sc, label, "radio_buttons", "static_select", "multi_static_select")
		if err != nil {
			return err
		}
		o, err := named(options(e.element), optionText(names), option, "option")
		if err != nil {
			return err
		}
		if str(e.element, "type") == "multi_static_select" {
			return a.change(v, e, Change{Options: append(chosenValues(heldBy(v, e)), str(o, "value"))})
		}
		return a.change(v, e, Change{Option: str(o, "value")})
	})
}

// Search types into an external select and returns the options that the app offers, none for "No
// result". It is an error if the app's answer was invalid.
func (a *Actor) Search(label, query string) ([]string, error) {
	var found []string
	return found, a.await(func(sc Screen, names map[string]string) error {
		_, _, offered, err := a.search(sc, label, query)
		found = texts(offered, names)
		return err
	})
}

func (a *Actor) search(sc Screen, label, query string) (*View, element, []object, error) {
	v, e, err := labelled(sc, label, "external_select", "multi_external_select")
	if err != nil {
		return nil, e, nil, err
	}
	var o Outcome
	err = a.w.do(http.MethodPost, a.path("/options"), object{
		"view_id": v.ID, "block_id": e.control.block, "action_id": e.control.action, "query": query,
	}, &o)
	if err == nil && o.Problem != "" {
		err = NotAcked{noResult, o.Problem}
	}
	return v, e, o.Options, err
}

// Pick types into an external select and selects one of the options that the app offers.
func (a *Actor) Pick(label, query, option string) error {
	return a.await(func(sc Screen, names map[string]string) error {
		v, e, offered, err := a.search(sc, label, query)
		if err != nil {
			return err
		}
		o, err := named(offered, optionText(names), option, "option")
		if err != nil {
			return fmt.Errorf("the app offered %q: %w", texts(offered, names), err)
		}
		if str(e.element, "type") == "multi_external_select" {
			return a.change(v, e, Change{Options: append(chosenValues(heldBy(v, e)), str(o, "value"))})
		}
		return a.change(v, e, Change{Option: str(o, "value")})
	})
}

// box is one checkbox of a group.
type box struct {
	group  element
	option object
}

func boxes(v *View, label string) []box {
	var all []box
	for _, e := range elements(v.Blocks) {
		if str(e.element, "type") == "checkboxes" && strings.Contains(elementLabel(e), label) {
			for _, o := range options(e.element) {
				all = append(all, box{e, o})
			}
		}
	}
	return all
}

// Tick ticks checkboxes in turn. A ticked one stays ticked.
func (a *Actor) Tick(options ...string) error { return a.mark("", true, options) }

// Untick unticks checkboxes.
func (a *Actor) Untick(options ...string) error { return a.mark("", false, options) }

// TickIn ticks checkboxes of the group with this label.
func (a *Actor) TickIn(label string, options ...string) error { return a.mark(label, true, options) }

// UntickIn unticks checkboxes of the group with this label.
func (a *Actor) UntickIn(label string, options ...string) error { return a.mark(label, false, options) }

func (a *Actor) mark(label string, on bool, wanted []string) error {
	for _, want := range wanted {
		err := a.await(func(sc Screen, names map[string]string) error {
			v := front(sc)
			if v == nil {
				return notThere{fmt.Sprintf("no checkbox %q", want)}
			}
			b, err := named(boxes(v, label), func(b box) string { return optionText(names)(b.option) }, want, "checkbox")
			if err != nil {
				return err
			}
			value, chosen := str(b.option, "value"), chosenValues(heldBy(v, b.group))
			if slices.Contains(chosen, value) == on {
				return nil
			}
			after := []string{}
			for _, o := range options(b.group.element) { // in their order on the screen
				w := str(o, "value")
				if w == value && on || w != value && slices.Contains(chosen, w) {
					after = append(after, w)
				}
			}
			return a.change(v, b.group, Change{Options: after})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Boxes returns the texts of all checkboxes in front.
func (a *Actor) Boxes() ([]string, error) {
	return a.boxTexts(func([]string, string) bool { return true })
}

// Ticked returns the texts of the ticked checkboxes in front.
func (a *Actor) Ticked() ([]string, error) { return a.boxTexts(slices.Contains[[]string]) }

func (a *Actor) boxTexts(want func(chosen []string, value string) bool) ([]string, error) {
	sc, names, err := a.look()
	found := []string{}
	v := front(sc)
	if err != nil || v == nil {
		return found, err
	}
	for _, b := range boxes(v, "") {
		if want(chosenValues(heldBy(v, b.group)), str(b.option, "value")) {
			found = append(found, optionText(names)(b.option))
		}
	}
	return found, nil
}

// Options returns the texts of the options of radio buttons, a select or a group of checkboxes.
func (a *Actor) Options(label string) ([]string, error) {
	var found []string
	return found, a.await(func(sc Screen, names map[string]string) error {
		_, e, err := labelled(sc, label)
		found = texts(options(e.element), names)
		return err
	})
}

// Value returns what a field shows as filled in or selected; empty for nothing.
func (a *Actor) Value(label string) (string, error) {
	var text string
	return text, a.await(func(sc Screen, names map[string]string) error {
		v, e, err := labelled(sc, label)
		if err == nil {
			text = heldText(heldBy(v, e), names)
		}
		return err
	})
}

// Fill replaces the text of a field; an empty text clears it.
func (a *Actor) Fill(label, text string) error {
	return a.await(func(sc Screen, _ map[string]string) error {
		v, e, err := labelled(sc, label, textInputs...)
		if err != nil {
			return err
		}
		return a.change(v, e, Change{Text: text, Clear: text == ""})
	})
}

// Enter presses Enter in a text field. Slack tells the app if it asked for that.
func (a *Actor) Enter(label string) error {
	return a.await(func(sc Screen, _ map[string]string) error {
		v, e, err := labelled(sc, label, textInputs...)
		if err != nil {
			return err
		}
		return a.change(v, e, Change{Enter: true})
	})
}

// PickDate picks a day, as YYYY-MM-DD.
func (a *Actor) PickDate(label, date string) error {
	return a.await(func(sc Screen, _ map[string]string) error {
		v, e, err := labelled(sc, label, "datepicker")
		if err != nil {
			return err
		}
		return a.change(v, e, Change{Date: date, Clear: date == ""})
	})
}

// PickTime picks a time of day, as HH:mm.
func (a *Actor) PickTime(label, clock string) error {
	return a.await(func(sc Screen, _ map[string]string) error {
		v, e, err := labelled(sc, label, "timepicker")
		if err != nil {
			return err
		}
		return a.change(v, e, Change{Time: clock, Clear: clock == ""})
	})
}

// Submit submits the top modal and returns the errors shown at its fields, by label: Slack's own ("Please
// complete this required field.") or the app's. Without errors it was accepted. It is an error
// (NotAcked) if the app did not answer properly.
func (a *Actor) Submit() (map[string]string, error) { return a.SubmitAtOnce(1) }

// SubmitAtOnce submits the same form several times at the same moment.
func (a *Actor) SubmitAtOnce(times int) (map[string]string, error) {
	byLabel := map[string]string{}
	err := a.await(func(sc Screen, names map[string]string) error {
		if len(sc.Modals) == 0 {
			return notThere{"no modal is open"}
		}
		v := sc.Modals[len(sc.Modals)-1]
		if v.Submit == "" {
			return notThere{"the modal has no submit button"}
		}
		var o Outcome
		if err := a.w.do(http.MethodPost, a.path("/submit"), object{"view_id": v.ID, "times": times}, &o); err != nil {
			return err
		}
		if o.Problem != "" {
			return NotAcked{troubleConnecting, o.Problem}
		}
		for _, b := range v.Blocks {
			if text := o.Errors[str(b, "block_id")]; text != "" {
				byLabel[readText(obj(b, "label"), names)] = text
			}
		}
		return nil
	})
	return byLabel, err
}

// CloseModal closes the top modal with its Cancel button.
func (a *Actor) CloseModal() error { return a.close(false) }

// CloseAllModals closes all modals with the ✕.
func (a *Actor) CloseAllModals() error { return a.close(true) }

func (a *Actor) close(all bool) error {
	return a.await(func(Screen, map[string]string) error {
		err := a.act("/close", object{"all": all})
		var c conflict
		if errors.As(err, &c) {
			return notThere{"no modal is open"}
		}
		return err
	})
}
