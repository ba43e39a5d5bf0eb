package postgresql

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"accessbot/activities/connector"
)

// MaxNameBytes is the longest role name: NAMEDATALEN - 1 in a standard build. PostgreSQL truncates a longer name with only a
// NOTICE, and it is then another role's name.
const MaxNameBytes = 63

// checkNames refuses impossible and reserved names.
func checkNames(a connector.Assignment) error {
	if err := checkName(connector.Object, a.Object); err != nil {
		return err
	}
	return checkName(connector.Account, a.Account)
}

func checkName(part connector.Part, name string) error {
	if reason := badName(name); reason != "" {
		return &connector.Refused{Part: part, Name: name, Reason: reason}
	}
	return nil
}

func badName(name string) string {
	switch {
	case name == "":
		return "has no name"
	case strings.ContainsRune(name, 0):
		return "has a NUL in its name"
	case !utf8.ValidString(name):
		return "has a name that is not UTF-8"
	case len(name) > MaxNameBytes:
		return fmt.Sprintf("has a name of %d bytes; PostgreSQL's limit is %d", len(name), MaxNameBytes)
	default:
		return reserved(name)
	}
}

// reserved returns why a role of this name is never granted; empty if it can be. PostgreSQL treats "public" and "none" as
// keywords even if they are quoted.
func reserved(name string) string {
	switch {
	case name == "public", name == "none", strings.HasPrefix(name, "pg_"):
		return "is reserved by PostgreSQL"
	case strings.HasPrefix(name, "accessbot_"):
		return "is one of this program's own roles"
	default:
		return ""
	}
}
