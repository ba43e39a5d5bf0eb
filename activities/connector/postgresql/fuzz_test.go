package postgresql

import (
	"strings"
	"testing"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
)

// FuzzQuoting: any name is quoted so that a statement refers to exactly that role.
func FuzzQuoting(f *testing.F) {
	for _, seed := range []string{"crm/admin", `a"b`, `"; drop role x; --`, "a\x00b", "ä", "", "public", "PUBLIC", "pg_read_all_data", "accessbot_worker", strings.Repeat("a", 64), `\`, "'", "\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if badName(name) != "" {
			return
		}
		quoted := pq.QuoteIdentifier(name)
		inner, begins := strings.CutPrefix(quoted, `"`)
		inner, ends := strings.CutSuffix(inner, `"`)
		require.True(t, begins && ends)
		require.NotContains(t, strings.ReplaceAll(inner, `""`, ""), `"`)
		require.Equal(t, name, strings.ReplaceAll(inner, `""`, `"`))
		require.False(t, strings.HasPrefix(name, "pg_") || strings.HasPrefix(name, "accessbot_") || name == "public" || name == "none")
		require.LessOrEqual(t, len(name), MaxNameBytes)
	})
}
