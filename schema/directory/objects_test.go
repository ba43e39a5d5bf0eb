package directory_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/directory"
)

func (c company) targets(t testing.TB) []string {
	t.Helper()
	var targets []string
	require.NoError(t, c.Select(&targets, `
		select a.slug || '/' || e.key || ' ' || e.instance || ' ' || e.target from entitlements e join applications a on a.id = e.application_id order by 1`))
	return targets
}

// targeted returns the office with an empty target column.
func targeted(t testing.TB) folder {
	return office().with(t, "entitlements.csv", "risk,owners\n", "risk,owners,target\n").
		with(t, "entitlements.csv", "crm,reader,Read,role,,low,\n", "crm,reader,Read,role,,low,,\n").
		with(t, "entitlements.csv", "cy@example.com\n", "cy@example.com,\n").
		with(t, "entitlements.csv", "wiki,reader,Read,role,,low,\n", "wiki,reader,Read,role,,low,,\n")
}

func TestObjects(t *testing.T) {
	t.Run("same key in two applications is two objects", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		assert.Equal(
			t,
			[]string{"crm/reader POSTGRESQL crm/reader", "crm/writer POSTGRESQL crm/writer", "wiki/reader POSTGRESQL wiki/reader"},
			c.targets(t),
		)
		assert.Equal(
			t,
			[]string{"ann@example.com crm/reader imported", "cy@example.com crm/reader imported", "cy@example.com wiki/reader imported"},
			c.claims(t),
		)

		c.imports(t, office().with(t, "grants.csv", "cy@example.com,crm,reader\n", ""))
		assert.Equal(
			t,
			[]string{"ann@example.com crm/reader imported", "cy@example.com wiki/reader imported"},
			c.claims(t),
			"ending one keeps the other",
		)
	})

	t.Run("instance defaults to the connector's name", func(t *testing.T) {
		c := newCompany(t)
		summary, err := directory.Import(
			context.Background(),
			c.importer,
			folder{"applications.csv": `slug,name,connector,owners,instance
a,A,postgresql,,
b,B,postgresql,,SECOND
c,C,open-ldap.v3,,
`}.write(t),
			directory.Options{Connectors: map[string]int{"postgresql": 63, "open-ldap.v3": 0}},
		)
		require.NoError(t, err)
		assert.Equal(t, 3, of(t, summary, "applications.csv").Added)
		assert.Equal(t, "POSTGRESQL SECOND OPEN_LDAP_V3", c.text(t, `select string_agg(instance, ' ' order by slug) from applications`))
	})

	t.Run("absent column leaves its values alone", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, folder{
			"people.csv":       "email,name,job_title,department,manager_email,status,time_zone,slack_user_id,administrator\nbo@example.com,Bo,,,,active,Asia/Tokyo,U0B0,true\n",
			"applications.csv": "slug,name,connector,owners,instance\ncrm,Customers,postgresql,,SALES\n",
			"entitlements.csv": "application,key,name,kind,description,risk,owners,requestable,max_days,target\ncrm,reader,Read,role,,low,,false,7,readers\n",
		})
		before := c.contents(t)
		short := folder{
			"people.csv":       "email,name,job_title,department,manager_email,status\nbo@example.com,Bo,,,,active\n",
			"applications.csv": "slug,name,connector,owners\ncrm,Customers,postgresql,\n",
			"entitlements.csv": "application,key,name,kind,description,risk,owners\ncrm,reader,Read,role,,low,\n",
		}
		assert.False(t, c.imports(t, short).Changed())
		assert.Equal(t, before, c.contents(t))

		c.imports(t, short.with(t, "people.csv", "Bo", "Bodil").with(t, "entitlements.csv", "Read", "Look"))
		assert.Equal(
			t,
			"Bodil Asia/Tokyo U0B0 true",
			c.text(t, `select concat_ws(' ', name, time_zone, slack_user_id, administrator::text) from people`),
		)
		assert.Equal(
			t,
			"Look false 7 readers SALES",
			c.text(t, `select concat_ws(' ', name, requestable::text, max_days, target, instance) from entitlements`),
		)
	})

	t.Run("name over the target's limit is cut between characters with a hash", func(t *testing.T) {
		c := newCompany(t)
		long := strings.Repeat("k", 49) + strings.Repeat("ö", 20) // crm/ and this are 93 bytes, the 54th falls within an ö
		mailbox := strings.Repeat("m", 60) + "@example.com"
		c.imports(t, office().
			plus("entitlements.csv", "crm,"+long+",Long,role,,low,\ncrm,"+long+"x,Longer,role,,low,\n").
			plus("people.csv", mailbox+",Em,,,,active\n"))

		cut := func(whole, kept string) string {
			sum := sha256.Sum256([]byte(whole))
			return kept + "~" + hex.EncodeToString(sum[:])[:8]
		}
		target := c.text(t, `select target from entitlements where name = 'Long'`)
		assert.Equal(t, cut("crm/"+long, "crm/"+strings.Repeat("k", 49)), target)
		assert.LessOrEqual(t, len(target), 63)
		assert.NotEqual(
			t,
			target,
			c.text(t, `select target from entitlements where name = 'Longer'`),
			"names with the same beginning stay different",
		)

		account := c.text(t, `select account from accounts a join people p on p.id = a.person_id where p.name = 'Em'`)
		assert.Equal(t, cut(mailbox, mailbox[:54]), account)
		assert.Len(t, account, 63)
	})

	t.Run("retired entitlement keeps its object", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, targeted(t))
		refused := c.refuses(
			t,
			targeted(t).with(t, "entitlements.csv", "wiki,reader,Read,role,,low,,", "wiki,viewer,Read,role,,low,,wiki/reader"),
			directory.Options{},
		)
		require.Len(t, refused.Problems, 1)
		assert.Equal(
			t,
			"entitlements.csv:5: target: wiki/reader in POSTGRESQL is already the object of wiki/reader",
			refused.Problems[0].String(),
		)
	})

	t.Run("object that is held can't be changed", func(t *testing.T) {
		moved := targeted(t).with(t, "entitlements.csv", "wiki,reader,Read,role,,low,,", "wiki,reader,Read,role,,low,,wiki/other")
		elsewhere := office().with(t, "applications.csv", "connector,owners\n", "connector,owners,instance\n").
			with(t, "applications.csv", ",bo@example.com\n", ",bo@example.com,\n").
			with(t, "applications.csv", "di@example.com\n", "di@example.com,WIKI\n")
		otherKind := office().with(t, "applications.csv", "Wiki,postgresql", "Wiki,ldap")
		connectors := directory.Options{Connectors: map[string]int{"postgresql": 63, "ldap": 0}}

		c := newCompany(t)
		c.imports(t, office())
		for _, test := range []struct {
			files folder
			says  string
		}{
			{moved, "entitlements.csv:5: target: access is still held through wiki/reader (claims not confirmed removed: 1); " +
				"keep that target, or retire this entitlement and add one with a new key"},
			{elsewhere, "applications.csv:3: instance: access is still held in POSTGRESQL (claims not confirmed removed: 1); " +
				"keep that instance, or retire this application and add one with a new slug"},
			{otherKind, "applications.csv:3: instance: access is still held in POSTGRESQL (claims not confirmed removed: 1); " +
				"keep that instance, or retire this application and add one with a new slug"},
		} {
			refused := c.refuses(t, test.files, connectors)
			require.Len(t, refused.Problems, 1)
			assert.Equal(t, test.says, refused.Problems[0].String())
		}

		// Ended is not enough, removed is.
		c.exec(
			t,
			`update claims set ended_at = app_now() where entitlement_id = (select id from entitlements where target = 'wiki/reader')`,
		)
		_ = c.refuses(t, moved.without("grants.csv"), connectors)
		c.exec(t, `update claims set removed_at = app_now() where ended_at is not null`)
		for _, free := range []struct {
			files folder
			then  string
		}{
			{moved, "wiki/reader POSTGRESQL wiki/other"},
			{elsewhere, "wiki/reader WIKI wiki/other"}, // without a target column
			{otherKind, "wiki/reader LDAP wiki/other"},
		} {
			summary, err := directory.Import(context.Background(), c.importer, free.files.without("grants.csv").write(t), connectors)
			require.NoError(t, err)
			assert.True(t, summary.Changed())
			assert.Contains(t, c.targets(t), free.then)
		}
	})

	t.Run("two objects exchange names in one import", func(t *testing.T) {
		c := newCompany(t)
		free := targeted(
			t,
		).with(t, "grants.csv", "ann@example.com,crm,reader\ncy@example.com,crm,reader\ncy@example.com,wiki,reader\n", "")
		c.imports(t, free)
		c.imports(t, free.with(t, "entitlements.csv", "crm,reader,Read,role,,low,,", "crm,reader,Read,role,,low,,wiki/reader").
			with(t, "entitlements.csv", "wiki,reader,Read,role,,low,,", "wiki,reader,Read,role,,low,,crm/reader"))
		assert.Equal(
			t,
			[]string{"crm/reader POSTGRESQL wiki/reader", "crm/writer POSTGRESQL crm/writer", "wiki/reader POSTGRESQL crm/reader"},
			c.targets(t),
		)
	})

	t.Run("account stays when the e-mail address changes", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		c.exec(t, `update people set email = 'ann.married@example.com' where email = 'ann@example.com'`)
		renamed := office().with(t, "people.csv", "ann@", "ann.married@").with(t, "grants.csv", "ann@", "ann.married@")
		before := c.contents(t)
		c.imports(t, renamed)
		assert.Equal(t, before["accounts"], c.contents(t)["accounts"])
		assert.Equal(t, before["claims"], c.contents(t)["claims"])

		refused := c.refuses(t, renamed.plus("people.csv", "ann@example.com,Another Ann,,,,active\n"), directory.Options{})
		require.Len(t, refused.Problems, 1)
		assert.Equal(t, "people.csv:6: email: the account of ann@example.com in POSTGRESQL already belongs to another person; "+
			"accounts are never reassigned", refused.Problems[0].String())
	})

	t.Run("new instance adds an account for every person", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		c.imports(t, folder{"applications.csv": office()["applications.csv"] + "pay,Payroll,postgresql,\n"}.
			with(t, "applications.csv", "connector,owners\n", "connector,owners,instance\n").
			with(t, "applications.csv", ",bo@example.com\n", ",bo@example.com,\n").
			with(t, "applications.csv", "di@example.com\n", "di@example.com,\n").
			with(t, "applications.csv", "pay,Payroll,postgresql,\n", "pay,Payroll,postgresql,,SAFE\n"))
		assert.Equal(t, 4, c.count(t, `select count(*) from accounts where instance = 'SAFE'`))
		assert.Equal(t, 4, c.count(t, `select count(*) from accounts where instance = 'POSTGRESQL'`))
	})
}
