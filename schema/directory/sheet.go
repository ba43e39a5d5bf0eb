package directory

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a time zone is known or not by what is compiled in, not by the machine
	"unicode"
	"unicode/utf8"

	"accessbot/schema/email"
)

// Longest values, in characters.
const (
	maxName        = 200
	maxEmail       = 254 // RFC 5321, 4.5.3.1.3, less the angle brackets
	maxDescription = 3000
	maxLabel       = 75 // an option's text in Slack; the schema says so too
	maxDays        = 36500
)

// sheet reads one CSV file row by row, finds columns by name, and collects problems.
type sheet struct {
	file     string
	csv      *csv.Reader
	header   []string
	record   []string
	line     int    // where the current row starts
	bad      bool   // the current row has a problem
	refused  string // the column of its latest problem
	err      error
	problems *problems
	zones    map[string]bool // whether a time zone is known, by name
}

// newSheet reads the header line. Columns may be in any order.
func newSheet(file string, r io.Reader, required, optional []string, problems *problems) *sheet {
	s := &sheet{file: file, problems: problems, zones: map[string]bool{"": true}}
	in := bufio.NewReader(r)
	if mark, err := in.Peek(3); err == nil && bytes.Equal(mark, []byte("\ufeff")) {
		in.Discard(3) //nolint:errcheck // they were just peeked at
	}
	s.csv = csv.NewReader(in)
	s.csv.FieldsPerRecord = -1 // counted in next, which continues after a wrong row
	s.csv.ReuseRecord = true
	s.csv.TrimLeadingSpace = true
	if !s.read() {
		if s.err == nil && !s.bad {
			s.refuse("", "is empty; the first line must name the columns "+strings.Join(required, ", "))
		}
		s.csv = nil
		return s
	}
	garbled := false // a required column may only seem to be missing
	for i, column := range s.record {
		column = strings.TrimSpace(column)
		n, r := email.Invisible(column)
		switch {
		case !utf8.ValidString(column):
			s.refuse("", "is not UTF-8")
		case n > 0:
			garbled = true
			s.refuse("", fmt.Sprintf("contains the invisible character %U, character %d of column name %d", r, n, i+1))
		case slices.Contains(s.header, column):
			s.refuse(column, "appears twice in the header line")
		case !slices.Contains(required, column) && !slices.Contains(optional, column):
			s.refuse(column, "is not a column of this file; use "+strings.Join(append(slices.Clone(required), optional...), ", "))
		}
		s.header = append(s.header, column)
	}
	for _, column := range required {
		if !garbled && !slices.Contains(s.header, column) {
			s.refuse(column, "is missing from the header line")
		}
	}
	if s.bad {
		s.csv = nil
	}
	return s
}

// next reads the next row with the right number of fields. It returns false at the end of the file, or after an error in s.err.
func (s *sheet) next() bool {
	for s.csv != nil && s.read() {
		if len(s.record) == len(s.header) {
			return true
		}
		s.refuse("", fmt.Sprintf("has %d fields; the header line has %d", len(s.record), len(s.header)))
	}
	return false
}

func (s *sheet) read() bool {
	s.bad, s.refused = false, ""
	record, err := s.csv.Read()
	var bad *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		s.line = 1
		return false
	case errors.As(err, &bad):
		// After a wrong quote it is unclear where rows start, so the rest of the file is not read.
		s.line = bad.StartLine
		s.refuse("", fmt.Sprintf("is not CSV: line %d, character %d: %v", bad.Line, bad.Column, bad.Err))
		s.csv = nil
		return false
	case err != nil:
		s.err = err
		return false
	}
	s.record = record
	s.line, _ = s.csv.FieldPos(0)
	return true
}

func (s *sheet) refuse(column, reason string) {
	s.bad, s.refused = true, column
	s.problems.add(Problem{File: s.file, Line: s.line, Column: column, Reason: reason})
}

// has reports whether the file has an optional column. An absent column keeps the values in the database.
func (s *sheet) has(column string) bool { return slices.Contains(s.header, column) }

// raw returns a column's value without surrounding spaces; empty if the column is absent or the value refused.
func (s *sheet) raw(column string, longest int) string {
	i := slices.Index(s.header, column)
	if i < 0 {
		return ""
	}
	value := strings.TrimSpace(s.record[i])
	if !utf8.ValidString(value) {
		s.refuse(column, "is not UTF-8")
		return ""
	}
	if n := utf8.RuneCountInString(value); n > longest {
		s.refuse(column, fmt.Sprintf("is %d characters long; the limit is %d", n, longest))
		return ""
	}
	for _, r := range value {
		if unicode.IsControl(r) && !strings.ContainsRune("\r\n\t", r) {
			s.refuse(column, fmt.Sprintf("contains the control character %U", r))
			return ""
		}
		if r == byteOrderMark {
			s.refuse(column, fmt.Sprintf("contains a byte order mark, %U", r))
			return ""
		}
	}
	return value
}

