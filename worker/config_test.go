package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConfiguration(t *testing.T) {
	t.Run("removed setting stops the start", func(t *testing.T) {
		settings := map[string]string{"DATABASE_URL": "postgres://localhost/accessbot", "SLACK_BOT_TOKEN": "xoxb-1"}
		_, err := configure(environmentOf(settings))
		require.NoError(t, err)
		for _, name := range []string{"REMIND_AFTER", "ESCALATE_AFTER", "EXPIRE_AFTER", "MAX_DAYS", "BIND_BY_EMAIL"} {
			settings[name] = "24h"
			_, err := configure(environmentOf(settings))
			require.ErrorContains(t, err, name+": no longer a setting")
			delete(settings, name)
		}
	})
}
