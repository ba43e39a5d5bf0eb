package directory_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/directory"
)

const accountsHeader = "email,instance,account\n"

// named is the office where Ann and Di have names of their own in PostgreSQL, and Ann holds nothing.
func named(t testing.TB) folder {
	return office().with(t, "grants.csv", "ann@example.com,crm,reader\n", "").
		plus("accounts.csv", accountsHeader+"ann@example.com,POSTGRESQL,ann\ndi@example.com,POSTGRESQL,di\n")
}

// names are the accounts of people in an instance.
func (c company) names(t testing.TB, instance string) map[string]string {
	t.Helper()
	var rows []struct{ Email, Account string }
	require.NoError(t, c.Select(&rows, `select p.email, a.account from accounts a join people p on p.id = a.person_id where a.instance = $1`, instance))
	names := map[string]string{}
	for _, row := range rows {
		names[row.Email] = row.Account
	}
	return names
}

func TestAccounts(t *testing.T) {
	t.Run("account has the name in the file, else the e-mail", func(t *testing.T) {
		c := newCompany(t)
		summary := c.imports(t, named(t))
		want := map[string]string{"ann@example.com": "ann", "di@example.com": "di", "bo@example.com": "bo@example.com", "cy@example.com": "cy@example.com"}
		assert.Equal(t, want, c.names(t, "POSTGRESQL"))
		assert.Contains(t, summary.Files, directory.FileSummary{File: "accounts.csv", Added: 2})

		summary = c.imports(t, named(t))
		assert.False(t, summary.Changed(), "the same files change nothing")
		summary = c.imports(t, folder{"accounts.csv": accountsHeader + "ann@example.com,POSTGRESQL,ann\n"})
		assert.False(t, summary.Changed(), "a row that is no longer there leaves its account's name")
		assert.Equal(t, want, c.names(t, "POSTGRESQL"))
	})

	t.Run("account changes its name", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, named(t).without("accounts.csv"))
		summary := c.imports(t, named(t))
		assert.Contains(t, summary.Files, directory.FileSummary{File: "accounts.csv", Changed: 2})
		assert.Equal(t, "ann", c.names(t, "POSTGRESQL")["ann@example.com"])
		assert.Equal(t, 2, c.count(t, `select count(*) from audit_events where action = 'account.changed'`))
		assert.Equal(t, "ann@example.com>ann", c.text(t, `
		select details ->> 'before' || '>' || (details ->> 'after') from audit_events where action = 'account.changed' order by id limit 1`))

		// They may even change names with each other, and a new colleague may get one that has become free.
		c.imports(t, folder{"accounts.csv": accountsHeader + "ann@example.com,POSTGRESQL,di\ndi@example.com,POSTGRESQL,ann\n"})
		assert.Equal(t, "di", c.names(t, "POSTGRESQL")["ann@example.com"])
		assert.Equal(t, "ann", c.names(t, "POSTGRESQL")["di@example.com"])
		c.imports(t, named(t).plus("people.csv", "ed@example.com,Ed,,,,active\n").
			with(t, "accounts.csv", "di@example.com,POSTGRESQL,di\n", "di@example.com,POSTGRESQL,diana\ned@example.com,POSTGRESQL,di\n"))
		assert.Equal(t, "di", c.names(t, "POSTGRESQL")["ed@example.com"])
	})

	t.Run("account with unconfirmed claims keeps its name", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		renamed := folder{"accounts.csv": accountsHeader + "ann@example.com,POSTGRESQL,ann\n"}
		says := "accounts.csv:2: account: has claims that are not confirmed removed, 1 of them, as ann@example.com: revoke that access first"
		refused := c.refuses(t, renamed, directory.Options{})
		require.Len(t, refused.Problems, 1)
		assert.Equal(t, says, refused.Problems[0].String())

		// Ended is not enough, removed is.
		c.exec(t, `update claims set ended_at = app_now()`)
		assert.Equal(t, says, c.refuses(t, renamed, directory.Options{}).Problems[0].String())
		c.exec(t, `update claims set removed_at = app_now()`)
		c.imports(t, renamed)
	})

	t.Run("account with an open request keeps its name", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		number, item := c.asks(t, "di@example.com", "crm/reader", 0)
		renamed := folder{"accounts.csv": accountsHeader + "di@example.com,POSTGRESQL,di\n"}
		refused := c.refuses(t, renamed, directory.Options{})
		require.Len(t, refused.Problems, 1)
		assert.Regexp(t, `^accounts.csv:2: account: is asked for as di@example.com in request #\d+, which is not decided or not granted yet: let it end first$`, refused.Problems[0].String())
		assert.Positive(t, number)

		c.exec(t, `update request_items set state = 'withdrawn' where id = $1`, item)
		c.imports(t, renamed)
	})

	t.Run("wrong row is refused with its line", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		for row, says := range map[string]string{
			"zed@example.com,POSTGRESQL,zed":           "accounts.csv:2: email: no one has the e-mail zed@example.com",
			"ann@example.com,ORACLE,ann":               `accounts.csv:2: instance: no application is in "ORACLE"`,
			"ann@example.com,POSTGRESQL,":              "accounts.csv:2: account: is empty",
			"di@example.com,POSTGRESQL,bo@example.com": "accounts.csv:2: account: is that of bo@example.com in POSTGRESQL already: an account is one person's",
			"di@example.com,POSTGRESQL,0123456789012345678901234567890123456789012345678901234567890123": "accounts.csv:2: account: is 64 bytes long, at most 63 are possible in POSTGRESQL",
			"di@example.com,POSTGRESQL,a\ndi@example.com,POSTGRESQL,b":                                   "accounts.csv:3: email: di@example.com POSTGRESQL is on line 2 already",
			"di@example.com,POSTGRESQL,a\nbo@example.com,POSTGRESQL,a":                                   "accounts.csv:3: account: POSTGRESQL a is on line 2 already",
		} {
			files := folder{"accounts.csv": accountsHeader + row + "\n"}
			refused := c.refuses(t, files, directory.Options{})
			require.Len(t, refused.Problems, 1, row)
			assert.Equal(t, says, refused.Problems[0].String())
		}
		summary := c.imports(t, folder{"accounts.csv": accountsHeader + "Ann@Example.com, POSTGRESQL ,ann@example.com\n"})
		assert.Contains(t, summary.Files, directory.FileSummary{File: "accounts.csv", Unchanged: 1})
	})

	t.Run("default name that belongs to another person is refused", func(t *testing.T) {
		c := newCompany(t)
		refused := c.refuses(t, named(t).with(t, "accounts.csv", "POSTGRESQL,ann\n", "POSTGRESQL,cy@example.com\n"), directory.Options{})
		require.Len(t, refused.Problems, 1)
		assert.Equal(t, "people.csv:4: email: the account of cy@example.com in POSTGRESQL is someone else's already: an account keeps its person for good", refused.Problems[0].String())
	})

	t.Run("connector with names of its own gets none from the e-mail", func(t *testing.T) {
		c := newCompany(t)
		opts := directory.Options{Connectors: map[string]int{"postgresql": 63, "github": 39}, OwnNames: []string{"github"}}
		hub := named(t).plus("applications.csv", "hub,Hub,github,bo@example.com\n").plus("entitlements.csv", "hub,team,Team,team,,low,\n").
			plus("accounts.csv", "ann@example.com,GITHUB,octoann\n")
		_, err := directory.Import(context.Background(), c.importer, hub.write(t), opts)
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"ann@example.com": "octoann"}, c.names(t, "GITHUB"))
		assert.Len(t, c.names(t, "POSTGRESQL"), 4)

		refused := c.refuses(t, hub.plus("grants.csv", "bo@example.com,hub,team\n"), opts)
		require.Len(t, refused.Problems, 1)
		assert.Equal(t, "grants.csv:4: email: bo@example.com has no account in GITHUB: name it in accounts.csv", refused.Problems[0].String())
		_, err = directory.Import(context.Background(), c.importer, hub.plus("grants.csv", "ann@example.com,hub,team\n").write(t), opts)
		require.NoError(t, err)
		assert.Equal(t, 1, c.count(t, `select count(*) from claims c join accounts a on a.id = c.account_id where a.account = 'octoann'`))

		c.exec(t, `update people set gone_at = app_now() where email = 'di@example.com'`)
		_, err = directory.Import(context.Background(), c.importer, folder{"accounts.csv": accountsHeader + "di@example.com,GITHUB,octodi\n"}.write(t), opts)
		require.NoError(t, err)
		assert.Equal(t, "octodi", c.names(t, "GITHUB")["di@example.com"], "who is gone may hold something all the same")
	})
}
