package slacksim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Renders what the app shows as text. Radio buttons are ◉ and ○, checkboxes ☑ and ☐, buttons [like this],
// and the value of a menu or text field follows its label.

var reference = regexp.MustCompile(`<([^<>]+)>`)

var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// readable turns mrkdwn into plain text: people by name, links by their text, dates by their fallback,
// entities as characters.
func readable(mrkdwn string, names map[string]string) string {
	var out strings.Builder
	rest := mrkdwn
	for {
		at := reference.FindStringSubmatchIndex(rest)
		if at == nil {
			out.WriteString(entities.Replace(rest))
			return out.String()
		}
		out.WriteString(entities.Replace(rest[:at[0]]))
		out.WriteString(entities.Replace(readReference(rest[at[2]:at[3]], names)))
		rest = rest[at[1]:]
	}
}

func readReference(ref string, names map[string]string) string {
	target, label, _ := strings.Cut(ref, "|")
	switch {
	case strings.HasPrefix(target, "@"):
		if name := names[target[1:]]; name != "" {
			return "@" + name
		}
		return target
	case strings.HasPrefix(target, "!date^"):
		return label
	case strings.HasPrefix(target, "!subteam^") && label != "":
		return label
	case strings.HasPrefix(target, "!"):
		return "@" + target[1:] // @channel, @here, @everyone
	case strings.HasPrefix(target, "#"):
		return "#" + strings.TrimPrefix(label, "#")
	case label != "":
		return label
	}
	return strings.TrimPrefix(target, "mailto:")
}

// pings returns the references in mrkdwn that notify people: @channel, @here, @everyone, groups, and users.
func pings(mrkdwn string) []string {
	var found []string
	for _, m := range reference.FindAllStringSubmatch(mrkdwn, -1) {
		target, _, _ := strings.Cut(m[1], "|")
		if strings.HasPrefix(target, "@") || strings.HasPrefix(target, "!") && !strings.HasPrefix(target, "!date^") {
			found = append(found, target)
		}
	}
	return found
}

// readText returns a text object as plain text.
func readText(o object, names map[string]string) string {
	if str(o, "type") == "mrkdwn" {
		return readable(str(o, "text"), names)
	}
	return str(o, "text")
}

// reader renders blocks with the values of their elements.
type reader struct {
	names  map[string]string
	values Values
	errors map[string]string
	lines  []string
}

func (r *reader) line(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *reader) blocks(blocks []object) string {
	for _, b := range blocks {
		switch str(b, "type") {
		case "header":
			r.line("%s", readText(obj(b, "text"), r.names))
		case "divider":
			r.line("---")
		case "image":
			r.line("(image: %s)", str(b, "alt_text"))
		case "section":
			var parts []string
			if t := obj(b, "text"); t != nil {
				parts = append(parts, readText(t, r.names))
			}
			for _, f := range objects(list(b, "fields")) {
				parts = append(parts, readText(f, r.names))
			}
			if a := obj(b, "accessory"); a != nil {
				parts = append(parts, r.element(b, a))
			}
			r.line("%s", strings.Join(parts, " | "))
		case "context":
			var parts []string
			for _, e := range objects(list(b, "elements")) {
				if str(e, "type") == "image" {
					parts = append(parts, "(image: "+str(e, "alt_text")+")")
				} else {
					parts = append(parts, readText(e, r.names))
				}
			}
			r.line("%s", strings.Join(parts, " "))
		case "actions":
			var parts []string
			for _, e := range objects(list(b, "elements")) {
				parts = append(parts, r.element(b, e))
			}
			r.line("%s", strings.Join(parts, " "))
		case "input":
			optional := ""
			if flag(b, "optional") {
				optional = " (optional)"
			}
			field := " " + r.element(b, obj(b, "element"))
			r.line("%s%s:%s", readText(obj(b, "label"), r.names), optional, strings.Replace(field, " \n", "\n", 1))
			if h := obj(b, "hint"); h != nil {
				r.line("  %s", readText(h, r.names))
			}
			if e := r.errors[str(b, "block_id")]; e != "" {
				r.line("  ! %s", e)
			}
		default:
			r.line("(%s)", str(b, "type"))
		}
	}
	return strings.Join(r.lines, "\n")
}

