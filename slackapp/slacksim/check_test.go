package slacksim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"accessbot/slackapp/slacksim"

	"github.com/stretchr/testify/require"
)

type m = map[string]any
type l = []any

func of(n int) string { return strings.Repeat("x", n) }

func plain(s string) m  { return m{"type": "plain_text", "text": s} }
func mrkdwn(s string) m { return m{"type": "mrkdwn", "text": s} }

func opt(value string) m { return m{"text": plain("Option " + value), "value": value} }

func opts(n int) l {
	all := l{}
	for i := range n {
		all = append(all, opt(fmt.Sprint(i)))
	}
	return all
}

func modalOf(blocks ...any) m {
	return m{"type": "modal", "title": plain("Title"), "submit": plain("Send"), "blocks": append(l{}, blocks...)}
}

func inputOf(element m) m {
	return m{"type": "input", "block_id": "b", "label": plain("Label"), "element": element}
}

func actionsOf(elements ...any) m { return m{"type": "actions", "elements": append(l{}, elements...)} }

func sectionOf(accessory m) m {
	return m{"type": "section", "text": mrkdwn("Text"), "accessory": accessory}
}

func buttonOf(change m) m {
	return merged(m{"type": "button", "action_id": "a", "text": plain("Press")}, change)
}

func merged(a, b m) m {
	for k, v := range b {
		a[k] = v
	}
	return a
}

func without(a m, name string) m { delete(a, name); return a }

func repeat(n int, block func(i int) any) l {
	all := l{}
	for i := range n {
		all = append(all, block(i))
	}
	return all
}

func divider(int) any { return m{"type": "divider"} }

func strs(problems []slacksim.Problem) []string {
	all := []string{}
	for _, p := range problems {
		all = append(all, p.String())
	}
	return all
}

