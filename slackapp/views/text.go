package views

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"github.com/slack-go/slack/slackutilsx"
)

// Clean makes one line of plain text of anything: for plain_text objects, which show it as it is. White space becomes
// single spaces. What is invisible or turns the order of writing goes: control, format and bidirectional characters;
// the joiners that emoji and some scripts need stay.
func Clean(s string) string {
	return strings.Join(strings.Fields(CleanLines(s)), " ")
}

// CleanLines is Clean for text of several lines: each stays a line of its own.
func CleanLines(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(s)
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

// Escape makes one line of mrkdwn of anything: it shows s literally, pings no one, and looks like s. A right-to-left
// name is isolated, so that it does not turn what stands beside it.
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

// mrkdwn has no escape for what makes text bold, italic, struck out or code, so something that looks the same is a delegate.
var lookalikes = map[rune]rune{'*': '∗', '_': 'ˍ', '~': '∼', '`': 'ˋ'}

func alphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func rightToLeft(r rune) bool {
	return unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Samaritan, unicode.Mandaic, unicode.Adlam)
}

// Cut answers s if it has at most n characters, else its beginning and "…", together at most n. Characters are UTF-16
// code units, the largest of the counts that Slack might mean. What a reader sees as one character is not cut apart.
// Cut before Escape, never after.
func Cut(s string, n int) string {
	if length(s) <= n {
		return s
	}
	head := begin(s, n-1)
	return strings.TrimRightFunc(head, unicode.IsSpace) + "…"
}

// begin answers the longest beginning of s with at most n characters that ends between two visible ones.
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
	// One visible character, longer than all there is room for: a pile of marks. Between runes, then.
	for used = 0; ; {
		r, size := utf8.DecodeRuneInString(s[end:])
		if used += utf16.RuneLen(r); size == 0 || used > n {
			return s[:end]
		}
		end += size
	}
}

// length counts the way that Cut does.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}
