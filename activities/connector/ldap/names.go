package ldap

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"accessbot/activities/connector"
)

// MaxNameBytes is the longest name of an account or group. LDAP has no limit; every email address fits.
const MaxNameBytes = 255

// checkNames refuses impossible names.
func checkNames(a connector.Assignment) error {
	if reason := badName(a.Object); reason != "" {
		return &connector.Refused{Part: connector.Object, Name: a.Object, Reason: reason}
	}
	if reason := badName(a.Account); reason != "" {
		return &connector.Refused{Part: connector.Account, Name: a.Account, Reason: reason}
	}
	return nil
}

func badName(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "has no name"
	case !utf8.ValidString(name):
		return "has a name that is not UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "has a control character in its name"
	case len(name) > MaxNameBytes:
		return fmt.Sprintf("has a name of %d bytes; the limit is %d", len(name), MaxNameBytes)
	default:
		return ""
	}
}
