package program_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// row is a setting in docs/settings.md, or in the code.
type row struct{ name, value, limits, meaning string }

func TestSettingsDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/settings.md")
	require.NoError(t, err)
	for heading, c := range map[string]struct {
		file    string
		structs []string
	}{
		"Both programs": {"settings.go", []string{"Database", "Common"}},
		"worker":        {"../config.go", []string{"config"}},
		"slackapp":      {"../../slackapp/config.go", []string{"config"}},
	} {
		t.Run(heading+": the page has the settings of the code", func(t *testing.T) {
			var code []row
			for _, name := range c.structs {
				code = append(code, settingsIn(t, c.file, name)...)
			}
			require.NotEmpty(t, code)
			documented := settingsUnder(t, string(page), heading)
			for i := range min(len(code), len(documented)) { // the page may say more, in words
				if code[i].limits == "" && !checked.MatchString(documented[i].limits) {
					documented[i].limits = ""
				}
				if value := documented[i].value; code[i].value == "" && value != "required" && !strings.HasPrefix(value, "`") {
					documented[i].value = ""
				}
			}
			assert.Equal(t, code, documented)
		})
	}
}

// settingsIn returns the settings of a struct, with their comments.
func settingsIn(t *testing.T, file, name string) (settings []row) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	require.NoError(t, err)
	ast.Inspect(parsed, func(n ast.Node) bool {
		declared, ok := n.(*ast.TypeSpec)
		if !ok || declared.Name.Name != name {
			return true
		}
		for _, field := range declared.Type.(*ast.StructType).Fields.List {
			if field.Tag == nil {
				continue
			}
			text, err := strconv.Unquote(field.Tag.Value)
			require.NoError(t, err)
			tag := reflect.StructTag(text)
			variable, options, _ := strings.Cut(tag.Get("env"), ",")
			if variable == "-" {
				continue
			}
			setting := row{name: variable, meaning: strings.Join(strings.Fields(field.Doc.Text()), " ")}
			if value := tag.Get("envDefault"); value != "" {
				setting.value = "`" + value + "`"
			} else if options == "required" {
				setting.value = options
			}
			switch prefix, least, most := tag.Get("prefix"), tag.Get("min"), tag.Get("max"); {
			case strings.HasSuffix(prefix, "-"):
				setting.limits = "`" + prefix + "...`"
			case most != "":
				setting.limits = least + " to " + most
			case least != "":
				setting.limits = least + " or more"
			}
			if other := tag.Get("atMost"); other != "" {
				setting.limits = strings.TrimPrefix(setting.limits+", at most `"+other+"`", ", ")
			}
			settings = append(settings, setting)
		}
		return false
	})
	return settings
}

var (
	tableRow = regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|(.*)\\|$")
	checked  = regexp.MustCompile("^(`[a-z]+-\\.\\.\\.`|\\d.*|at most .*)$") // limits that come from tags
	thousand = regexp.MustCompile(`(\d),(\d{3})`)
)

// settingsUnder returns the rows of the first table under a heading. Optional variables of which there are many are not rows.
func settingsUnder(t *testing.T, page, heading string) (settings []row) {
	t.Helper()
	_, section, found := strings.Cut(page, "\n## "+heading+"\n")
	require.True(t, found, heading)
	section, _, _ = strings.Cut(strings.TrimSpace(section), "\n\n")
	for _, match := range tableRow.FindAllStringSubmatch(section, -1) {
		cells := strings.Split(match[2], "|") // type, default, range, what
		require.Len(t, cells, 4, match[0])
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		settings = append(settings, row{match[1], cells[1], thousand.ReplaceAllString(cells[2], "$1$2"), cells[3]})
	}
	return settings
}
