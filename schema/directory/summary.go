package directory

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
)

// Summary tells what an import did.
type Summary struct {
	Files []FileSummary `json:"files"`
	// LeftOut counts the rows of grants.csv that made no claim: a request granted that access, or it was ordered back
	// here, and the file may have been written before the target was seen without it.
	LeftOut int `json:"left_out"`
	// Notes are for the operator: files that were not read, and the like.
	Notes []string `json:"notes,omitempty"`
}

// FileSummary counts the rows of one file, or what became of rows that are no longer in it.
type FileSummary struct {
	File      string `json:"file"`
	Added     int    `json:"added"`
	Changed   int    `json:"changed"`
	Gone      int    `json:"gone"`
	Unchanged int    `json:"unchanged"`
	// Names are the keys of what is gone, at most 20.
	Names []string `json:"names,omitempty"`
}

// maxNames is how many of what is gone are named.
const maxNames = 20

// Changed tells whether the import changed anything in the directory.
func (s Summary) Changed() bool {
	for _, f := range s.Files {
		if f.Added+f.Changed+f.Gone > 0 {
			return true
		}
	}
	return false
}

// String is a table with a line a file, for a terminal.
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
	if s.LeftOut > 0 {
		fmt.Fprintf(&text, "%d rows of %s were left out: access that was granted or revoked here\n", s.LeftOut, grantsFile)
	}
	for _, note := range s.Notes {
		text.WriteString(note + "\n")
	}
	if !s.Changed() {
		text.WriteString("nothing has changed\n")
	}
	return text.String()
}

// summarize counts what became of a file's rows, and of those that are no longer in it.
func (im *importing) summarize(ctx context.Context, file, table string, gone int, names []string) error {
	f := FileSummary{File: file, Gone: gone, Names: names[:min(len(names), maxNames)]}
	err := im.tx.QueryRowxContext(ctx, `
		select count(*) filter (where change = 'added'), count(*) filter (where change = 'changed'), count(*) filter (where change = 'unchanged')
		  from `+table).Scan(&f.Added, &f.Changed, &f.Unchanged)
	im.summary.Files = append(im.summary.Files, f)
	return err
}
