package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

func TestPeopleCommand(t *testing.T) {
	t.Run("operator unbinds and renames people", func(t *testing.T) {
		w := schematest.NewWorld(t)
		ann := w.Person("Ann")
		w.Person("Bea")
		id := schema.SlackID{TeamID: "T1", UserID: "U1"}
		bind := func(email string) {
			_, err := w.SlackApp.BindSlackUser(t.Context(), schema.SlackUser{SlackID: id, Email: email, EmailConfirmed: true, Member: true}, true)
			require.NoError(t, err)
		}
		bind("ann@example.com")
		command := func(args ...string) (string, error) {
			var out bytes.Buffer
			err := run(t.Context(), args, environmentOf(map[string]string{"DATABASE_URL": w.RoleURL("accessbot_directory")}), &out, &out)
			return out.String(), err
		}
		_, err := command("rename", "ann@example.com", "bea@example.com")
		require.ErrorIs(t, err, schema.ErrAddressInUse)
		_, err = command("rename", "no one@example.com", "someone@example.com")
		require.ErrorIs(t, err, schema.ErrNotFound)
		said, err := command("rename", "Ann@example.com", "Ann.New@example.com")
		require.NoError(t, err)
		require.Contains(t, said, "import a people.csv")
		p, err := schema.PersonOfSlackUser(t.Context(), w.SlackApp, id)
		require.NoError(t, err)
		require.Equal(t, ann, p.ID)
		require.Equal(t, "ann.new@example.com", p.Email)
		require.Equal(t, 1, w.Alerts(schema.EmailChanged))

		_, err = command("unbind")
		require.ErrorContains(t, err, "worker unbind EMAIL...")
		_, err = command("unbind", "ann@example.com")
		require.ErrorIs(t, err, schema.ErrNotFound)
		said, err = command("unbind", "ANN.new@example.com")
		require.NoError(t, err)
		require.Contains(t, said, "1 undone")
		require.Equal(t, 1, w.Alerts(schema.BindingRemoved))
		bind("bea@example.com")
		said, err = command("unbind", "--all")
		require.NoError(t, err)
		require.Contains(t, said, "1 undone")
	})
}
