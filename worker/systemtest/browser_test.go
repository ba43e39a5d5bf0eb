package systemtest

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/slacksim/slackpage"
	"accessbot/workflows"
)

// browse opens the local Slack's page as a person of the sample directory.
func (s *system) browse(person, tab string) *slackpage.Tab {
	s.t.Helper()
	p := slackpage.Open(s.t, s.slack.Address())
	p.Visit(s.email(person), tab)
	return p
}

// request opens the form.
func (s *system) request(person string) *slackpage.Tab {
	s.t.Helper()
	p := s.browse(person, "home")
	p.Press("Request Access")
	p.Dialog("Request Access")
	p.See("Reason")
	return p
}

// newest returns the number of the newest request.
func (s *system) newest() int64 {
	s.t.Helper()
	var id int64
	require.NoError(s.t, s.db.Get(&id, `select max(id) from access_requests`))
	return id
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	t.Run("access like a colleague is requested, approved and ends", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		page := s.request("alice")
		page.Pick("Person", "priya", "Priya Nair")
		page.Tick("Dashboard editor")
		page.Tick("Marketing marts")
		page.Pick("Reason", "", "Project work")
		page.Fill("Note", "for <!channel> & the *quarter* <img src=x onerror=alert(1)>")
		page.Choose("Temporary") // updates the view; input is kept
		page.See("End date")
		require.Equal(t, []string{"Dashboard editor", "Marketing marts"}, firstWords(page.Ticked()))
		page.Set("End date", inDays(3))
		page.Press("Submit")
		page.NoDialog()
		page.Press("Messages")
		page.Message("has been successfully created and sent for approval")
		request := s.newest()
		if ui := os.Getenv("TEST_TEMPORAL_UI"); ui != "" {
			s.findInTheWebUI(page.Another(), ui, "awaiting_approval", request)
		}

		// The page shows who has unread messages.
		page.Become("Bob Fischer")
		page.Message("Alice Martin requests 2 access grants")
		page.See("for <!channel> & the *quarter* <img src=x onerror=alert(1)>")
		page.PressIn("Alice Martin requests 2 access grants", "Approve")
		page.Message("Approved by you")
		page.Visit(s.email("alice"), "messages")
		page.Message(fmt.Sprintf("#%d is active", request))
		require.True(t, s.holds("alice", "dashboards", "editor"))
		page.Press("Home")
		page.See("from request #" + fmt.Sprint(request))

		s.shiftClock(4 * 24 * time.Hour)
		page.Press("Messages")
		page.Message(fmt.Sprintf("#%d has ended", request))
		require.False(t, s.holds("alice", "dashboards", "editor"))
		require.False(t, s.holds("alice", "warehouse", "marketing-marts"))
		if ui := os.Getenv("TEST_TEMPORAL_UI"); ui != "" {
			s.findInTheWebUI(page.Another(), ui, "ended", request)
		}
	})

	t.Run("job title and custom requests show errors at their fields", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		page := s.request("alice")
		page.Press("Submit")
		page.Error("Please complete this required field.") // Slack's own
		page.Choose("Job Title")
		page.Pick("Job Title", "Data", "Data Engineer")
		page.See("Select all access grants")
		page.Choose("Temporary")
		page.See("End date")
		page.Pick("Reason", "", "Project work")
		page.Press("Submit")
		page.Error("Please complete this required field.")
		page.Set("End date", inDays(-1))
		page.Press("Submit")
		page.Error("This end date has passed. Choose a later one.")
		page.Set("End date", inDays(2))
		page.Press("Submit")
		page.Error("Choose at least one access grant.")
		page.Choose("Custom")
		page.See("Everything that you can request")
		page.Fill("Search", "Evening")
		page.Keys(slackpage.Enter)
		page.NotSee("Dashboard editor")
		page.Tick("Evening entry")
		page.Press("Submit")
		page.NoDialog()
		page.Press("Messages")
		page.Message("has been successfully created and sent for approval")
		page.See("Evening entry")
	})

	t.Run("denial has a reason and a second decision is refused", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		alice := s.request("alice")
		alice.Choose("Custom")
		alice.See("Everything that you can request")
		alice.Tick("Dashboard editor")
		alice.Pick("Reason", "", "Project work")
		alice.Press("Submit")
		alice.NoDialog()

		bob := alice.Another()
		bob.Visit(s.email("bob"), "messages")
		bob.Message("Alice Martin requests")
		lucia := alice.Another()
		lucia.Visit(s.email("lucia"), "messages")
		lucia.Message("Alice Martin requests")

		require.NoError(
			t,
			s.slack.Break(slacksim.Fault{Method: "chat.update", Kind: "status", Status: 503}),
		) // Lucía's copy is not updated
		bob.PressIn("Alice Martin requests", "Deny…")
		bob.Dialog("Deny")
		bob.Press("Deny")
		bob.Error("Please complete this required field.")
		bob.Fill("Reason", "Ask your <@team> lead first")
		bob.Press("Deny")
		bob.NoDialog()
		lucia.PressIn("Alice Martin requests", "Approve")
		lucia.Message("Only visible to you")
		lucia.See("Bob Fischer denied this")
		require.NoError(t, s.slack.Mend())
		lucia.Wait(
			`[...document.querySelectorAll('article')].some((m) => m.innerText.includes('Bob Fischer denied this for') && !m.querySelector('button'))`,
		)
		alice.Press("Messages")
		alice.Message("was denied")
		alice.See("Ask your <@team> lead first")
		require.False(t, s.holds("alice", "dashboards", "editor"))
	})

	t.Run("both copies of an open approval message are updated", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		request := s.ask("alice", "dashboards", "editor", 0)
		bob := s.browse("bob", "messages")
		bob.Message("Alice Martin requests")
		lucia := bob.Another()
		lucia.Visit(s.email("lucia"), "messages")
		lucia.Message("Alice Martin requests")
		bob.PressIn("Alice Martin requests", "Approve")
		for _, p := range []*slackpage.Tab{bob, lucia} { // without a reload
			p.Message("approved this for Alice Martin")
			p.Wait(`document.querySelectorAll('article button').length === 0`)
		}
		lucia.See("Approved by Bob Fischer")
		s.eventually("the item is active", func() bool { return s.itemState(request) == "active" })
	})

	t.Run("withdrawal and removal need a confirmation", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		waiting := s.ask("alice", "warehouse", "marketing-marts", 0)
		granted := s.ask("alice", "dashboards", "editor", 48*time.Hour)
		s.approve("bob", granted)
		s.eventually("the item is active", func() bool { return s.itemState(granted) == "active" })
		page := s.browse("alice", "messages")
		page.PressIn(fmt.Sprintf("#%d has been successfully created", waiting), "Withdraw")
		page.Dialog("Withdraw this request?")
		page.Press("Keep request")
		page.NoDialog()
		require.Equal(t, "awaiting_approval", s.itemState(waiting))
		page.PressIn(fmt.Sprintf("#%d has been successfully created", waiting), "Withdraw")
		page.Dialog("Withdraw this request?")
		page.Press("Withdraw")
		page.Message(fmt.Sprintf("#%d was withdrawn", waiting))
		page.Press("Home")
		page.Press("Remove my access…")
		page.Dialog("Remove your access?")
		page.Press("Remove")
		page.Press("Messages")
		page.Message("the access was removed by you")
		require.False(t, s.holds("alice", "dashboards", "editor"))
	})

	t.Run("keyboard alone is enough to request access", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startSlackApp()
		page := s.browse("alice", "home")
		page.See("Request Access")
		reach := func(name string) {
			t.Helper()
			for range 80 {
				if strings.HasPrefix(page.Focused(), name) {
					return
				}
				page.Keys(slackpage.TabKey)
			}
			t.Fatalf("Tab does not reach %q, the focus is on %q", name, page.Focused())
		}
		reach("Request Access")
		page.Keys(slackpage.Enter)
		page.Dialog("Request Access")
		page.See("Access Like")
		reach("Person") // the radio button
		page.Keys(slackpage.TabKey)
		page.Keys("priya")
		page.Wait(`document.querySelector('[role=option]')`)
		page.Keys(slackpage.ArrowDown)
		page.Keys(slackpage.Enter)
		page.See("Select all access grants")
		reach("Analyst sandbox")
		page.Keys(slackpage.Space)
		page.Wait(`document.body.dataset.pending === '0'`)
		require.Equal(t, []string{"Analyst sandbox"}, firstWords(page.Ticked()))
		reach("Reason")
		page.Keys(slackpage.ArrowDown)
		page.Wait(`document.querySelector('[role=option]')`)
		page.Keys(slackpage.Enter)
		reach("Submit")
		page.Keys(slackpage.Enter)
		page.NoDialog()
		require.Positive(t, s.newest())
	})

	t.Run("pages of a large list keep their selection", func(t *testing.T) {
		t.Parallel()
		s := startOn(t, setting(t, "TEST_TEMPORAL_ADDRESS"), bigDirectory(t, 6, 20))
		s.startWorker()
		s.startSlackApp()
		page := s.request("alice")
		page.Pick("Person", "priya", "Priya Nair")
		page.See("page 1 of 3")
		page.Tick("Grant 00-00")
		page.Tick("Grant 00-13")
		page.Press("Next")
		page.See("page 2 of 3")
		require.Empty(t, page.Ticked())
		page.Tick("Grant 03-05")
		page.Press("Previous")
		page.See("page 1 of 3")
		require.Equal(t, []string{"Grant 00-00", "Grant 00-13"}, firstWords(page.Ticked()))
		page.See("Also selected, not shown here: 1")
		page.Pick("Reason", "", "Project work")
		page.Press("Submit")
		page.NoDialog()
		var asked []string
		require.NoError(
			t,
			s.db.Select(&asked, `select e.name from request_items i join entitlements e on e.id = i.entitlement_id order by 1`),
		)
		require.Equal(t, []string{"Grant 00-00", "Grant 00-13", "Grant 03-05"}, asked)
	})

	t.Run("select all selects a large list", func(t *testing.T) {
		t.Parallel()
		s := startOn(t, setting(t, "TEST_TEMPORAL_ADDRESS"), bigDirectory(t, 6, 20))
		s.startWorker()
		s.startSlackApp()
		s.selectAll("alice", "Priya Nair", 120)
	})

	t.Run("select all selects the list of a real organization", func(t *testing.T) {
		t.Parallel()
		s := startOn(t, setting(t, "TEST_TEMPORAL_ADDRESS"), kubernetes(t))
		s.startWorker()
		s.startSlackApp()
		model, requester := s.busiest(), s.contributor()
		name, _, _ := strings.Cut(requester.Email, "@")
		s.selectAll(name, model.Name, len(s.lacks(requester.ID, model.ID)))
	})
}

