package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/slackapp/slacksim"
)

// The user guide's three ways to ask.

func TestSomebodyAsksLikeAPerson(t *testing.T) {
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
		alice.WaitForMessage("Your request #1001 is recorded. It will continue shortly.") // Temporal is away: case 37
		s.work(number)
		alice.WaitForMessage("Your request #1001 has been created")
		require.Zero(s, one[int](s, `select count(*) from form_drafts`))
	})
}

func TestSomebodyAsksLikeAJobTitleForAllOfIt(t *testing.T) {
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
		require.Equal(s, []string{"dashboards/editor", "source/@member", "source/data-pipelines", "sso/vpn", "warehouse/scheduler", "warehouse/writer"},
			s.asked(s.newest()))
		require.Equal(s, "job_title", one[string](s, `select access_like from access_requests`))
	})
}

func TestAJobTitleWithoutASetShowsHowManyHoldEachGrant(t *testing.T) {
	s := newStage(t, 1, false)
	alice := s.as("alice")
	s.openForm(alice)
	alice.Choose("Access Like", "Job Title")
	alice.Pick("Job Title", "Data Ana", "Data Analyst")
	require.Contains(t, alice.WaitForModal("Select all"), "of 3")
}

func TestSomebodyAsksForAnythingTemporarily(t *testing.T) {
	onBothTransports(t, func(s *stage) {
		alice := s.as("alice")
		s.openForm(alice)
		alice.Choose("Access Like", "Custom")
		modal := alice.WaitForModal("Everything that can be requested")
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
		require.True(s, one[time.Time](s, `select ends_at from access_requests`).Equal(time.Date(y, m, d+1, 0, 0, 0, 0, paris)), "the end is the start of the next day in Paris")
		require.Equal(s, last.Format(time.DateOnly), one[string](s, `select ends_on::text from access_requests`))
		alice.WaitForHome("until the end of " + last.Format("Mon 2 Jan 2006"))
	})
}

func TestATimeOfDayEndsAccessAtThatInstant(t *testing.T) {
	s := newStage(t, 1, false)
	max := s.as("max") // the directory knows no time zone of his: Slack does, UTC
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
}

// Case 18.
func TestAnEndThatCannotBeIsAnErrorAtItsField(t *testing.T) {
	s := newStage(t, 1, false, func(c *config) { c.maxDays = 30 })
	alice := s.as("alice")
	s.openForm(alice)
	alice.Choose("Access Like", "Custom")
	alice.WaitForModal("Everything")
	alice.Tick("Support desk", "Break glass") // break glass: at most one day
	alice.Choose("Reason", "Project work")

	require.Equal(t, map[string]string{"Duration": "This cannot be held permanently, but for at most 1 day: Break glass."}, alice.Submit())
	alice.Choose("Duration", "Temporary")
	alice.WaitForModal("End date")
	require.Contains(t, alice.Submit()["End date"], "required") // Slack's own
	paris, err := time.LoadLocation("Europe/Paris")
	require.NoError(t, err)
	day := func(n int) string { return time.Now().In(paris).AddDate(0, 0, n).Format(time.DateOnly) }
	for _, c := range []struct{ date, clock, wrong string }{
		{day(-1), "", "This end has passed."},
		{"2020-02-29", "", "This end has passed."},
		{day(31), "", "Temporary access lasts at most 30 days."},
		{day(30), "", "This can be held for at most 1 day: Break glass."},
		{day(2), "00:01", "This can be held for at most 1 day: Break glass."},
		{day(31), "00:01", "Temporary access lasts at most 30 days."},
		{day(0), "00:00", "This end has passed."},
	} {
		alice.PickDate("End date", c.date)
		if c.clock != "" {
			alice.PickTime("End time", c.clock)
		}
		require.Contains(t, alice.Submit()["End date"], c.wrong, "%+v", c)
	}
	// 30 February cannot be picked, so it is a payload of its own.
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
}

// stateOf is what an element of a payload's view holds.
func stateOf(payload map[string]any, block, action string) map[string]any {
	for _, step := range []string{"view", "state", "values", block, action} {
		payload, _ = payload[step].(map[string]any)
	}
	return payload
}

// Case 31.
func TestAFormSubmittedTwiceIsOneRequest(t *testing.T) {
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
	require.Equal(t, 1, one[int](s, `select count(*) from audit_events where action = 'submitted'`))
}

