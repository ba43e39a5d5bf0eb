package main

import (
	"errors"
	"fmt"
	"time"
)

// The end of temporary access: from a day, and perhaps a time of day, in a person's time zone to one instant. Where clocks
// change, a local time may exist twice or not at all, and time.Date resolves those differently for each zone. Here a repeated
// time means its second occurrence, and a skipped one the first instant after the gap.

// errNoSuchDay and errNoSuchTime say what cannot be parsed.
var (
	errNoSuchDay  = errors.New("no such day")
	errNoSuchTime = errors.New("no such time of day")
)

// parseDay returns a calendar day as its midnight UTC.
func parseDay(date string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.20q: %w", date, errNoSuchDay)
	}
	return day, nil
}

// endAt returns the instant of a day (YYYY-MM-DD) and a time of day (HH:MM).
func endAt(date, clock string, zone *time.Location) (time.Time, error) {
	day, err := parseDay(date)
	if err != nil {
		return time.Time{}, err
	}
	of, err := time.Parse("15:04", clock)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.20q: %w", clock, errNoSuchTime)
	}
	instants := meanings(day.Add(time.Duration(of.Hour())*time.Hour+time.Duration(of.Minute())*time.Minute), zone)
	return instants[len(instants)-1], nil
}

// endOfDay returns the first instant after a day (YYYY-MM-DD) in a zone, and that day.
func endOfDay(date string, zone *time.Location) (end, day time.Time, err error) {
	if day, err = parseDay(date); err != nil {
		return time.Time{}, time.Time{}, err
	}
	return meanings(day.AddDate(0, 0, 1), zone)[0], day, nil
}

// lastEnd returns the last end that a limit of so many days allows: the end of the day that many days from today in a zone.
func lastEnd(now time.Time, days int, zone *time.Location) time.Time {
	y, m, d := now.In(zone).Date()
	return meanings(time.Date(y, m, d+days+1, 0, 0, 0, 0, time.UTC), zone)[0]
}

// meanings returns the instants at which clocks in a zone show a wall time (given as if it were UTC), in order. A skipped one
// means the first instant after the gap.
func meanings(wall time.Time, zone *time.Location) []time.Time {
	// No zone changes twice within two days, so these are all the offsets that may apply.
	before, after := offset(wall.Add(-24*time.Hour), zone), offset(wall.Add(24*time.Hour), zone)
	var instants []time.Time
	for _, o := range []time.Duration{max(before, after), min(before, after)} { // further east is earlier
		t := wall.Add(-o)
		if offset(t, zone) == o && (len(instants) == 0 || !t.Equal(instants[0])) {
			instants = append(instants, t)
		}
	}
	if len(instants) == 0 { // in the gap: by the old offset it is just after the change
		start, _ := wall.Add(-min(before, after)).In(zone).ZoneBounds()
		instants = append(instants, start)
	}
	return instants
}

func offset(t time.Time, zone *time.Location) time.Duration {
	_, seconds := t.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}
