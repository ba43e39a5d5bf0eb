package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/activities/connector/manual"
	"accessbot/schema"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/views"
)

// addOwners makes people owners of an application, in addition to its present ones.
func (s *stage) addOwners(application string, people ...string) {
	s.Helper()
	for _, name := range people {
		s.do(
			`insert into application_owners (application_id, person_id) select id, $2 from applications where slug = $1`,
			application,
			s.person(name).ID,
		)
	}
}

// manualTasks opens a manual task to grant access, as the worker does, and notifies the owners.
func (s *stage) manualTasks(who, application, key string) (task int64) {
	s.Helper()
	entitlement := s.entitlement(application, key)
	account := one[int64](
		s,
		`select a.id from accounts a join entitlements e on e.instance = a.instance where a.person_id = $1 and e.id = $2`,
		s.person(who).ID,
		entitlement,
	)
	require.NoError(s, s.worker.DB.OpenTask(s.Context(), schema.ManualTask{Account: account, Object: entitlement}, true))
	require.NoError(s, s.outbox.SendNotifications(s.Context(), 0, 100))
	return one[int64](s, `select max(id) from manual_tasks`)
}

// outcome returns the state of a task: done, cannot with its reason, or open.
func (s *stage) outcome(task int64) string {
	s.Helper()
	return one[string](
		s,
		`select trim(coalesce(t.outcome, 'open') || ' ' || coalesce(x.reason, '')) from manual_tasks t left join manual_task_answers x on x.manual_task_id = t.id where t.id = $1`,
		task,
	)
}

// homeWithout waits until a text is gone from a user's Home tab.
func (s *stage) homeWithout(a *slacksim.MustActor, text string) {
	s.Helper()
	s.eventually("Home does not say "+text, func() bool { return !strings.Contains(a.Home(), text) })
}