// byteOrderMark may start a file. Anywhere else it is a mistake.
const byteOrderMark = '\ufeff'

// visible returns a value without invisible characters: programs compare it, and people must be able to tell two apart.
func (s *sheet) visible(column string, longest int) string {
	value := s.raw(column, longest)
	if n, r := email.Invisible(value); n > 0 {
		s.refuse(column, fmt.Sprintf("contains the invisible character %U, character %d", r, n))
		return ""
	}
	return value
}

// text returns a value that people read, on one line.
func (s *sheet) text(column string) string {
	return strings.Join(strings.Fields(s.raw(column, maxName)), " ")
}

// key returns a value that programs compare byte for byte, on one line.
func (s *sheet) key(column string) string {
	value := s.visible(column, maxName)
	if strings.ContainsAny(value, "\r\n\t") {
		s.refuse(column, "contains a line break or a tab")
		return ""
	}
	return value
}

// required refuses an empty value.
func (s *sheet) required(column, value string) string {
	if value == "" && s.refused != column {
		s.refuse(column, "is empty")
	}
	return value
}

// email returns one address in lower case, or empty.
func (s *sheet) email(column string) string {
	value := email.Lower(s.visible(column, maxEmail))
	if value != "" && !isEmail(value) {
		s.refuse(column, strconv.Quote(value)+" is not an e-mail address")
		return ""
	}
	return value
}

// emails returns the addresses between semicolons: lower case, sorted, each once.
func (s *sheet) emails(column string) []string {
	addresses := []string{}
	for address := range strings.SplitSeq(s.visible(column, 100*maxEmail), ";") {
		address = email.Lower(strings.TrimSpace(address))
		switch {
		case address == "":
		case !isEmail(address) || utf8.RuneCountInString(address) > maxEmail:
			s.refuse(column, strconv.Quote(address)+" is not an e-mail address (separate several with semicolons)")
		default:
			addresses = append(addresses, address)
		}
	}
	slices.Sort(addresses)
	return slices.Compact(addresses)
}

// isEmail reports whether a lower-case value looks like an address.
func isEmail(value string) bool {
	user, domain, found := strings.Cut(value, "@")
	return found && user != "" && domain != "" && !strings.ContainsFunc(value, unicode.IsSpace) &&
		!strings.ContainsAny(value, `,;<>"`) && !strings.Contains(domain, "@")
}

// oneOf returns one of words, in lower case.
func (s *sheet) oneOf(column string, words ...string) string {
	value := strings.ToLower(s.raw(column, maxName))
	if !slices.Contains(words, value) && s.refused != column {
		s.refuse(column, fmt.Sprintf("%q is not one of %s", value, strings.Join(words, ", ")))
	}
	return value
}

// boolean returns true or false, or ifEmpty for an empty value; nil if the column is absent.
func (s *sheet) boolean(column string, ifEmpty bool) *bool {
	if !s.has(column) {
		return nil
	}
	value := s.raw(column, maxName)
	result := ifEmpty
	switch strings.ToLower(value) {
	case "":
	case "true", "yes", "1":
		result = true
	case "false", "no", "0":
		result = false
	default:
		s.refuse(column, strconv.Quote(value)+" is neither true nor false")
	}
	return &result
}

// days returns a number of days, 0 for an empty value; nil if the column is absent.
func (s *sheet) days(column string) *int {
	if !s.has(column) {
		return nil
	}
	value, days := s.raw(column, maxName), 0
	if value != "" {
		var err error
		if days, err = strconv.Atoi(value); err != nil || days < 1 || days > maxDays {
			s.refuse(column, fmt.Sprintf("%q is not a number of days from 1 to %d", value, maxDays))
		}
	}
	return &days
}

// zone returns the name of a time zone, or empty; nil if the column is absent.
func (s *sheet) zone(column string) *string {
	if !s.has(column) {
		return nil
	}
	value := s.raw(column, maxName)
	known, seen := s.zones[value]
	if !seen {
		_, err := time.LoadLocation(value)
		known = err == nil && value != "Local" // that of the machine
		s.zones[value] = known
	}
	if !known {
		s.refuse(column, strconv.Quote(value)+" is not a time zone such as Europe/Berlin")
	}
	return &value
}
