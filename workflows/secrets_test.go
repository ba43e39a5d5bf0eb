package workflows

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// What people write and what opens a door is no business of Temporal's.
var secret = regexp.MustCompile(`(?i)xox[a-z]-|xapp-|bearer |postgres(ql)?://|password|signing.?secret|BEGIN [A-Z ]*PRIVATE KEY|"?\b(reason|note|reason_key)\b"?\s*:`)

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
				// As text payloads are readable, and \\" stands for a quote.
				text := regexp.MustCompile(`\\+"`).ReplaceAllString(event.String(), `"`)
				require.NotRegexp(t, secret, text, "%s, event %d", name, event.EventId)
			}
		}
	})
}
