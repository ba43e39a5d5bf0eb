package slacksim

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExchanges(t *testing.T) {
	t.Run("oldest exchanges are dropped beyond the limit", func(t *testing.T) {
		var kept exchanges
		big := json.RawMessage(make([]byte, keptExchangeBytes/4))
		for seq := range int64(100) {
			kept.keep(exchange{Seq: seq, Request: big, Answer: json.RawMessage("{}")})
			require.LessOrEqual(t, kept.bytes, keptExchangeBytes)
		}
		require.Len(t, kept.kept, 3)
		_, ok := kept.of(96)
		require.False(t, ok)
		x, ok := kept.of(97)
		require.True(t, ok)
		require.Equal(t, int64(97), x.Seq)
	})
}
