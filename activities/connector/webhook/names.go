package webhook

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"accessbot/activities/connector"
)

func checkNames(a connector.Assignment) error {
	if err := checkName(connector.Object, a.Object); err != nil {
		return err
	}
	return checkName(connector.Account, a.Account)
}

// checkName refuses impossible names, and names that JSON would change.
func checkName(part connector.Part, name string) error {
	var reason string
	switch {
	case name == "":
		reason = "is empty"
	case len(name) > MaxNameBytes:
		reason = "is longer than 255 bytes"
	case !utf8.ValidString(name):
		reason = "is not UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		reason = "contains a control character"
	default:
		return nil
	}
	return &connector.Refused{Part: part, Name: strings.ToValidUTF8(name, "?"), Reason: reason}
}

// maxText limits a receiver's text that is shown to people, in characters.
const maxText = 200

// readable returns a receiver's text for people: on one line, with a limited length.
func readable(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if runes := []rune(text); len(runes) > maxText {
		return string(runes[:maxText]) + "..."
	}
	return text
}
