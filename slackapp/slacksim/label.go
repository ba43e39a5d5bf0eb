package slacksim

import "strings"

// elementLabel returns what a person would call an element: an input's label, else the text next to it,
// else its placeholder or own text.
func elementLabel(e element) string {
	if e.input {
		return str(obj(e.block, "label"), "text")
	}
	if str(e.block, "type") == "section" {
		if text := blockText(e.block); text != "" {
			return text
		}
	}
	return placeholder(e.element)
}

func placeholder(e object) string {
	if p := str(obj(e, "placeholder"), "text"); p != "" {
		return p
	}
	return str(obj(e, "text"), "text")
}

// blockText returns the text of a section, header, context or input block, as raw mrkdwn.
func blockText(b object) string {
	var parts []string
	add := func(o object) {
		if t := str(o, "text"); t != "" {
			parts = append(parts, t)
		}
	}
	add(obj(b, "text"))
	for _, f := range objects(list(b, "fields")) {
		add(f)
	}
	if str(b, "type") == "context" {
		for _, e := range objects(list(b, "elements")) {
			add(e)
		}
	}
	add(obj(b, "label"))
	return strings.Join(parts, "\n")
}
