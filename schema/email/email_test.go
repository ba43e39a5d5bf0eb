package email

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLower(t *testing.T) {
	t.Run("only ASCII letters are lowered", func(t *testing.T) {
		assert.Equal(t, "ann.o'neil+z@example.com", Lower("Ann.O'Neil+Z@EXAMPLE.com"))
	})
	t.Run("no other character becomes an ASCII one", func(t *testing.T) {
		for r := rune(utf8.RuneSelf); r <= unicode.MaxRune; r++ {
			if utf8.ValidRune(r) && Lower(string(r)) != string(r) {
				require.Failf(t, "changed", "%U", r)
			}
		}
	})
	t.Run("different bytes that are not UTF-8 stay different", func(t *testing.T) {
		assert.NotEqual(t, Lower("a\xff@example.com"), Lower("a\xfe@example.com"))
	})
}

func TestIsASCII(t *testing.T) {
	assert.True(t, IsASCII("ann@example.com"))
	for _, address := range []string{"pr\u0130ya@example.com", "\u212Aenji@example.com", "\u017Fam@example.com", "ann\u200b@example.com", "a\xff@example.com"} {
		assert.False(t, IsASCII(address), "%+q", address)
	}
}

// FuzzLower checks that two addresses are equal only if they differ in nothing but the case of ASCII letters.
func FuzzLower(f *testing.F) {
	for _, pair := range [][2]string{
		{"ann@example.com", "ANN@Example.com"}, {"priya@example.com", "pr\u0130ya@example.com"}, {"kenji@example.com", "\u212Aenji@example.com"},
		{"sam@example.com", "\u017Fam@example.com"}, {"a\xff", "a\xfe"}, {"a\xff", "a\ufffd"}, {"[@", "{`"}, {"", "\x00"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		same := len(a) == len(b)
		for i := 0; same && i < len(a); i++ {
			x, y := a[i], b[i]
			same = x == y || x|0x20 == y|0x20 && 'a' <= x|0x20 && x|0x20 <= 'z'
		}
		require.Equal(t, same, Lower(a) == Lower(b), "%+q and %+q", a, b)
		require.Equal(t, Lower(a), Lower(Lower(a)))
	})
}

func TestInvisible(t *testing.T) {
	t.Run("invisible character is found with its place", func(t *testing.T) {
		for _, r := range []rune{'\u00AD', '\u034F', '\u061C', '\u115F', '\u180B', '\u200B', '\u200D', '\u2028', '\u202E', '\u2060', '\u3164', '\uE000',
			'\uFE0F', '\uFEFF', '\uFFA0', '\uFFFE', '\U000E0041', '\U000E0100', '\U0010FFFD'} {
			place, found := Invisible("zoë" + string(r) + "@example.com")
			assert.Equal(t, 4, place, "%U", r)
			assert.Equal(t, r, found)
		}
	})
	t.Run("visible characters are not reported", func(t *testing.T) {
		for _, value := range []string{"", "zoë.o'brien+1@exämple.com", "田中 健二", "مريم", "team/🚀", "a\xffb"} {
			place, _ := Invisible(value)
			assert.Zero(t, place, value)
		}
	})
}