// Case 31, at the same moment.
func TestAFormSubmittedManyTimesAtOnceIsOneRequest(t *testing.T) {
	s := newStage(t, 2, true)
	alice := s.as("alice")
	s.openForm(alice)
	alice.Pick("Person", "priya", "Priya Nair")
	alice.WaitForModal("Select all")
	alice.Tick("Dashboard editor")
	alice.Submit() // the reason is missing: Slack itself refuses
	alice.Choose("Reason", "Project work")
	// The payload that Slack would send, by way of a submission that the record refuses.
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
}

// Case 32.
func TestSelectAllMeansAllOfTwoHundredAndNoOther(t *testing.T) {
	onBothTransports(t, func(s *stage) {
		s.giveMany("priya", 200)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		require.Contains(s, alice.WaitForModal("Select all access grants (206)"), "page 1 of 5")
		alice.Press("Next")
		alice.WaitForModal("page 2 of 5")
		alice.Tick("Select all access grants")
		alice.WaitForModal("All 206 selected")
		// What she gets afterwards was not offered.
		s.giveMany("priya", 3)
		alice.Choose("Reason", "Project work")
		alice.SubmitAccepted()
		require.Len(s, s.asked(s.newest()), 206)
	})
}

// giveMany gives somebody n more entitlements, spread over the applications.
func (s *stage) giveMany(who string, n int) {
	s.Helper()
	s.do(`with made as (
	        insert into entitlements (application_id, instance, key, name, kind, risk, target)
	        select a.id, a.instance, 'more-' || m.next + n, 'More ' || lpad((m.next + n)::text, 4, '0'), 'role', 'low', a.slug || '/more-' || m.next + n
	          from (select count(*) as next from entitlements where key like 'more-%') m, generate_series(1, $2) n
	          join applications a on a.id = 1 + n % 4 returning id)
	      insert into claims (person_id, account_id, entitlement_id, source) select a.person_id, a.id, m.id, 'imported' from made m, accounts a where a.person_id = $1`,
		s.person(who).ID, n)
}

// Case 33.
func TestThatThereIsNothingToOfferIsSaidInWords(t *testing.T) {
	s := newStage(t, 1, false)
	s.do(`update claims set ended_at = app_now() where person_id = $1`, s.person("ingrid").ID)
	alice := s.as("alice")
	s.openForm(alice)
	alice.Pick("Person", "ingrid", "Ingrid")
	nothing := alice.WaitForModal("has nothing that you lack")
	require.NotContains(t, nothing, "Select all")
	alice.Choose("Reason", "Project work")
	require.Equal(t, map[string]string{"Person": "Choose at least one access grant."}, alice.Submit())
	alice.Choose("Access Like", "Job Title")
	s.do(`insert into job_titles (name) values ('Archivist')`)
	alice.Pick("Job Title", "archiv", "Archivist")
	alice.WaitForModal("Nobody else has that job title")
	require.Empty(t, alice.Search("Job Title", "no such title"))
}

// Case 40.
func TestWhatIsAskedForAlreadyIsLeftOutAndSaid(t *testing.T) {
	s := newStage(t, 1, false)
	number := s.asks("alice", "priya", "Priya Nair", "Dashboard editor")
	s.work(number)
	alice := s.as("alice")
	s.openForm(alice)
	alice.Pick("Person", "priya", "Priya Nair")
	modal := alice.WaitForModal("Select all access grants (5)")
	require.Contains(t, modal, "Dashboards: Dashboard editor – already asked for in")
	require.Contains(t, modal, "#1001")
	require.NotContains(t, strings.Join(alice.Boxes(), "\n"), "Dashboard editor")
	// Withdrawn, it can be asked for again.
	_, err := s.db.As(t, "accessbot_slackapp").Withdraw(t.Context(), number, s.person("alice").ID)
	require.NoError(t, err)
	alice.Choose("Access Like", "Custom")
	alice.WaitForModal("Everything")
	alice.Choose("Access Like", "Person")
	alice.WaitForModal("Select all access grants (6)")
}

// Case 13.
func TestWhatIsRetiredWhileTheFormIsOpenIsAnErrorAtItsField(t *testing.T) {
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
		require.Contains(s, fmt.Sprint(errors), "No longer offered: Dashboard editor.")
		require.Zero(s, s.newest())
		// Said again while the tick is there; without it the rest goes.
		require.NotEmpty(s, alice.Submit())
		alice.Untick("Dashboard editor")
		alice.SubmitAccepted()
		require.Equal(s, []string{"crm/reader"}, s.asked(s.newest()))
	})
}

