package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// textsOfTests returns the string literals of each test in a package, by the test's name. A condition's name is one of them.
// Spaces are underscores, as in the names that go test prints.
func textsOfTests(t *testing.T, folder string) map[string]map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	tests := map[string]map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			test, ok := declaration.(*ast.FuncDecl)
			if !ok || test.Recv != nil {
				continue
			}
			texts := map[string]bool{}
			ast.Inspect(test, func(node ast.Node) bool {
				if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					text, err := strconv.Unquote(literal.Value)
					require.NoError(t, err)
					texts[strings.ReplaceAll(text, " ", "_")] = true
				}
				return true
			})
			tests[test.Name.Name] = texts
		}
	}
	return tests
}

// A promise ends with its tests: a package such as `./schema`, and the names of tests in it, with or without a condition.
func TestPromises(t *testing.T) {
	t.Run("every promise names tests that exist", func(t *testing.T) {
		text, err := os.ReadFile("../docs/promises.md")
		require.NoError(t, err)
		quoted := regexp.MustCompile("`([^`]+)`")
		packages := map[string]map[string]map[string]bool{}

		for i, line := range strings.Split(string(text), "\n") {
			cells := strings.Split(line, " | ")
			if len(cells) != 3 || strings.HasPrefix(line, "| --- ") || strings.HasPrefix(line, "| situation ") {
				assert.False(t, strings.HasPrefix(line, "| ") && len(cells) != 3, "line %d should have three columns", i+1)
				continue
			}
			var folder string
			tests := 0
			for _, match := range quoted.FindAllStringSubmatch(cells[2], -1) {
				if strings.HasPrefix(match[1], "./") {
					folder = filepath.Join("..", match[1])
					continue
				}
				if packages[folder] == nil {
					packages[folder] = textsOfTests(t, folder)
				}
				name, conditions, _ := strings.Cut(match[1], "/")
				texts, ok := packages[folder][name]
				assert.True(t, ok, "line %d: there is no %s in %s", i+1, name, folder)
				for condition := range strings.SplitSeq(conditions, "/") {
					assert.True(t, condition == "" || texts[condition], "line %d: %s in %s has no condition %q", i+1, name, folder, condition)
				}
				tests++
			}
			assert.Positive(t, tests, "line %d names no test", i+1)
		}
		require.NotEmpty(t, packages)
	})
}
