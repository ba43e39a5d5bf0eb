package views

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
)

func TestItemList(t *testing.T) {
	t.Run("items beyond the room of a message are listed by page", func(t *testing.T) {
		var items []schema.Item
		for n := range int64(40) {
			items = append(items, item(n+1, schema.AwaitingApproval, fmt.Sprintf("team-%02d", n)))
		}
		r := newRequest(items...)
		assert.Equal(t, "Show all 40", buttons(Card(r, alice))[ActionShowAll].Text.Text)
		few := newRequest(items[:10]...)
		assert.NotContains(t, buttons(Card(few, alice)), ActionShowAll)

		seen := 0
		for page := 1; ; page++ {
			view, lines, total := ItemList(r, r.RequesterID, page, "UTC")
			require.Equal(t, 40, total)
			raw, err := json.Marshal(view)
			require.NoError(t, err)
			require.Empty(t, slacksim.CheckView(raw))
			if lines == 0 {
				break
			}
			seen += lines
		}
		assert.Equal(t, 40, seen)
		_, lines, total := ItemList(r, 999, 1, "UTC")
		assert.Zero(t, lines+total, "a stranger to the request sees nothing of it")
	})

	t.Run("list value names its request and forged ones are refused", func(t *testing.T) {
		list, page, err := ParseListValue(ListValue(ListItems(1042), 3))
		require.NoError(t, err)
		number, ok := ItemsOf(list)
		assert.True(t, ok)
		assert.Equal(t, int64(1042), number)
		assert.Equal(t, 3, page)
		for _, forged := range []string{"items-:1", "items-x:1", "items--5:1", "items-5:0", "items-5"} {
			_, _, err := ParseListValue(forged)
			assert.Error(t, err, forged)
		}
	})
}
