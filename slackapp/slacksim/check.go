package slacksim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a whole view or message. Source: docs.slack.dev, "Modals", "App Home", "Blocks" and
// "chat.postMessage".
const (
	maxViewBytes     = 250_000
	maxViewBlocks    = 100
	maxMessageBlocks = 50
	maxBlocksText    = 12_000 // of a whole message; undocumented (bolt-js#2509, #2867)
	maxPostText      = 40_000 // Slack truncates a longer text; refused here, since that is a bug in the app
	maxUpdateText    = 4_000
)

// Problem is something that Slack would refuse in a view or message.
type Problem struct {
	Pointer string // JSON pointer, for example /view/blocks/3/element/options/0/text/text
	Message string // Slack's own message, if known
}

// String has the form of Slack's response_metadata.messages.
func (p Problem) String() string {
	return fmt.Sprintf("[ERROR] %s [json-pointer:%s]", p.Message, p.Pointer)
}

// CheckView returns everything that Slack would refuse in a modal or a home view. viewJSON is the JSON of
// one view, as json.Marshal encodes slack.ModalViewRequest or slack.HomeTabViewRequest.
func CheckView(viewJSON []byte) []Problem {
	var v any
	if err := json.Unmarshal(viewJSON, &v); err != nil {
		return []Problem{{"/view", "must be valid JSON: " + err.Error()}}
	}
	problems := checkView(v)
	if len(viewJSON) > maxViewBytes {
		problems = append(problems, Problem{"/view", fmt.Sprintf("view is %d bytes, more than %d", len(viewJSON), maxViewBytes)})
	}
	return problems
}

// CheckMessage returns everything that Slack would refuse in a message. messageJSON is an object with
// "text" and "blocks"; either may be absent.
func CheckMessage(messageJSON []byte) []Problem {
	var m struct {
		Text   string `json:"text"`
		Blocks any    `json:"blocks"`
	}
	if err := json.Unmarshal(messageJSON, &m); err != nil {
		return []Problem{{"/", "must be valid JSON: " + err.Error()}}
	}
	var problems []Problem
	if blocks, _ := m.Blocks.([]any); m.Text == "" && len(blocks) == 0 {
		problems = append(problems, Problem{"/text", "no_text: neither text nor blocks"})
	}
	if n := utf8.RuneCountInString(m.Text); n > maxPostText {
		problems = append(problems, Problem{"/text", tooLong(maxPostText)})
	}
	if m.Blocks != nil {
		problems = append(problems, checkBlocks(m.Blocks)...)
	}
	if textLength(m.Blocks) > maxBlocksText {
		problems = append(problems, Problem{"/blocks", "msg_blocks_too_long: more text than a message can have"})
	}
	return problems
}

// textLength counts the characters of all texts in blocks.
func textLength(v any) int {
	n := 0
	switch v := v.(type) {
	case []any:
		for _, inner := range v {
			n += textLength(inner)
		}
	case object:
		if kind := str(v, "type"); kind == "plain_text" || kind == "mrkdwn" {
			return utf8.RuneCountInString(str(v, "text"))
		}
		for _, inner := range v {
			n += textLength(inner)
		}
	}
	return n
}

// checkBlocks checks the blocks of a message.
func checkBlocks(blocks any) []Problem {
	c := &checker{surface: "message", blockIDs: map[string]bool{}}
	items(0, maxMessageBlocks, block)(c, "/blocks", blocks)
	return c.problems
}

func checkView(v any) []Problem {
	o, ok := v.(object)
	if !ok {
		return []Problem{{"/view", "must provide an object"}}
	}
	c := &checker{surface: str(o, "type"), blockIDs: map[string]bool{}}
	rules, ok := views[c.surface]
	if !ok {
		return []Problem{{"/view/type", "unsupported type: " + c.surface}}
	}
	rules.check(c, "/view", o)
	if _, has := o["submit"]; !has && c.surface == "modal" {
		for i, b := range list(o, "blocks") {
			if b, _ := b.(object); str(b, "type") == "input" {
				c.add(fmt.Sprintf("/view/blocks/%d/input", i), "must define `submit` to use an `input` block in modals")
				break
			}
		}
	}
	return c.problems
}

// checker walks through one view or message and collects its problems.
type checker struct {
	surface  string // modal, home or message
	blockIDs map[string]bool
	actions  map[string]bool // action_ids of the block being checked
	focused  bool
	problems []Problem
}

