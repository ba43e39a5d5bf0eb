package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
)

func TestGrantList(t *testing.T) {
	t.Run("select all means all two hundred and no other", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			s.grantMany("priya", 200)
			alice := s.as("alice")
			s.openForm(alice)
			alice.Pick("Person", "priya", "Priya Nair")
			require.Contains(s, alice.WaitForModal("Select all access grants (206)"), "page 1 of 5")
			alice.Press("Next")
			alice.WaitForModal("page 2 of 5")
			alice.Tick("Select all access grants")
			alice.WaitForModal("All 206 selected")
			// Access that she gets later was not on offer.
			s.grantMany("priya", 3)
			alice.Choose("Reason", "Project work")
			alice.SubmitAccepted()
			require.Len(s, s.asked(s.newest()), 206)
		})
	})

	t.Run("empty offer is explained in words", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.do(`update claims set ended_at = app_now() where person_id = $1`, s.person("ingrid").ID)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "ingrid", "Ingrid")
		nothing := alice.WaitForModal("has nothing that you can request and don't already have")
		require.NotContains(t, nothing, "Select all")
		alice.Choose("Reason", "Project work")
		require.Equal(t, map[string]string{"Person": "Choose at least one access grant."}, alice.Submit())
		alice.Choose("Access Like", "Job Title")
		s.do(`insert into job_titles (name) values ('Archivist')`)
		s.indexed()
		alice.Pick("Job Title", "archiv", "Archivist")
		alice.WaitForModal("No other employee has this job title")
		require.Empty(t, alice.Search("Job Title", "no such title"))
	})

	t.Run("access requested already is left out with a link", func(t *testing.T) {
		s := newStage(t, 1, false)
		number := s.asks("alice", "priya", "Priya Nair", "Dashboard editor")
		s.work(number)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		modal := alice.WaitForModal("Select all access grants (5)")
		require.Contains(t, modal, "Dashboards: Dashboard editor – already requested in")
		require.Contains(t, modal, "#1001")
		require.Contains(t, fmt.Sprint(alice.Screen().Modals[0].Blocks), "/archives/", "a link to its card")
		require.NotContains(t, strings.Join(alice.Boxes(), "\n"), "Dashboard editor")
		// Once withdrawn, it can be requested again.
		_, err := s.db.As(t, "accessbot_slackapp").Withdraw(t.Context(), number, s.person("alice").ID)
		require.NoError(t, err)
		alice.Choose("Access Like", "Custom")
		alice.WaitForModal("Everything")
		alice.Choose("Access Like", "Person")
		alice.WaitForModal("Select all access grants (6)")
	})

	t.Run("lost tick counts with the next action", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.grantMany("priya", 60)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("page 1 of 2")
		s.recordAway(true)
		alice.Tick(alice.Boxes()[1])
		alice.WaitForModal("We can't reach our database right now.")
		alice.CloseModal()
		s.recordAway(false)
		alice.Press("Next")
		alice.WaitForModal("66 in total, page 2 of 2. Also selected, not shown here: 1")
	})

	t.Run("ticks count on either replica", func(t *testing.T) {
		for transport, socket := range map[string]bool{"over HTTP": false, "over Socket Mode": true} {
			t.Run(transport, func(t *testing.T) {
				s := newStage(t, 2, socket)
				s.grantMany("priya", 120)
				alice := s.as("alice")
				s.openForm(alice)
				alice.Pick("Person", "priya", "Priya Nair")
				alice.WaitForModal("page 1 of 3")
				first, second := alice.Boxes()[1], alice.Boxes()[2]
				alice.Tick(first, second)
				alice.Press("Next")
				alice.WaitForModal("126 in total, page 2 of 3. Also selected, not shown here: 2")
				third := alice.Boxes()[5]
				alice.Tick(third)
				alice.Press("Previous")
				alice.WaitForModal("126 in total, page 1 of 3. Also selected, not shown here: 1")
				require.ElementsMatch(t, []string{first, second}, alice.Ticked())
				alice.Untick(first, second) // unticks the last box of its page, and shows another page at once
				alice.Press("Next")
				alice.WaitForModal("126 in total, page 2 of 3")
				require.Equal(t, []string{third}, alice.Ticked())
				alice.Pick("Application", "dash", "Dashboards")
				alice.WaitForModal("Show all")
				alice.Tick("Dashboard editor")
				alice.Fill("Search", "More 004")
				alice.Enter("Search")
				s.drawn(alice)
				fourth := alice.Boxes()[1]
				require.NotContains(t, alice.Modal(), "Dashboard editor")
				alice.Tick(fourth)
				alice.Press("Show all")
				alice.WaitForModal("126 in total, page 1 of 3")
				require.Empty(t, alice.Value("Search"))
				alice.Choose("Reason", "Project work")
				alice.SubmitAccepted()
				names := []string{}
				require.NoError(t, s.db.Select(&names, `select e.name from request_items i join entitlements e on e.id = i.entitlement_id`))
				require.Len(t, names, 3)
				for _, ticked := range []string{third, fourth, "Dashboard editor"} {
					require.True(
						t,
						slices.ContainsFunc(names, func(n string) bool { return strings.Contains(ticked, n) }),
						"%s of %s",
						ticked,
						names,
					)
				}
			})
		}
	})

	// bolt-js#1258: Slack shows boxes as ticked and reports none of them.
	t.Run("ticks that Slack forgets are kept", func(t *testing.T) {
		s := newStage(t, 1, false)
		require.NoError(t, s.slack.Break(slacksim.Fault{Method: "*", Kind: "forget_initials"}))
		s.grantMany("priya", 120)
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
	})
}

// grantMany grants someone n more entitlements, spread over the applications.
func (s *stage) grantMany(who string, n int) {
	s.Helper()
	s.do(`with made as (
	        insert into entitlements (application_id, instance, key, name, kind, risk, target)
	        select a.id, a.instance, 'more-' || m.next + n, 'More ' || lpad((m.next + n)::text, 4, '0'), 'role', 'low', a.slug || '/more-' || m.next + n
	          from (select count(*) as next from entitlements where key like 'more-%') m, generate_series(1, $2) n
	          join applications a on a.id = 1 + n % 4 returning id, instance)
	      insert into claims (person_id, account_id, entitlement_id, source) select a.person_id, a.id, m.id, 'imported' from made m join accounts a on a.instance = m.instance where a.person_id = $1`,
		s.person(who).ID, n)
	s.indexed()
}

// indexed adds rows that were not written by an import to the search.
func (s *stage) indexed() {
	s.Helper()
	require.NoError(s, s.db.As(s.T, "accessbot_directory").InTx(s.Context(), func(tx *sqlx.Tx) error {
		return schema.WriteSearchKeys(s.Context(), tx)
	}))
}

// TestFormCounter: ticking boxes does not draw the form again, and every number in it stays correct.
func TestFormCounter(t *testing.T) {
	t.Run("ticks on the shown page are not counted", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.grantMany("priya", 120)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("126 in total, page 1 of 3")
		alice.Tick(alice.Boxes()[1])
		s.eventually("the tick is kept", func() bool { return one[int](s, `select cardinality(chosen) from form_drafts`) == 1 })
		require.NotContains(t, alice.Modal(), "chosen")
		alice.Press("Next")
		alice.WaitForModal("page 2 of 3. Also selected, not shown here: 1")
		alice.Tick(alice.Boxes()[1])
		require.Contains(t, alice.Modal(), "Also selected, not shown here: 1")
	})
}
