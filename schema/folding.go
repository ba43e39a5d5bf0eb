package schema

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Names and search words are folded before they are compared: without case, accents and separators. Names are folded when the
// directory is imported (see WriteSearchKeys), words when they are searched for. This is the only definition.

// folded are letters that Unicode does not decompose, as people without them on their keyboard type them.
var folded = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ħ': "h", 'ŧ': "t", 'ı': "i", 'ŋ': "n",
	'ĸ': "k", 'ə': "e", 'ς': "σ",
	'ى': "ي", 'ی': "ي", 'ک': "ك", 'ة': "ه", 'ـ': "", // as Arabic and Persian keyboards differ
}

// spelledOut are letters that people also write as two: Jürgen and Juergen are one name.
var spelledOut = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "å", "aa", "ø", "oe",
	"Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "Å", "Aa", "Ø", "Oe")

// accented are the scripts whose marks are accents: without them a name is still read as that name.
var accented = []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Arabic, unicode.Hebrew}

// unspaced are the scripts in which a name is written without spaces.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul}

// fold folds letters. Separators stay as they are.
func fold(text string) string {
	var b strings.Builder
	accents := false
	for _, r := range norm.NFKD.String(text) {
		if unicode.Is(unicode.Mn, r) {
			if !accents {
				b.WriteRune(r)
			}
			continue
		}
		r = unicode.ToLower(r)
		accents = unicode.In(r, accented...)
		if r >= 'ァ' && r <= 'ヶ' {
			r -= 'ァ' - 'ぁ' // katakana to hiragana
		}
		if s, ok := folded[r]; ok {
			b.WriteString(s)
		} else {
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

// Apostrophes stand within a word: O'Brien is found as "obrien", and as "brien".
var apostrophes = strings.NewReplacer("’", "'", "‘", "'", "ʼ", "'", "`", "'", "´", "'", "＇", "'")

// foldedWords returns the folded words of a text, with its apostrophes.
func foldedWords(text string) []string {
	words := strings.FieldsFunc(fold(apostrophes.Replace(text)), func(r rune) bool {
		return r != '\'' && !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	})
	kept := words[:0]
	for _, word := range words {
		if word = strings.Trim(word, "'"); word != "" {
			kept = append(kept, word)
		}
	}
	return kept
}

// typedWords returns the folded words that were typed.
func typedWords(typed string) []string {
	words := foldedWords(typed)
	for n, word := range words {
		words[n] = cutKey(strings.ReplaceAll(word, "'", ""))
	}
	return words
}

// joined returns words joined where their script has no spaces: there a surname and a given name are one word.
func joined(words []string) []string {
	var all []string
	for n, word := range words {
		if n > 0 && endsUnspaced(words[n-1]) && startsUnspaced(word) {
			all[len(all)-1] += word
			continue
		}
		all = append(all, word)
	}
	return all
}

// wholeName returns folded words as one key.
func wholeName(words []string) string {
	return cutKey(strings.ReplaceAll(strings.Join(joined(words), " "), "'", ""))
}

func startsUnspaced(word string) bool {
	for _, r := range word {
		return unicode.In(r, unspaced...)
	}
	return false
}

func endsUnspaced(word string) bool {
	runes := []rune(word)
	return len(runes) > 0 && unicode.In(runes[len(runes)-1], unspaced...)
}

// wordKeys returns the keys of one word: the word, what follows an apostrophe, and in a script without spaces what begins at each
// character, because a given name can begin anywhere.
func wordKeys(word string) []string {
	keys := []string{strings.ReplaceAll(word, "'", "")}
	for rest := word; ; {
		_, after, found := strings.Cut(rest, "'")
		if !found {
			break
		}
		keys, rest = append(keys, strings.ReplaceAll(after, "'", "")), after
	}
	before := false
	for at, r := range word {
		is := unicode.In(r, unspaced...)
		if is && before {
			keys = append(keys, word[at:])
		}
		before = is
	}
	for n := range keys {
		keys[n] = cutKey(keys[n])
	}
	return keys
}

// longestKey keeps keys within the size limit of an index: one character can fold to eighteen.
const longestKey = 200

func cutKey(key string) string {
	n := 0
	for at := range key {
		if n++; n > longestKey {
			return key[:at]
		}
	}
	return key
}