func (c *checker) add(ptr, format string, args ...any) {
	c.problems = append(c.problems, Problem{ptr, fmt.Sprintf(format, args...)})
}

// rule checks one JSON value at a pointer.
type rule func(c *checker, ptr string, v any)

// field is one property that an object may have.
type field struct {
	name     string
	rule     rule
	required bool
}

// shape lists all properties that an object may have; Slack refuses any other.
type shape []field

func (s shape) check(c *checker, ptr string, o object) {
	for _, f := range s {
		v, has := o[f.name]
		switch {
		case !has || v == nil && f.required:
			if f.required {
				c.add(ptr, "missing required field: %s", f.name)
			}
		default:
			f.rule(c, ptr+"/"+f.name, v)
		}
	}
	for _, name := range sortedKeys(o) {
		if !slices.ContainsFunc(s, func(f field) bool { return f.name == name }) {
			c.add(ptr, "invalid additional property: %s", name)
		}
	}
}

func must(name string, r rule) field  { return field{name, r, true} }
func might(name string, r rule) field { return field{name, r, false} }

func tooLong(max int) string { return fmt.Sprintf("must be less than %d characters", max+1) }

// chars returns a string of min to max characters.
func chars(min, max int) rule {
	return func(c *checker, ptr string, v any) {
		s, ok := v.(string)
		switch n := utf8.RuneCountInString(s); {
		case !ok:
			c.add(ptr, "must provide a string")
		case n < min:
			c.add(ptr, "must be more than %d characters", min-1)
		case n > max:
			c.add(ptr, "%s", tooLong(max))
		}
	}
}

// plain returns a plain_text object; mrkdwn is refused.
func plain(max int) rule { return textObject(max, "plain_text") }

// rich returns a plain_text or mrkdwn object.
func rich(max int) rule { return textObject(max, "plain_text", "mrkdwn") }

func textObject(max int, kinds ...string) rule {
	return func(c *checker, ptr string, v any) {
		o, ok := v.(object)
		if !ok {
			c.add(ptr, "must provide an object")
			return
		}
		kind := str(o, "type")
		if !slices.Contains(kinds, kind) {
			c.add(ptr+"/type", "unsupported type: %s", kind)
			return
		}
		s := shape{must("type", anything), must("text", chars(1, max))}
		if kind == "plain_text" {
			s = append(s, might("emoji", boolean))
		} else {
			s = append(s, might("verbatim", boolean))
		}
		s.check(c, ptr, o)
	}
}

func objectOf(s shape) rule {
	return func(c *checker, ptr string, v any) {
		if o, ok := v.(object); ok {
			s.check(c, ptr, o)
		} else {
			c.add(ptr, "must provide an object")
		}
	}
}

func items(min, max int, each rule) rule {
	return func(c *checker, ptr string, v any) {
		l, ok := v.([]any)
		switch {
		case !ok:
			c.add(ptr, "must provide an array")
		case len(l) > max:
			c.add(ptr, "no more than %d items allowed", max)
		case len(l) < min:
			c.add(ptr, "no less than %d items allowed", min)
		}
		for i, e := range l {
			each(c, fmt.Sprintf("%s/%d", ptr, i), e)
		}
	}
}

func anything(*checker, string, any) {}

func boolean(c *checker, ptr string, v any) {
	if _, ok := v.(bool); !ok {
		c.add(ptr, "must provide a boolean")
	}
}

func whole(min, max int) rule {
	return func(c *checker, ptr string, v any) {
		n, ok := v.(float64)
		switch {
		case !ok || n != float64(int64(n)):
			c.add(ptr, "must provide an integer")
		case n < float64(min):
			c.add(ptr, "must be greater than %d", min-1)
		case n > float64(max):
			c.add(ptr, "must be less than %d", max+1)
		}
	}
}

func oneOf(values ...string) rule {
	return func(c *checker, ptr string, v any) {
		if s, ok := v.(string); !ok || !slices.Contains(values, s) {
			c.add(ptr, "must be one of: %s", strings.Join(values, ", "))
		}
	}
}

// focus allows focus_on_load once in a view ("Block elements", focus_on_load).
func focus(c *checker, ptr string, v any) {
	boolean(c, ptr, v)
	if v == true {
		if c.focused {
			c.add(ptr, "only one element can be set to true")
		}
		c.focused = true
	}
}
