package systemtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/workflows"
)

// imports imports the directory again with changed lines of people.csv: pairs of the old and the new text.
func (s *system) imports(changes ...string) {
	s.t.Helper()
	own := s.ownDirectory("../../schema/directory/sample")
	file := filepath.Join(own, "people.csv")
	before, err := os.ReadFile(file)
	require.NoError(s.t, err)
	text := string(before)
	for i := 0; i < len(changes); i += 2 {
		for _, c := range []*string{&changes[i], &changes[i+1]} {
			*c = strings.ReplaceAll(*c, "@", "@"+s.id+".example")
		}
		require.Contains(s.t, text, changes[i])
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	require.NoError(s.t, os.WriteFile(file, []byte(text), 0o600))
	s.runOnce("worker", []string{"import", own}, "DATABASE_URL="+s.db.RoleURL("accessbot_directory"))
}

func TestRequestLife(t *testing.T) {
	t.Parallel()
	t.Run("manager requests for a report and the access ends", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		bob := s.open("bob")
		bob.Pick("For", "alice", "Alice Martin")
		bob.WaitForModal("they don't")
		bob.Pick("Person", "priya", "Priya Nair")
		bob.Tick("Dashboard editor") // of which Bob and Lucía are the owners
		bob.Choose("Duration", "Temporary")
		bob.PickDate("End date", inDays(3))
		bob.Choose("Reason", "Project work")
		bob.SubmitAccepted()
		his := bob.WaitForMessage("for Alice Martin has been successfully created and sent for approval")
		request := number(t, his.Text())
		alice, lucia := s.as("alice"), s.as("lucia")
		hers := alice.WaitForMessage(fmt.Sprintf("Bob Fischer's request #%d for you has been successfully created", request))
		approvalMessage := lucia.WaitForMessage("Bob Fischer requests 1 access grant")
		require.Contains(t, approvalMessage.Text(), "for Alice Martin")
		for _, m := range bob.Messages() {
			require.NotContains(t, m.Buttons(), "Approve", "submitters can't approve their own request")
		}
		lucia.PressIn(approvalMessage, "Approve")
		alice.WaitForMessage(fmt.Sprintf("Bob Fischer's request #%d for you is active", request))
		bob.WaitForMessage(fmt.Sprintf("Your request #%d for Alice Martin is active", request))
		require.True(t, s.holds("alice", "dashboards", "editor"))
		s.shiftClock(5 * 24 * time.Hour)
		alice.WaitForEdit(hers, "has ended")
		bob.WaitForEdit(his, "has ended")
		require.False(t, s.holds("alice", "dashboards", "editor"))
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
	})

	t.Run("access that ends soon is extended", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		first := s.ask("alice", "warehouse", "sandbox", 48*time.Hour)
		s.approve("bob", first)
		alice, bob := s.as("alice"), s.as("bob")
		alice.WaitForMessage(fmt.Sprintf("#%d is active", first))
		s.shiftClock(25 * time.Hour)
		soon := alice.WaitForMessage(fmt.Sprintf("Your access from request #%d ends soon", first))
		alice.PressIn(soon, "Extend…")
		alice.WaitForModal(fmt.Sprintf("Access from request #%d that has an end date", first))
		require.Len(t, alice.Ticked(), 1)
		alice.PickDate("End date", inDays(6))
		alice.SubmitAccepted()
		approvalMessage := bob.WaitForMessage("Alice Martin requests 1 access grant")
		second := number(t, approvalMessage.Text())
		bob.PressIn(approvalMessage, "Approve")
		alice.WaitForMessage(fmt.Sprintf("#%d is active", second))
		s.shiftClock(25 * time.Hour)
		s.eventually("the first has ended", func() bool { return s.itemState(first) == "ended" })
		alice.WaitForMessage("You still have the access for another reason")
		require.True(t, s.holds("alice", "warehouse", "sandbox"))
		s.shiftClock(6 * 24 * time.Hour)
		s.eventually("the second has ended", func() bool { return s.itemState(second) == "ended" })
		require.False(t, s.holds("alice", "warehouse", "sandbox"))
	})
}

func TestPersonChange(t *testing.T) {
	t.Parallel()
	t.Run("person who leaves loses access, a suspended approver is replaced", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker("SWEEP_EVERY=2s") // an import sends no signals: the sweep finds what it made due
		s.startSlackApp()
		granted, waiting := s.ask("alice", "warehouse", "sandbox", 48*time.Hour), s.ask("alice", "dashboards", "editor", 0)
		s.approve("bob", granted)
		s.eventually("access is granted", func() bool { return s.holds("alice", "warehouse", "sandbox") })
		moves := s.ask("priya", "warehouse", "raw-events", 0)
		bob := s.as("bob")
		approvalMessage := bob.WaitForMessage(fmt.Sprintf("request #%d", moves))

		s.imports("alice@,Alice Martin,Data Analyst,Data,bob@,active", "alice@,Alice Martin,Data Analyst,Data,bob@,left",
			"bob@,Bob Fischer,Head of Data,Data,ingrid@,active", "bob@,Bob Fischer,Head of Data,Data,ingrid@,suspended")
		s.eventually("all her access is revoked", func() bool {
			return !s.holds("alice", "warehouse", "sandbox") && !s.holds("alice", "warehouse", "reader")
		})
		s.eventually("the waiting request is withdrawn", func() bool {
			return s.itemState(waiting) == "withdrawn" && s.itemState(granted) == "revoked"
		})
		for _, request := range []int64{granted, waiting} {
			s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		}
		approvalMessage = bob.WaitForEdit(approvalMessage, "There is nothing left for you to decide")
		require.Empty(t, approvalMessage.Buttons())
		var asked string
		s.eventually("another approver is asked", func() bool {
			require.NoError(t, s.db.Get(&asked, `
			select coalesce(string_agg(p.name, ', ' order by p.name), '') from approvals a
			  join approval_candidates c on c.approval_id = a.id and c.asked_at is not null
			  join people p on p.id = c.person_id where a.request_id = $1 and a.state = 'open'`, moves))
			return asked != "" && !strings.Contains(asked, "Bob")
		})
		require.Equal(t, "awaiting_approval", s.itemState(moves))
	})
}
