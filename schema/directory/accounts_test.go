package directory_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/directory"
)

const accountsHeader = "email,instance,account\n"

// named returns the office where Ann and Di have account names of their own in PostgreSQL, and Ann holds no access.
func named(t testing.TB) folder {
	return office().with(t, "grants.csv", "ann@example.com,crm,reader\n", "").
		plus("accounts.csv", accountsHeader+"ann@example.com,POSTGRESQL,ann\ndi@example.com,POSTGRESQL,di\n")
}

// names returns the account names in an instance, by e-mail address.
func (c company) names(t testing.TB, instance string) map[string]string {
	t.Helper()
	var rows []struct{ Email, Account string }
	require.NoError(
		t,
		c.Select(
			&rows,
			`select p.email, a.account from accounts a join people p on p.id = a.person_id where a.instance = $1`,
			instance,
		),
	)
	names := map[string]string{}
	for _, row := range rows {
		names[row.Email] = row.Account
	}
	return names
}

func TestAccounts(t *testing.T) {
	t.Run("account is named by the file, else after the e-mail address", func(t *testing.T) {
		c := newCompany(t)
		summary := c.imports(t, named(t))
		want := map[string]string{
			"ann@example.com": "ann",
			"di@example.com":  "di",
			"bo@example.com":  "bo@example.com",
			"cy@example.com":  "cy@example.com",
		}
		assert.Equal(t, want, c.names(t, "POSTGRESQL"))
		assert.Contains(t, summary.Files, directory.FileSummary{File: "accounts.csv", Added: 2})

		summary = c.imports(t, named(t))
		assert.False(t, summary.Changed(), "the same files change nothing")
		summary = c.imports(t, folder{"accounts.csv": accountsHeader + "ann@example.com,POSTGRESQL,ann\n"})
		assert.False(t, summary.Changed(), "an account whose row is gone keeps its name")
		assert.Equal(t, want, c.names(t, "POSTGRESQL"))
	})

	t.Run("account with a new name in the file is renamed", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, named(t).without("accounts.csv"))
		summary := c.imports(t, named(t))
		assert.Contains(t, summary.Files, directory.FileSummary{File: "accounts.csv", Changed: 2})
		assert.Equal(t, "ann", c.names(t, "POSTGRESQL")["ann@example.com"])
		assert.Equal(t, 2, c.count(t, `select count(*) from audit_events where action = 'account.changed'`))
		assert.Equal(t, "ann@example.com>ann", c.text(t, `
		select details ->> 'before' || '>' || (details ->> 'after') from audit_events where action = 'account.changed' order by id limit 1`))

		// Two accounts can exchange names, and a new colleague can get a name that is free again.
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
		says := "accounts.csv:2: account: still holds access as ann@example.com (claims not confirmed removed: 1); revoke it first"
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
		assert.Regexp(t, `^accounts.csv:2: account: is used as di@example.com by request #\d+, which is still open; `+
			`wait until its access is set up, or withdraw it$`, refused.Problems[0].String())
		assert.Positive(t, number)

		c.exec(t, `update request_items set state = 'withdrawn' where id = $1`, item)
		c.imports(t, renamed)
	})

	t.Run("wrong row is refused with its line", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		for row, says := range map[string]string{
			"zed@example.com,POSTGRESQL,zed":                           "accounts.csv:2: email: no person has the e-mail address zed@example.com",
			"ann@example.com,ORACLE,ann":                               `accounts.csv:2: instance: no application uses the instance "ORACLE"`,
			"ann@example.com,POSTGRESQL,":                              "accounts.csv:2: account: is empty",
			"di@example.com,POSTGRESQL,bo@example.com":                 "accounts.csv:2: account: already belongs to bo@example.com in POSTGRESQL; an account belongs to one person",
			"di@example.com,POSTGRESQL," + strings.Repeat("a", 64):     "accounts.csv:2: account: is 64 bytes long; the limit in POSTGRESQL is 63",
			"di@example.com,POSTGRESQL,a\ndi@example.com,POSTGRESQL,b": "accounts.csv:3: email: di@example.com POSTGRESQL is already on line 2",
			"di@example.com,POSTGRESQL,a\nbo@example.com,POSTGRESQL,a": "accounts.csv:3: account: POSTGRESQL a is already on line 2",
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
		refused := c.refuses(
			t,
			named(t).with(t, "accounts.csv", "POSTGRESQL,ann\n", "POSTGRESQL,cy@example.com\n"),
			directory.Options{},
		)
		require.Len(t, refused.Problems, 1)
		assert.Equal(t, "people.csv:4: email: the account of cy@example.com in POSTGRESQL already belongs to another person; "+
			"accounts are never reassigned", refused.Problems[0].String())
	})

	t.Run("connector with account names of its own takes none from the e-mail address", func(t *testing.T) {
		c := newCompany(t)
		opts := directory.Options{Connectors: map[string]int{"postgresql": 63, "github": 39}, OwnNames: []string{"github"}}
		hub := named(
			t,
		).plus("applications.csv", "hub,Hub,github,bo@example.com\n").
			plus("entitlements.csv", "hub,team,Team,team,,low,\n").
			plus("accounts.csv", "ann@example.com,GITHUB,octoann\n")
		_, err := directory.Import(context.Background(), c.importer, hub.write(t), opts)
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"ann@example.com": "octoann"}, c.names(t, "GITHUB"))
		assert.Len(t, c.names(t, "POSTGRESQL"), 4)

		refused := c.refuses(t, hub.plus("grants.csv", "bo@example.com,hub,team\n"), opts)
		require.Len(t, refused.Problems, 1)
		assert.Equal(
			t,
			"grants.csv:4: email: bo@example.com has no account in GITHUB; add one to accounts.csv",
			refused.Problems[0].String(),
		)
		_, err = directory.Import(context.Background(), c.importer, hub.plus("grants.csv", "ann@example.com,hub,team\n").write(t), opts)
		require.NoError(t, err)
		assert.Equal(
			t,
			1,
			c.count(t, `select count(*) from claims c join accounts a on a.id = c.account_id where a.account = 'octoann'`),
		)

		c.exec(t, `update people set gone_at = app_now() where email = 'di@example.com'`)
		_, err = directory.Import(
			context.Background(),
			c.importer,
			folder{"accounts.csv": accountsHeader + "di@example.com,GITHUB,octodi\n"}.write(t),
			opts,
		)
		require.NoError(t, err)
		assert.Equal(t, "octodi", c.names(t, "GITHUB")["di@example.com"], "a person who is gone may still hold access")
	})
}
