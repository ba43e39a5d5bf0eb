package schema_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

func TestRemovedSettings(t *testing.T) {
	check := func(settings map[string]string) error {
		return schema.CheckRemovedSettings(func(name string) string { return settings[name] })
	}

	t.Run("environment without them is accepted", func(t *testing.T) {
		require.NoError(t, check(map[string]string{"MATCH_SLACK_BY_EMAIL": "true", "REMIND_AFTER": ""}))
	})

	t.Run("each is reported in one line that says what replaced it", func(t *testing.T) {
		for name, now := range map[string]string{
			"REMIND_AFTER":   "set remind_after in the defaults of the policy file",
			"ESCALATE_AFTER": "set escalate_after in the defaults of the policy file",
			"EXPIRE_AFTER":   "set expire_after in the defaults of the policy file",
			"MAX_DAYS":       "set max_days in the defaults of the policy file",
			"BIND_BY_EMAIL":  "set MATCH_SLACK_BY_EMAIL",
		} {
			err := check(map[string]string{name: "1"})
			require.EqualError(t, err, name+": no longer a setting: "+now+" instead, and remove "+name)
		}
	})

	t.Run("all are reported at once", func(t *testing.T) {
		err := check(map[string]string{"MAX_DAYS": "1", "BIND_BY_EMAIL": "false"})
		require.Error(t, err)
		assert.Len(t, strings.Split(err.Error(), "\n"), 2)
	})
}
