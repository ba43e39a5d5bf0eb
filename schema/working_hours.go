package schema

import "time"

// People are reminded in working hours: from workStartsAt to workEndsAt o'clock, on weekdays.
const (
	workStartsAt = 9
	workEndsAt   = 17
)

// NextWorkingTime is t, if that is in working hours in the zone, or the next start of working hours.
func NextWorkingTime(t time.Time, zone *time.Location) time.Time {
	local := t.In(zone)
	if isWorkingTime(local) {
		return t
	}
	for day := 0; ; day++ {
		// A change of clocks can skip this hour, or this day. The next day has it.
		start := time.Date(local.Year(), local.Month(), local.Day()+day, workStartsAt, 0, 0, 0, zone)
		if start.After(t) && isWorkingTime(start) {
			return start
		}
	}
}

func isWorkingTime(local time.Time) bool {
	weekend := local.Weekday() == time.Saturday || local.Weekday() == time.Sunday
	return !weekend && local.Hour() >= workStartsAt && local.Hour() < workEndsAt
}

// ZoneOf is the time zone of a person by its name, or the default if theirs is not set or not known.
func ZoneOf(name string, byDefault *time.Location) *time.Location {
	if name == "" || name == "Local" { // this machine's, not a person's
		return byDefault
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return byDefault
	}
	return zone
}