func (r *reader) element(b, e object) string {
	held := r.values[str(b, "block_id")][str(e, "action_id")]
	switch kind := str(e, "type"); kind {
	case "button", "workflow_button":
		return "[" + str(obj(e, "text"), "text") + "]"
	case "overflow":
		return "[⋯ " + strings.Join(texts(options(e), r.names), " / ") + "]"
	case "image":
		return "(image: " + str(e, "alt_text") + ")"
	case "checkboxes", "radio_buttons":
		on, off := "☑ ", "☐ "
		if kind == "radio_buttons" {
			on, off = "◉ ", "○ "
		}
		chosen := chosenValues(held)
		var marks []string
		for _, o := range options(e) {
			mark := off
			if slices.Contains(chosen, str(o, "value")) {
				mark = on
			}
			text := mark + readText(obj(o, "text"), r.names)
			if d := obj(o, "description"); d != nil {
				text += " (" + readText(d, r.names) + ")"
			}
			marks = append(marks, text)
		}
		if kind == "checkboxes" {
			return "\n  " + strings.Join(marks, "\n  ")
		}
		return strings.Join(marks, "  ")
	}
	if shown := heldText(held, r.names); shown != "" {
		return shown
	}
	if p := placeholder(e); p != "" {
		return "‹" + p + "›"
	}
	return "‹›"
}

// heldText returns the value that a field shows.
func heldText(held map[string]any, names map[string]string) string {
	for _, name := range []string{"value", "selected_date", "selected_time"} {
		if s := str(held, name); s != "" {
			return s
		}
	}
	if u := str(held, "selected_user"); u != "" {
		return readable("<@"+u+">", names)
	}
	if at, ok := held["selected_date_time"].(float64); ok {
		return time.Unix(int64(at), 0).UTC().Format(time.RFC3339)
	}
	return strings.Join(texts(chosenOptions(held), names), ", ")
}

func chosenOptions(held map[string]any) []object {
	if o := obj(held, "selected_option"); o != nil {
		return []object{o}
	}
	return objects(list(held, "selected_options"))
}

func chosenValues(held map[string]any) []string {
	var values []string
	for _, o := range chosenOptions(held) {
		values = append(values, str(o, "value"))
	}
	return values
}

func texts(options []object, names map[string]string) []string {
	all := []string{}
	for _, o := range options {
		all = append(all, readText(obj(o, "text"), names))
	}
	return all
}

// text returns the view as text: title, blocks, and its own buttons in brackets.
func (v *View) text(names map[string]string) string {
	var parts []string
	if v.Title != "" {
		parts = append(parts, "== "+v.Title+" ==")
	}
	parts = append(parts, (&reader{names: names, values: v.State, errors: v.Errors}).blocks(v.Blocks))
	if v.Notice != "" {
		parts = append(parts, "! "+v.Notice)
	}
	if v.Type == "modal" {
		closing := v.Close
		if closing == "" {
			closing = "Cancel"
		}
		own := "[" + closing + "]"
		if v.Submit != "" {
			own += " [" + v.Submit + "]"
		}
		parts = append(parts, own)
	}
	return strings.Join(parts, "\n")
}

// Text returns the message as its reader sees it.
func (m Message) Text() string {
	if len(m.Blocks) == 0 {
		return readable(m.Plain, m.names)
	}
	return (&reader{names: m.names, values: m.State}).blocks(m.Blocks)
}

// Notification returns what a phone shows of the message.
func (m Message) Notification() string { return readable(m.Plain, m.names) }

// Buttons returns the texts of the message's buttons, in order.
func (m Message) Buttons() []string {
	all := []string{}
	for _, e := range elements(m.Blocks) {
		if str(e.element, "type") == "button" {
			all = append(all, str(obj(e.element, "text"), "text"))
		}
	}
	return all
}

// Pings returns the mentions that notify people: "!channel", "!here", "@U123...".
func (m Message) Pings() []string {
	if len(m.Blocks) == 0 {
		return pings(m.Plain)
	}
	var all []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			if str(v, "type") == "mrkdwn" {
				all = append(all, pings(str(v, "text"))...)
				return
			}
			for _, name := range sortedKeys(v) {
				walk(v[name])
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	for _, b := range m.Blocks {
		walk(b)
	}
	return all
}
