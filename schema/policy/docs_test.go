package policy_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema/policy"
)

func TestDocumentation(t *testing.T) {
	t.Run("documented file is a valid policy", func(t *testing.T) {
		text, err := os.ReadFile("../../docs/policies.md")
		require.NoError(t, err)
		_, rest, found := strings.Cut(string(text), "```yaml\n")
		require.True(t, found)
		source, _, _ := strings.Cut(rest, "```")
		p, err := policy.Parse("docs/policies.md", []byte(source))
		require.NoError(t, err)
		require.Len(t, p.Rules, 4)
	})
}
