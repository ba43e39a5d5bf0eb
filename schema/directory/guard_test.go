package directory_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/directory"
)

// cut returns the folder with only the first lines of one file.
func (f folder) cut(file string, lines int) folder {
	all := strings.SplitAfter(f[file], "\n")
	return f.without(file).plus(file, strings.Join(all[:lines], ""))
}

// hall returns 200 people, 8 applications with 100 entitlements, and 400 grants, with one line for each.
func hall(t *testing.T) folder {
	f := town(t, 200, 100, 400)
	f["entitlements.csv"] = strings.ReplaceAll(strings.ReplaceAll(f["entitlements.csv"], "\ndoes", " does"), "\"What", "\"Does what")
	return f
}

func TestImportGuard(t *testing.T) {
	t.Run("truncated file is refused with the counts", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, hall(t))
		for _, test := range []struct {
			file  string
			lines int
			says  string
		}{
			{"people.csv", 1 + 189, "would mark 11 of 200 people as gone. If the file is complete and correct, use --allow people-gone=11"},
			{"people.csv", 1, "would mark 200 of 200 people as gone"},
			{"entitlements.csv", 1 + 94, "would mark 6 of 100 entitlements as gone"},
			{"applications.csv", 1, "would mark 8 of 8 applications as gone"},
			{"grants.csv", 1 + 379, "would end 21 of 400 imported claims"},
			{"grants.csv", 1, "would end 400 of 400 imported claims"},
		} {
			t.Run(fmt.Sprintf("%s at line %d", test.file, test.lines), func(t *testing.T) {
				alone := folder{test.file: hall(t).cut(test.file, test.lines)[test.file]}
				refused := c.refuses(t, alone, directory.Options{})
				assert.Equal(t, test.file, refused.Problems[0].File)
				assert.Zero(t, refused.Problems[0].Line)
				assert.Contains(t, refused.Error(), test.says)
			})
		}
	})

	t.Run("loss of up to five percent, five rows or the allowance is accepted", func(t *testing.T) {
		for _, test := range []struct {
			what  string
			lines int
			allow int
			fine  bool
		}{
			{"5 % of 200", 190, 0, true},
			{"one more", 189, 0, false},
			{"one more, with one too few allowed", 189, 10, false},
			{"one more, allowed", 189, 11, true},
			{"all, allowed", 0, 200, true},
		} {
			t.Run(test.what, func(t *testing.T) {
				c := newCompany(t)
				c.imports(t, folder{"people.csv": hall(t)["people.csv"]})
				cut := folder{"people.csv": hall(t).cut("people.csv", 1+test.lines)["people.csv"]}
				if !test.fine {
					_ = c.refuses(t, cut, directory.Options{Allow: map[string]int{"people-gone": test.allow, "managers-inactive": 25}})
					return
				}
				summary, err := directory.Import(
					context.Background(),
					c.importer,
					cut.write(t),
					directory.Options{Allow: map[string]int{"people-gone": test.allow, "managers-inactive": 25}},
				)
				require.NoError(t, err)
				assert.Equal(t, 200-test.lines, of(t, summary, "people.csv").Gone)
				assert.Equal(t, 200-test.lines, c.count(t, `select count(*) from people where gone_at is not null`))
				assert.Len(t, of(t, summary, "people.csv").Names, min(200-test.lines, 20))
			})
		}
		t.Run("half of ten", func(t *testing.T) {
			c := newCompany(t)
			c.imports(t, folder{"people.csv": town(t, 10, 1, 10)["people.csv"]})
			c.imports(t, folder{"people.csv": town(t, 5, 1, 5)["people.csv"]})
			assert.Equal(t, 5, c.count(t, `select count(*) from people where gone_at is not null`))
		})
	})

	t.Run("entitlements of a missing application count as lost", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, hall(t))
		one := folder{"applications.csv": hall(t).cut("applications.csv", 1+7)["applications.csv"]}
		refused := c.refuses(t, one, directory.Options{})
		require.Len(t, refused.Problems, 1, "one application in eight is accepted")
		assert.Contains(t, refused.Problems[0].String(), "applications.csv: would mark 12 of 100 entitlements as gone")

		summary, err := directory.Import(
			context.Background(),
			c.importer,
			one.write(t),
			directory.Options{Allow: map[string]int{"entitlements-gone": 12}},
		)
		require.NoError(t, err)
		assert.Equal(t, 12, of(t, summary, "entitlements.csv").Gone)
		assert.Equal(t, 12, c.count(t, `select count(*) from entitlements where gone_at is not null`))
		assert.Equal(t, 400, c.count(t, `select count(*) from claims where ended_at is null`), "access is still held")
	})

	t.Run("claims that ended before are not counted", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, hall(t))
		for lines := 380; lines >= 340; lines -= 10 {
			summary, err := directory.Import(
				context.Background(),
				c.importer,
				hall(t).cut("grants.csv", 1+lines).write(t),
				directory.Options{Allow: map[string]int{"grants-gone": 20}},
			)
			require.NoError(t, err)
			require.Equal(t, lines, of(t, summary, "grants.csv").Unchanged)
		}
	})
}
