// Package email compares e-mail addresses: who someone is hangs on it.
package email

import (
	"strings"
	"unicode"
)

// Lower is an address as the database has it and compares it: byte for byte, with only the ASCII letters lowered. In Unicode's
// lower case and case folding other characters become ASCII letters too (U+0130 becomes i, U+212A k, U+017F s), so that two
// addresses would be one. The schema checks people.email by the same rule, lower(email collate "C").
func Lower(address string) string {
	lower := []byte(address)
	for i, b := range lower {
		if 'A' <= b && b <= 'Z' {
			lower[i] = b + ('a' - 'A')
		}
	}
	return string(lower)
}

// IsASCII tells whether an address has only ASCII characters. Others can look like them, so by any other address a Slack user
// is never taken for a person.
func IsASCII(address string) bool {
	return !strings.ContainsFunc(address, func(r rune) bool { return r > unicode.MaxASCII })
}

// Invisible finds the first character of a value that shows nothing, and its place from 1; 0: there is none. Those are formats,
// private and unassigned characters (Unicode's categories Cf, Co and Cn), separators of lines and paragraphs, and the others that
// programs need not draw (Default_Ignorable_Code_Point, https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point).
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
