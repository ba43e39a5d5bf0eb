package directory

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	address "accessbot/schema/email"
)

// FuzzSheet reads any bytes as a sheet with a column of each type. Values that are not refused must fit into the database.
func FuzzSheet(f *testing.F) {
	for _, seed := range []string{
		"email,name,key,emails,status,yes,days,zone,user\na@b.example,A,k,a@b.example;c@d.example,active,yes,3,Europe/Berlin,U024BE7LH\n",
		"\ufeffname,email\nA,a@b\n\"x\ny\",z@z\n", "email,name\n\"a,b\n", "email\n", "", "name,name\n", "email,name\n\xff,\x00\n", "email,name,zone\na@b,A,../../etc/passwd\n",
		"email,name,days\na@b,A,99999999999\n",
		"email,name\npr\u0130ya@\u212a.example,A\n", "email,name,key\na\u200b@b,A,\ufeffk\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var noted problems
		s := newSheet(
			"x.csv",
			bytes.NewReader(file),
			[]string{"email", "name"},
			[]string{"key", "emails", "status", "yes", "days", "zone", "user"},
			&noted,
		)
		for s.next() {
			before := len(noted.list) + noted.more
			email, name, key := s.required("email", s.email("email")), s.required("name", s.text("name")), s.key("key")
			emails, status := s.emails("emails"), s.oneOf("status", "active", "left", "")
			s.boolean("yes", true)
			days, zone, user := s.days("days"), s.zone("zone"), s.slackUserID("user")
			if len(noted.list)+noted.more > before {
				continue
			}
			require.True(t, isEmail(email) && email == address.Lower(email), email)
			for _, compared := range append([]string{email, key}, emails...) {
				place, _ := address.Invisible(compared)
				require.Zero(t, place, "%+q", compared)
			}
			require.NotEmpty(t, name)
			for _, text := range append([]string{email, name, key, status}, emails...) {
				require.True(t, utf8.ValidString(text))
				require.False(t, strings.ContainsFunc(text, unicode.IsControl), "%q", text)
			}
			require.True(t, days == nil || *days >= 0 && *days <= maxDays)
			require.True(t, user == nil || *user == "" || slackUserID.MatchString(*user))
			require.True(t, zone == nil || !strings.Contains(*zone, ".."))
		}
		require.NoError(t, s.err)
		for _, p := range noted.list {
			require.Positive(t, p.Line)
			require.NotEmpty(t, p.Reason)
		}
	})
}
