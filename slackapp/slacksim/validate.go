package slacksim

import (
	"fmt"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// invalid returns the errors that Slack's client finds in a form, by block_id. Only a form without errors
// is sent to the app.
func (v *view) invalid() map[string]string {
	errors := map[string]string{}
	for _, e := range elements(v.blocks()) {
		if !e.input {
			continue
		}
		held := v.state[e.control]
		if empty(held) {
			if !flag(e.block, "optional") {
				errors[e.control.block] = pleaseComplete
			}
			continue
		}
		if text, ok := held["value"].(string); ok {
			if problem := invalidText(e.element, text); problem != "" {
				errors[e.control.block] = problem
			}
		}
	}
	return errors
}

// empty reports whether an element of any kind has no value.
func empty(held object) bool {
	for name, v := range held {
		if name == "type" || name == "timezone" {
			continue
		}
		switch v := v.(type) {
		case nil:
		case []any:
			if len(v) > 0 {
				return false
			}
		case string:
			if strings.TrimSpace(v) != "" {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func invalidText(e object, text string) string {
	number := func(name string) (float64, bool) {
		f, err := strconv.ParseFloat(str(e, name), 64)
		return f, err == nil
	}
	switch str(e, "type") {
	case "plain_text_input":
		n := utf8.RuneCountInString(text)
		most := 3000
		if m, ok := e["max_length"].(float64); ok {
			most = int(m)
		}
		if n > most {
			return fmt.Sprintf("Please enter no more than %d characters.", most)
		}
		if least, ok := e["min_length"].(float64); ok && n < int(least) {
			return fmt.Sprintf("Please enter at least %d characters.", int(least))
		}
	case "email_text_input":
		if _, err := mail.ParseAddress(text); err != nil {
			return "Please enter a valid email address."
		}
	case "url_text_input":
		if u, err := url.Parse(text); err != nil || u.Scheme == "" || u.Host == "" {
			return "Please enter a valid URL."
		}
	case "number_input":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || !flag(e, "is_decimal_allowed") && f != float64(int64(f)) {
			return "Please enter a valid number."
		}
		if least, ok := number("min_value"); ok && f < least {
			return "Please enter a larger number."
		}
		if most, ok := number("max_value"); ok && f > most {
			return "Please enter a smaller number."
		}
	}
	return ""
}