func TestManualTask(t *testing.T) {
	t.Run("task is completed on Home", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			s.addOwners("building", "bob", "lucia")
			s.worker.Reconciler = &activities.Reconciler{DB: s.worker.DB, Log: slog.New(slog.DiscardHandler), Targets: &activities.Targets{
				Open: func(_, instance string) (connector.Connector, connector.Limits, error) {
					c, err := (&manual.Settings{Tasks: activities.ManualTasks(s.worker.DB)(instance)}).Open()
					return c, connector.Limits{}, err
				},
			}}
			alice := s.as("alice")
			s.openForm(alice)
			alice.Choose("Access Like", "Custom")
			alice.WaitForModal("Everything that you can request")
			alice.Pick("Application", "build", "Building Access")
			s.drawn(alice)
			alice.Tick("Evening entry")
			alice.Choose("Reason", "Project work")
			alice.SubmitAccepted()
			number := s.newest()
			s.work(number)
			dana, lucia, bob := s.as("dana"), s.as("lucia"), s.as("bob")
			dana.PressIn(dana.WaitForMessage("#1001"), "Approve")
			s.eventually("it is approved", func() bool { return s.decisions() == 1 })
			s.work(number)
			item := activities.ItemInput{ItemID: one[int64](s, `select id from request_items`)}
			require.NoError(s, s.worker.ProvisionAccess(s.Context(), item))
			require.NoError(s, s.outbox.SendNotifications(s.Context(), 0, 10))

			bob.OpenHome()
			lucia.OpenHome()
			task, _, _ := strings.Cut(lucia.Home(), "My requests")
			message := lucia.WaitForMessage("Manual task: set up access")
			for _, said := range []string{"Manual tasks (1)", "*Set up access:* Building Access: *Evening entry* (badge)", "*Person:* Alice Martin (alice@example.com)", "*Duration:* permanent", "*Approved by:* Dana Levi", "*Request:* #1001"} {
				require.Contains(s, task, said)
				if strings.HasPrefix(said, "*Who") || strings.HasPrefix(said, "*Dur") {
					require.Contains(s, message.Text(), said)
				}
			}
			for _, button := range message.Buttons() {
				require.Contains(s, task, "["+button+"]")
			}
			lucia.PressBeside("Evening entry", "Mark as done")
			s.homeWithout(lucia, "Manual tasks")
			require.Equal(s, "done", s.outcome(1))

			// Bob's message is out of date: he is told so, and it is updated.
			bob.PressBeside("Evening entry", "Mark as done")
			bob.WaitForModal("This task is already answered.")
			bob.CloseModal()
			s.homeWithout(bob, "Manual tasks")
			dana.OpenHome()
			require.NotContains(s, dana.Home(), "Manual tasks")
			require.Equal(s, 1, one[int](s, `select count(*) from manual_task_answers`))

			require.NoError(s, s.worker.ProvisionAccess(s.Context(), item))
			require.Equal(s, "active", one[string](s, `select state from request_items`))
		})
	})

	t.Run("answer in the message shows on Home", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.addOwners("building", "lucia")
		lucia := s.as("lucia")
		first := s.manualTasks("alice", "building", "evening")
		done := lucia.WaitForMessage("Alice Martin")
		second := s.manualTasks("zoe", "building", "evening")
		cannot := lucia.WaitForMessage("Zoë Laurent")
		lucia.OpenHome()
		require.Contains(t, lucia.Home(), "Manual tasks (2)")

		lucia.PressIn(done, "Mark as done")
		require.NotContains(t, lucia.WaitForHome("Manual tasks (1)"), "Alice Martin")
		require.Equal(t, "done", s.outcome(first))

		lucia.PressIn(cannot, "Can't do it…")
		lucia.WaitForModal("Can't do it")
		lucia.Fill("Reason", "no badges left")
		lucia.SubmitAccepted()
		s.homeWithout(lucia, "Manual tasks")
		require.Equal(t, "cannot no badges left", s.outcome(second))
	})

	t.Run("only owners and administrators see and complete a task on Home", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.addOwners("building", "lucia")
		task := s.manualTasks("alice", "building", "evening")
		for who, sees := range map[string]bool{"lucia": true, "noor": true /* an administrator */, "alice": false, "tom": false /* owns another application */} {
			a := s.as(who)
			a.OpenHome()
			require.Equal(t, sees, strings.Contains(a.Home(), "Manual tasks (1)"), who)
		}
		lucia := s.as("lucia")
		lucia.PressBeside("Evening entry", "Can't do it…")
		lucia.WaitForModal("Can't do it")
		lucia.CloseModal()
		_, click, err := s.slack.LastPayload("block_actions")
		require.NoError(t, err)
		press := func(who, value string) {
			t.Helper()
			click["user"] = map[string]any{"id": slacksim.UserID(who + "@example.com"), "team_id": "T0LOCALSIM"}
			action := click["actions"].([]any)[0].(map[string]any)
			action["action_id"], action["value"] = views.ActionTaskDone, value
			_, err := s.slack.Deliver("interactivity", click)
			require.NoError(t, err)
		}
		for n, who := range []string{"alice", "tom"} {
			press(who, fmt.Sprint(task))
			s.eventually(who+" is refused", func() bool { return s.alerts(schema.ManualTaskRefused) == n+1 })
		}
		press("lucia", fmt.Sprint(task+7))
		s.eventually("there is no such task", func() bool { return s.alerts(schema.ManualTaskRefused) == 3 })
		for n, value := range []string{"", "x", "1; drop table tasks"} {
			press("lucia", value)
			s.eventually("refused: "+value, func() bool { return s.alerts(schema.ButtonRefused) == n+1 })
		}
		require.Equal(t, "open", s.outcome(task))

		// A former owner still has the message open, and is refused.
		s.do(`delete from application_owners where person_id = $1`, s.person("lucia").ID)
		lucia.PressBeside("Evening entry", "Mark as done")
		lucia.WaitForModal("Only owners of the application can do this.")
		lucia.CloseModal()
		s.homeWithout(lucia, "Manual tasks")
		require.Equal(t, "open", s.outcome(task))
		noor := s.as("noor")
		noor.PressBeside("Evening entry", "Mark as done")
		s.homeWithout(noor, "Manual tasks")
		require.Equal(t, "done", s.outcome(task))
	})

	t.Run("tasks beyond the room on Home are in the whole list", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.addOwners("building", "lucia")
		people := []string{}
		require.NoError(
			t,
			s.db.Select(
				&people,
				`select split_part(email, '@', 1) from people where status = 'active' and email not like 'lucia@%' order by id limit 18`,
			),
		)
		for _, who := range append(people, "lucia") { // hers is for someone else
			s.manualTasks(who, "building", "evening")
		}
		lucia := s.as("lucia")
		lucia.OpenHome()
		require.Equal(t, views.TaskLines, strings.Count(lucia.Home(), "Set up access"))
		lucia.Press("Show all 18")
		lucia.WaitForModal("18 in total, page 1 of 2")
		lucia.Press("Next")
		lucia.WaitForModal("page 2 of 2")
		at := func(n int) string { return people[n] + "@example.com" }
		lucia.PressBeside(at(17), "Mark as done")
		require.NotContains(t, lucia.WaitForModal("17 in total, page 2 of 2"), at(17))
		lucia.PressBeside(at(16), "Can't do it…")
		lucia.WaitForModal("Can't do it")
		lucia.Fill("Reason", "no badges left")
		lucia.SubmitAccepted()
		require.NotContains(t, lucia.WaitForModal("16 in total, page 2 of 2"), at(16))
		lucia.CloseModal()
		lucia.WaitForHome("Manual tasks (16)")
	})

	t.Run("tasks assigned to the reader come first", func(t *testing.T) {
		s := newStage(t, 1, false)
		for _, who := range []string{"alice", "zoe", "priya", "kenji", "mateusz"} { // dana is asked
			s.manualTasks(who, "building", "evening")
		}
		s.manualTasks("thandi", "staff", one[string](s, `select e.key from entitlements e join applications a on a.id = e.application_id
		where a.slug = 'staff' and not exists (select from entitlement_owners o where o.entitlement_id = e.id) order by e.id limit 1`)) // noor owns it
		noor := s.as("noor") // an administrator
		noor.OpenHome()
		tasks, _, _ := strings.Cut(noor.Home(), "My requests")
		require.Contains(t, tasks, "Manual tasks (6)")
		require.Less(t, strings.Index(tasks, "Thandi Nkosi"), strings.Index(tasks, "Alice Martin"))
		require.NotContains(t, tasks, "Mateusz")
	})
}

