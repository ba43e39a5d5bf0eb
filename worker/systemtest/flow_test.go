package systemtest

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/slackapp/slacksim"
	"accessbot/workflows"
)

// as returns a person of the sample directory as a user of Slack.
func (s *system) as(person string) *slacksim.MustActor {
	return s.slack.As(s.email(person)).Within(time.Minute).Must(s.t)
}

// open opens the request form.
func (s *system) open(person string) *slacksim.MustActor {
	a := s.as(person)
	a.OpenHome()
	a.Press("Request Access")
	a.WaitForModal("Access Like")
	return a
}

var hash = regexp.MustCompile(`#(\d+)`)

func number(t *testing.T, text string) int64 {
	t.Helper()
	found := hash.FindStringSubmatch(text)
	require.NotNil(t, found, "no request number in %q", text)
	n, err := strconv.ParseInt(found[1], 10, 64)
	require.NoError(t, err)
	return n
}

// inDays returns the date in so many days, for a date picker.
func inDays(days int) string { return time.Now().AddDate(0, 0, days).Format(time.DateOnly) }

func TestFlow(t *testing.T) {
	t.Parallel()
	t.Run("request is approved, granted and ended through Slack", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()

		alice := s.open("alice")
		alice.Pick("Person", "priya", "Priya Nair")
		alice.Tick("Dashboard editor", "Marketing marts")
		alice.Choose("Duration", "Temporary")
		alice.WaitForModal("End date")
		require.ElementsMatch(
			t,
			[]string{"Dashboard editor", "Marketing marts"},
			alice.Ticked(),
			"the selection is kept when the view is updated",
		)
		alice.PickDate("End date", inDays(3))
		alice.Choose("Reason", "Project work")
		alice.Fill("Note", "for <!channel> & the *quarter*")
		alice.SubmitAccepted()
		card := alice.WaitForMessage("has been successfully created and sent for approval")
		request := number(t, card.Text())

		bob, lucia := s.as("bob"), s.as("lucia")
		approvalMessage := bob.WaitForMessage("Alice Martin requests 2 access grants")
		require.Contains(t, approvalMessage.Text(), "for <!channel> & the *quarter*", "the note is shown literally")
		require.Empty(t, approvalMessage.Pings())
		other := lucia.WaitForMessage("Alice Martin requests 1 access grant")
		bob.PressIn(approvalMessage, "Approve")
		bob.WaitForEdit(approvalMessage, "Approved by you")
		other = lucia.WaitForEdit(other, "pproved by Bob Fischer")
		require.Empty(t, other.Buttons(), "every copy loses its buttons")

		alice.WaitForMessage(fmt.Sprintf("#%d is active", request))
		require.True(t, s.holds("alice", "dashboards", "editor"))
		require.True(t, s.holds("alice", "warehouse", "marketing-marts"))
		alice.OpenHome()
		alice.WaitForHome("Marketing marts")

		s.shiftClock(4 * 24 * time.Hour)
		alice.WaitForMessage(fmt.Sprintf("#%d has ended", request))
		require.False(t, s.holds("alice", "dashboards", "editor"))
		require.False(t, s.holds("alice", "warehouse", "marketing-marts"))
		alice.WaitForEdit(card, "has ended")
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		s.oneClaim(request)
		s.keepHistory("two_items", workflows.RequestWorkflowID(request))
		run, err := s.temporal.DescribeWorkflowExecution(t.Context(), workflows.RequestWorkflowID(request), "")
		require.NoError(t, err)
		require.Less(t, run.WorkflowExecutionInfo.HistoryLength, int64(150), "the history stays readable")
	})

	t.Run("items are approved one by one with a sooner end", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		alice := s.open("alice")
		alice.Pick("Person", "priya", "Priya Nair")
		alice.Tick("Analyst sandbox", "Marketing marts")
		alice.Choose("Reason", "Project work") // permanently
		alice.SubmitAccepted()
		request := number(t, alice.WaitForMessage("has been successfully created and sent for approval").Text())

		bob := s.as("bob")
		approvalMessage := bob.WaitForMessage("Alice Martin requests 2 access grants")
		bob.PressIn(approvalMessage, "Approve with changes…")
		bob.WaitForModal("Select the ones to approve")
		bob.Tick("Marketing marts")
		bob.Choose("Access grants not selected", "Deny")
		bob.Fill("Reason", "the marts are enough")
		bob.PickDate("Earlier end date", inDays(3))
		bob.SubmitAccepted()
		notification := alice.WaitForMessage("1 active, 1 denied")
		require.Contains(t, notification.Text(), "sooner than requested")
		require.Contains(t, notification.Text(), "the marts are enough")
		bob.WaitForEdit(approvalMessage, "Approved by you until")
		require.True(t, s.holds("alice", "warehouse", "marketing-marts"))
		require.False(t, s.holds("alice", "warehouse", "sandbox"))

		s.shiftClock(5 * 24 * time.Hour)
		s.eventually("access ends at the approver's date", func() bool { return !s.holds("alice", "warehouse", "marketing-marts") })
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
	})

	t.Run("approval moves to the delegate of an absent approver", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker("SWEEP_EVERY=1h") // so that only the Slack app signals the run
		s.startSlackApp()
		request := s.ask("alice", "warehouse", "sandbox", time.Hour)
		bob, lucia := s.as("bob"), s.as("lucia")
		approvalMessage := bob.WaitForMessage("Alice Martin requests 1 access grant")
		bob.OpenHome()
		bob.Press("Delegate approvals…")
		bob.WaitForModal("Delegate")
		bob.Pick("Delegate", "gómez", "Lucía Gómez")
		bob.PickDate("First day", inDays(-1)) // in the past in any time zone
		bob.PickDate("Last day", inDays(5))
		bob.SubmitAccepted()
		bob.WaitForHome("decides on your behalf")
		moved := lucia.WaitForMessage("on behalf of Bob Fischer (application owner)")
		bob.WaitForEdit(approvalMessage, "Reassigned to Lucía Gómez on behalf of Bob Fischer")
		require.Empty(t, bob.Again(approvalMessage).Buttons())
		s.as("alice").WaitForMessage("Lucía Gómez on behalf of Bob Fischer")
		lucia.PressIn(moved, "Approve")
		s.eventually("access is granted", func() bool { return s.holds("alice", "warehouse", "sandbox") })
		s.oneClaim(request)
	})

	t.Run("denial has a reason and a second decision is told who decided", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		alice := s.open("alice")
		alice.Choose("Access Like", "Custom")
		alice.WaitForModal("Everything that you can request")
		alice.Tick("Dashboard editor")
		alice.Choose("Reason", "Project work")
		alice.SubmitAccepted()
		bob, lucia := s.as("bob"), s.as("lucia")
		approvalMessage := bob.WaitForMessage("Alice Martin requests")
		other := lucia.WaitForMessage("Alice Martin requests")

		require.NoError(
			t,
			s.slack.Break(slacksim.Fault{Method: "chat.update", Kind: "status", Status: 503}),
		) // Lucía's copy is not updated
		bob.PressIn(approvalMessage, "Deny…")
		bob.WaitForModal("Reason")
		require.NotEmpty(t, bob.Submit(), "a denial needs a reason")
		bob.Fill("Reason", "Ask your <@team> lead first")
		bob.SubmitAccepted()
		alice.WaitForMessage("was denied")
		lucia.PressIn(other, "Approve")
		require.Contains(t, lucia.WaitForEphemeral("Bob Fischer").Text(), "enied")
		require.NoError(t, s.slack.Mend())
		lucia.WaitForEdit(other, "enied by Bob Fischer")
		denied := alice.WaitForMessage("Ask your <@team> lead first")
		require.False(t, s.holds("alice", "dashboards", "editor"))
		request := number(t, denied.Text())
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		s.keepHistory("denied", workflows.RequestWorkflowID(request))
	})

	t.Run("item that cannot be granted does not affect the others", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		alice := s.open("alice")
		alice.Pick("Person", "priya", "Priya Nair")
		alice.Tick("Analyst sandbox", "Marketing marts")
		alice.Choose("Reason", "Project work")
		alice.SubmitAccepted()
		_, err := s.target.Exec(fmt.Sprintf(`drop role %q`, s.object("warehouse", "sandbox")))
		require.NoError(t, err)
		bob := s.as("bob")
		bob.PressIn(bob.WaitForMessage("Alice Martin requests"), "Approve")
		notification := alice.WaitForMessage("1 active, 1 couldn't be set up").Text()
		require.Contains(t, notification, "Analyst sandbox")
		require.Contains(t, notification, "no longer exists in Data Warehouse")
		bob.WaitForMessage("couldn't be set up")
		require.True(t, s.holds("alice", "warehouse", "marketing-marts"))
	})

	t.Run("access with another reason or from before stays", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		// Access that was there before, but not in the directory, stays.
		_, err := s.target.Exec(fmt.Sprintf(`grant %q to %q`, s.object("dashboards", "editor"), s.email("ingrid")))
		require.NoError(t, err)
		over := s.ask("ingrid", "dashboards", "editor", time.Hour)
		// Access in the directory stays too.
		listed := s.ask("kenji", "dashboards", "editor", time.Hour)
		// Two requests of Alice overlap.
		first := s.ask("alice", "dashboards", "editor", time.Hour)
		second := s.ask("alice", "dashboards", "editor", 5*time.Hour)
		for _, request := range []int64{over, listed, first, second} {
			s.approve(approver, request)
			s.eventually("the item is active", func() bool { return s.itemState(request) == "active" })
		}
		s.shiftClock(2 * time.Hour)
		for _, request := range []int64{over, listed, first} {
			s.eventually("the first ends", func() bool { return s.itemState(request) == "ended" })
		}
		require.True(t, s.holds("ingrid", "dashboards", "editor"), "the access was there before the request")
		require.True(t, s.holds("kenji", "dashboards", "editor"), "the access is in the directory")
		require.True(t, s.holds("alice", "dashboards", "editor"), "the second request still grants the access")
		s.as("ingrid").WaitForMessage("for another reason")
		s.as("kenji").WaitForMessage("for another reason")
		s.shiftClock(4 * time.Hour)
		s.eventually("the second ends", func() bool { return s.itemState(second) == "ended" })
		require.False(t, s.holds("alice", "dashboards", "editor"))
		require.True(t, s.holds("ingrid", "dashboards", "editor"))
		require.True(t, s.holds("kenji", "dashboards", "editor"))
		require.Contains(
			t,
			s.as("bob").WaitForMessage("had 1 access grant in Dashboards before request").Text(),
			"Ingrid",
			"the owner is notified of unexpected access",
		)
	})

	t.Run("same key in two applications is two objects", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		request := s.ask("zoe", "crm", "reader", time.Hour)
		require.True(t, s.holds("zoe", "warehouse", "reader"), "held before")
		var owner string
		require.NoError(t, s.db.Get(&owner, `
		select split_part(p.email, '@', 1) from application_owners o join applications a on a.id = o.application_id join people p on p.id = o.person_id
		 where a.slug = $1 order by p.id limit 1`, s.id+"-crm"))
		s.approve(owner, request)
		s.eventually("access is granted", func() bool { return s.holds("zoe", "crm", "reader") })
		s.shiftClock(2 * time.Hour)
		s.eventually("access is revoked", func() bool { return !s.holds("zoe", "crm", "reader") })
		require.True(t, s.holds("zoe", "warehouse", "reader"), "the other access stays")
	})
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	t.Run("owner revokes access from any source at once", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		request := s.ask("alice", "warehouse", "sandbox", 0)
		s.approve("bob", request)
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		require.True(t, s.holds("alice", "warehouse", "sandbox"))

		bob := s.as("bob")
		bob.OpenHome()
		bob.Press("Review access…")
		bob.WaitForModal("Shows the access that you can revoke")
		bob.Pick("Person", "alice", "Alice Martin")
		bob.WaitForModal("Analyst sandbox")
		require.NotContains(t, bob.Modal(), "Source Code", "Bob does not own that application")
		bob.PressBeside("Analyst sandbox", "Revoke…")
		bob.WaitForModal("The access ends now")
		bob.Fill("Reason", "the laptop was <!channel> stolen")
		bob.SubmitAccepted()
		s.eventually("access is revoked", func() bool { return !s.holds("alice", "warehouse", "sandbox") })
		notification := s.as("alice").WaitForMessage("revoked by Bob Fischer")
		require.Contains(t, notification.Text(), "the laptop was <!channel> stolen")
		require.Empty(t, notification.Pings())
		s.eventually("the database agrees", func() bool { return s.itemState(request) == "revoked" })

		bob.PressBeside("Dashboard viewer", "Revoke…") // access from the directory
		bob.WaitForModal("The access ends now")
		bob.Fill("Reason", "likewise")
		bob.SubmitAccepted()
		s.eventually("access from the directory is revoked", func() bool { return !s.holds("alice", "dashboards", "viewer") })
		var claim int64
		require.NoError(t, s.db.Get(&claim, `select c.id from claims c join stop_orders o on o.claim_id = c.id`))
		id := workflows.EndWorkflowID(claim)
		s.eventually("the claim's own run is over", func() bool { return s.runStatus(id) == "Completed" })
		require.JSONEq(t, `{"state": "revoked"}`, s.result(id))
		s.keepHistory("end_access", id)
	})

	t.Run("run cancelled during the grant and reset grants nothing", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		proxy := newProxy(t, s.targetURL)
		s.targetURL = proxy.url
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", time.Hour)
		proxy.swallowAnswersAfter("GRANT", "COMMIT")
		s.approve(approver, request)
		s.eventually("access is being granted", func() bool { return s.itemState(request) == "provisioning" })
		id := workflows.RequestWorkflowID(request)
		require.NoError(t, s.temporal.CancelWorkflow(t.Context(), id, ""))
		var revoked bool
		s.eventually("the cancellation is recorded", func() bool {
			return s.db.Get(&revoked, `select exists (select from stop_orders where kind = 'workflow_cancelled')`) == nil && revoked
		})
		proxy.answer()
		s.eventually("the item is revoked", func() bool { return s.itemState(request) == "revoked" })
		require.False(t, s.holds("alice", "dashboards", "editor"))
		s.eventually("the run is cancelled", func() bool { return s.runStatus(id) == "Canceled" })

		s.keepHistory("cancelled_while_granting", id)
		s.resetToStart(id)
		s.eventually("the reset run is over", func() bool { return s.runStatus(id) == "Completed" })
		require.Equal(t, "revoked", s.itemState(request))
		require.False(t, s.holds("alice", "dashboards", "editor"))
	})

	t.Run("permanent access is removed by its request's run, which is started again", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker("SWEEP_EVERY=1h") // the run ends it, not the sweep
		s.startSlackApp()
		request := s.ask("alice", "dashboards", "editor", 0)
		s.approve(approver, request)
		id := workflows.RequestWorkflowID(request)
		s.eventually("the run is over", func() bool { return s.runStatus(id) == "Completed" })
		require.True(t, s.holds("alice", "dashboards", "editor"))
		require.JSONEq(t, `{"state": "active", "granted": 1}`, s.result(id))
		s.keepHistory("approved_permanent", id)
		completed := s.runID(id)
		alice := s.as("alice")
		alice.OpenHome()
		alice.WaitForHome("Remove my access…")
		alice.Press("Remove my access…")
		s.eventually("access is revoked", func() bool { return !s.holds("alice", "dashboards", "editor") })
		s.eventually("the database agrees", func() bool { return s.itemState(request) == "revoked" })
		s.eventually("the new run is over", func() bool { return s.runID(id) != completed && s.runStatus(id) == "Completed" })
		require.JSONEq(t, `{"state": "revoked", "granted": 1, "revoked": 1}`, s.result(id))
		require.Contains(t, s.summaries(id), "Revoke Dashboards / Dashboard editor from Alice Martin")
		var claim int64
		require.NoError(t, s.db.Get(&claim, `select id from claims where item_id is not null`))
		require.Contains(t, s.runStatus(workflows.EndWorkflowID(claim)), "not found", "it has no run of its own")
	})

	t.Run("permanent access of a person who left is recorded by its request's run", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", 0)
		s.approve(approver, request)
		id := workflows.RequestWorkflowID(request)
		s.eventually("the run is over", func() bool { return s.runStatus(id) == "Completed" })
		completed := s.runID(id)
		_, err := s.db.Exec(`update people set status = 'left' where email = $1`, s.email("alice"))
		require.NoError(t, err)
		s.eventually("access is revoked", func() bool { return !s.holds("alice", "dashboards", "editor") })
		s.eventually("the new run is over", func() bool { return s.runID(id) != completed && s.runStatus(id) == "Completed" })
		require.JSONEq(t, `{"state": "revoked", "granted": 1, "revoked": 1}`, s.result(id))
	})

	t.Run("temporary access is removed early and a request withdrawn", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		request := s.ask("alice", "dashboards", "editor", 48*time.Hour)
		s.approve(approver, request)
		s.eventually("the item is active", func() bool { return s.itemState(request) == "active" })
		alice := s.as("alice")
		alice.OpenHome()
		alice.WaitForHome("Remove my access…")
		alice.Press("Remove my access…")
		s.eventually("access is revoked", func() bool { return !s.holds("alice", "dashboards", "editor") })
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		require.Equal(t, "revoked", s.itemState(request))
		s.keepHistory("revoked_early", workflows.RequestWorkflowID(request))

		again := s.ask("alice", "dashboards", "editor", 48*time.Hour)
		card := alice.WaitForMessage(fmt.Sprintf("#%d has been successfully created", again))
		approvalMessage := s.as(approver).WaitForMessage(fmt.Sprintf("request #%d", again))
		alice.PressIn(card, "Withdraw")
		alice.WaitForEdit(card, "was withdrawn")
		approvalMessage = s.as(approver).WaitForEdit(approvalMessage, "ithdrawn")
		require.Empty(t, approvalMessage.Buttons())
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(again)) == "Completed" })
		s.keepHistory("withdrawn", workflows.RequestWorkflowID(again))
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	t.Run("Temporal down at submission and decision only delays the request", func(t *testing.T) {
		t.Parallel()
		server := startTemporal(t)
		s := startOn(t, server.address, sample)
		s.startWorker()
		s.startSlackApp()
		server.kill()
		alice := s.open("alice")
		alice.Pick("Person", "priya", "Priya Nair")
		alice.Tick("Marketing marts")
		alice.Choose("Reason", "Project work")
		alice.SubmitAccepted()
		server.start()
		card := alice.WaitForMessage("has been successfully created and sent for approval")
		request := number(t, card.Text())
		approvalMessage := s.as("bob").WaitForMessage("Alice Martin requests")
		server.kill()
		s.as("bob").PressIn(approvalMessage, "Approve")
		var decisions int
		s.eventually("the decision is recorded", func() bool {
			return s.db.Get(&decisions, `select count(*) from decisions`) == nil && decisions == 1
		})
		server.start()
		alice.WaitForMessage(fmt.Sprintf("#%d is active", request))
		require.True(t, s.holds("alice", "warehouse", "marketing-marts"))
	})

	t.Run("Slack away at the end only delays the message", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", time.Hour)
		s.approve(approver, request)
		s.eventually("the item is active", func() bool { return s.itemState(request) == "active" })
		require.NoError(t, s.slack.Away(true))
		s.shiftClock(2 * time.Hour)
		s.eventually("access is revoked on time", func() bool { return !s.holds("alice", "dashboards", "editor") })
		require.NoError(t, s.slack.Away(false))
		s.shiftClock(15 * time.Minute) // the sweep retries late messages after that
		s.as("alice").WaitForMessage(fmt.Sprintf("#%d has ended", request))
	})
}
