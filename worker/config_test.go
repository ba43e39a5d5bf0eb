package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/worker/program"
)

func TestConfiguration(t *testing.T) {
	t.Run("numbers and durations are in range and in order", func(t *testing.T) {
		_, err := configure(program.Environment{"DATABASE_CONNECTIONS": "19", "SWEEP_EVERY": "2h"})
		require.ErrorContains(t, err, `DATABASE_CONNECTIONS: "19" is too small: set it to a number of at least 20`)
		require.ErrorContains(t, err, "SWEEP_EVERY: 2h0m0s is more than COMPARE_EVERY (1h0m0s): set it to at most COMPARE_EVERY")
	})

	t.Run("removed setting stops the start", func(t *testing.T) {
		settings := program.Environment{"DATABASE_URL": "postgres://localhost/accessbot", "SLACK_BOT_TOKEN": "xoxb-1"}
		_, err := configure(settings)
		require.NoError(t, err)
		for _, name := range []string{"REMIND_AFTER", "ESCALATE_AFTER", "EXPIRE_AFTER", "MAX_DAYS", "BIND_BY_EMAIL"} {
			settings[name] = "24h"
			_, err := configure(settings)
			require.ErrorContains(t, err, name+": no longer a setting")
			delete(settings, name)
		}
	})
}
