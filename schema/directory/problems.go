package directory

import (
	"fmt"
	"strings"
)

// maxProblems is how many problems are named at once; the rest is counted.
const maxProblems = 20

// Problem is one thing that is wrong with the files.
type Problem struct {
	File   string
	Line   int    // from 1, as an editor counts; 0: the whole file
	Column string // as the header names it; empty: the whole line
	Reason string
}

// String is "people.csv:12: manager_email: no one has this e-mail".
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

// Refused says why nothing was imported. The database is as it was.
type Refused struct {
	Problems []Problem // at most 20
	More     int       // how many others there are
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

// refused is nil, or a *Refused with what was noted so far.
func (p *problems) refused() error {
	if len(p.list) == 0 {
		return nil
	}
	return &Refused{Problems: p.list, More: p.more}
}
