package schema_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

func TestSlackAddress(t *testing.T) {
	t.Parallel()
	// A Slack user bound to a person to whom the directory then gives another user ID must not get their messages.
	t.Run("Slack user that the directory contradicts gets no messages", func(t *testing.T) {
		t.Parallel()
		ctx := context.Background()
		w := schematest.NewWorld(t)
		owen, olga := w.Person("Owen"), w.Person("Olga")
		address := func(person int64) string {
			a, err := schema.AddressOf(ctx, w.Worker, person)
			require.NoError(t, err)
			return a.UserID.String
		}
		for user, person := range map[string]int64{"UIMPOSTOR": owen, "UOTHER": olga} {
			_, err := w.SlackApp.Exec(
				`insert into slack_identities (team_id, user_id, person_id, basis) values ('T', $1, $2, 'confirmed e-mail')`,
				user,
				person,
			)
			require.NoError(t, err)
		}
		assert.Equal(t, "UIMPOSTOR", address(owen))
		w.Do(`update people set slack_user_id = 'UOWEN' where id = $1`, owen)
		assert.Equal(t, "UOWEN", address(owen))

		w.Do(`update people set slack_user_id = 'UOTHER' where id = $1`, w.Person("Ann"))
		assert.Empty(t, address(olga), "they are Ann by now")
		require.NoError(t, schema.SaveAddress(ctx, w.Worker, olga, sql.NullString{String: "UOTHER", Valid: true}, ""))
		assert.Empty(t, address(olga), "whatever their e-mail says")
	})
}