// assignment is an assignment as the target lists it.
type assignment struct{ Account, Object string }

// compare compares the PostgreSQL target once. It lists what is claimed and more, except gone.
func (s *stage) compare(more, gone []assignment) {
	s.Helper()
	s.do(`update clock set shift = shift + interval '1 hour'`)
	var listed []assignment
	require.NoError(
		s,
		s.db.Select(&listed, `select distinct a.account, e.target as object from claims c join accounts a on a.id = c.account_id
		join entitlements e on e.id = c.entitlement_id where c.removed_at is null and e.instance = 'POSTGRESQL'`),
	)
	listed = slices.DeleteFunc(append(listed, more...), func(l assignment) bool { return slices.Contains(gone, l) })
	var accounts, objects []string
	for _, l := range listed {
		accounts, objects = append(accounts, l.Account), append(objects, l.Object)
	}
	_, err := s.worker.DB.Holding(s.Context(), schema.ComparisonLock("POSTGRESQL"), func(conn *sqlx.Conn) error {
		pass, err := schema.StartComparison(s.Context(), conn, "POSTGRESQL", time.Hour)
		require.NoError(s, err)
		require.NoError(s, pass.Listed(s.Context(), accounts, objects))
		_, err = pass.Finish(s.Context())
		return err
	})
	require.NoError(s, err)
}

// assignmentOf returns a person's assignment in the PostgreSQL target.
func (s *stage) assignmentOf(who, application, key string) assignment {
	s.Helper()
	entitlement := s.entitlement(application, key)
	return assignment{
		Account: one[string](s, `select account from accounts where person_id = $1 and instance = 'POSTGRESQL'`, s.person(who).ID),
		Object:  one[string](s, `select target from entitlements where id = $1`, entitlement),
	}
}

