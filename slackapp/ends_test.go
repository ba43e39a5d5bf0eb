package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	require.NoError(t, err)
	return l
}

func TestEndDate(t *testing.T) {
	t.Run("time of day is one instant when clocks are set too", func(t *testing.T) {
		for _, c := range []struct{ what, zone, date, clock, utc string }{
			{"an ordinary time", "America/New_York", "2026-07-01", "09:30", "2026-07-01T13:30:00Z"},
			{"skipped: the first instant after the gap", "America/New_York", "2026-03-08", "02:30", "2026-03-08T07:00:00Z"},
			{"the last before the gap", "America/New_York", "2026-03-08", "01:59", "2026-03-08T06:59:00Z"},
			{"the first after the gap", "America/New_York", "2026-03-08", "03:00", "2026-03-08T07:00:00Z"},
			{"repeated: the second", "America/New_York", "2026-11-01", "01:30", "2026-11-01T06:30:00Z"},
			{"skipped", "Europe/London", "2026-03-29", "01:30", "2026-03-29T01:00:00Z"},
			{"repeated", "Europe/London", "2026-10-25", "01:30", "2026-10-25T01:30:00Z"},
			{"skipped midnight", "Africa/Cairo", "2026-04-24", "00:30", "2026-04-23T22:00:00Z"},
			{"repeated late evening", "Africa/Cairo", "2026-10-29", "23:30", "2026-10-29T21:30:00Z"},
			{"skipped midnight", "America/Santiago", "2026-09-06", "00:15", "2026-09-06T04:00:00Z"},
			{"repeated late evening", "America/Santiago", "2026-04-04", "23:30", "2026-04-05T03:30:00Z"},
			{"half an hour skipped", "Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30:00Z"},
			{"half an hour repeated", "Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T15:15:00Z"},
			{"a day that never was", "Pacific/Apia", "2011-12-30", "12:00", "2011-12-30T10:00:00Z"},
			{"the day after", "Pacific/Apia", "2011-12-31", "00:00", "2011-12-30T10:00:00Z"},
			{"no clocks are set", "UTC", "2026-12-31", "23:59", "2026-12-31T23:59:00Z"},
		} {
			end, err := endAt(c.date, c.clock, zone(t, c.zone))
			require.NoError(t, err)
			require.Equal(t, c.utc, end.UTC().Format(time.RFC3339), "%s: %s %s in %s", c.what, c.date, c.clock, c.zone)
		}
	})

	t.Run("day ends where the next one starts", func(t *testing.T) {
		for _, c := range []struct{ what, zone, date, utc string }{
			{"an ordinary day", "Europe/Paris", "2026-12-01", "2026-12-01T23:00:00Z"},
			{"the next day has no midnight", "Africa/Cairo", "2026-04-23", "2026-04-23T22:00:00Z"},
			{"its last hour comes twice", "Africa/Cairo", "2026-10-29", "2026-10-29T22:00:00Z"},
			{"the next day has no midnight", "America/Santiago", "2026-09-05", "2026-09-06T04:00:00Z"},
			{"its last hour comes twice", "America/Santiago", "2026-04-04", "2026-04-05T04:00:00Z"},
			{"the next day's first hour comes twice", "America/Havana", "2026-10-31", "2026-11-01T04:00:00Z"},
			{"the next day never was", "Pacific/Apia", "2011-12-29", "2011-12-30T10:00:00Z"},
			{"the end of a year", "Pacific/Apia", "2026-12-31", "2026-12-31T11:00:00Z"},
		} {
			end, day, err := endOfDay(c.date, zone(t, c.zone))
			require.NoError(t, err)
			require.Equal(t, c.utc, end.UTC().Format(time.RFC3339), "%s: %s in %s", c.what, c.date, c.zone)
			require.Equal(t, c.date, day.Format(time.DateOnly))
		}
	})

	t.Run("invalid day or time is refused", func(t *testing.T) {
		for _, date := range []string{"", "2026-02-30", "2026-13-01", "2026-2-3", "20260203", "tomorrow", "2027-02-29"} {
			_, _, err := endOfDay(date, time.UTC)
			require.ErrorIs(t, err, errNoSuchDay, date)
			_, err = endAt(date, "12:00", time.UTC)
			require.ErrorIs(t, err, errNoSuchDay, date)
		}
		for _, clock := range []string{"24:00", "12:60", "noon", "-1:00", "12"} {
			_, err := endAt("2026-12-01", clock, time.UTC)
			require.ErrorIs(t, err, errNoSuchTime, clock)
		}
	})

	t.Run("limit in days includes the whole last day", func(t *testing.T) {
		paris := zone(t, "Europe/Paris")
		now := time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC) // 2 March in Paris
		limit := lastEnd(now, 30, paris)
		end, _, err := endOfDay("2026-04-01", paris)
		require.NoError(t, err)
		require.True(t, end.Equal(limit), "%s, %s", end, limit)
		end, _, err = endOfDay("2026-04-02", paris)
		require.NoError(t, err)
		require.True(t, end.After(limit))
	})

	// For any time of day and zone, clocks there show that time at the instant, or the first one after it that exists.
	t.Run("instants agree with the clocks of the zone", func(t *testing.T) {
		for _, name := range []string{"America/New_York", "Europe/London", "Africa/Cairo", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana", "Asia/Kolkata"} {
			l := zone(t, name)
			for wall := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); wall.Year() < 2027; wall = wall.Add(15 * time.Minute) {
				instants := meanings(wall, l)
				last := instants[len(instants)-1]
				shown := last.In(l).Format("2006-01-02 15:04")
				if shown != wall.Format("2006-01-02 15:04") {
					before := last.Add(-time.Second).In(l).Format("2006-01-02 15:04")
					require.True(
						t,
						before < wall.Format("2006-01-02 15:04") && shown > wall.Format("2006-01-02 15:04"),
						"%s in %s is %s",
						wall,
						name,
						last,
					)
				}
				for _, later := range []time.Duration{30 * time.Minute, time.Hour} {
					require.NotEqual(
						t,
						wall.Format("2006-01-02 15:04"),
						last.Add(later).In(l).Format("2006-01-02 15:04"),
						"%s in %s comes again after %s",
						wall,
						name,
						last,
					)
				}
			}
		}
	})
}
