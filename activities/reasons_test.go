package activities_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/directory"
	"accessbot/schema/schematest"
)

func TestClaim(t *testing.T) {
	t.Run("access stays until the last of two requests ends", func(t *testing.T) {
		s := newSmall(t)
		first, second := s.approved(time.Hour), s.approved(3*time.Hour)
		require.NoError(t, s.grant(first.Items[0])) // reconciles the assignment for both
		require.NoError(t, s.grant(second.Items[0]))
		assert.Equal(t, 1, s.target.called("grant"))
		s.Shift(time.Hour)
		require.NoError(t, s.revoke(s.Claim(first.Items[0])))
		assert.True(t, s.held())
		assert.Equal(t, "ended", s.State(first.Items[0]))
		assert.Equal(t, 1, s.Audited(schema.AccessKept))
		assert.False(
			t,
			schematest.Value[bool](s.World, `select removed_at is not null from claims where id = $1`, s.Claim(first.Items[0])),
		)
		s.Shift(2 * time.Hour)
		require.NoError(t, s.revoke(s.Claim(second.Items[0])))
		assert.False(t, s.held())
		assert.Equal(t, 2, schematest.Value[int](s.World, `select count(removed_at) from claims`), "removed_at is set on both")
	})

	t.Run("access stays for an imported claim", func(t *testing.T) {
		s := newSmall(t)
		s.Imported(s.ann, s.admin)
		s.target.set("ann", "crm/admin", true)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		s.Shift(time.Hour)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		assert.True(t, s.held())
		assert.Equal(t, "ended", s.State(asked.Items[0]))
		assert.Zero(t, s.Claims(s.ann, s.admin, "unexpected"), "it has a claim already")
	})

	t.Run("access that existed before stays", func(t *testing.T) {
		s := newSmall(t)
		s.target.set("ann", "crm/admin", true)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		assert.Equal(t, 1, s.Claims(s.ann, s.admin, "unexpected"))
		assert.Equal(t, 1, s.Alerts(schema.AccessFound))
		s.Shift(time.Hour)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		assert.True(t, s.held())

		again := s.approved(time.Hour)
		require.NoError(t, s.grant(again.Items[0]))
		assert.Equal(t, 1, s.Claims(s.ann, s.admin, "unexpected"), "found once")
	})

	t.Run("access that existed before stays when the end has passed", func(t *testing.T) {
		s := newSmall(t)
		s.target.set("ann", "crm/admin", true)
		asked := s.approved(time.Hour)
		s.Shift(2 * time.Hour)
		require.NoError(t, s.grant(asked.Items[0]), "not granted")
		assert.True(t, s.held())
		assert.Zero(t, s.target.called("revoke"))
	})

	t.Run("access that could not be revoked is not unexpected", func(t *testing.T) {
		s := newSmall(t)
		a := s.approved(time.Hour)
		require.NoError(t, s.grant(a.Items[0]))
		s.Shift(time.Hour)
		s.target.always("revoke", refusesConnection)
		require.Error(t, s.revoke(s.Claim(a.Items[0])))
		b := s.approved(time.Hour)
		require.NoError(t, s.grant(b.Items[0]))
		assert.Zero(t, s.Claims(s.ann, s.admin, "unexpected"))
		assert.True(t, s.held())
		s.target.repair()
		s.Shift(time.Hour)
		require.NoError(t, s.revoke(s.Claim(b.Items[0])))
		assert.False(t, s.held())
		assert.Equal(t, 2, schematest.Value[int](s.World, `select count(removed_at) from claims`))
	})

	t.Run("access of a failed item is not unexpected", func(t *testing.T) {
		s := newSmall(t)
		a := s.approved(0)
		s.target.next("grant", lostAnswer)
		require.Error(t, s.grant(a.Items[0]))
		s.expired(a.Items[0])
		b := s.approved(time.Hour)
		require.NoError(t, s.grant(b.Items[0]))
		assert.Zero(t, s.Claims(s.ann, s.admin, "unexpected"))
		s.Shift(time.Hour)
		require.NoError(t, s.revoke(s.Claim(b.Items[0])))
		assert.False(t, s.held())
	})

	t.Run("import during temporary access does not keep it", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		dir := t.TempDir()
		require.NoError(
			t,
			os.WriteFile(filepath.Join(dir, "grants.csv"), []byte("email,application,key\nann@example.com,crm,admin\n"), 0o600),
		)
		summary, err := directory.Import(
			context.Background(),
			s.As(t, "accessbot_directory"),
			dir,
			directory.Options{Connectors: map[string]int{"fake": 0}},
		)
		require.NoError(t, err)
		assert.Equal(t, 1, summary.Skipped)
		s.Shift(time.Hour)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		assert.False(t, s.held())
	})

	t.Run("access removed by hand ends and access added by hand stays", func(t *testing.T) {
		s := newSmall(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		s.target.set("ann", "crm/admin", false)
		s.Shift(time.Hour)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		assert.Equal(t, "ended", s.State(asked.Items[0]))
		assert.Zero(t, s.target.called("revoke"))

		s.target.set("ann", "crm/admin", true)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		assert.True(t, s.held(), "not ours to remove")
	})
}
