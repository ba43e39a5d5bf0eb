package views

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestText(t *testing.T) {
	t.Run("escaped text is literal and pings no one", func(t *testing.T) {
		for _, c := range []struct{ what, in, want string }{
			{"a broadcast", "<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@U1&gt;"},
			{"formatting", "*bold* _it_ ~no~ `code`", "∗bold∗ ˍitˍ ∼no∼ ˋcodeˋ"},
			{"marks inside a word", "team_lead snake_case_2 2*3", "team_lead snake_case_2 2*3"},
			{"the name of an emoji", "arn:aws:iam", "arn:\u2060aws:\u2060iam"},
			{"several lines", "one\r\ntwo\u2028three\tfour", "one two three four"},
			{"an override of direction", "abc\u202edcba\u202c \u2066x\u2069\u200f", "abcdcba x"},
			{"what is invisible", "pay\u200brol\u00adl\x00\ufeff", "payroll"},
			{"bytes that are not text", "a\xffb", "a\ufffdb"},
			{"a right-to-left name", "שלום", "\u2068שלום\u2069"},
			{"a family", "👩‍👩‍👧", "👩‍👩‍👧"},
			{"nothing", " \u200e ", ""},
		} {
			t.Run(c.what, func(t *testing.T) { assert.Equal(t, c.want, Escape(c.in)) })
		}
	})

	t.Run("every line is kept", func(t *testing.T) {
		assert.Equal(t, "one\ntwo\n\n  *three*\nfour", CleanLines(" one\r\ntwo\r\r  *three*\u2029four\u202e\n"))
	})

	t.Run("cut keeps its limit and whole characters", func(t *testing.T) {
		for _, c := range []struct {
			what, in string
			n        int
			want     string
		}{
			{"short enough", "abc", 3, "abc"},
			{"too long", "abcd", 3, "ab…"},
			{"a space before the cut", "ab cd", 4, "ab…"},
			{"two code units count as two", "😀😀", 3, "😀…"},
			{"a family stays together", "a👩‍👩‍👧", 8, "a…"},
			{"a flag stays together", "ab🇩🇪", 5, "ab…"},
			{"an accent stays with its letter", "abe\u0301", 3, "ab…"},
			{"a pile of marks is cut too", "e" + strings.Repeat("\u0301", 50), 10, "e" + strings.Repeat("\u0301", 8) + "…"},
		} {
			t.Run(c.what, func(t *testing.T) {
				got := Cut(c.in, c.n)
				assert.Equal(t, c.want, got)
				assert.LessOrEqual(t, length(got), c.n)
				assert.True(t, utf8.ValidString(got))
			})
		}
	})

	t.Run("decision value is parsed and a forged one refused", func(t *testing.T) {
		id, terms, err := ParseDecisionValue(DecisionValue(42, "abc123"))
		assert.NoError(t, err)
		assert.Equal(t, int64(42), id)
		assert.Equal(t, "abc123", terms)
		for _, wrong := range []string{"", "42", "42:", ":abc", "x:abc", "-1:abc", "0:abc", strings.Repeat("9", 5000) + ":abc"} {
			_, _, err := ParseDecisionValue(wrong)
			assert.Error(t, err, "%.20q", wrong)
			assert.Less(t, len(err.Error()), 300)
		}
	})
}
