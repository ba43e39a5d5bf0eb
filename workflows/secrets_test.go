package workflows

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// secret matches credentials, and the names of fields with people's texts. Temporal must hold none of them.
var secret = regexp.MustCompile(`(?i)xox[a-z]-|xapp-|bearer |postgres(ql)?://|password|signing.?secret|` +
	`BEGIN [A-Z ]*PRIVATE KEY|"?\b(reason|note|reason_key)\b"?\s*:`)

func TestHistorySecrets(t *testing.T) {
	t.Run("recorded histories have no secrets, reasons or notes", func(t *testing.T) {
		for _, forbidden := range []string{`xoxb-1-2`, `xapp-1`, `postgres://a:b@c/d`, `{"Note":"x"}`, `{"Reason":"y"}`} {
			require.Regexp(t, secret, forbidden)
		}
		histories, err := filepath.Glob("testdata/*/*.json")
		require.NoError(t, err)
		require.NotEmpty(t, histories)
		for _, name := range histories {
			file, err := os.Open(name)
			require.NoError(t, err)
			history, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
			require.NoError(t, file.Close())
			require.NoError(t, err)
			for _, event := range history.Events {
				// Text payloads are readable as they are. A quote in them is escaped.
				text := regexp.MustCompile(`\\+"`).ReplaceAllString(event.String(), `"`)
				require.NotRegexp(t, secret, text, "%s, event %d", name, event.EventId)
			}
		}
	})
}