func TestLimits(t *testing.T) {
	// Each case names the page of docs.slack.dev or the thread with its rule. An empty want means that Slack
	// accepts it. For each limit there is the largest value allowed and the smallest one refused.
	t.Run("each limit of a view is checked", func(t *testing.T) {
		element := "/view/blocks/0/element"
		for _, c := range []struct {
			source, name string
			view         any
			want         string // the first problem
		}{
			{"reference/views/modal-views", "an ordinary modal", modalOf(divider(0)), ""},
			{"views.open", "no object", l{}, "[ERROR] must provide an object [json-pointer:/view]"},
			{"reference/views", "an unknown type", m{"type": "window"}, "[ERROR] unsupported type: window [json-pointer:/view/type]"},
			{"modal-views", "100 blocks", modalOf(repeat(100, divider)...), ""},
			{"modal-views", "101 blocks", modalOf(repeat(101, divider)...), "[ERROR] no more than 100 items allowed [json-pointer:/view/blocks]"},
			{"modal-views", "no title", without(modalOf(), "title"), "[ERROR] missing required field: title [json-pointer:/view]"},
			{"modal-views", "no blocks", without(modalOf(), "blocks"), "[ERROR] missing required field: blocks [json-pointer:/view]"},
			{"modal-views", "null blocks, as slack-go sends none", merged(modalOf(), m{"blocks": nil}), "[ERROR] missing required field: blocks [json-pointer:/view]"},
			{"modal-views", "a title of 24", merged(modalOf(), m{"title": plain(of(24))}), ""},
			{"modal-views", "a title of 25", merged(modalOf(), m{"title": plain(of(25))}), "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"},
			{"modal-views", "characters, not bytes, count", merged(modalOf(), m{"title": plain(strings.Repeat("ä", 24))}), ""},
			{"modal-views", "a title in mrkdwn", merged(modalOf(), m{"title": mrkdwn("x")}), "[ERROR] unsupported type: mrkdwn [json-pointer:/view/title/type]"},
			{"modal-views", "a submit of 25", merged(modalOf(), m{"submit": plain(of(25))}), "[ERROR] must be less than 25 characters [json-pointer:/view/submit/text]"},
			{"modal-views", "a close of 25", merged(modalOf(), m{"close": plain(of(25))}), "[ERROR] must be less than 25 characters [json-pointer:/view/close/text]"},
			{"modal-views", "private_metadata of 3000", merged(modalOf(), m{"private_metadata": of(3000)}), ""},
			{"modal-views", "private_metadata of 3001", merged(modalOf(), m{"private_metadata": of(3001)}), "[ERROR] must be less than 3001 characters [json-pointer:/view/private_metadata]"},
			{"modal-views", "callback_id of 256", merged(modalOf(), m{"callback_id": of(256)}), "[ERROR] must be less than 256 characters [json-pointer:/view/callback_id]"},
			{"modal-views", "an unknown property", merged(modalOf(), m{"colour": "red"}), "[ERROR] invalid additional property: colour [json-pointer:/view]"},
			{"modal-views", "an input without submit", without(modalOf(divider(0), inputOf(m{"type": "datepicker"})), "submit"),
				"[ERROR] must define `submit` to use an `input` block in modals [json-pointer:/view/blocks/1/input]"},
			{"home-tab-views", "a home tab with an input", m{"type": "home", "blocks": l{inputOf(m{"type": "datepicker"})}}, ""},
			{"home-tab-views", "a home tab with a title", m{"type": "home", "blocks": l{}, "title": plain("x")}, "[ERROR] invalid additional property: title [json-pointer:/view]"},

			{"block-kit/blocks", "an unknown block", modalOf(m{"type": "button"}), "[ERROR] unsupported type: button [json-pointer:/view/blocks/0/type]"},
			{"block-kit/blocks", "a block for messages only", modalOf(m{"type": "markdown", "text": "x"}), "[ERROR] unsupported type: markdown [json-pointer:/view/blocks/0/type]"},
			{"block-kit/blocks", "block_id of 256", modalOf(m{"type": "divider", "block_id": of(256)}), "[ERROR] must be less than 256 characters [json-pointer:/view/blocks/0/block_id]"},
			{"block-kit/blocks", "one block_id twice", modalOf(m{"type": "divider", "block_id": "x"}, m{"type": "divider", "block_id": "x"}),
				"[ERROR] `block_id` \"x\" already exists [json-pointer:/view/blocks/1/block_id]"},
			{"block-elements (action_id)", "one action_id twice in a block", modalOf(actionsOf(buttonOf(nil), buttonOf(nil))),
				"[ERROR] `action_id` \"a\" already exists [json-pointer:/view/blocks/0/elements/1/action_id]"},
			{"block-elements (action_id)", "one action_id in two blocks", modalOf(actionsOf(buttonOf(nil)), actionsOf(buttonOf(nil))), ""},
			{"section-block", "text of 3000", modalOf(m{"type": "section", "text": mrkdwn(of(3000))}), ""},
			{"section-block", "text of 3001", modalOf(m{"type": "section", "text": mrkdwn(of(3001))}), "[ERROR] must be less than 3001 characters [json-pointer:/view/blocks/0/text/text]"},
			{"section-block", "empty text", modalOf(m{"type": "section", "text": mrkdwn("")}), "[ERROR] must be more than 0 characters [json-pointer:/view/blocks/0/text/text]"},
			{"section-block", "neither text nor fields", modalOf(m{"type": "section"}), "[ERROR] must define either `text` or `fields` [json-pointer:/view/blocks/0/type]"},
			{"section-block", "11 fields", modalOf(m{"type": "section", "fields": repeat(11, func(int) any { return mrkdwn("x") })}),
				"[ERROR] no more than 10 items allowed [json-pointer:/view/blocks/0/fields]"},
			{"section-block", "a field of 2001", modalOf(m{"type": "section", "fields": l{mrkdwn(of(2001))}}), "[ERROR] must be less than 2001 characters [json-pointer:/view/blocks/0/fields/0/text]"},
			{"section-block", "a text field as accessory", modalOf(sectionOf(m{"type": "plain_text_input"})), "[ERROR] unsupported type: plain_text_input [json-pointer:/view/blocks/0/accessory/type]"},
			{"section-block", "a multi-select as accessory", modalOf(sectionOf(m{"type": "multi_static_select", "options": opts(1)})), ""},
			{"header-block", "text of 151", modalOf(m{"type": "header", "text": plain(of(151))}), "[ERROR] must be less than 151 characters [json-pointer:/view/blocks/0/text/text]"},
			{"header-block", "in mrkdwn", modalOf(m{"type": "header", "text": mrkdwn("x")}), "[ERROR] unsupported type: mrkdwn [json-pointer:/view/blocks/0/text/type]"},
			{"context-block", "11 elements", modalOf(m{"type": "context", "elements": repeat(11, func(int) any { return mrkdwn("x") })}),
				"[ERROR] no more than 10 items allowed [json-pointer:/view/blocks/0/elements]"},
			{"context-block", "a button", modalOf(m{"type": "context", "elements": l{buttonOf(nil)}}), "[ERROR] unsupported type: button [json-pointer:/view/blocks/0/elements/0/type]"},
			{"image-block", "without alt_text", modalOf(m{"type": "image", "image_url": "https://example.com/x.png"}), "[ERROR] missing required field: alt_text [json-pointer:/view/blocks/0]"},
			{"text-object", "emoji in mrkdwn", modalOf(m{"type": "section", "text": merged(mrkdwn("x"), m{"emoji": true})}), "[ERROR] invalid additional property: emoji [json-pointer:/view/blocks/0/text]"},

			{"actions-block", "25 buttons", modalOf(actionsOf(repeat(25, func(i int) any { return buttonOf(m{"action_id": fmt.Sprint(i)}) })...)), ""},
			{"actions-block", "26 buttons", modalOf(actionsOf(repeat(26, func(i int) any { return buttonOf(m{"action_id": fmt.Sprint(i)}) })...)),
				"[ERROR] no more than 25 items allowed [json-pointer:/view/blocks/0/elements]"},
			{"actions-block", "no elements", modalOf(actionsOf()), "[ERROR] no less than 1 items allowed [json-pointer:/view/blocks/0/elements]"},
			{"actions-block", "a multi-select", modalOf(actionsOf(m{"type": "multi_static_select", "options": opts(1)})), "[ERROR] unsupported type: multi_static_select [json-pointer:/view/blocks/0/elements/0/type]"},
			{"actions-block", "a text field", modalOf(actionsOf(m{"type": "plain_text_input"})), "[ERROR] unsupported type: plain_text_input [json-pointer:/view/blocks/0/elements/0/type]"},
			{"input-block", "dispatch_action on actions", modalOf(merged(actionsOf(buttonOf(nil)), m{"dispatch_action": true})), "[ERROR] invalid additional property: dispatch_action [json-pointer:/view/blocks/0]"},
			{"input-block", "a label of 2001", modalOf(merged(inputOf(m{"type": "datepicker"}), m{"label": plain(of(2001))})), "[ERROR] must be less than 2001 characters [json-pointer:/view/blocks/0/label/text]"},
			{"input-block", "a hint of 2001", modalOf(merged(inputOf(m{"type": "datepicker"}), m{"hint": plain(of(2001))})), "[ERROR] must be less than 2001 characters [json-pointer:/view/blocks/0/hint/text]"},
			{"input-block", "no label", modalOf(without(inputOf(m{"type": "datepicker"}), "label")), "[ERROR] missing required field: label [json-pointer:/view/blocks/0]"},
			{"input-block", "no element", modalOf(without(inputOf(nil), "element")), "[ERROR] missing required field: element [json-pointer:/view/blocks/0]"},
			{"input-block", "a button", modalOf(inputOf(buttonOf(nil))), "[ERROR] unsupported type: button [json-pointer:/view/blocks/0/element/type]"},

			{"button-element", "text of 75", modalOf(actionsOf(buttonOf(m{"text": plain(of(75))}))), ""},
			{"button-element", "text of 76", modalOf(actionsOf(buttonOf(m{"text": plain(of(76))}))), "[ERROR] must be less than 76 characters [json-pointer:/view/blocks/0/elements/0/text/text]"},
			{"button-element", "a value of 2001", modalOf(actionsOf(buttonOf(m{"value": of(2001)}))), "[ERROR] must be less than 2001 characters [json-pointer:/view/blocks/0/elements/0/value]"},
			{"button-element", "a style of its own", modalOf(actionsOf(buttonOf(m{"style": "loud"}))), "[ERROR] must be one of: primary, danger [json-pointer:/view/blocks/0/elements/0/style]"},
			{"block-elements", "action_id of 256", modalOf(actionsOf(buttonOf(m{"action_id": of(256)}))), "[ERROR] must be less than 256 characters [json-pointer:/view/blocks/0/elements/0/action_id]"},
			{"confirmation-dialog", "without text", modalOf(actionsOf(buttonOf(m{"confirm": m{"title": plain("x"), "confirm": plain("Yes"), "deny": plain("No")}}))),
				"[ERROR] missing required field: text [json-pointer:/view/blocks/0/elements/0/confirm]"},
			{"confirmation-dialog", "a button of 31", modalOf(actionsOf(buttonOf(m{"confirm": m{"title": plain("x"), "text": plain("x"), "confirm": plain(of(31)), "deny": plain("No")}}))),
				"[ERROR] must be less than 31 characters [json-pointer:/view/blocks/0/elements/0/confirm/confirm/text]"},

			{"checkboxes-element", "10 options", modalOf(inputOf(m{"type": "checkboxes", "options": opts(10)})), ""},
			{"checkboxes-element", "11 options", modalOf(inputOf(m{"type": "checkboxes", "options": opts(11)})), "[ERROR] no more than 10 items allowed [json-pointer:" + element + "/options]"},
			{"checkboxes-element", "no options", modalOf(inputOf(m{"type": "checkboxes", "options": l{}})), "[ERROR] no less than 1 items allowed [json-pointer:" + element + "/options]"},
			{"checkboxes-element", "a description in mrkdwn", modalOf(inputOf(m{"type": "checkboxes", "options": l{merged(opt("1"), m{"description": mrkdwn("*x*")})}})), ""},
			{"checkboxes-element", "an initial option", modalOf(inputOf(m{"type": "checkboxes", "options": opts(3), "initial_options": l{opt("2")}})), ""},
			{"checkboxes-element", "an initial option that is not offered", modalOf(inputOf(m{"type": "checkboxes", "options": opts(3), "initial_options": l{opt("3")}})),
				"[ERROR] must be one of the provided options [json-pointer:" + element + "/initial_options]"},
			{"checkboxes-element", "an initial option of other text", modalOf(inputOf(m{"type": "checkboxes", "options": opts(3), "initial_options": l{merged(opt("2"), m{"text": plain("x")})}})),
				"[ERROR] must be one of the provided options [json-pointer:" + element + "/initial_options]"},
			{"checkboxes-element", "an empty list of initial options", modalOf(inputOf(m{"type": "checkboxes", "options": opts(3), "initial_options": l{}})),
				"[ERROR] no less than 1 items allowed [json-pointer:" + element + "/initial_options]"},
			{"radio-button-group-element", "11 options", modalOf(inputOf(m{"type": "radio_buttons", "options": opts(11)})), "[ERROR] no more than 10 items allowed [json-pointer:" + element + "/options]"},
			{"radio-button-group-element", "a null initial option", modalOf(inputOf(m{"type": "radio_buttons", "options": opts(2), "initial_option": nil})),
				"[ERROR] must provide an object [json-pointer:" + element + "/initial_option]"},
			{"option-object", "text of 75", modalOf(inputOf(m{"type": "checkboxes", "options": l{merged(opt("1"), m{"text": plain(of(75))})}})), ""},
			{"option-object", "text of 76", modalOf(inputOf(m{"type": "checkboxes", "options": l{merged(opt("1"), m{"text": plain(of(76))})}})),
				"[ERROR] must be less than 76 characters [json-pointer:" + element + "/options/0/text/text]"},
			{"option-object", "a description of 76", modalOf(inputOf(m{"type": "checkboxes", "options": l{merged(opt("1"), m{"description": plain(of(76))})}})),
				"[ERROR] must be less than 76 characters [json-pointer:" + element + "/options/0/description/text]"},
			{"option-object", "a value of 76 (the smaller of two documented limits)", modalOf(inputOf(m{"type": "checkboxes", "options": l{merged(opt("1"), m{"value": of(76)})}})),
				"[ERROR] must be less than 76 characters [json-pointer:" + element + "/options/0/value]"},
			{"option-object", "no value", modalOf(inputOf(m{"type": "checkboxes", "options": l{without(opt("1"), "value")}})),
				"[ERROR] missing required field: value [json-pointer:" + element + "/options/0]"},
			{"option-object", "mrkdwn in a select", modalOf(inputOf(m{"type": "static_select", "options": l{merged(opt("1"), m{"text": mrkdwn("x")})}})),
				"[ERROR] unsupported type: mrkdwn [json-pointer:" + element + "/options/0/text/type]"},
			{"option-object", "a url outside an overflow menu", modalOf(inputOf(m{"type": "static_select", "options": l{merged(opt("1"), m{"url": "https://example.com"})}})),
				"[ERROR] invalid additional property: url [json-pointer:" + element + "/options/0]"},

			{"select-menu-element", "100 options", modalOf(inputOf(m{"type": "static_select", "options": opts(100)})), ""},
			{"select-menu-element", "101 options", modalOf(inputOf(m{"type": "static_select", "options": opts(101)})), "[ERROR] no more than 100 items allowed [json-pointer:" + element + "/options]"},
			{"select-menu-element", "101 options in a group", modalOf(inputOf(m{"type": "static_select", "option_groups": l{m{"label": plain("x"), "options": opts(101)}}})),
				"[ERROR] no more than 100 items allowed [json-pointer:" + element + "/option_groups/0/options]"},
			{"select-menu-element", "a group's label of 76", modalOf(inputOf(m{"type": "static_select", "option_groups": l{m{"label": plain(of(76)), "options": opts(1)}}})),
				"[ERROR] must be less than 76 characters [json-pointer:" + element + "/option_groups/0/label/text]"},
			{"select-menu-element", "neither options nor groups", modalOf(inputOf(m{"type": "static_select"})), "[ERROR] must define either `options` or `option_groups` [json-pointer:" + element + "]"},
			{"select-menu-element", "a placeholder of 151", modalOf(inputOf(m{"type": "static_select", "options": opts(1), "placeholder": plain(of(151))})),
				"[ERROR] must be less than 151 characters [json-pointer:" + element + "/placeholder/text]"},
			{"select-menu-element", "an initial option in a group", modalOf(inputOf(m{"type": "static_select", "initial_option": opt("1"),
				"option_groups": l{m{"label": plain("x"), "options": opts(2)}}})), ""},
			{"select-menu-element", "an initial option that is not offered", modalOf(inputOf(m{"type": "static_select", "options": opts(1), "initial_option": opt("1")})),
				"[ERROR] must be one of the provided options [json-pointer:" + element + "/initial_option]"},
			{"select-menu-element (external)", "min_query_length 0", modalOf(inputOf(m{"type": "external_select", "min_query_length": 0})), ""},
			{"select-menu-element (external)", "a negative min_query_length", modalOf(inputOf(m{"type": "external_select", "min_query_length": -1})),
				"[ERROR] must be greater than -1 [json-pointer:" + element + "/min_query_length]"},
			{"select-menu-element (external)", "options of its own", modalOf(inputOf(m{"type": "external_select", "options": opts(1)})),
				"[ERROR] invalid additional property: options [json-pointer:" + element + "]"},
			{"select-menu-element (static)", "min_query_length", modalOf(inputOf(m{"type": "static_select", "options": opts(1), "min_query_length": 1})),
				"[ERROR] invalid additional property: min_query_length [json-pointer:" + element + "]"},
			{"multi-select-menu-element", "more chosen than may be", modalOf(inputOf(m{"type": "multi_static_select", "options": opts(3), "max_selected_items": 1, "initial_options": opts(2)})),
				"[ERROR] no more than 1 items allowed [json-pointer:" + element + "/initial_options]"},
			{"overflow-menu-element", "6 options", modalOf(sectionOf(m{"type": "overflow", "options": opts(6)})), "[ERROR] no more than 5 items allowed [json-pointer:/view/blocks/0/accessory/options]"},

			{"date-picker-element", "a day", modalOf(inputOf(m{"type": "datepicker", "initial_date": "2026-12-01"})), ""},
			{"date-picker-element", "30 February", modalOf(inputOf(m{"type": "datepicker", "initial_date": "2026-02-30"})), "[ERROR] must be a date in the format YYYY-MM-DD [json-pointer:" + element + "/initial_date]"},
			{"date-picker-element", "a least day", modalOf(inputOf(m{"type": "datepicker", "min_date": "2026-12-01"})), "[ERROR] invalid additional property: min_date [json-pointer:" + element + "]"},
			{"time-picker-element", "24:00", modalOf(inputOf(m{"type": "timepicker", "initial_time": "24:00"})), "[ERROR] must be a time in the format HH:mm [json-pointer:" + element + "/initial_time]"},
			{"time-picker-element", "no such zone", modalOf(inputOf(m{"type": "timepicker", "timezone": "CET/Bonn"})), "[ERROR] must be a time zone in the IANA format: CET/Bonn [json-pointer:" + element + "/timezone]"},
			{"plain-text-input-element", "min_length above max_length", modalOf(inputOf(m{"type": "plain_text_input", "min_length": 5, "max_length": 4})),
				"[ERROR] must not be greater than `max_length` [json-pointer:" + element + "/min_length]"},
			{"plain-text-input-element", "max_length of 3001", modalOf(inputOf(m{"type": "plain_text_input", "max_length": 3001})), "[ERROR] must be less than 3001 [json-pointer:" + element + "/max_length]"},
			{"plain-text-input-element", "an unknown dispatch", modalOf(inputOf(m{"type": "plain_text_input", "dispatch_action_config": m{"trigger_actions_on": l{"blur"}}})),
				"[ERROR] must be one of: on_enter_pressed, on_character_entered [json-pointer:" + element + "/dispatch_action_config/trigger_actions_on/0]"},
			{"number-input-element", "is_decimal_allowed is missing", modalOf(inputOf(m{"type": "number_input"})), "[ERROR] missing required field: is_decimal_allowed [json-pointer:" + element + "]"},
			{"block-elements (focus_on_load)", "two focused elements", modalOf(
				merged(inputOf(m{"type": "datepicker", "focus_on_load": true}), m{"block_id": "1"}),
				merged(inputOf(m{"type": "datepicker", "focus_on_load": true}), m{"block_id": "2"})),
				"[ERROR] only one element can be set to true [json-pointer:/view/blocks/1/element/focus_on_load]"},
		} {
			t.Run(c.source+": "+c.name, func(t *testing.T) {
				raw, err := json.Marshal(c.view)
				require.NoError(t, err)
				problems := strs(slacksim.CheckView(raw))
				if c.want == "" {
					require.Empty(t, problems)
					return
				}
				require.NotEmpty(t, problems, "Slack refuses this")
				require.Equal(t, c.want, problems[0])
			})
		}
	})

	// Source: docs.slack.dev, surfaces/modals: a view's payload may have 250 KB.
	t.Run("view over 250 KB is refused", func(t *testing.T) {
		blocks := repeat(84, func(int) any { return m{"type": "section", "text": mrkdwn(of(3000))} })
		raw, err := json.Marshal(modalOf(blocks...))
		require.NoError(t, err)
		require.Contains(t, strs(slacksim.CheckView(raw))[0], "view is ")
	})

	// Source: docs.slack.dev, chat.postMessage, reference/block-kit/blocks.
	t.Run("each limit of a message is checked", func(t *testing.T) {
		for _, c := range []struct {
			name    string
			message m
			want    string
		}{
			{"text alone", m{"text": "x"}, ""},
			{"50 blocks", m{"text": "x", "blocks": repeat(50, divider)}, ""},
			{"51 blocks", m{"text": "x", "blocks": repeat(51, divider)}, "[ERROR] no more than 50 items allowed [json-pointer:/blocks]"},
			{"nothing", m{}, "[ERROR] no_text: neither text nor blocks [json-pointer:/text]"},
			{"text that Slack would cut off", m{"text": of(40_001)}, "[ERROR] must be less than 40001 characters [json-pointer:/text]"},
			{"a section of 3001", m{"blocks": l{m{"type": "section", "text": mrkdwn(of(3001))}}}, "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"},
			{"12,000 characters in all", m{"text": "x", "blocks": repeat(4, func(int) any { return m{"type": "section", "text": mrkdwn(of(3000))} })}, ""},
			{"12,001 characters in all", m{"text": "x", "blocks": append(repeat(4, func(int) any { return m{"type": "section", "text": mrkdwn(of(3000))} }), m{"type": "section", "text": mrkdwn("x")})},
				"[ERROR] msg_blocks_too_long: more text than a message can have [json-pointer:/blocks]"}, // bolt-js#2509
			{"a file input", m{"blocks": l{inputOf(m{"type": "file_input"})}}, "[ERROR] unsupported type: file_input [json-pointer:/blocks/0/element/type]"},
		} {
			t.Run(c.name, func(t *testing.T) {
				raw, err := json.Marshal(c.message)
				require.NoError(t, err)
				problems := strs(slacksim.CheckMessage(raw))
				if c.want == "" {
					require.Empty(t, problems)
					return
				}
				require.NotEmpty(t, problems)
				require.Equal(t, c.want, problems[0])
			})
		}
	})

	t.Run("view made with slack-go passes", func(t *testing.T) {
		raw, err := json.Marshal(form(0, "person"))
		require.NoError(t, err)
		require.Empty(t, slacksim.CheckView(raw))
	})
}
