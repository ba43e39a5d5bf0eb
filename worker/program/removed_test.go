package program_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/worker/program"
)

func TestRemovedSettings(t *testing.T) {
	check := func(removed program.Environment) error {
		var settings program.Common
		return load(t, &settings, removed)
	}

	t.Run("environment without them is accepted", func(t *testing.T) {
		require.NoError(t, check(program.Environment{"MATCH_SLACK_BY_EMAIL": "true", "REMIND_AFTER": ""}))
	})

	t.Run("each is reported in one line that says what replaced it", func(t *testing.T) {
		for name, now := range map[string]string{
			"REMIND_AFTER":   "set remind_after in the defaults of the policy file",
			"ESCALATE_AFTER": "set escalate_after in the defaults of the policy file",
			"EXPIRE_AFTER":   "set expire_after in the defaults of the policy file",
			"MAX_DAYS":       "set max_days in the defaults of the policy file",
			"BIND_BY_EMAIL":  "set MATCH_SLACK_BY_EMAIL",
			"DRIFT_EVERY":    "set COMPARE_EVERY",
		} {
			err := check(program.Environment{name: "1"})
			require.EqualError(t, err, name+": no longer a setting: "+now+" instead, and remove "+name)
		}
	})

	t.Run("all are reported at once", func(t *testing.T) {
		err := check(program.Environment{"MAX_DAYS": "1", "BIND_BY_EMAIL": "false"})
		require.Error(t, err)
		assert.Len(t, strings.Split(err.Error(), "\n"), 2)
	})
}
