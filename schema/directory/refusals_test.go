package directory_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/directory"
)

func TestRefusal(t *testing.T) {
	t.Run("wrong file is refused with line, column and reason", func(t *testing.T) {
		c := newCompany(t)
		good := office()
		optional := folder{
			"people.csv": strings.NewReplacer("manager_email,status\n", "manager_email,status,time_zone,slack_user_id,administrator\n", "active\n", "active,Europe/Oslo,,no\n").
				Replace(good["people.csv"]),
			"applications.csv": strings.NewReplacer("connector,owners\n", "connector,owners,instance\n", "di@example.com\n", "di@example.com,WIKI\n", ",bo@example.com\n", ",bo@example.com,\n").
				Replace(good["applications.csv"]),
			"entitlements.csv": strings.NewReplacer("risk,owners\n", "risk,owners,requestable,max_days,target\n", "low,\n", "low,,,,\n", "cy@example.com\n", "cy@example.com,yes,30,\n").
				Replace(good["entitlements.csv"]),
			"grants.csv":     good["grants.csv"],
			"job_titles.csv": "job_title,application,key\nAnalyst,crm,reader\n",
			"reasons.csv":    "key,label,note_required\nproject,Project,false\nother,Other,true\n",
		}
		c.imports(t, optional)
		with := func(file, old, new string) folder { return optional.with(t, file, old, new) }

		for _, test := range []struct {
			what   string
			files  folder
			file   string
			line   int
			column string
			reason string
		}{
			{"a file without a header line", with("grants.csv", good["grants.csv"], ""), "grants.csv", 1, "", "is empty"},
			{"a missing column", with("people.csv", "job_title,department", "job_title"), "people.csv", 1, "department", "missing"},
			{"an unknown column", with("people.csv", "status", "status,nickname"), "people.csv", 1, "nickname", "is not a column of this file"},
			{"a column twice", with("people.csv", "time_zone", "status"), "people.csv", 1, "status", "twice"},
			{"a header that is not UTF-8", with("people.csv", "status", "status,\xff"), "people.csv", 1, "", "not UTF-8"},
			{"too few fields", with("people.csv", "Di,,,", "Di,,"), "people.csv", 5, "", "has 8 fields; the header line has 9"},
			{"too many fields", with("grants.csv", "cy@example.com,crm,reader", "cy@example.com,crm,reader,"), "grants.csv", 3, "", "has 4 fields"},
			{"a quote that is not closed", with("people.csv", "ann@example.com,Ann", `ann@example.com,"Ann`), "people.csv", 3, "", "not CSV"},
			{"a quote in the middle", with("people.csv", "ann@example.com,Ann", `ann@example.com,A"nn"`), "people.csv", 3, "", "not CSV"},

			{"no e-mail", with("people.csv", "di@example.com,Di", ",Di"), "people.csv", 5, "email", "is empty"},
			{"a wrong e-mail", with("people.csv", "di@example.com,Di", "di at example.com,Di"), "people.csv", 5, "email", "not an e-mail"},
			{"an e-mail twice, in another case", with("people.csv", "di@example.com,Di", "ANN@example.com,Di"), "people.csv", 5, "email", "ann@example.com is already on line 3"},
			{"an invisible character in an e-mail", with("people.csv", "di@example.com,Di", "d\u200bi@example.com,Di"), "people.csv", 5, "email", "contains the invisible character U+200B, character 2"},
			{"a private character in an e-mail", with("people.csv", "di@example.com,Di", "di@example.\ue000com,Di"), "people.csv", 5, "email", "contains the invisible character U+E000, character 12"},
			{"an unassigned character in a manager's e-mail", with("people.csv", "Di,,,bo@example.com", "Di,,,bo\U000e0fff@example.com"), "people.csv", 5, "manager_email", "invisible character U+E0FFF"},
			{"a byte order mark in an e-mail", with("people.csv", "di@example.com,Di", "\ufeffdi@example.com,Di"), "people.csv", 5, "email", "contains a byte order mark, U+FEFF"},
			{"a byte order mark in a name", with("people.csv", "com,Di", "com,D\ufeffi"), "people.csv", 5, "name", "contains a byte order mark, U+FEFF"},
			{"a second byte order mark", with("grants.csv", "email", "\ufeff\ufeffemail"), "grants.csv", 1, "", "contains the invisible character U+FEFF, character 1 of column name 1"},
			{"an invisible character in the header line", with("people.csv", "job_title", "job_\u00adtitle"), "people.csv", 1, "", "contains the invisible character U+00AD, character 5 of column name 3"},
			{"no name", with("people.csv", "di@example.com,Di", "di@example.com,"), "people.csv", 5, "name", "is empty"},
			{"a name beyond 200 characters", with("people.csv", "com,Di", "com,"+strings.Repeat("ö", 201)), "people.csv", 5, "name", "201 characters"},
			{"a name that is not UTF-8", with("people.csv", "com,Di", "com,D\xffi"), "people.csv", 5, "name", "not UTF-8"},
			{"a name with a NUL", with("people.csv", "com,Di", "com,D\x00i"), "people.csv", 5, "name", "control character U+0000"},
			{"an unknown manager", with("people.csv", "Di,,,bo@example.com", "Di,,,no-one@example.com"), "people.csv", 5, "manager_email", "no person has the e-mail address no-one@example.com"},
			{"their own manager", with("people.csv", "Di,,,bo@example.com", "Di,,,di@example.com"), "people.csv", 5, "manager_email", "own manager"},
			{"a management loop", with("people.csv", "Head,Data,", "Head,Data,di@example.com"), "people.csv", 2, "manager_email", "bo@example.com, whose manager is di@example.com, whose manager is bo@example.com"},
			{"an unknown status", with("people.csv", "active", "retired"), "people.csv", 2, "status", `"retired" is not one of active, suspended, left`},
			{"no status", with("people.csv", "active", ""), "people.csv", 2, "status", "is not one of"},
			{"an unknown time zone", with("people.csv", "Europe/Oslo", "Europe/Atlantis"), "people.csv", 2, "time_zone", "not a time zone"},
			{"the machine's own time zone", with("people.csv", "Europe/Oslo", "Local"), "people.csv", 2, "time_zone", "not a time zone"},
			{"a wrong boolean", with("people.csv", ",no", ",maybe"), "people.csv", 2, "administrator", "neither true nor false"},
			{"a wrong Slack user ID", with("people.csv", "Oslo,,", "Oslo,bo,"), "people.csv", 2, "slack_user_id", "not a Slack user ID"},
			{"a Slack user ID of two people", with("people.csv", "Oslo,,", "Oslo,U0001,").with(t, "people.csv", "Oslo,,", "Oslo,U0001,"),
				"people.csv", 3, "slack_user_id", "already belongs to bo@example.com on line 2"},

			{"a slug with capitals", with("applications.csv", "wiki,Wiki", "Wiki,Wiki"), "applications.csv", 3, "slug", "lower-case"},
			{"a slug twice", optional.plus("applications.csv", "crm,More,postgresql,,\n"), "applications.csv", 4, "slug", "crm is already on line 2"},
			{"an unknown connector", with("applications.csv", "Wiki,postgresql", "Wiki,sap"), "applications.csv", 3, "connector", `no connector "sap"; use one of: manual, postgresql`},
			{"an instance in lower case", with("applications.csv", "WIKI", "wiki"), "applications.csv", 3, "instance", "upper-case"},
			{"an unknown owner", with("applications.csv", "bo@example.com;di@example.com", "bo@example.com;no-one@example.com"), "applications.csv", 3, "owners", "no-one@example.com"},
			{"an invisible character in an owner", with("applications.csv", "di@example.com", "di\u2060@example.com"), "applications.csv", 3, "owners", "invisible character U+2060"},
			{"an invisible character in a slug", with("applications.csv", "wiki,Wiki", "wi\u200dki,Wiki"), "applications.csv", 3, "slug", "invisible character U+200D"},
			{"owners with commas between", with("applications.csv", "bo@example.com;di@example.com", `"bo@example.com,di@example.com"`), "applications.csv", 3, "owners", "semicolons"},

			{"an unknown application", with("entitlements.csv", "wiki,reader", "jira,reader"), "entitlements.csv", 5, "application", "no application jira"},
			{"no key", with("entitlements.csv", "wiki,reader", "wiki,"), "entitlements.csv", 5, "key", "is empty"},
			{"a key on two lines", with("entitlements.csv", "wiki,reader", "wiki,\"rea\nder\""), "entitlements.csv", 5, "key", "line break"},
			{"an invisible character in a key", with("entitlements.csv", "wiki,reader", "wiki,read\u202eer"), "entitlements.csv", 5, "key", "contains the invisible character U+202E, character 5"},
			{"a key of invisible characters", with("entitlements.csv", "wiki,reader", "wiki,\u3164"), "entitlements.csv", 5, "key", "invisible character U+3164"},
			{"an invisible character in an object", with("entitlements.csv", "low,,,,", "low,,,,read\u200cers"), "entitlements.csv", 2, "target", "invisible character U+200C"},
			{"an invisible character in an owner of an entitlement", with("entitlements.csv", "cy@example.com", "cy\u200b@example.com"), "entitlements.csv", 3, "owners", "invisible character U+200B"},
			{"a key twice", with("entitlements.csv", "wiki,reader", "crm,reader"), "entitlements.csv", 5, "key", "crm reader is already on line 2"},
			{"an unknown risk", with("entitlements.csv", "role,,low", "role,,tiny"), "entitlements.csv", 2, "risk", `"tiny" is not one of`},
			{"days that are not a number", with("entitlements.csv", ",30,", ",many,"), "entitlements.csv", 3, "max_days", "number of days"},
			{"a limit of zero days", with("entitlements.csv", ",30,", ",0,"), "entitlements.csv", 3, "max_days", "number of days"},
			{"an unknown owner of an entitlement", with("entitlements.csv", "cy@example.com", "no-one@example.com"), "entitlements.csv", 3, "owners", "no-one@example.com"},
			{"a target that is too long", with("entitlements.csv", "low,,,,", "low,,,,"+strings.Repeat("t", 64)), "entitlements.csv", 2, "target", "64 bytes long"},
			{"an object twice", with("entitlements.csv", "yes,30,", "yes,30,crm/reader"), "entitlements.csv", 3, "target", "crm/reader in POSTGRESQL is already the object of crm/reader on line 2"},

			{"a grant to an unknown person", with("grants.csv", "ann@example.com", "no-one@example.com"), "grants.csv", 2, "email", "no person has the e-mail address no-one@example.com"},
			{"an invisible character in the e-mail of a grant", with("grants.csv", "ann@example.com", "ann\ufe0f@example.com"), "grants.csv", 2, "email", "invisible character U+FE0F"},
			{"a look-alike of a person", with("grants.csv", "ann@example.com,crm", "ann@example.\u212acom,crm"), "grants.csv", 2, "email", "no person has the e-mail address"},
			{"an invisible character in the key of a grant", with("grants.csv", "wiki,reader", "wiki,rea\u2064der"), "grants.csv", 4, "key", "invisible character U+2064"},
			{"a grant of an unknown entitlement", with("grants.csv", "wiki,reader", "wiki,writer"), "grants.csv", 4, "key", "no entitlement writer in application wiki"},
			{"a grant twice", with("grants.csv", "cy@example.com,crm", "ann@example.com,crm"), "grants.csv", 3, "key", "ann@example.com crm reader is already on line 2"},

			{"an invisible character in a title's entitlement", with("job_titles.csv", "crm,reader", "crm,rea\u2029der"), "job_titles.csv", 2, "key", "invisible character U+2029"},
			{"an invisible character in an account", optional.plus("accounts.csv", "email,instance,account\nann@example.com,POSTGRESQL,ann\u061c\n"), "accounts.csv", 2, "account", "contains the invisible character U+061C, character 4"},
			{"an unknown entitlement of a title", with("job_titles.csv", "crm,reader", "crm,boss"), "job_titles.csv", 2, "key", "no entitlement boss in application crm"},
			{"a title's entitlement that is being retired", with("job_titles.csv", "crm,reader", "crm,writer").
				with(t, "entitlements.csv", "crm,writer", "crm,editor"), "job_titles.csv", 2, "key", "no entitlement writer"},
			{"no reasons", with("reasons.csv", "project,Project,false\nother,Other,true\n", ""), "reasons.csv", 0, "", "has no rows"},
			{"a label that is too long for Slack", with("reasons.csv", "Project", strings.Repeat("x", 76)), "reasons.csv", 2, "label", "76 characters"},
			{"a reason twice", with("reasons.csv", "other,Other", "project,Other"), "reasons.csv", 3, "key", "project is already on line 2"},
		} {
			t.Run(test.what, func(t *testing.T) {
				refused := c.refuses(t, test.files, directory.Options{})
				require.Len(t, refused.Problems, 1, refused)
				p := refused.Problems[0]
				assert.Equal(t, test.file, p.File)
				assert.Equal(t, test.line, p.Line)
				assert.Equal(t, test.column, p.Column)
				assert.Contains(t, p.Reason, test.reason)
				assert.Contains(t, refused.Error(), "nothing was changed:\n"+p.String())
			})
		}
	})

	t.Run("one instance is one target system", func(t *testing.T) {
		c := newCompany(t)
		refused := c.refuses(t, office().with(t, "applications.csv", "connector,owners\n", "connector,owners,instance\n").
			with(t, "applications.csv", ",bo@example.com\n", ",bo@example.com,MAIN\n").
			with(t, "applications.csv", "Wiki,postgresql,bo@example.com;di@example.com", "Wiki,ldap,bo@example.com,MAIN"),
			directory.Options{Connectors: map[string]int{"postgresql": 63, "ldap": 0}})
		require.NotEmpty(t, refused.Problems)
		assert.Equal(
			t,
			"applications.csv:2: instance: MAIN already uses the connector ldap, for wiki; one instance is one target system",
			refused.Problems[0].String(),
		)
	})

	t.Run("line numbers count line breaks in quotes", func(t *testing.T) {
		refused := newCompany(
			t,
		).refuses(t, office().with(t, "entitlements.csv", "wiki,reader,Read,role,,low", "wiki,reader,Read,role,,none"), directory.Options{})
		assert.Equal(t, 5, refused.Problems[0].Line, "the third row is on the fifth line")
	})

	t.Run("twenty problems are listed and the rest are counted", func(t *testing.T) {
		c := newCompany(t)
		refused := c.refuses(t, office().
			with(t, "people.csv", "ann@example.com,Ann", "ann,").
			with(t, "applications.csv", "postgresql", "sap").
			with(t, "entitlements.csv", "low", "none"), directory.Options{})
		assert.Len(t, refused.Problems, 4)

		refused = c.refuses(t, office().plus("grants.csv", strings.Repeat("ann@example.com,crm,nothing\n", 30)), directory.Options{})
		assert.Len(t, refused.Problems, 20)
		assert.Equal(t, 29+10, refused.More, "29 duplicate rows, and 30 of an unknown entitlement, less the 20 listed")
		assert.Contains(t, refused.Error(), "and 39 more")
	})

	t.Run("long management loop is listed once and shortened", func(t *testing.T) {
		c := newCompany(t)
		var people strings.Builder
		people.WriteString("email,name,job_title,department,manager_email,status\n")
		for i := range 26 {
			people.WriteString(string(rune('a'+i)) + "@example.com,P,,," + string(rune('a'+(i+1)%26)) + "@example.com,active\n")
		}
		refused := c.refuses(t, folder{"people.csv": people.String()}, directory.Options{})
		require.Len(t, refused.Problems, 1)
		assert.Contains(t, refused.Problems[0].Reason, "a@example.com, whose manager is b@example.com")
		assert.Contains(t, refused.Problems[0].Reason, ", and so on through 17 others back to a@example.com")
	})

	t.Run("management loop through a person who is gone names a line of the file", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		refused := c.refuses(t, office().with(t, "people.csv", "cy@example.com,Cy,Analyst,Data,bo@example.com,active\n", "").
			with(t, "people.csv", "bo@example.com,Bo,Head,Data,,", "bo@example.com,Bo,Head,Data,cy@example.com,"), directory.Options{})
		require.Len(t, refused.Problems, 1)
		assert.Equal(
			t,
			"people.csv:2: manager_email: is part of a management loop: bo@example.com, whose manager is cy@example.com, whose manager is bo@example.com",
			refused.Problems[0].String(),
		)
	})
}