// firstWords returns the names of checkboxes without their descriptions.
func firstWords(names []string) []string {
	for i, name := range names {
		names[i], _, _ = strings.Cut(name, "\n")
	}
	return names
}

// findInTheWebUI finds a request's run as an operator does: in the list filtered by state, then the run itself.
func (s *system) findInTheWebUI(p *slackpage.Tab, ui, state string, request int64) {
	s.t.Helper()
	id := workflows.RequestWorkflowID(request)
	p.Go(fmt.Sprintf("%s/namespaces/%s/workflows?query=AccessState%%3D%%22%s%%22", ui, s.id, state))
	p.See(id)
	p.Go(fmt.Sprintf("%s/namespaces/%s/workflows/%s", ui, s.id, id))
	p.See(id)
	p.See(s.email("alice"))
	p.See("Load next steps")
}

// bigDirectory returns a company in which Priya has so much access that Alice lacks that the form needs several pages.
func bigDirectory(t *testing.T, applications, each int) string {
	t.Helper()
	dir := t.TempDir()
	write := func(file string, rows ...[]string) {
		f, err := os.Create(filepath.Join(dir, file))
		require.NoError(t, err)
		require.NoError(t, csv.NewWriter(f).WriteAll(rows))
		require.NoError(t, f.Close())
	}
	write("people.csv", strings.Split("email,name,job_title,department,manager_email,status", ","),
		strings.Split("bob@example.com,Bob Fischer,Head of Data,Data,,active", ","),
		strings.Split("alice@example.com,Alice Martin,Data Analyst,Data,bob@example.com,active", ","),
		strings.Split("priya@example.com,Priya Nair,Data Analyst,Data,bob@example.com,active", ","))
	apps := [][]string{strings.Split("slug,name,connector,owners", ",")}
	grants := [][]string{strings.Split("email,application,key", ",")}
	entitlements := [][]string{strings.Split("application,key,name,kind,description,risk,owners", ",")}
	for a := range applications {
		slug := fmt.Sprintf("app%02d", a)
		apps = append(apps, []string{slug, fmt.Sprintf("Application %02d", a), "postgresql", "bob@example.com"})
		for e := range each {
			key := fmt.Sprintf("g%02d", e)
			entitlements = append(entitlements, []string{slug, key, fmt.Sprintf("Grant %02d-%02d", a, e), "role", "", "low", ""})
			grants = append(grants, []string{"priya@example.com", slug, key})
		}
	}
	write("applications.csv", apps...)
	write("entitlements.csv", entitlements...)
	write("grants.csv", grants...)
	return dir
}

// selectAll requests in the browser all access that the model has and the requester lacks.
func (s *system) selectAll(requester, model string, lacking int) {
	s.t.Helper()
	page := s.request(requester)
	page.Pick("Person", model[:4], model)
	page.See(fmt.Sprintf("%d in total", lacking))
	page.Tick(fmt.Sprintf("Select all access grants (%d)", lacking))
	page.See(fmt.Sprintf("All %d selected", lacking))
	page.Pick("Reason", "", "Project work")
	page.Press("Submit")
	page.NoDialog()
	var items int
	require.NoError(s.t, s.db.Get(&items, `select count(*) from request_items where request_id = $1`, s.newest()))
	require.Equal(s.t, lacking, items, "exactly the access grants offered")
	page.Press("Messages")
	page.Message("has been successfully created and sent for approval")
	for range 3 { // on a slow machine the trigger may expire: press again
		page.Press(fmt.Sprintf("Show all %d", lacking))
		if page.SeesWithin(15*time.Second, "page 1 of") {
			break
		}
	}
	page.See("page 1 of")
	page.Press("Next")
	page.See("page 2 of")
}
