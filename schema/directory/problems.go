package directory

import (
	"fmt"
	"strings"
)

// maxProblems is how many problems an error lists. The rest are only counted.
const maxProblems = 20

// Problem is one error in the files.
type Problem struct {
	File   string
	Line   int    // from 1; 0: the whole file
	Column string // the name in the header; empty: the whole line
	Reason string
}

// String returns "people.csv:12: name: is empty".
func (p Problem) String() string {
	var text strings.Builder
	text.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&text, ":%d", p.Line)
	}
	if p.Column != "" {
		text.WriteString(": " + p.Column)
	}
	text.WriteString(": " + p.Reason)
	return text.String()
}

// Refused says why nothing was imported. The database is unchanged.
type Refused struct {
	Problems []Problem // at most maxProblems
	More     int       // the number of other problems
}

func (r *Refused) Error() string {
	lines := []string{"refused, nothing was changed:"}
	for _, p := range r.Problems {
		lines = append(lines, p.String())
	}
	if r.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", r.More))
	}
	return strings.Join(lines, "\n")
}

type problems struct {
	list []Problem
	more int
}

func (p *problems) add(problem Problem) {
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	p.list = append(p.list, problem)
}

// refused returns a *Refused with all problems so far, or nil if there are none.
func (p *problems) refused() error {
	if len(p.list) == 0 {
		return nil
	}
	return &Refused{Problems: p.list, More: p.more}
}
