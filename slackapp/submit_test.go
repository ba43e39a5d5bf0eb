package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

func TestSubmission(t *testing.T) {
	t.Run("impossible end is an error at its field", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.defaults("max_days: 30")
		alice := s.as("alice")
		s.openForm(alice)
		alice.Choose("Access Like", "Custom")
		alice.WaitForModal("Everything")
		alice.Tick("Support desk", "Break glass") // break glass: at most one day
		alice.Choose("Reason", "Project work")

		require.Equal(
			t,
			map[string]string{"Duration": "These can't be permanent. Choose Temporary: Break glass (at most 1 day)."},
			alice.Submit(),
		)
		alice.Choose("Duration", "Temporary")
		alice.WaitForModal("End date")
		require.Contains(t, alice.Submit()["End date"], "required") // Slack's own
		paris, err := time.LoadLocation("Europe/Paris")
		require.NoError(t, err)
		day := func(n int) string { return time.Now().In(paris).AddDate(0, 0, n).Format(time.DateOnly) }
		for _, c := range []struct{ date, clock, wrong string }{
			{day(-1), "", "This end date has passed."},
			{"2020-02-29", "", "This end date has passed."},
			{day(31), "", "Temporary access lasts at most 30 days."},
			{day(30), "", "This is longer than some access grants allow: Break glass (at most 1 day)."},
			{day(2), "00:01", "This is longer than some access grants allow: Break glass (at most 1 day)."},
			{day(31), "00:01", "Temporary access lasts at most 30 days."},
			{day(0), "00:00", "This end date has passed."},
		} {
			alice.PickDate("End date", c.date)
			if c.clock != "" {
				alice.PickTime("End time", c.clock)
			}
			require.Contains(t, alice.Submit()["End date"], c.wrong, "%+v", c)
		}
		// 30 February cannot be picked, so the payload is forged.
		_, payload, err := s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		at := stateOf(payload, "end_date", "end_date")
		for _, day := range []string{"2027-02-30", "garbage", "9999-99-99"} {
			at["selected_date"] = day
			answer, err := s.slack.Deliver("interactivity", payload)
			require.NoError(t, err)
			require.Contains(t, answer.Body, "There is no such day.")
		}
		at["selected_date"] = nil
		answer, err := s.slack.Deliver("interactivity", payload)
		require.NoError(t, err)
		require.Contains(t, answer.Body, "Choose the day on which the access ends.")
		require.Zero(t, s.newest())
	})

	t.Run("form submitted twice is one request", func(t *testing.T) {
		s := newStage(t, 2, false)
		s.asks("alice", "priya", "Priya Nair", "Dashboard editor")
		route, payload, err := s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		for range 2 {
			again, err := s.slack.Deliver(route, payload)
			require.NoError(t, err)
			require.True(t, again.Acked)
			require.Empty(t, strings.TrimSpace(again.Body), "accepted, as the first time")
		}
		require.Equal(t, 1, one[int](s, `select count(*) from access_requests`))
		require.Equal(t, 1, one[int](s, `select count(*) from audit_events where action = 'request.submitted'`))
	})

	// At the same moment.
	t.Run("form submitted many times at once is one request", func(t *testing.T) {
		s := newStage(t, 2, true)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("Select all")
		alice.Tick("Dashboard editor")
		alice.Submit() // the reason is missing: Slack itself refuses
		alice.Choose("Reason", "Project work")
		// The payload that Slack would send, from a submission that the database refuses.
		s.do(`update reasons set gone_at = app_now() where key = 'project'`)
		require.NotEmpty(t, alice.Submit())
		s.do(`update reasons set gone_at = null where key = 'project'`)
		route, payload, err := s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		bodies := make(chan string, 10)
		for range 10 {
			go func() {
				answer, err := s.slack.Deliver(route, payload)
				if err != nil {
					answer.Body = err.Error()
				}
				bodies <- strings.TrimSpace(answer.Body)
			}()
		}
		for range 10 {
			require.Empty(t, <-bodies)
		}
		require.Equal(t, 1, one[int](s, `select count(*) from access_requests`))
	})

	t.Run("entitlement retired while the form is open is an error at its field", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alice := s.as("alice")
			s.openForm(alice)
			alice.Pick("Person", "priya", "Priya Nair")
			alice.WaitForModal("Select all")
			alice.Tick("Dashboard editor", "Customer reader")
			alice.Choose("Reason", "Project work")
			s.do(`update entitlements set gone_at = app_now() where id = $1`, s.entitlement("dashboards", "editor"))
			errors := alice.Submit()
			require.Len(s, errors, 1)
			require.Contains(s, fmt.Sprint(errors), "No longer available: Dashboard editor.")
			require.Zero(s, s.newest())
			// The error is repeated while the box is ticked. Without it, the rest is submitted.
			require.NotEmpty(s, alice.Submit())
			alice.Untick("Dashboard editor")
			alice.SubmitAccepted()
			require.Equal(s, []string{"crm/reader"}, s.asked(s.newest()))
		})
	})

	// With all selected.
	t.Run("access no longer offered is taken out of all that was selected", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("Select all")
		alice.Tick("Select all")
		alice.WaitForModal("All 6 selected")
		alice.Choose("Reason", "Project work")
		s.do(
			`update claims set ended_at = app_now() where entitlement_id = $1 and person_id = $2`,
			s.entitlement("dashboards", "editor"),
			s.person("priya").ID,
		)
		require.Contains(t, alice.Submit()["Access Grants"], "No longer available: Dashboard editor.")
		alice.SubmitAccepted()
		require.Len(t, s.asked(s.newest()), 5)
	})

	t.Run("entitlement that was never offered is refused and audited", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alice := s.as("alice")
			s.openForm(alice)
			alice.Pick("Person", "priya", "Priya Nair")
			alice.WaitForModal("Select all")
			alice.Tick("Dashboard editor")
			alice.Choose("Reason", "Project work")
			s.do(`update reasons set gone_at = app_now() where key = 'project'`)
			require.NotEmpty(s, alice.Submit()) // to have the payload
			s.do(`update reasons set gone_at = null where key = 'project'`)
			route, payload, err := s.slack.LastPayload("view_submission")
			require.NoError(s, err)
			values := payload["view"].(map[string]any)["state"].(map[string]any)["values"].(map[string]any)
			for n, value := range []string{fmt.Sprint(s.entitlement("warehouse", "admin")), "999999", "-1", "1; drop table claims", ""} {
				for block := range values {
					if strings.HasPrefix(block, "grants.") {
						values[block] = map[string]any{"grants": map[string]any{"type": "checkboxes", "selected_options": []any{
							map[string]any{"text": map[string]any{"type": "plain_text", "text": "x"}, "value": value}}}}
					}
				}
				answer, err := s.slack.Deliver(route, payload)
				require.NoError(s, err)
				require.Contains(s, answer.Body, "that this form doesn't offer", value)
				require.Equal(s, n+1, s.alerts(schema.SelectionRefused), value)
			}
			require.Zero(s, s.newest())
		})
	})

	t.Run("note is kept literally and pings no one", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("Select all")
		alice.Tick("Dashboard editor")
		alice.Choose("Reason", "Project work")
		note := "<!channel> *now* \u202Eetirw ton od\u202C <@U123> & `x`"
		alice.Fill("Note", note)
		s.do(`update reasons set gone_at = app_now() where key = 'project'`)
		require.NotEmpty(t, alice.Submit())
		s.do(`update reasons set gone_at = null where key = 'project'`)
		route, payload, err := s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		held := stateOf(payload, "note", "note")

		held["value"] = strings.Repeat("é", 3001) // Slack's field takes no more than 3000
		answer, err := s.slack.Deliver(route, payload)
		require.NoError(t, err)
		require.Contains(t, answer.Body, "Shorten it to 3000 characters")
		held["value"] = strings.Repeat("x", 1<<20)
		answer, err = s.slack.Deliver(route, payload)
		require.NoError(t, err)
		require.False(t, answer.Acked)
		require.Zero(t, s.newest())

		held["value"] = note + "\x00"
		answer, err = s.slack.Deliver(route, payload)
		require.NoError(t, err)
		require.Empty(t, strings.TrimSpace(answer.Body))
		require.Equal(t, note, one[string](s, `select note from access_requests`), "all but the NUL")
		s.work(s.newest())
		for _, who := range []string{"alice", "bob"} {
			m := s.as(who).WaitForMessage("#1001")
			require.Empty(t, m.Pings(), who)
			require.NotContains(t, m.Text(), "\u202E", who)
		}
	})

	t.Run("form stays open while the database is away", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alice := s.as("alice")
			s.openForm(alice)
			alice.Pick("Person", "priya", "Priya Nair")
			alice.WaitForModal("Select all")
			alice.Tick("Dashboard editor")
			alice.Choose("Reason", "Project work")
			alice.Fill("Note", "please")
			s.recordAway(true)
			require.Contains(s, alice.Submit()["Access Like"], "We couldn't save your request. Nothing was sent")
			for _, kept := range []struct{ field, value string }{{"Person", "Priya Nair – Data Analyst"}, {"Reason", "Project work"}, {"Note", "please"}} {
				require.Equal(s, kept.value, alice.Value(kept.field))
			}
			require.Len(s, alice.Ticked(), 1)
			alice.Choose("Duration", "Temporary") // acknowledged, and the user is told
			alice.WaitForModal("We can't reach our database right now. Nothing was changed.")
			alice.CloseModal()
			for _, address := range s.apps {
				require.Equal(s, 503, status(address+"/readyz"))
				require.Equal(s, 200, status(address+"/healthz"))
			}
			s.recordAway(false)
			require.Contains(s, alice.Submit()["Duration"], "This was not kept.")
			alice.Choose("Duration", "Permanent")
			alice.SubmitAccepted()
			require.Equal(s, []string{"dashboards/editor"}, s.asked(s.newest()))
		})
	})

	t.Run("list other than the one on the screen is not submitted", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("Select all")
		alice.Tick("Dashboard editor")
		alice.Choose("Reason", "Project work")
		lost := func(do func()) map[string]string {
			s.recordAway(true)
			do()
			alice.WaitForModal("We can't reach our database right now.")
			alice.CloseModal()
			s.recordAway(false)
			return alice.Submit()
		}
		again := "We couldn't save this choice. Choose again."
		require.Equal(t, map[string]string{"Access Grants": again}, lost(func() { alice.Tick("Select all") }))
		alice.Untick("Select all")
		s.drawn(alice)
		require.Equal(t, map[string]string{"Access Like": again}, lost(func() { alice.Choose("Access Like", "Custom") }))
		route, payload, err := s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		stateOf(payload, "access_like", "access_like")["selected_option"].(map[string]any)["value"] = "person"
		stateOf(payload, "subject.person", "subject")["selected_option"].(map[string]any)["value"] = fmt.Sprint(s.person("bob").ID)
		answer, err := s.slack.Deliver(route, payload)
		require.NoError(t, err)
		require.JSONEq(t, `{"response_action":"errors","errors":{"subject.person":"`+again+`"}}`, answer.Body)
		require.Zero(t, s.newest())
	})

	t.Run("list that was never drawn is shown first", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("Select all")
		alice.Tick("Dashboard editor")
		alice.Choose("Reason", "Project work")
		s.drawn(alice)
		s.do(`update form_drafts set generation = generation + 1`) // as if Slack had been down when it should have been drawn
		require.NotEmpty(t, alice.Submit())
		s.drawn(alice)
		require.Contains(t, alice.Modal(), "just changed")
		require.Len(t, alice.Ticked(), 1, "earlier ticks are kept")
		s.do(`update form_drafts set generation = generation + 1`)
		alice.Tick("Customer reader") // does not count, and the message says so
		s.drawn(alice)
		require.Len(t, alice.Ticked(), 1)
		alice.SubmitAccepted()
		require.Equal(t, []string{"dashboards/editor"}, s.asked(s.newest()))
	})

	t.Run("quota is reported at the form", func(t *testing.T) {
		s := newStage(t, 2, false, func(c *config) { c.MaxOpenRequests, c.MaxRequestsPerMinute = 2, 3 })
		alice := s.as("alice")
		submit := func(grant string) map[string]string {
			s.openForm(alice)
			alice.Pick("Person", "priya", "Priya Nair")
			alice.WaitForModal("Select all access grants")
			alice.Tick(grant)
			alice.Choose("Reason", "Project work")
			return alice.Submit()
		}
		require.Empty(t, submit("Dashboard editor"))
		require.Empty(t, submit("Analyst sandbox"))
		require.Contains(t, submit("Marketing marts")["Access Like"], "You have 2 open requests, which is the limit.")
		s.do(
			`insert into stop_orders (item_id, person_id, kind) select id, $1, 'withdrawn' from request_items where request_id = $2`,
			s.person("alice").ID,
			s.newest(),
		)
		s.work(s.newest())
		require.Empty(t, alice.Submit(), "the form was kept")
		require.Equal(t, []string{"warehouse/marketing-marts"}, s.asked(s.newest()))
		require.Contains(t, submit("Analyst sandbox")["Access Like"], "You've made 3 requests within a minute")
		s.do(`update clock set shift = interval '61 seconds'`)
		s.do(
			`insert into stop_orders (item_id, person_id, kind) select id, $1, 'withdrawn' from request_items where request_id = $2`,
			s.person("alice").ID,
			s.newest(),
		)
		s.work(s.newest())
		require.Empty(t, alice.Submit())
	})
}

// stateOf returns what an element of a payload's view holds.
func stateOf(payload map[string]any, block, action string) map[string]any {
	for _, step := range []string{"view", "state", "values", block, action} {
		payload, _ = payload[step].(map[string]any)
	}
	return payload
}

// recordAway disconnects the app from the database, or ends that.
func (s *stage) recordAway(away bool) {
	s.Helper()
	if !away {
		s.do(`grant connect on database ` + s.db.Name + ` to public`)
		return
	}
	s.do(`revoke connect on database ` + s.db.Name + ` from public`)
	s.do(`select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and usename = 'accessbot_slackapp'`, s.db.Name)
}
