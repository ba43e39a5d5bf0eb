package directory

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
)

// Summary says what an import did.
type Summary struct {
	Files []FileSummary `json:"files"`
	// Skipped counts the rows of grants.csv that made no claim because accessbot granted or revoked that access itself, see
	// applyGrants.
	Skipped int `json:"skipped"`
	// Notes are warnings for the operator, such as files that were not read.
	Notes []string `json:"notes,omitempty"`
}

// FileSummary counts the changes of one file, or those that another file's changes bring.
type FileSummary struct {
	File      string `json:"file"`
	Added     int    `json:"added"`
	Changed   int    `json:"changed"`
	Gone      int    `json:"gone"`
	Unchanged int    `json:"unchanged"`
	// Names are the keys of the rows that are gone, at most maxNames.
	Names []string `json:"names,omitempty"`
}

// maxNames is how many gone rows of a file are named.
const maxNames = 20

// Changed reports whether the import changed the directory.
func (s Summary) Changed() bool {
	for _, f := range s.Files {
		if f.Added+f.Changed+f.Gone > 0 {
			return true
		}
	}
	return false
}

// String returns a table with a line for each file, for a terminal.
func (s Summary) String() string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, f := range s.Files {
		fmt.Fprintf(table, "%s\t%d added\t%d changed\t%d gone\t%d unchanged\n", f.File, f.Added, f.Changed, f.Gone, f.Unchanged)
	}
	table.Flush() //nolint:errcheck // a strings.Builder takes everything
	for _, f := range s.Files {
		if len(f.Names) == 0 {
			continue
		}
		fmt.Fprintf(&text, "gone from %s: %s", f.File, strings.Join(f.Names, ", "))
		if more := f.Gone - len(f.Names); more > 0 {
			fmt.Fprintf(&text, " and %d more", more)
		}
		text.WriteString("\n")
	}
	if s.Skipped > 0 {
		fmt.Fprintf(&text, "rows of %s skipped, because accessbot granted or revoked that access itself: %d\n", grantsFile, s.Skipped)
	}
	for _, note := range s.Notes {
		text.WriteString(note + "\n")
	}
	if !s.Changed() {
		text.WriteString("nothing has changed\n")
	}
	return text.String()
}

// summarize adds the counts of a file to the summary.
func (im *importing) summarize(ctx context.Context, file, table string, gone int, names []string) error {
	f := FileSummary{File: file, Gone: gone, Names: names[:min(len(names), maxNames)]}
	err := im.tx.QueryRowxContext(ctx, `
		select count(*) filter (where change = 'added'), count(*) filter (where change = 'changed'),
		       count(*) filter (where change = 'unchanged')
		  from `+table).Scan(&f.Added, &f.Changed, &f.Unchanged)
	im.summary.Files = append(im.summary.Files, f)
	return err
}
