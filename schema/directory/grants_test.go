package directory_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/directory"
)

// exportedAt writes the folder, with a grants.csv last written at that time.
func (f folder) exportedAt(t testing.TB, at time.Time) string {
	t.Helper()
	dir := f.write(t)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "grants.csv"), at, at))
	return dir
}

func (c company) importsFrom(t testing.TB, dir string) directory.Summary {
	t.Helper()
	summary, err := directory.Import(context.Background(), c.importer, dir, directory.Options{})
	require.NoError(t, err)
	return summary
}

func TestImportedGrant(t *testing.T) {
	t.Run("grant becomes a claim without an end", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		assert.Equal(t, 3, c.count(t, `
		select count(*) from claims c join people p on p.id = c.person_id join accounts a on a.id = c.account_id and a.person_id = p.id and a.account = p.email
		 where c.source = 'imported' and c.granted_at <= app_now() and c.ends_at is null and c.due_at is null and c.item_id is null`))
	})

	// Otherwise the imported claim would keep the access after its end.
	t.Run("export taken during a temporary grant imports no claim", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		now := time.Now()
		claim := c.gets(t, "ann@example.com", "crm/writer", 7)
		during := office().plus("grants.csv", "ann@example.com,crm,writer\n").exportedAt(t, now)
		held := c.claims(t)

		for _, step := range []struct{ what, then string }{
			{"while it is live", ``},
			{"after its end, before it was revoked", `update clock set shift = interval '7 days 1 minute'`},
			{"after its end was recorded, before the target was seen without it", `update claims set ended_at = app_now(), end_reason = 'end reached' where id = $1`},
			{"after the target was seen without it", `update claims set removed_at = app_now() where id = $1`},
		} {
			t.Run(step.what, func(t *testing.T) {
				if step.then != "" {
					args := []any{}
					if step.then[:12] != "update clock" {
						args = append(args, claim)
					}
					c.exec(t, step.then, args...)
				}
				before := c.contents(t)
				summary := c.importsFrom(t, during)
				assert.Equal(t, 1, summary.Skipped)
				assert.Contains(t, summary.String(), "rows of grants.csv skipped, because accessbot granted or revoked that access itself: 1")
				assert.False(t, summary.Changed(), summary)
				assert.Equal(t, before, c.contents(t))
			})
		}
		assert.Equal(t, []string{"ann@example.com crm/reader imported", "ann@example.com crm/writer request"}, held[:2])
		assert.NotContains(t, c.claims(t), "ann@example.com crm/writer imported")

		later := office().plus("grants.csv", "ann@example.com,crm,writer\n").exportedAt(t, now.AddDate(0, 0, 8))
		summary := c.importsFrom(t, later)
		assert.Zero(t, summary.Skipped)
		assert.Contains(t, c.claims(t), "ann@example.com crm/writer imported", "a later export shows access of another origin")
	})

	t.Run("old export does not revive revoked access", func(t *testing.T) {
		c := newCompany(t)
		dir := office().write(t)
		c.importsFrom(t, dir)
		const anns = `(select c.id from claims c join people p on p.id = c.person_id where p.email = 'ann@example.com')`
		c.exec(
			t,
			`insert into stop_orders (claim_id, person_id, kind, reason) select `+anns+`, id, 'revoked', 'not needed' from people where email = 'bo@example.com'`,
		)
		for _, then := range []string{
			``, `update claims set ended_at = app_now() where revoked_at is not null`, `update claims set removed_at = app_now() where revoked_at is not null`,
		} {
			if then != "" {
				c.exec(t, then)
			}
			assert.False(t, c.importsFrom(t, dir).Changed())
			assert.Equal(t, 1, c.count(t, `select count(*) from claims where id in `+anns))
		}
	})

	t.Run("imported claim next to a request stays", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		c.gets(t, "ann@example.com", "crm/reader", 7)
		summary := c.imports(t, office())
		assert.False(t, summary.Changed())
		assert.Zero(t, summary.Skipped)
		assert.Contains(t, c.claims(t), "ann@example.com crm/reader imported")
	})

	t.Run("claim without its row ends and returns as another claim", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		claim := c.count(t, `select c.id from claims c join people p on p.id = c.person_id where p.email = 'ann@example.com'`)
		c.imports(t, office().with(t, "grants.csv", "ann@example.com,crm,reader\n", ""))
		assert.Equal(t, 1, c.count(t, `
		select count(*) from claims where id = $1 and ended_at is not null and removed_at is not null and end_reason = 'no longer in grants.csv' and due_at is null`, claim))
		assert.Equal(t, 1, c.count(t, `select count(*) from claims where ended_at is not null`))

		c.imports(t, office())
		assert.Equal(
			t,
			2,
			c.count(t, `select count(*) from claims c join people p on p.id = c.person_id where p.email = 'ann@example.com'`),
		)
		assert.Equal(t, 1, c.count(t, `select count(*) from audit_events where action = 'claim.ended' and claim_id = $1`, claim))
		assert.Equal(
			t,
			c.count(t, `select count(*) from claims where source = 'imported'`),
			c.count(t, `select count(*) from audit_events where action = 'claim.imported'`),
		)
	})

	t.Run("unconfirmed removals are due once the last claim ends", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		over := c.gets(t, "ann@example.com", "crm/reader", 7) // ends while the imported claim holds the access
		c.exec(t, `update claims set ended_at = app_now() where id = $1`, over)
		before := c.gets(t, "cy@example.com", "wiki/reader", 7)
		c.exec(t, `update claims set ended_at = app_now() where id = $1`, before)
		c.gets(t, "cy@example.com", "wiki/reader", 7)
		earlier := c.gets(t, "di@example.com", "wiki/reader", 7)
		c.exec(t, `update claims set ended_at = app_now() where id = $1`, earlier)

		c.imports(
			t,
			office().with(t, "grants.csv", "ann@example.com,crm,reader\n", "").with(t, "grants.csv", "cy@example.com,wiki,reader\n", ""),
		)
		due := func(claim int64) bool {
			return c.count(t, `select count(*) from claims where id = $1 and due_at <= app_now()`, claim) == 1
		}
		assert.True(t, due(over), "no live claim is left, so the sweep reconciles the assignment")
		assert.False(t, due(before), "another request still keeps that access")
		assert.False(t, due(earlier), "the import did not end a claim on this assignment")
	})

	t.Run("claims of other sources are not ended", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		c.gets(t, "di@example.com", "crm/writer", 0)
		c.exec(t, `insert into claims (person_id, account_id, entitlement_id, source, granted_at)
		select p.id, a.id, e.id, 'unexpected', app_now() from people p join accounts a on a.person_id = p.id, entitlements e
		 where p.email = 'bo@example.com' and e.target = 'wiki/reader'`)
		c.imports(t, office().with(t, "grants.csv", "ann@example.com,crm,reader\n", ""))
		assert.Equal(t, []string{
			"bo@example.com wiki/reader unexpected",
			"cy@example.com crm/reader imported", "cy@example.com wiki/reader imported", "di@example.com crm/writer request",
		}, c.claims(t))
	})

	t.Run("unexpected access that an export names becomes imported", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		c.exec(t, `insert into claims (person_id, account_id, entitlement_id, source, granted_at)
		select p.id, a.id, e.id, 'unexpected', app_now() from people p join accounts a on a.person_id = p.id, entitlements e
		 where p.email = 'bo@example.com' and e.target = 'wiki/reader'`)
		named := office().plus("grants.csv", "bo@example.com,wiki,reader\n")
		c.imports(t, named)
		assert.Contains(t, c.claims(t), "bo@example.com wiki/reader imported")
		assert.NotContains(t, c.claims(t), "bo@example.com wiki/reader unexpected", "one reason is enough")
		assert.False(t, c.imports(t, named).Changed())

		c.imports(t, office())
		assert.NotContains(t, c.claims(t), "bo@example.com wiki/reader imported", "the claim ends when its row is gone")
		assert.Equal(t, 1, c.count(t, `select count(*) from claims where source = 'unexpected' and due_at <= app_now()`),
			"the sweep must confirm that the access is gone")
	})

	t.Run("grant of a retired entitlement is kept", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		held := c.claims(t)
		retired := office().with(t, "entitlements.csv", "wiki,reader,Read,role,,low,\n", "")
		c.imports(t, retired)
		assert.Equal(t, held, c.claims(t))
		assert.Equal(t, 1, c.count(t, `select count(*) from entitlements where gone_at is not null`))
		summary := c.imports(t, office())
		assert.Equal(t, 1, of(t, summary, "entitlements.csv").Changed)
		assert.Zero(t, c.count(t, `select count(*) from entitlements where gone_at is not null`))
	})
}
