package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/worker/program"
)

func TestPeopleCommand(t *testing.T) {
	t.Run("people are unbound and renamed", func(t *testing.T) {
		w := schematest.NewWorld(t)
		ann := w.Person("Ann")
		w.Person("Bea")
		id := schema.SlackID{TeamID: "T1", UserID: "U1"}
		bind := func(email string) {
			_, err := w.SlackApp.BindSlackUser(
				t.Context(),
				schema.SlackUser{SlackID: id, Email: email, EmailConfirmed: true, Member: true},
				true,
			)
			require.NoError(t, err)
		}
		bind("ann@example.com")
		environ := program.Environment{"DATABASE_URL": w.RoleURL("accessbot_directory")}
		_, err := command(t, environ, "rename", "ann@example.com", "bea@example.com")
		require.ErrorIs(t, err, schema.ErrAddressInUse)
		_, err = command(t, environ, "rename", "missing@example.com", "someone@example.com")
		require.ErrorIs(t, err, schema.ErrNotFound)
		output, err := command(t, environ, "rename", "Ann@example.com", "Ann.New@example.com")
		require.NoError(t, err)
		require.Contains(t, output, "people.csv before the next import")
		p, err := schema.PersonOfSlackUser(t.Context(), w.SlackApp, id)
		require.NoError(t, err)
		require.Equal(t, ann, p.ID)
		require.Equal(t, "ann.new@example.com", p.Email)
		require.Equal(t, 1, w.Alerts(schema.EmailChanged))

		_, err = command(t, environ, "unbind")
		require.ErrorContains(t, err, "name people, or use --all")
		_, err = command(t, environ, "unbind", "--all", "ann.new@example.com")
		require.ErrorContains(t, err, "name people, or use --all")
		_, err = command(t, environ, "unbind", "ann@example.com")
		require.ErrorIs(t, err, schema.ErrNotFound)
		output, err = command(t, environ, "unbind", "ANN.new@example.com")
		require.NoError(t, err)
		require.Contains(t, output, "Unbound from their Slack users: 1.")
		require.Equal(t, 1, w.Alerts(schema.BindingRemoved))
		bind("bea@example.com")
		output, err = command(t, environ, "unbind", "--all")
		require.NoError(t, err)
		require.Contains(t, output, "Unbound from their Slack users: 1.")
	})
}

func TestOldDatabase(t *testing.T) {
	t.Run("every command refuses an old development database", func(t *testing.T) {
		db := schematest.New(t)
		_, err := db.Exec(`create table goose_db_version ()`)
		require.NoError(t, err)
		for _, args := range [][]string{
			nil, {"migrate"}, {"import", "."}, {"policy", "show"}, {"unbind", "ann@example.com"}, {"grants", "CRM"}, {"audit", "verify"}, {"check"},
		} {
			url := db.RoleURL("accessbot_directory")
			if len(args) > 0 && args[0] == "migrate" {
				url = db.URL
			}
			_, err := command(t, program.Environment{"DATABASE_URL": url, "SLACK_BOT_TOKEN": "xoxb-1"}, args...)
			require.ErrorIs(t, err, schema.ErrOldDatabase, args)
			require.ErrorContains(t, err, "./temporal-dev.sh reset")
		}
	})
}
