package program_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/worker/program"
)

// load loads settings from an environment with what Common requires, and changes to it.
func load(t *testing.T, settings any, changes program.Environment) error {
	t.Helper()
	environ := program.Environment{
		"DATABASE_URL":         "postgres://localhost/accessbot",
		"SLACK_BOT_TOKEN":      "xoxb-1",
		"TEMPORAL_CONFIG_FILE": os.DevNull,
	}
	maps.Copy(environ, changes)
	return program.Load(environ, settings)
}

// sample has a setting of every kind.
type sample struct {
	program.Common

	Token   program.Secret  `env:"TOKEN"   prefix:"xapp-" want:"a token"`
	Number  int             `env:"NUMBER"                                envDefault:"10"          min:"2" max:"20"  atMost:"LARGER"`
	Larger  int             `env:"LARGER"                                envDefault:"15"          min:"1"`
	Pause   time.Duration   `env:"PAUSE"                                 envDefault:"1m"                  max:"14d"`
	Address program.Address `env:"ADDRESS"                               envDefault:"127.0.0.1:1"`
}

func TestLoad(t *testing.T) {
	t.Run("defaults hold for what is not set or empty", func(t *testing.T) {
		var s sample
		require.NoError(t, load(t, &s, program.Environment{"NUMBER": "", "DEFAULT_TIME_ZONE": ""}))
		assert.Equal(t, 10, s.Number)
		assert.Equal(t, time.Minute, s.Pause)
		assert.Equal(t, time.UTC, s.DefaultTimeZone.Location())
		assert.Equal(t, program.Address("127.0.0.1:1"), s.Address)
		assert.Empty(t, s.Token)
		assert.True(t, s.ShowPeople)
	})

	t.Run("all problems are reported at once, with what to set", func(t *testing.T) {
		var s sample
		err := load(t, &s, program.Environment{"DATABASE_URL": "", "SLACK_BOT_TOKEN": "xapp-hunter2", "NUMBER": "1"})
		require.EqualError(
			t,
			err,
			`DATABASE_URL: not set: set it to accessbot's PostgreSQL URL, which starts with postgres:// or postgresql://
SLACK_BOT_TOKEN: the value is something else: set it to the app's bot token, which starts with xoxb-
NUMBER: "1" is too small: set it to a number from 2 to 20`,
		)
	})

	t.Run("each value is checked", func(t *testing.T) {
		secrets := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(secrets, []byte("xoxb-hunter2\n"), 0o600))
		for _, c := range []struct{ setting, value, problem string }{
			{"NUMBER", "20", "NUMBER: 20 is more than LARGER (15): set it to at most LARGER"},
			{"NUMBER", "21", `NUMBER: "21" is too large: set it to a number from 2 to 20`},
			{"NUMBER", "ten", `NUMBER: "ten" is not valid: set it to a number from 2 to 20`},
			{"NUMBER", "15", ""},
			{"LARGER", "0", `LARGER: "0" is too small: set it to a number of at least 1`},
			{"PAUSE", "14d", ""},
			{"PAUSE", "15d", `PAUSE: "15d" is too large: set it to a duration such as 90m, 24h or 14d`},
			{"PAUSE", "-1m", `PAUSE: "-1m" is not valid: set it to a duration such as 90m, 24h or 14d`},
			{"PAUSE", "0d", `PAUSE: "0d" is not valid`},
			{"PAUSE", "60", `PAUSE: "60" is not valid`},
			{"ADDRESS", "3000", `ADDRESS: "3000" is not valid: set it to a host and port such as 127.0.0.1:3000`},
			{"ADDRESS", ":3000", ""},
			{"TEMPORAL_SHOW_PEOPLE", "perhaps", `TEMPORAL_SHOW_PEOPLE: "perhaps" is not valid: set it to true or false`},
			{"DEFAULT_TIME_ZONE", "Local", `DEFAULT_TIME_ZONE: "Local" is not valid: set it to a time zone such as Europe/Berlin`},
			{"DEFAULT_TIME_ZONE", "Mars/Olympus", `DEFAULT_TIME_ZONE: "Mars/Olympus" is not valid`},
			{"DEFAULT_TIME_ZONE", "Europe/Berlin", ""},
			{"SLACK_API_URL", "http://127.0.0.1:3002/api", `SLACK_API_URL: "http://127.0.0.1:3002/api" is not valid: set it to a URL that ends with a slash`},
			{"SLACK_API_URL", "http://127.0.0.1:3002/api/", ""},
			{"DATABASE_URL", "mysql://me:hunter2@localhost", "DATABASE_URL: the value is something else: set it to accessbot's PostgreSQL URL"},
			{"DATABASE_URL", "postgresql://localhost/accessbot", ""},
			{"SLACK_BOT_TOKEN", "hunter2", "SLACK_BOT_TOKEN: the value is something else: set it to the app's bot token, which starts with xoxb-"},
			{"TOKEN", "xoxb-hunter2", "TOKEN: the value is something else: set it to a token, which starts with xapp-"},
			{"TOKEN_FILE", secrets, "TOKEN: the value is something else: set it to a token, which starts with xapp-"},
			{"SLACK_BOT_TOKEN_FILE", secrets, "SLACK_BOT_TOKEN: SLACK_BOT_TOKEN_FILE is set too: remove one of them"},
			{"TEMPORAL_TLS_SERVER_CA_CERT_PATH", "/no/such/file", "TEMPORAL_* settings: "},
			{"TEMPORAL_API_KEY_FILE", "/no/such/file", "TEMPORAL_API_KEY_FILE: open /no/such/file"},
		} {
			var s sample
			err := load(t, &s, program.Environment{c.setting: c.value})
			if c.problem == "" {
				assert.NoError(t, err, "%s=%s", c.setting, c.value)
				continue
			}
			require.Error(t, err, "%s=%s", c.setting, c.value)
			assert.True(t, strings.HasPrefix(err.Error(), c.problem), err.Error())
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Len(t, strings.Split(err.Error(), "\n"), 1, "one setting, one problem: %v", err)
		}
	})

	t.Run("secrets are read from files", func(t *testing.T) {
		file := func(content string) string {
			path := filepath.Join(t.TempDir(), "secret")
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			return path
		}
		var s sample
		require.NoError(t, load(t, &s, program.Environment{
			"DATABASE_URL":          "",
			"DATABASE_URL_FILE":     file("postgres://file/accessbot\n"),
			"TOKEN_FILE":            file("xapp-file\r\n"),
			"TEMPORAL_API_KEY_FILE": file("key\n"),
		}))
		assert.Equal(t, "postgres://file/accessbot", s.DatabaseURL.Reveal())
		assert.Equal(t, "xapp-file", s.Token.Reveal())
		assert.NotNil(t, s.Temporal.Credentials)

		err := load(t, &s, program.Environment{"DATABASE_URL": "", "DATABASE_URL_FILE": "/no/such/file"})
		require.EqualError(
			t,
			err,
			"DATABASE_URL_FILE: open /no/such/file: no such file or directory: set it to a file that holds the secret and nothing else",
		)
	})
}
