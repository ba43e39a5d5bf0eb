package slacksim

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// The tables of this file follow docs.slack.dev, reference/block-kit: blocks, block-elements and
// composition-objects. An option's value may have 75 characters, the smaller of the two limits in
// Slack's own sources.

var views = map[string]shape{
	"modal": {
		must("type", anything), must("title", plain(24)), must("blocks", items(0, maxViewBlocks, block)),
		might("submit", plain(24)), might("close", plain(24)), might("private_metadata", chars(0, 3000)),
		might("callback_id", chars(0, 255)), might("external_id", chars(0, 255)),
		might("clear_on_close", boolean), might("notify_on_close", boolean),
	},
	"home": {
		must("type", anything), must("blocks", items(0, maxViewBlocks, block)),
		might("private_metadata", chars(0, 3000)), might("callback_id", chars(0, 255)), might("external_id", chars(0, 255)),
	},
}

var blockShapes = map[string]shape{
	"actions": {must("elements", items(1, 25, elementIn("actions")))},
	"context": {must("elements", items(1, 10, contextElement))},
	"divider": {},
	"header":  {must("text", plain(150)), might("level", whole(1, 4))},
	"image": {
		must("alt_text", chars(1, 2000)), might("image_url", chars(1, 3000)), might("slack_file", anything),
		might("title", plain(2000)),
	},
	"input": {
		must("label", plain(2000)), must("element", elementIn("input")), might("hint", plain(2000)),
		might("optional", boolean), might("dispatch_action", boolean),
	},
	"section": {
		might("text", rich(3000)), might("fields", items(1, 10, rich(2000))),
		might("accessory", elementIn("section")), might("expand", boolean),
	},
}

// openBlocks exist, but accessbot does not use them: only their surface is checked.
var openBlocks = map[string][]string{
	"rich_text": {"modal", "home", "message"},
	"video":     {"modal", "home", "message"},
	"markdown":  {"message"},
	"table":     {"message"},
	"file":      {"message"},
	"call":      {"message"},
	"alert":     {"modal", "message"},
}

var confirm = objectOf(shape{
	must("title", plain(100)), must("text", rich(300)), must("confirm", plain(30)), must("deny", plain(30)),
	might("style", oneOf("primary", "danger")),
})

var dispatchConfig = objectOf(shape{
	might("trigger_actions_on", items(1, 2, oneOf("on_enter_pressed", "on_character_entered"))),
})

// choice is an option of a select; mark is one of a checkbox group or of radio buttons, which may have mrkdwn.
var (
	choice   = objectOf(shape{must("text", plain(75)), must("value", chars(1, 75)), might("description", plain(75))})
	mark     = objectOf(shape{must("text", rich(75)), must("value", chars(1, 75)), might("description", rich(75))})
	menuItem = objectOf(shape{
		must("text", plain(75)), must("value", chars(1, 75)), might("description", plain(75)), might("url", chars(0, 3000)),
	})
	group = objectOf(shape{must("label", plain(75)), must("options", items(1, 100, choice))})
)

func with(common shape, more ...field) shape { return append(slices.Clone(common), more...) }

var (
	prompting = shape{might("placeholder", plain(150)), might("confirm", confirm), might("focus_on_load", focus)}
	typing    = shape{
		might("placeholder", plain(150)), might("dispatch_action_config", dispatchConfig), might("focus_on_load", focus),
	}
	choosing = shape{might("confirm", confirm), might("focus_on_load", focus)}
	several  = with(prompting, might("max_selected_items", whole(1, 1<<31)))
	ids      = items(0, 1<<31, chars(1, 255))
)

