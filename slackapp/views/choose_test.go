package views

import (
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChangesForm(t *testing.T) {
	t.Run("hint of the end date has its zone", func(t *testing.T) {
		for _, zone := range []string{"Europe/Berlin", "America/Los_Angeles"} {
			r := sent()
			r.TimeZone = zone
			hint := ""
			for _, b := range Choose(r, bob, "1;x", map[int64]int{1: 30}).Blocks.BlockSet {
				if i, ok := b.(*slack.InputBlock); ok && i.BlockID == BlockEndDate {
					hint = i.Hint.Text
				}
			}
			require.NotEmpty(t, hint)
			assert.True(t, strings.HasSuffix(hint, " ("+zone+")."), hint)
		}
	})
}
