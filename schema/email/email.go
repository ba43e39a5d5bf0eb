// Package email compares e-mail addresses, which identify people.
package email

import (
	"strings"
	"unicode"
)

// Lower returns an address as the database stores it: only ASCII letters are lowered, everything else is compared byte for byte.
// Unicode's lower case and case folding turn other characters into ASCII letters too (U+0130 into i, U+212A into k, U+017F into
// s), so that two different addresses would be equal. The schema checks people.email by the same rule, lower(email collate "C").
func Lower(address string) string {
	lower := []byte(address)
	for i, b := range lower {
		if 'A' <= b && b <= 'Z' {
			lower[i] = b + ('a' - 'A')
		}
	}
	return string(lower)
}

// IsASCII reports whether an address has only ASCII characters. Other characters can look like them, so an address with any
// never identifies a Slack user.
func IsASCII(address string) bool {
	return !strings.ContainsFunc(address, func(r rune) bool { return r > unicode.MaxASCII })
}

// Invisible returns the first invisible character of a value and its place, counted from 1; 0 if there is none. Invisible are
// format, private-use and unassigned characters (Unicode's categories Cf, Co and Cn), line and paragraph separators, and the
// others that need not be displayed (https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point).
func Invisible(value string) (place int, found rune) {
	for _, r := range value {
		place++
		if unicode.In(r, unicode.Cf, unicode.Co, unicode.Cn, unicode.Zl, unicode.Zp,
			unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return place, r
		}
	}
	return 0, 0
}
