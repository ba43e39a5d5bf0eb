package views

import (
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the zones of the people, wherever the program runs

	"accessbot/schema"
)

// When formats an instant in the reader's zone: "Tue 1 Dec 2026, 17:00 CET". A zone (IANA name) that is empty or unknown is UTC.
func When(t time.Time, zone string) string {
	t = t.In(location(zone))
	name, _ := t.Zone()
	if strings.HasPrefix(name, "+") || strings.HasPrefix(name, "-") { // a zone without letters of its own
		name = "UTC" + name
	}
	return t.Format("Mon 2 Jan 2006, 15:04 ") + name
}

// EndOf formats the end of a calendar day in a zone: "end of Tue 1 Dec 2026 (Europe/Berlin)". Only the date of t counts.
func EndOf(t time.Time, zone string) string {
	return fmt.Sprintf("end of %s (%s)", t.Format("Mon 2 Jan 2006"), location(zone))
}

// Until formats a request's duration for a reader in a zone: "permanent", "until Tue 1 Dec 2026, 17:00 CET", or, if a day was
// chosen, "until the end of Tue 1 Dec 2026 (Europe/Berlin)". A day is in the requester's zone: for readers whose clock differs,
// their time follows.
func Until(r *schema.Request, zone string) string {
	switch {
	case !r.EndsAt.Valid:
		return "permanent"
	case !r.EndsOn.Valid:
		return "until " + When(r.EndsAt.Time, zone)
	}
	end := "until the " + EndOf(r.EndsOn.Time, r.TimeZone)
	_, theirs := r.EndsAt.Time.In(location(r.TimeZone)).Zone()
	if _, ours := r.EndsAt.Time.In(location(zone)).Zone(); ours != theirs {
		end += ", for you " + When(r.EndsAt.Time, zone)
	}
	return end
}

// locations caches zones by name: time.LoadLocation reads a file each time.
var locations sync.Map

func location(zone string) *time.Location {
	if zone == "Local" { // the machine's, not a person's
		return time.UTC
	}
	if known, ok := locations.Load(zone); ok {
		if l, ok := known.(*time.Location); ok {
			return l
		}
	}
	l, err := time.LoadLocation(zone)
	if err != nil {
		return time.UTC
	}
	locations.Store(zone, l)
	return l
}
