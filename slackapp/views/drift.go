package views

import (
	"fmt"

	"accessbot/schema"
)

// DriftShown is how many differences a message names.
const DriftShown = 20

// Drift tells an owner, whose clock is in zone, that an application shows other access than what is recorded.
func Drift(r schema.DriftReport, zone string) Message {
	var b body
	app := name(r.ApplicationName)
	text := fmt.Sprintf("Access in %s differs from what is recorded", app)
	b.line(bold(text))
	if r.Unclaimed > 0 {
		b.line(fmt.Sprintf("%d held there, and nobody asked for it here.", r.Unclaimed))
	}
	if r.Missing > 0 {
		b.line(fmt.Sprintf("%d recorded as given, and not there any more.", r.Missing))
	}
	b.gap()
	room, shown := listRoom, 0
	for _, d := range r.Drifts {
		line := driftLine(d, zone)
		if room -= length(line); room < 0 {
			break
		}
		b.line(line)
		shown++
	}
	if more := r.Unclaimed + r.Missing - shown; more > 0 {
		b.line(fmt.Sprintf("and %d more", more))
	}
	b.gap()
	b.small("Please look in the application who changed it, and whether it should be so. The audit has every case.")
	return b.message(text)
}

func driftLine(d schema.Drift, zone string) string {
	who := name(d.PersonName)
	if d.PersonName == "" {
		who = "account " + name(d.Account) + " (nobody's in the directory)"
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
		line += ". It is being given again"
	case d.Corrected:
		line += ". It is being taken back"
	}
	return line
}
