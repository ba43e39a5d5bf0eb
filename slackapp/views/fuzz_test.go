package views

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzValues: a value from a button, a block or a modal is read as what it was made of, or refused.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{DecisionValue(7, "abc"), ListValue(ListAccess, 2), ListValue("items.7", 1), BlockGrants(3, 4), "1:x;1,2,3", "0:x", ":", ";", "", "9999999999999999999:x", "grants.-1.x", "7:a:b", "\x00"} {
		f.Add(seed, "1")
	}
	f.Fuzz(func(t *testing.T, value, ticked string) {
		if id, terms, err := ParseDecisionValue(value); err == nil {
			require.Positive(t, id)
			again, same, err := ParseDecisionValue(DecisionValue(id, terms))
			require.NoError(t, err)
			require.True(t, again == id && same == terms)
		}
		if list, page, err := ParseListValue(value); err == nil {
			require.Positive(t, page)
			again, same, err := ParseListValue(ListValue(list, page))
			require.NoError(t, err)
			require.True(t, again == list && same == page)
		}
		if generation, group, ok := ParseGrantsBlock(value); ok {
			again, same, ok := ParseGrantsBlock(BlockGrants(generation, group))
			require.True(t, ok && again == generation && same == group)
		}
		if c, err := ParseChosen(value, []string{ticked}); err == nil {
			require.Subset(t, c.Shown, c.Ticked)
			require.NotEmpty(t, c.Shown)
		}
		if own, list := BelowOf(OverList(DecisionValue(7, ticked), value)); !strings.Contains(ticked, overList) {
			require.True(t, own == DecisionValue(7, ticked) && list == value)
		}
		for _, of := range []func(string) (int64, bool){ItemsOf, HolderOf} {
			if id, ok := of(value); ok {
				require.Positive(t, id)
				require.True(t, strings.HasSuffix(strings.TrimLeft(value, "0+"), strconv.FormatInt(id, 10)))
			}
		}
	})
}

var entity = regexp.MustCompile(`&(amp|lt|gt);`)

// FuzzText: no text notifies anyone, makes a link or a second line, or formats the text next to it.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"<!channel>", "<@U1>", "*a* _b_ ~c~ `d`", "a\nb", "\u202eabc", "\x00\xff", "&lt;", ":smile:", "אבג", "https://example.com|x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		shown := Escape(text)
		require.True(t, utf8.ValidString(shown))
		require.NotContains(t, entity.ReplaceAllString(shown, ""), "&")
		require.False(t, strings.ContainsAny(shown, "<>\n\r\x00\u202e\u202d"), shown)
		require.Equal(t, Clean(text), Clean(Clean(text)))
		require.LessOrEqual(t, utf8.RuneCountInString(Cut(text, 20)), 20)
		require.False(t, strings.ContainsAny(Clean(text), "\n\x00"))
	})
}
