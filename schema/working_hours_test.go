package schema

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWorkingHours(t *testing.T) {
	t.Parallel()
	t.Run("next time is from nine to five on local weekdays", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct{ name, zone, at, next string }{
			{"at work", "Europe/Berlin", "2026-12-01 10:30", "2026-12-01 10:30"},
			{"start of work", "Europe/Berlin", "2026-12-01 09:00", "2026-12-01 09:00"},
			{"before work", "Europe/Berlin", "2026-12-01 08:59", "2026-12-01 09:00"},
			{"at night", "Europe/Berlin", "2026-12-01 00:00", "2026-12-01 09:00"},
			{"after work", "Europe/Berlin", "2026-12-01 17:00", "2026-12-02 09:00"},
			{"end of the year", "Europe/Berlin", "2026-12-31 18:00", "2027-01-01 09:00"},
			{"Friday evening", "America/New_York", "2026-12-04 17:00", "2026-12-07 09:00"},
			{"Saturday noon", "America/New_York", "2026-12-05 12:00", "2026-12-07 09:00"},
			{"Sunday evening", "Asia/Tokyo", "2026-12-06 23:59", "2026-12-07 09:00"},
			{"before clocks go forward", "Europe/Berlin", "2026-03-27 17:30", "2026-03-30 09:00"},
			{"before clocks go back", "America/New_York", "2026-10-30 17:30", "2026-11-02 09:00"},
			{"zone with half an hour", "Asia/Kolkata", "2026-12-01 17:00", "2026-12-02 09:00"},
			{"zone 14 hours ahead", "Pacific/Kiritimati", "2026-12-04 20:00", "2026-12-07 09:00"},
			{"midnight that is skipped", "America/Santiago", "2026-09-05 23:30", "2026-09-07 09:00"},
			{"Friday that is skipped", "Pacific/Apia", "2011-12-29 18:00", "2012-01-02 09:00"},
			{"UTC", "UTC", "2026-12-04 23:00", "2026-12-07 09:00"},
		} {
			zone, err := time.LoadLocation(c.zone)
			require.NoError(t, err)
			at, err := time.ParseInLocation("2006-01-02 15:04", c.at, zone)
			require.NoError(t, err)
			for _, as := range []*time.Location{zone, time.UTC, time.FixedZone("", -9*3600)} { // the location of t does not matter
				assert.Equal(t, c.next, NextWorkingTime(at.In(as), zone).In(zone).Format("2006-01-02 15:04"), c.name)
			}
		}
	})

	t.Run("next time is the first one for any time and zone", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"} {
			zone, err := time.LoadLocation(name)
			require.NoError(t, err)
			var next time.Time // the reference, found backwards in steps of 15 minutes
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for at := begin.AddDate(1, 0, 10); at.After(begin); at = at.Add(-15 * time.Minute) {
				if isWorkingTime(at.In(zone)) {
					next = at
				}
				if at.Before(begin.AddDate(1, 0, 0)) {
					require.True(t, next.Equal(NextWorkingTime(at, zone)), "%s in %s", at, name)
				}
			}
		}
	})
}
