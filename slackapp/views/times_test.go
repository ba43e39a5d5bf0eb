package views

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"accessbot/schema"
)

func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func at(s string) sql.NullTime { return sql.NullTime{Time: instant(s), Valid: true} }

func TestTimes(t *testing.T) {
	t.Run("instant is shown in the reader's time with its zone", func(t *testing.T) {
		for _, c := range []struct{ what, at, zone, want string }{
			{"winter", "2026-12-01T16:00:00Z", "Europe/Berlin", "Tue 1 Dec 2026, 17:00 CET"},
			{"another day elsewhere", "2026-12-01T23:30:00Z", "Asia/Tokyo", "Wed 2 Dec 2026, 08:30 JST"},
			{"the first time in a repeated hour", "2026-10-25T00:30:00Z", "Europe/Berlin", "Sun 25 Oct 2026, 02:30 CEST"},
			{"the second time in a repeated hour", "2026-10-25T01:30:00Z", "Europe/Berlin", "Sun 25 Oct 2026, 02:30 CET"},
			{"a zone without letters", "2026-12-01T16:00:00Z", "America/Sao_Paulo", "Tue 1 Dec 2026, 13:00 UTC-03"},
			{"no zone", "2026-12-01T16:00:00Z", "", "Tue 1 Dec 2026, 16:00 UTC"},
			{"an unknown zone", "2026-12-01T16:00:00Z", "Mars/Olympus", "Tue 1 Dec 2026, 16:00 UTC"},
			{"the machine's zone is no one's", "2026-12-01T16:00:00Z", "Local", "Tue 1 Dec 2026, 16:00 UTC"},
		} {
			t.Run(c.what, func(t *testing.T) { assert.Equal(t, c.want, When(instant(c.at), c.zone)) })
		}
	})

	t.Run("end shows the chosen day and the reader's time", func(t *testing.T) {
		day := &schema.Request{TimeZone: "Europe/Berlin", EndsAt: at("2026-12-01T23:00:00Z"), EndsOn: at("2026-12-01T00:00:00Z")}
		hour := &schema.Request{TimeZone: "Europe/Berlin", EndsAt: at("2026-12-01T16:00:00Z")}
		assert.Equal(t, "until the end of Tue 1 Dec 2026 (Europe/Berlin)", Until(day, "Europe/Berlin"))
		assert.Equal(t, "until the end of Tue 1 Dec 2026 (Europe/Berlin)", Until(day, "Europe/Paris"), "the same clock")
		assert.Equal(
			t,
			"until the end of Tue 1 Dec 2026 (Europe/Berlin), for you Tue 1 Dec 2026, 18:00 EST",
			Until(day, "America/New_York"),
		)
		assert.Equal(t, "until Tue 1 Dec 2026, 17:00 CET", Until(hour, "Europe/Berlin"))
		assert.Equal(t, "until Tue 1 Dec 2026, 11:00 EST", Until(hour, "America/New_York"))
		assert.Equal(t, "permanent", Until(&schema.Request{TimeZone: "Europe/Berlin"}, "Europe/Berlin"))
	})
}
