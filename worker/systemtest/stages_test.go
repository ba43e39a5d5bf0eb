package systemtest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/slacksim/slackpage"
	"accessbot/workflows"
)

// policy applies a policy as an operator does, with this system's names.
func (s *system) policy(format string, names ...any) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "policy.yaml")
	require.NoError(s.t, os.WriteFile(file, fmt.Appendf(nil, format, names...), 0o600))
	s.runOnce("worker", []string{"policy", "apply", file}, "DATABASE_URL="+s.db.RoleURL("accessbot_directory"))
}

// search finds access grants by name in the form, in turn, and ticks them.
func (s *system) search(a *slacksim.MustActor, grants ...string) {
	s.t.Helper()
	for _, grant := range grants {
		a.Fill("Search", grant)
		a.Enter("Search")
		s.eventually("the list only has "+grant, func() bool { boxes := a.Boxes(); return len(boxes) == 1 && boxes[0] == grant })
		a.Tick(grant)
	}
}

// events returns the length of the history of a request's run.
func (s *system) events(request int64) int64 {
	s.t.Helper()
	description, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), workflows.RequestWorkflowID(request), "")
	require.NoError(s.t, err)
	return description.WorkflowExecutionInfo.HistoryLength
}

func TestStages(t *testing.T) {
	t.Parallel()
	t.Run("request over three applications is granted and denied stage by stage", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.policy(`
rules:
  - name: The manager, then two of three colleagues
    when: application.slug == "%s-dashboards"
    ask:
      - approvers: [manager]
      - approvers: ["%s", "%s", "%s"]
        required_approvals: 2
  - name: The owners
    ask:
      - approvers: [application owners]
`, s.id, s.email("lucia"), s.email("carla"), s.email("sam"))
		s.startWorker()
		s.startSlackApp()
		story := s.tellStory()

		alice := s.open("alice")
		alice.Choose("Access Like", "Custom")
		alice.WaitForModal("Everything that you can request")
		s.search(alice, "Dashboard editor", "Marketing marts", "Documentation team")
		alice.Choose("Reason", "Project work")
		alice.SubmitAccepted()
		card := alice.WaitForMessage("has been successfully created and sent for approval")
		request := number(t, card.Text())
		require.Contains(t, card.Text(), "Dashboard editor: waiting for approval, stage 1 of 2")

		bob, hannah := s.as("bob"), s.as("hannah")
		approvalMessage := bob.WaitForMessage("Alice Martin requests 2 access grants")
		require.Contains(t, approvalMessage.Text(), "You're an approver for Dashboards because you manage Alice Martin.")
		require.Contains(t, approvalMessage.Text(), "You're an approver because you own Data Warehouse.")
		story("1-asked", "bob", "awaiting_approval", "Waiting for approval", request)
		bob.PressIn(approvalMessage, "Approve")
		alice.WaitForEdit(card, "Marketing marts: active")
		require.True(t, s.holds("alice", "warehouse", "marketing-marts"), "granted while other items wait")
		require.False(t, s.holds("alice", "dashboards", "editor"))
		card = alice.WaitForEdit(
			card,
			"Dashboard editor: waiting for approval, stage 2 of 2: 2 approvals required, approved so far by Bob Fischer",
		)
		require.Contains(t, bob.WaitForEdit(approvalMessage, "Approved so far by you").Text(), "waiting for")

		denial := hannah.WaitForMessage("Alice Martin requests 1 access grant")
		hannah.PressIn(denial, "Deny…")
		hannah.WaitForModal("Reason")
		hannah.Fill("Reason", "write to the wiki instead")
		hannah.SubmitAccepted()
		card = alice.WaitForEdit(card, "Documentation team: denied by Hannah")

		lucia, carla := s.as("lucia"), s.as("carla")
		second := lucia.WaitForMessage("Stage 2 of 2: 2 approvals required, approved so far by Bob Fischer")
		lucia.PressIn(second, "Approve")
		card = alice.WaitForEdit(card, "1 more approval required, approved so far by Bob Fischer, Lucía Gómez")
		lucia.WaitForEdit(second, "Approved so far by Bob Fischer, you; waiting for")
		alice.OpenHome()
		alice.WaitForHome("1 active, 1 waiting for approval, 1 denied")
		story("2-halfway", "carla", "awaiting_approval", "1 active, 1 waiting for approval, 1 denied", request)
		carla.PressIn(
			carla.WaitForMessage("Stage 2 of 2: 1 more approval required, approved so far by Bob Fischer, Lucía Gómez"),
			"Approve",
		)
		alice.WaitForEdit(card, "Dashboard editor: active")
		require.True(t, s.holds("alice", "dashboards", "editor"))
		sam := s.as("sam").Latest(fmt.Sprintf("#%d", request))
		require.Empty(t, s.as("sam").WaitForEdit(sam, "Approved by").Buttons(), "the third approver need not decide")
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		require.Less(t, s.events(request), int64(150))
		story("3-over", "carla", "active", "2 active, 1 denied", request)
		require.False(t, s.holds("alice", "source", "docs"))
	})

	t.Run("approval without a response is escalated", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.policy(`
rules:
  - name: The manager, then their manager
    ask:
      - approvers: [manager]
        escalate_to: [manager's manager]
    remind_after: 3d
    escalate_after: 2d
    expire_after: 9d
`)
		s.startWorker()
		s.startSlackApp()
		alice := s.open("alice")
		alice.Pick("Person", "priya", "Priya Nair")
		alice.Tick("Marketing marts")
		alice.Choose("Reason", "Project work")
		alice.SubmitAccepted()
		card := alice.WaitForMessage("has been successfully created and sent for approval")
		approvalMessage := s.as("bob").WaitForMessage("Alice Martin requests 1 access grant")
		s.shiftClock(49 * time.Hour)
		boss := s.managerOf("bob")
		escalated := s.as(boss).WaitForMessage("Alice Martin requests 1 access grant")
		require.Contains(t, escalated.Text(), "because you manage Alice Martin's manager")
		require.Contains(t, alice.WaitForEdit(card, "escalated").Text(), "(manager's manager)")
		s.as(boss).PressIn(escalated, "Approve")
		s.eventually("access is granted", func() bool { return s.holds("alice", "warehouse", "marketing-marts") })
		s.as("bob").WaitForEdit(approvalMessage, "pproved by")
	})
}

