package views

import (
	"fmt"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// FindingShown is how many findings a message names.
const FindingShown = 20

// ListFindings is the list of findings on Home, which shows FindingLines of them.
const (
	ListFindings = "unexpected_access"
	FindingLines = 5
)

// Finding tells an owner, whose clock is in zone, about unexpected and missing access in an application.
func Finding(r schema.FindingReport, zone string) Message {
	var b body
	app := name(r.ApplicationName)
	text := fmt.Sprintf("Unexpected or missing access in %s", app)
	b.line(bold(text))
	if r.Unexpected > 0 {
		b.line(fmt.Sprintf("%d unexpected: in the application, but not requested here.", r.Unexpected))
	}
	if r.Missing > 0 {
		b.line(fmt.Sprintf("%d missing: granted here, but no longer in the application.", r.Missing))
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
	b.small(whatToCheck + " The audit lists every case.")
	return b.message(text)
}

func findingLine(d schema.Finding, zone string) string {
	who := name(d.PersonName)
	if d.PersonName == "" {
		who = "account " + name(d.Account) + " (not in the directory)"
	}
	line := fmt.Sprintf("➕ %s: %s, first seen %s", who, bold(name(d.EntitlementName)), When(d.FirstSeenAt, zone))
	if d.Kind == "missing" {
		line = fmt.Sprintf("➖ %s: %s, first seen %s", who, bold(name(d.EntitlementName)), When(d.FirstSeenAt, zone))
		if d.RequestID.Valid {
			line += fmt.Sprintf(", from request #%d", d.RequestID.Int64)
		}
	}
	switch {
	case d.Corrected && d.Kind == "missing":
		line += ". It is being set up again"
	case d.Corrected:
		line += ". It is being removed"
	}
	return line
}

const whatToCheck = "Check in the application who changed it, and whether that was intended."

// findingLines returns findings in several applications, and what to do about them.
func findingLines(findings []schema.Finding, zone string) []slack.Block {
	var blocks []slack.Block
	for _, d := range findings {
		what := "Unexpected: not requested here"
		if d.Kind == "missing" {
			what = "Missing: granted here, but no longer there"
		}
		blocks = append(blocks, section(findingLine(d, zone)+"\n"+name(d.ApplicationName)+" · "+what))
	}
	return append(blocks, small(whatToCheck+" Findings disappear from this list when they are resolved."))
}

// FindingList returns a page of the findings in what the reader owns.
func FindingList(findings []schema.Finding, total, page int, zone string) slack.ModalViewRequest {
	return list(ListFindings, "Unexpected or missing", total, page, findingLines(findings, zone))
}
