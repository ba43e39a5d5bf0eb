package schema_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

func TestRoleTimeouts(t *testing.T) {
	// On a cluster of its own, because roles belong to the whole cluster.
	t.Run("timeouts of each role end its statements and transactions", func(t *testing.T) {
		t.Setenv("TEST_DATABASE_URL", schematest.StartServer(t).URL)
		w := schematest.NewWorld(t)
		timeouts := func(db *schema.DB) (values []string) {
			t.Helper()
			require.NoError(t, db.Select(&values, `
			select current_setting(name) from unnest(array['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']) with ordinality s (name, n) order by n`))
			return values
		}
		want := map[string][]string{
			"accessbot_slackapp":  {"10s", "5s", "10s"},
			"accessbot_worker":    {"1min", "10s", "30s"},
			"accessbot_directory": {"1min", "10s", "30s"},
			"accessbot_auditor":   {"1min", "10s", "30s"},
		}
		for _, role := range programRoles {
			t.Run(role+" has them in every session", func(t *testing.T) {
				assert.Equal(t, want[role], timeouts(w.As(t, role)))
			})
		}
		t.Run("an operator's value stays", func(t *testing.T) {
			w.Do(`alter role accessbot_worker set lock_timeout = '7s'`)
			_, err := schema.Migrate(t.Context(), w.URL)
			require.NoError(t, err)
			assert.Equal(t, []string{"1min", "7s", "30s"}, timeouts(w.As(t, "accessbot_worker")))
		})
		t.Run("a long transaction has longer timeouts, and its connection keeps the role's", func(t *testing.T) {
			u, err := url.Parse(w.RoleURL("accessbot_auditor"))
			require.NoError(t, err)
			db, err := schema.Open(u.String(), 1)
			require.NoError(t, err)
			t.Cleanup(func() { _ = db.Close() }) // the test is over
			err = db.InLongTx(t.Context(), nil, func(ctx context.Context, tx *sqlx.Tx) error {
				var value string
				require.NoError(t, tx.GetContext(ctx, &value, `select current_setting('statement_timeout')`))
				assert.Equal(t, "2h", value)
				return nil
			})
			require.NoError(t, err)
			assert.Equal(t, want["accessbot_auditor"], timeouts(db))
		})
	})
}
