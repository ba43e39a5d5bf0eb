package systemtest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/slackapp/slacksim"
	"accessbot/workflows"
)

// toTheMorning moves the clock on by a duration, and then to ten o'clock on a person's next working day.
func (s *system) toTheMorning(person string, after time.Duration) {
	s.t.Helper()
	var clock struct {
		Now  time.Time `db:"now"`
		Zone string    `db:"time_zone"`
	}
	require.NoError(s.t, s.db.Get(&clock, `select app_now() as now, time_zone from people where email = $1`, s.email(person)))
	zone, err := time.LoadLocation(clock.Zone)
	require.NoError(s.t, err)
	earliest := clock.Now.Add(after).In(zone)
	at := time.Date(earliest.Year(), earliest.Month(), earliest.Day()+1, 10, 0, 0, 0, zone)
	for at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
		at = at.AddDate(0, 0, 1)
	}
	s.shiftClock(at.Sub(clock.Now))
}

// reminders returns the reminders in a user's Slack, the oldest first.
func reminders(a *slacksim.MustActor) (found []slacksim.Message) {
	for _, m := range a.Messages() {
		if strings.Contains(m.Text(), "1 request is waiting for your approval") {
			found = append(found, m)
		}
	}
	return found
}

func TestHistoryLength(t *testing.T) {
	t.Parallel()
	t.Run("two stages and three reminders stay under 120 events", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.policy(`
rules:
  - name: The manager, and then two others together
    ask:
      - approvers: [manager]
      - approvers: ["%s", "%s"]
        required_approvals: 2
    remind_after: 12h
    escalate_after: 40d
    expire_after: 60d
`, s.email("lucia"), s.email("carla"))
		s.startWorker()
		s.startSlackApp()
		alice := s.open("alice")
		alice.Pick("Person", "priya", "Priya Nair")
		alice.Tick("Marketing marts")
		alice.Choose("Reason", "Project work")
		alice.SubmitAccepted()
		card := alice.WaitForMessage("has been successfully created and sent for approval")
		request := number(t, card.Text())

		bob := s.as("bob")
		approvalMessage := bob.WaitForMessage("Alice Martin requests 1 access grant")
		for n, after := range []time.Duration{12 * time.Hour, 24 * time.Hour, 48 * time.Hour} { // each takes twice as long
			s.toTheMorning("bob", after)
			s.eventually("Bob gets another reminder", func() bool { return len(reminders(bob)) == n+1 })
		}
		s.toTheMorning("bob", 8*24*time.Hour) // time for a fourth reminder, which must not come
		bob.PressIn(approvalMessage, "Approve")
		lucia, carla := s.as("lucia"), s.as("carla")
		lucia.PressIn(lucia.WaitForMessage("Stage 2 of 2"), "Approve")
		alice.WaitForEdit(card, "1 more approval required")
		carla.PressIn(carla.WaitForMessage("Stage 2 of 2"), "Approve")
		alice.WaitForEdit(card, "Marketing marts: active")
		s.eventually("the run is over", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Completed" })
		require.True(t, s.holds("alice", "warehouse", "marketing-marts"))
		var recorded, sent int
		require.NoError(t, s.db.Get(&recorded, `
		select count(*) from notifications n join people p on p.id = n.person_id where n.kind = 'reminder' and p.email = $1 and n.request_id = $2`, s.email("bob"), request))
		require.NoError(t, s.db.Get(&sent, `
		select count(distinct ts) from slack_messages m join people p on p.id = m.person_id where m.kind = 'reminder' and p.email = $1 and ts <> ''`, s.email("bob")))
		require.Equal(t, []int{3, 3, 3}, []int{recorded, sent, len(reminders(bob))}, "reminders in the database, sent, and in Slack")
		require.Less(t, s.events(request), int64(120))
	})
}