var elementShapes = map[string]shape{
	"button": {
		must("text", plain(75)), might("url", chars(0, 3000)), might("value", chars(0, 2000)),
		might("style", oneOf("primary", "danger")), might("confirm", confirm), might("accessibility_label", chars(0, 75)),
	},
	"checkboxes":    with(choosing, must("options", items(1, 10, mark)), might("initial_options", items(1, 10, mark))),
	"radio_buttons": with(choosing, must("options", items(1, 10, mark)), might("initial_option", mark)),
	"datepicker":    with(prompting, might("initial_date", calendarDate)),
	"timepicker":    with(prompting, might("initial_time", clockTime), might("timezone", timeZone)),
	"datetimepicker": with(choosing,
		might("initial_date_time", whole(1_000_000_000, 9_999_999_999))),
	"plain_text_input": with(typing, might("initial_value", chars(0, 3000)), might("multiline", boolean),
		might("min_length", whole(0, 3000)), might("max_length", whole(1, 3000))),
	"email_text_input": with(typing, might("initial_value", chars(0, 3000))),
	"url_text_input":   with(typing, might("initial_value", chars(0, 3000))),
	"number_input": with(typing, must("is_decimal_allowed", boolean), might("initial_value", chars(0, 3000)),
		might("min_value", chars(0, 3000)), might("max_value", chars(0, 3000))),
	"rich_text_input": with(typing, might("initial_value", anything), might("min_lines", anything), might("max_lines", anything)),
	"file_input":      {might("filetypes", anything), might("max_files", whole(1, 10))},
	"image":           {must("alt_text", chars(1, 2000)), might("image_url", chars(1, 3000)), might("slack_file", anything)},
	"overflow":        {must("options", items(1, 5, menuItem)), might("confirm", confirm)},
	"workflow_button": {
		must("text", plain(75)), must("workflow", anything), might("style", oneOf("primary", "danger")),
		might("accessibility_label", chars(0, 75)),
	},

	"static_select": with(prompting, might("options", items(1, 100, choice)), might("option_groups", items(1, 100, group)),
		might("initial_option", choice)),
	"external_select": with(prompting, might("initial_option", choice),
		might("min_query_length", whole(0, 1<<31))),
	"users_select": with(prompting, might("initial_user", chars(1, 255))),
	"conversations_select": with(prompting, might("initial_conversation", chars(1, 255)),
		might("default_to_current_conversation", boolean), might("response_url_enabled", boolean), might("filter", anything)),
	"channels_select": with(prompting, might("initial_channel", chars(1, 255)), might("response_url_enabled", boolean)),

	"multi_static_select": with(several, might("options", items(1, 100, choice)), might("option_groups", items(1, 100, group)),
		might("initial_options", items(1, 100, choice))),
	"multi_external_select": with(several, might("initial_options", items(1, 100, choice)),
		might("min_query_length", whole(0, 1<<31))),
	"multi_users_select": with(several, might("initial_users", ids)),
	"multi_conversations_select": with(several, might("initial_conversations", ids),
		might("default_to_current_conversation", boolean), might("filter", anything)),
	"multi_channels_select": with(several, might("initial_channels", ids)),
}

var (
	selects = []string{"static_select", "external_select", "users_select", "conversations_select", "channels_select"}
	multis  = []string{"multi_static_select", "multi_external_select", "multi_users_select", "multi_conversations_select",
		"multi_channels_select"}

	// elementPlaces lists the elements that each type of block may contain.
	elementPlaces = map[string][]string{
		"actions": append([]string{"button", "checkboxes", "datepicker", "datetimepicker", "overflow", "radio_buttons", "timepicker",
			"workflow_button"}, selects...),
		"section": append(append([]string{"button", "checkboxes", "datepicker", "image", "overflow", "radio_buttons", "timepicker",
			"workflow_button"}, selects...), multis...),
		"input": append(append([]string{"checkboxes", "datepicker", "datetimepicker", "email_text_input", "file_input", "number_input",
			"plain_text_input", "radio_buttons", "rich_text_input", "timepicker", "url_text_input"}, selects...), multis...),
	}
)

func block(c *checker, ptr string, v any) {
	b, ok := v.(object)
	if !ok {
		c.add(ptr, "must provide an object")
		return
	}
	kind := str(b, "type")
	c.actions = map[string]bool{}
	if id := str(b, "block_id"); id != "" {
		if c.blockIDs[id] {
			c.add(ptr+"/block_id", "`block_id` %q already exists", id)
		}
		c.blockIDs[id] = true
	}
	if places, ok := openBlocks[kind]; ok {
		if !slices.Contains(places, c.surface) {
			c.add(ptr+"/type", "unsupported type: %s", kind)
		}
		return
	}
	s, ok := blockShapes[kind]
	if !ok {
		c.add(ptr+"/type", "unsupported type: %s", kind)
		return
	}
	with(s, must("type", anything), might("block_id", chars(0, 255))).check(c, ptr, b)
	switch kind {
	case "section":
		if b["text"] == nil && b["fields"] == nil {
			c.add(ptr+"/type", "must define either `text` or `fields`")
		}
	case "image":
		imageSource(c, ptr, b)
	}
}

