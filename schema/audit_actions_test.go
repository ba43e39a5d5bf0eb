package schema_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAuditActions(t *testing.T) {
	declared := auditActions(t)

	t.Run("every action is noun.verb", func(t *testing.T) {
		require.NotEmpty(t, declared)
		for _, action := range declared {
			assert.Regexp(t, `^[a-z]+(_[a-z]+)*\.[a-z]+$`, action)
		}
	})

	t.Run("docs/audit.md lists every action once", func(t *testing.T) {
		text, err := os.ReadFile("../docs/audit.md")
		require.NoError(t, err)
		var listed []string
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+\\.[a-z]+)` \\|").FindAllStringSubmatch(string(text), -1) {
			listed = append(listed, row[1])
		}
		assert.ElementsMatch(t, declared, listed)
	})

	t.Run("no code writes an action or a detail key as text of its own", func(t *testing.T) {
		files, err := exec.CommandContext(t.Context(), "git", "-C", "..", "ls-files", "*.go", ":!*_test.go", ":!activities/connector").
			Output()
		require.NoError(t, err)
		literal := regexp.MustCompile(
			`Event\{[^}]*Action:\s*"|'(?:import|worker|sweep|slackapp|person|policy)', (?:[a-z_$0-9]+, )?'[a-z]`,
		)
		keys := regexp.MustCompile(`Details: map\[string\]any\{([^}]*)\}`)
		key := regexp.MustCompile(`"([^"]*)":`)
		for _, name := range strings.Fields(string(files)) {
			source, err := os.ReadFile("../" + name)
			require.NoError(t, err)
			assert.Empty(t, literal.FindString(string(source)), name)
			for _, details := range keys.FindAllStringSubmatch(string(source), -1) {
				for _, k := range key.FindAllStringSubmatch(details[1], -1) {
					assert.Regexp(t, `^[a-z]+(_[a-z]+)*$`, k[1], name)
				}
			}
		}
	})
}

// auditActions returns the values of the constants in audit_actions.go, each with a comment that explains it.
func auditActions(t *testing.T) (values []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "audit_actions.go", nil, parser.ParseComments)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		constant, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		value, err := strconv.Unquote(constant.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		assert.NotEmpty(t, constant.Doc.Text(), value)
		values = append(values, value)
		return false
	})
	return values
}
