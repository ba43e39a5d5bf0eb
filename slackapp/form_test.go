package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The user guide's three ways to ask.

func TestRequestForm(t *testing.T) {
	t.Run("access like a person is requested", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alice := s.as("alice")
			alice.OpenHome()
			home := alice.Home()
			for _, said := range []string{"Alice Martin", "alice@example.com", "Data Analyst", "Manager: Bob Fischer", "Warehouse reader"} {
				require.Contains(s, home, said)
			}
			alice.Press("Request Access")
			alice.WaitForModal("Access Like")
			require.Equal(s, "Person", alice.Value("Access Like"))
			require.Equal(s, "Permanent", alice.Value("Duration"))
			alice.Pick("Person", "priya", "Priya Nair")
			alice.WaitForModal("Select all access grants (6)")
			require.Len(s, alice.Boxes(), 7)
			alice.Tick("Dashboard editor", "Customer reader")
			alice.Choose("Reason", "Project work")
			alice.SubmitAccepted()
			alice.WaitForNoModal()
			number := s.newest()
			require.Equal(s, []string{"crm/reader", "dashboards/editor"}, s.asked(number))
			alice.WaitForHome("#1001")
			alice.WaitForMessage(
				"Your request #1001 has been created. We'll send it for approval as soon as our systems are back.",
			) // Temporal is down
			s.work(number)
			alice.WaitForMessage("Your request #1001 has been created")
			require.Zero(s, one[int](s, `select count(*) from form_drafts`))
		})
	})

	t.Run("all access of a job title is requested", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alice := s.as("alice")
			s.openForm(alice)
			alice.Choose("Access Like", "Job Title")
			alice.Pick("Job Title", "data eng", "Data Engineer")
			alice.WaitForModal("Select all access grants (6)") // of seven she has one
			alice.Tick("Select all access grants")
			alice.WaitForModal("All 6 selected")
			require.Len(s, alice.Boxes(), 1, "the boxes are hidden")
			alice.Choose("Reason", "New role or team")
			alice.SubmitAccepted()
			require.Equal(
				s,
				[]string{
					"dashboards/editor",
					"source/@member",
					"source/data-pipelines",
					"sso/vpn",
					"warehouse/scheduler",
					"warehouse/writer",
				},
				s.asked(s.newest()),
			)
			require.Equal(s, "job_title", one[string](s, `select access_like from access_requests`))
		})
	})

	t.Run("job title without a set shows how many hold each grant", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Choose("Access Like", "Job Title")
		alice.Pick("Job Title", "Data Ana", "Data Analyst")
		require.Contains(t, alice.WaitForModal("Select all"), "of 3")
	})

	t.Run("custom access is requested until a day", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alice := s.as("alice")
			s.openForm(alice)
			alice.Choose("Access Like", "Custom")
			modal := alice.WaitForModal("Everything that you can request")
			require.NotContains(s, modal, "Select all access grants")
			alice.Tick("Support desk")
			alice.Choose("Duration", "Temporary")
			require.Contains(s, alice.WaitForModal("End date"), "Europe/Paris")
			paris, err := time.LoadLocation("Europe/Paris")
			require.NoError(s, err)
			last := time.Now().In(paris).AddDate(0, 0, 7)
			alice.PickDate("End date", last.Format(time.DateOnly))
			alice.Choose("Reason", "Something else")
			errors := alice.Submit()
			require.Equal(s, map[string]string{"Note": "This reason needs a note."}, errors)
			alice.Fill("Note", "for the migration")
			alice.SubmitAccepted()
			require.Equal(s, []string{"crm/support"}, s.asked(s.newest()))
			y, m, d := last.Date()
			require.True(
				s,
				one[time.Time](s, `select ends_at from access_requests`).Equal(time.Date(y, m, d+1, 0, 0, 0, 0, paris)),
				"the end is the start of the next day in Paris",
			)
			require.Equal(s, last.Format(time.DateOnly), one[string](s, `select ends_on::text from access_requests`))
			alice.WaitForHome("until the end of " + last.Format("Mon 2 Jan 2006"))
		})
	})

	t.Run("time of day ends access at that instant", func(t *testing.T) {
		s := newStage(t, 1, false)
		max := s.as("max") // the directory has no time zone for him; Slack has UTC
		_, err := s.slack.ChangeUser("max@example.com", map[string]any{"tz": "Australia/Lord_Howe"})
		require.NoError(t, err)
		s.openForm(max)
		max.Choose("Access Like", "Custom")
		max.WaitForModal("Everything")
		max.Tick("Support desk")
		max.Choose("Duration", "Temporary")
		max.WaitForModal("Australia/Lord_Howe")
		zone, err := time.LoadLocation("Australia/Lord_Howe")
		require.NoError(t, err)
		last := time.Now().In(zone).AddDate(0, 0, 3)
		max.PickDate("End date", last.Format(time.DateOnly))
		max.PickTime("End time", "17:30")
		max.Choose("Reason", "Project work")
		max.SubmitAccepted()
		y, m, d := last.Date()
		require.True(t, one[time.Time](s, `select ends_at from access_requests`).Equal(time.Date(y, m, d, 17, 30, 0, 0, zone)))
		require.False(t, one[bool](s, `select ends_on is not null from access_requests`))
	})

	t.Run("form recovers from a stale view hash", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		s.openForm(alice)
		s.do(`update form_drafts set view_hash = '1.stale'`) // as after a crash between drawing the form and recording it
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("Select all access grants (6)")
	})

	t.Run("form without its draft is too old", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		s.openForm(alice)
		s.do(`delete from form_drafts`)
		alice.Choose("Access Like", "Custom")
		alice.WaitForModal("This form has expired.")
	})
}