// tellStory returns a function that takes pictures of a step if STORY_PICTURES is set to a folder: a person's messages, the
// requester's Home and messages, and the run.
func (s *system) tellStory() func(step, who, state, home string, request int64) {
	s.t.Helper()
	if os.Getenv("STORY_PICTURES") == "" {
		return func(string, string, string, string, int64) {}
	}
	page := s.browse("alice", "home")
	return func(step, who, state, home string, request int64) {
		s.t.Helper()
		for _, at := range []struct{ who, tab string }{{who, "messages"}, {"alice", "messages"}, {"alice", "home"}} {
			page.Visit(s.email(at.who), at.tab)
			page.See(fmt.Sprintf("#%d", request))
			if at.tab == "home" {
				page.SeeIn("#panel-home", home) // wait until Home is up to date
			}
			s.keepPicture(page, fmt.Sprintf("stages-%s-%s-%s", step, at.who, at.tab))
		}
		ui, id := page.Another(), workflows.RequestWorkflowID(request)
		run := fmt.Sprintf("%s/namespaces/%s/workflows/%s/%s/", setting(s.t, "TEST_TEMPORAL_UI"), s.id, id, s.runID(id))
		ui.Go(run + "search-attributes")
		ui.See(state)
		s.keepPicture(ui, "stages-"+step+"-attributes")
		ui.Go(run + "user-metadata")
		ui.See("Events with Metadata")
		s.keepPicture(ui, "stages-"+step+"-metadata")
		ui.Go(run + "history")
		ui.See("Advance")
		s.keepPicture(ui, "stages-"+step+"-run")
	}
}

// keepPicture takes a picture if STORY_PICTURES is set to a folder.
func (s *system) keepPicture(page *slackpage.Tab, name string) {
	s.t.Helper()
	folder := os.Getenv("STORY_PICTURES")
	if folder == "" {
		return
	}
	require.NoError(s.t, os.WriteFile(filepath.Join(folder, name+".png"), page.Picture(), 0o644)) // for people to look at
}

func (s *system) managerOf(name string) (manager string) {
	s.t.Helper()
	require.NoError(s.t, s.db.Get(&manager, `
		select split_part(m.email, '@', 1) from people p join people m on m.id = p.manager_id where p.email = $1`, s.email(name)))
	return manager
}