// Case 13, with all selected.
func TestWhatIsRetiredIsTakenOutOfAllThatWasSelected(t *testing.T) {
	s := newStage(t, 1, false)
	alice := s.as("alice")
	s.openForm(alice)
	alice.Pick("Person", "priya", "Priya Nair")
	alice.WaitForModal("Select all")
	alice.Tick("Select all")
	alice.WaitForModal("All 6 selected")
	alice.Choose("Reason", "Project work")
	s.do(`update claims set ended_at = app_now() where entitlement_id = $1 and person_id = $2`, s.entitlement("dashboards", "editor"), s.person("priya").ID)
	require.Contains(t, alice.Submit()["Access Grants"], "No longer offered: Dashboard editor.")
	alice.SubmitAccepted()
	require.Len(t, s.asked(s.newest()), 5)
}

// Case 14.
func TestWhatWasNeverOfferedIsRefusedAndAudited(t *testing.T) {
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
			require.Contains(s, answer.Body, "that this form did not offer", value)
			require.Equal(s, n+1, s.alerts("asked for what was not offered"), value)
		}
		require.Zero(s, s.newest())
	})
}

// Case 15.
func TestANoteIsKeptLiterallyAndPingsNobody(t *testing.T) {
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
	require.Contains(t, answer.Body, "more than 3000 characters")
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
}

