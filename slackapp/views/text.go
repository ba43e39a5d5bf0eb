package views

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"github.com/slack-go/slack/slackutilsx"
)

// Clean turns any text into one line of plain text, for plain_text objects. White space becomes single spaces. Control, format
// and bidirectional characters are dropped; the joiners that emoji and some scripts need stay.
func Clean(s string) string {
	return strings.Join(strings.Fields(CleanLines(s)), " ")
}

// CleanLines is Clean for text of several lines.
func CleanLines(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").
		Replace(s)
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == zeroWidthJoiner || r == zeroWidthNonJoiner:
			return r
		case unicode.In(r, unicode.Cc, unicode.Cf):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(s)
}

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
	wordJoiner         = '\u2060'
	isolate            = '\u2068' // first strong isolate
	endOfIsolate       = '\u2069'
)

// Escape turns any text into one line of mrkdwn that shows it literally and pings no one. A right-to-left name is isolated, so
// that it does not reorder the text next to it.
func Escape(s string) string {
	s = Clean(s)
	runes := []rune(s)
	var b strings.Builder
	for n, r := range runes {
		before, after := ' ', ' '
		if n > 0 {
			before = runes[n-1]
		}
		if n < len(runes)-1 {
			after = runes[n+1]
		}
		switch look, marks := lookalikes[r]; {
		case marks && !(alphanumeric(before) && alphanumeric(after)): // inside a word Slack formats nothing
			b.WriteRune(look)
		case r == ':' && !unicode.IsSpace(after): // could open the name of an emoji: arn:aws:iam
			b.WriteRune(r)
			b.WriteRune(wordJoiner)
		default:
			b.WriteRune(r)
		}
	}
	escaped := slackutilsx.EscapeMessage(b.String())
	if strings.ContainsFunc(s, rightToLeft) {
		return string(isolate) + escaped + string(endOfIsolate)
	}
	return escaped
}

// mrkdwn cannot escape the characters that make text bold, italic, struck out or code, so lookalikes replace them.
var lookalikes = map[rune]rune{'*': '∗', '_': 'ˍ', '~': '∼', '`': 'ˋ'}

func alphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func rightToLeft(r rune) bool {
	return unicode.In(
		r,
		unicode.Hebrew,
		unicode.Arabic,
		unicode.Syriac,
		unicode.Thaana,
		unicode.Nko,
		unicode.Samaritan,
		unicode.Mandaic,
		unicode.Adlam,
	)
}

// Cut returns s if it has at most n characters, else its beginning and "…", together at most n. Characters are UTF-16 code units,
// the largest of the counts that Slack might mean. Grapheme clusters stay whole. Cut before Escape, never after.
func Cut(s string, n int) string {
	if length(s) <= n {
		return s
	}
	head := begin(s, n-1)
	return strings.TrimRightFunc(head, unicode.IsSpace) + "…"
}

// begin returns the longest beginning of s with at most n characters that ends between two grapheme clusters.
func begin(s string, n int) string {
	end, used, state := 0, 0, -1
	for end < len(s) {
		var cluster string
		cluster, _, _, state = uniseg.FirstGraphemeClusterInString(s[end:], state)
		if used += length(cluster); used > n {
			break
		}
		end += len(cluster)
	}
	if end > 0 || s == "" {
		return s[:end]
	}
	// One grapheme cluster longer than n, a pile of marks: cut between runes.
	for used = 0; ; {
		r, size := utf8.DecodeRuneInString(s[end:])
		if used += utf16.RuneLen(r); size == 0 || used > n {
			return s[:end]
		}
		end += size
	}
}

// length counts as Cut does.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}
