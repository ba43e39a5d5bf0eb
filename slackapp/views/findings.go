package views

import (
	"fmt"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// FindingShown is how many differences a message names.
const FindingShown = 20

// ListFindings is the list of Home, which shows FindingLines of it.
const (
	ListFindings = "unexpected_access"
	FindingLines = 5
)

// Unexpected or missing access tells an owner, whose clock is in zone, that an application shows other access than what is recorded.
func Finding(r schema.FindingReport, zone string) Message {
	var b body
	app := name(r.ApplicationName)
	text := fmt.Sprintf("Access in %s differs from what is recorded", app)
	b.line(bold(text))
	if r.Unexpected > 0 {
		b.line(fmt.Sprintf("%d held there, and no one asked for it here.", r.Unexpected))
	}
	if r.Missing > 0 {
		b.line(fmt.Sprintf("%d recorded as given, and not there any more.", r.Missing))
	}
	b.gap()
	room, shown := listRoom, 0
	for _, d := range r.Findings {
		line := findingLine(d, zone)
		if room -= length(line); room < 0 {
			break
		}
		b.line(line)
		shown++
	}
	if more := r.Unexpected + r.Missing - shown; more > 0 {
		b.line(fmt.Sprintf("and %d more", more))
	}
	b.gap()
	b.small(lookThere + " The audit has every case.")
	return b.message(text)
}

func findingLine(d schema.Finding, zone string) string {
	who := name(d.PersonName)
	if d.PersonName == "" {
		who = "account " + name(d.Account) + " (no one's in the directory)"
	}
	line := fmt.Sprintf("➕ %s: %s, seen first %s", who, bold(name(d.EntitlementName)), When(d.FirstSeenAt, zone))
	if d.Kind == "missing" {
		line = fmt.Sprintf("➖ %s: %s, seen first %s", who, bold(name(d.EntitlementName)), When(d.FirstSeenAt, zone))
		if d.RequestID.Valid {
			line += fmt.Sprintf(", from request #%d", d.RequestID.Int64)
		}
	}
	switch {
	case d.Corrected && d.Kind == "missing":
		line += ". It is being granted again"
	case d.Corrected:
		line += ". It is being revoked"
	}
	return line
}

const lookThere = "Please look in the application who changed it, and whether it should be so."

// findingLines are differences of several applications, and what to do about them.
func findingLines(findings []schema.Finding, zone string) []slack.Block {
	var blocks []slack.Block
	for _, d := range findings {
		what := "held there, and no one asked for it here"
		if d.Kind == "missing" {
			what = "recorded as given, and not there any more"
		}
		blocks = append(blocks, section(findingLine(d, zone)+"\n"+name(d.ApplicationName)+" · "+what))
	}
	return append(blocks, small(lookThere+" What is as recorded again vanishes from here."))
}

// FindingList is a page of where what the reader looks after differs from what is recorded.
func FindingList(findings []schema.Finding, total, page int, zone string) slack.ModalViewRequest {
	return list(ListFindings, "Differs from the database", total, page, findingLines(findings, zone))
}