func imageSource(c *checker, ptr string, o object) {
	if (o["image_url"] == nil) == (o["slack_file"] == nil) {
		c.add(ptr, "must define either `image_url` or `slack_file`")
	}
}

func contextElement(c *checker, ptr string, v any) {
	if o, _ := v.(object); str(o, "type") == "image" {
		with(elementShapes["image"], must("type", anything)).check(c, ptr, o)
		imageSource(c, ptr, o)
		return
	}
	rich(2000)(c, ptr, v)
}

// elementIn checks one element; place is the type of its block.
func elementIn(place string) rule {
	return func(c *checker, ptr string, v any) {
		e, ok := v.(object)
		if !ok {
			c.add(ptr, "must provide an object")
			return
		}
		kind := str(e, "type")
		s, known := elementShapes[kind]
		if !known || !slices.Contains(elementPlaces[place], kind) || kind == "file_input" && c.surface != "modal" {
			c.add(ptr+"/type", "unsupported type: %s", kind)
			return
		}
		with(s, must("type", anything), might("action_id", chars(0, 255))).check(c, ptr, e)
		if id := str(e, "action_id"); id != "" {
			if c.actions[id] {
				c.add(ptr+"/action_id", "`action_id` %q already exists", id)
			}
			c.actions[id] = true
		}
		elementRest(c, ptr, kind, e)
	}
}

// elementRest checks rules about several properties of an element.
func elementRest(c *checker, ptr, kind string, e object) {
	switch kind {
	case "static_select", "multi_static_select":
		if (e["options"] == nil) == (e["option_groups"] == nil) {
			c.add(ptr, "must define either `options` or `option_groups`")
		}
	case "image":
		imageSource(c, ptr, e)
	case "plain_text_input":
		min, _ := e["min_length"].(float64)
		if max, ok := e["max_length"].(float64); ok && min > max {
			c.add(ptr+"/min_length", "must not be greater than `max_length`")
		}
	}
	if most, ok := e["max_selected_items"].(float64); ok && float64(len(list(e, "initial_options"))) > most {
		c.add(ptr+"/initial_options", "no more than %d items allowed", int(most))
	}
	offered := options(e)
	if len(offered) == 0 {
		return // the options of an external select are not known yet
	}
	initial := objects(list(e, "initial_options"))
	name := "initial_options"
	if o := obj(e, "initial_option"); o != nil {
		initial, name = []object{o}, "initial_option"
	}
	for _, o := range initial {
		if !slices.ContainsFunc(offered, func(p object) bool { return sameOption(o, p) }) {
			c.add(ptr+"/"+name, "must be one of the provided options")
			return
		}
	}
}

// sameOption reports whether two options are equal: an initial option must match one of the options exactly ("Checkboxes",
// initial_options).
func sameOption(a, b object) bool {
	return str(a, "value") == str(b, "value") &&
		str(obj(a, "text"), "text") == str(obj(b, "text"), "text") &&
		str(obj(a, "description"), "text") == str(obj(b, "description"), "text")
}

// options returns the options that an element itself lists, including those of its groups.
func options(e object) []object {
	all := objects(list(e, "options"))
	for _, g := range objects(list(e, "option_groups")) {
		all = append(all, objects(list(g, "options"))...)
	}
	return all
}

// checkOptionsReply checks an app's answer to an options request ("Select menus", external data source).
func checkOptionsReply(reply object) []Problem {
	c := &checker{}
	shape{might("options", items(0, 100, choice)), might("option_groups", items(0, 100, group))}.check(c, "", reply)
	if (reply["options"] == nil) == (reply["option_groups"] == nil) {
		c.add("/", "must define either `options` or `option_groups`")
	}
	return c.problems
}

var clock = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

func calendarDate(c *checker, ptr string, v any) {
	s, _ := v.(string)
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		c.add(ptr, "must be a date in the format YYYY-MM-DD")
	}
}

func clockTime(c *checker, ptr string, v any) {
	if s, _ := v.(string); !clock.MatchString(s) {
		c.add(ptr, "must be a time in the format HH:mm")
	}
}

func timeZone(c *checker, ptr string, v any) {
	s, _ := v.(string)
	if _, err := time.LoadLocation(s); err != nil || s == "" {
		c.add(ptr, "must be a time zone in the IANA format: %s", fmt.Sprint(v))
	}
}