// Case 36.
func TestAFormStaysOpenWhileTheRecordIsAway(t *testing.T) {
	onBothTransports(t, func(s *stage) {
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("Select all")
		alice.Tick("Dashboard editor")
		alice.Choose("Reason", "Project work")
		alice.Fill("Note", "please")
		s.recordAway(true)
		require.Contains(s, alice.Submit()["Access Like"], "Our records cannot be reached right now, so nothing was sent.")
		for _, kept := range []struct{ field, value string }{{"Person", "Priya Nair – Data Analyst"}, {"Reason", "Project work"}, {"Note", "please"}} {
			require.Equal(s, kept.value, alice.Value(kept.field))
		}
		require.Len(s, alice.Ticked(), 1)
		alice.Choose("Duration", "Temporary") // acknowledged, and told
		alice.WaitForModal("Our records cannot be reached right now. Nothing was changed.")
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
}

func TestATickThatWasLostCountsWithTheNextAction(t *testing.T) {
	s := newStage(t, 1, false)
	s.giveMany("priya", 60)
	alice := s.as("alice")
	s.openForm(alice)
	alice.Pick("Person", "priya", "Priya Nair")
	alice.WaitForModal("page 1 of 2")
	s.recordAway(true)
	alice.Tick(alice.Boxes()[1])
	alice.WaitForModal("Our records cannot be reached right now.")
	alice.CloseModal()
	s.recordAway(false)
	alice.Press("Next")
	alice.WaitForModal("1 of 66 chosen, page 2 of 2")
}

func TestAListThatIsNotTheOneOnTheScreenIsNotSubmitted(t *testing.T) {
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
		alice.WaitForModal("Our records cannot be reached right now.")
		alice.CloseModal()
		s.recordAway(false)
		return alice.Submit()
	}
	again := "This was not kept. Please choose it again."
	require.Equal(t, map[string]string{"Access Grants": again}, lost(func() { alice.Tick("Select all") }))
	alice.AwaitUpdate(func() { alice.Untick("Select all") })
	require.Equal(t, map[string]string{"Person": again}, lost(func() {
		s.recordAway(false) // the options can be loaded, and then the choice is lost
		alice.Search("Person", "bob")
		s.recordAway(true)
		require.NoError(t, s.slack.As("alice@example.com").Choose("Person", "Bob Fischer"))
	}))
	require.Equal(t, map[string]string{"Access Like": again}, lost(func() { alice.Choose("Access Like", "Custom") }))
	require.Zero(t, s.newest())
}

func TestAListThatWasNeverDrawnIsShownBeforeItIsSubmitted(t *testing.T) {
	s := newStage(t, 1, false)
	alice := s.as("alice")
	s.openForm(alice)
	alice.Pick("Person", "priya", "Priya Nair")
	alice.WaitForModal("Select all")
	alice.Tick("Dashboard editor")
	alice.Choose("Reason", "Project work")
	s.do(`update form_drafts set generation = generation + 1`) // as if Slack had been away when it was to be drawn
	require.NotEmpty(t, alice.Submit())
	alice.WaitForModal("The list has changed at the same moment.")
	require.Len(t, alice.Ticked(), 1, "what was ticked before is kept")
	s.do(`update form_drafts set generation = generation + 1`)
	alice.AwaitUpdate(func() { alice.Tick("Customer reader") }) // does not count, and shows that
	require.Len(t, alice.Ticked(), 1)
	alice.SubmitAccepted()
	require.Equal(t, []string{"dashboards/editor"}, s.asked(s.newest()))
}

// recordAway cuts the app off from the database, or lets it in again.
func (s *stage) recordAway(away bool) {
	s.Helper()
	if !away {
		s.do(`grant connect on database ` + s.db.Name + ` to public`)
		return
	}
	s.do(`revoke connect on database ` + s.db.Name + ` from public`)
	s.do(`select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and usename = 'accessbot_slackapp'`, s.db.Name)
}

// Case 43.
func TestWhatWasTickedIsAskedForWhicheverReplicaAnswers(t *testing.T) {
	for transport, socket := range map[string]bool{"over HTTP": false, "over Socket Mode": true} {
		t.Run(transport, func(t *testing.T) {
			s := newStage(t, 2, socket)
			s.giveMany("priya", 120)
			alice := s.as("alice")
			s.openForm(alice)
			alice.Pick("Person", "priya", "Priya Nair")
			alice.WaitForModal("page 1 of 3")
			first, second := alice.Boxes()[1], alice.Boxes()[2]
			alice.Tick(first, second)
			alice.Press("Next")
			alice.WaitForModal("2 of 126 chosen, page 2 of 3")
			third := alice.Boxes()[5]
			alice.Tick(third)
			alice.Press("Previous")
			alice.WaitForModal("3 of 126 chosen, page 1 of 3")
			require.ElementsMatch(t, []string{first, second}, alice.Ticked())
			alice.AwaitUpdate(func() { // the last tick of its page goes, and at once another page comes
				alice.Untick(first, second)
				alice.Press("Next")
			})
			alice.WaitForModal("1 of 126 chosen, page 2 of 3")
			require.Equal(t, []string{third}, alice.Ticked())
			alice.Pick("Application", "dash", "Dashboards")
			alice.WaitForModal("Show all")
			alice.Tick("Dashboard editor")
			alice.Fill("Search", "More 004")
			alice.AwaitUpdate(func() { alice.Enter("Search") })
			fourth := alice.Boxes()[1]
			require.NotContains(t, alice.Modal(), "Dashboard editor")
			alice.Tick(fourth)
			alice.AwaitUpdate(func() { alice.Press("Show all") })
			alice.WaitForModal("3 of 126 chosen, page 1 of 3")
			require.Empty(t, alice.Value("Search"))
			alice.Choose("Reason", "Project work")
			alice.SubmitAccepted()
			names := []string{}
			require.NoError(t, s.db.Select(&names, `select e.name from request_items i join entitlements e on e.id = i.entitlement_id`))
			require.Len(t, names, 3)
			for _, ticked := range []string{third, fourth, "Dashboard editor"} {
				require.True(t, slices.ContainsFunc(names, func(n string) bool { return strings.Contains(ticked, n) }), "%s of %s", ticked, names)
			}
		})
	}
}

// bolt-js#1258: Slack shows boxes as ticked and reports that none is.
func TestTicksThatSlackForgetsAreKept(t *testing.T) {
	s := newStage(t, 1, false)
	require.NoError(t, s.slack.Break(slacksim.Fault{Method: "*", Kind: "forget_initials"}))
	s.giveMany("priya", 120)
	alice := s.as("alice")
	s.openForm(alice)
	alice.Pick("Person", "priya", "Priya Nair")
	alice.WaitForModal("page 1 of 3")
	first := alice.Boxes()[1]
	alice.Tick(first)
	alice.Press("Next")
	alice.WaitForModal("page 2 of 3")
	alice.Press("Previous")
	alice.WaitForModal("page 1 of 3")
	alice.Choose("Reason", "Project work")
	alice.SubmitAccepted()
	require.Len(t, s.asked(s.newest()), 1)
}

func TestTheFormRecoversFromAViewThatWasChangedBehindItsBack(t *testing.T) {
	s := newStage(t, 1, false)
	alice := s.as("alice")
	s.openForm(alice)
	s.do(`update form_drafts set view_hash = '1.stale'`) // as after a crash between drawing and saying so
	alice.Pick("Person", "priya", "Priya Nair")
	alice.WaitForModal("Select all access grants (6)")
}

func TestAFormWhoseDraftIsGoneSaysSo(t *testing.T) {
	s := newStage(t, 1, false)
	alice := s.as("alice")
	s.openForm(alice)
	s.do(`delete from form_drafts`)
	alice.Choose("Access Like", "Custom")
	alice.WaitForModal("This form is too old.")
}