func TestUnexpectedAccess(t *testing.T) {
	t.Run("difference stays on Home until it is gone", func(t *testing.T) {
		s := newStage(t, 1, false)
		extra := []assignment{
			s.assignmentOf("tom", "dashboards", "publisher"),
			{Account: "stranger", Object: s.assignmentOf("tom", "warehouse", "reader").Object},
		}
		lost := []assignment{s.assignmentOf("priya", "warehouse", "sandbox")}
		bob, lucia := s.as("bob"), s.as("lucia")
		s.compare(extra, lost)
		bob.OpenHome()
		require.NotContains(t, bob.Home(), "Differs", "a difference seen once may be a change in progress")
		s.compare(extra, lost)
		bob.OpenHome()
		finding, _, _ := strings.Cut(bob.Home(), "My requests")
		for _, said := range []string{
			"Unexpected or missing access (3)", "Tom O'Brien: *Dashboard publisher*", "Dashboards · Unexpected: not requested here",
			"account stranger (not in the directory): *Warehouse reader*", "Priya Nair: *Analyst sandbox*", "Data Warehouse · Missing: granted here, but no longer there", "Check in the application who changed it",
		} {
			require.Contains(t, finding, said)
		}
		lucia.OpenHome() // owns the dashboards, and not the whole warehouse
		require.Contains(t, lucia.Home(), "Unexpected or missing access (1)")
		require.NotContains(t, lucia.Home(), "Priya Nair")
		for who, sees := range map[string]bool{"noor": true /* an administrator */, "alice": false, "hannah": false /* owns another application */} {
			a := s.as(who)
			a.OpenHome()
			require.Equal(t, sees, strings.Contains(a.Home(), "Unexpected or missing access (3)"), who)
			require.Equal(t, sees, strings.Contains(a.Home(), "Unexpected or missing access"), who)
		}
		s.compare(nil, lost)
		bob.OpenHome()
		require.Contains(t, bob.Home(), "Unexpected or missing access (1)")
		require.NotContains(t, bob.Home(), "stranger")
		s.compare(nil, nil)
		bob.OpenHome()
		require.NotContains(t, bob.Home(), "Unexpected or missing access")
	})

	t.Run("differences beyond the room on Home are in the whole list", func(t *testing.T) {
		s := newStage(t, 1, false)
		var extra []assignment
		for n := range 18 {
			extra = append(extra, assignment{fmt.Sprintf("stranger-%02d", n), s.assignmentOf("tom", "dashboards", "publisher").Object})
		}
		s.compare(extra, nil)
		s.compare(extra, nil)
		lucia := s.as("lucia")
		lucia.OpenHome()
		require.Equal(t, views.FindingLines, strings.Count(lucia.Home(), "account stranger-"))
		lucia.Press("Show all 18")
		lucia.WaitForModal("18 in total, page 1 of 2")
		lucia.Press("Next")
		require.Equal(t, 3, strings.Count(lucia.WaitForModal("page 2 of 2"), "account stranger-"))
		lucia.CloseModal()
		s.manualTasks("zoe", "building", "evening")

		alice := s.as("alice") // requests pages of lists that are not hers, with a forged payload
		s.grantMany("alice", 20)
		alice.OpenHome()
		alice.Press("Show all 22")
		alice.WaitForModal("22 in total")
		for _, list := range []string{views.ListTasks, views.ListFindings} {
			alice.Press("Next")
			alice.WaitForModal("page 2 of 2")
			_, click, err := s.slack.LastPayload("block_actions")
			require.NoError(t, err)
			click["actions"].([]any)[0].(map[string]any)["value"] = views.ListValue(list, 1)
			_, err = s.slack.Deliver("interactivity", click)
			require.NoError(t, err)
			alice.WaitForModal("0 in total")
			alice.CloseModal()
			alice.Press("Show all 22")
			alice.WaitForModal("page 1 of 2")
		}
	})
}
