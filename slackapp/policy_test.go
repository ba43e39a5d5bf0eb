package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/slacksim"
)

// policy applies a policy, as an operator does.
func (s *stage) policy(source string) {
	s.Helper()
	_, _, err := s.db.As(s, "accessbot_directory").ApplyPolicy(s.Context(), "policy.yaml", []byte(source))
	require.NoError(s, err)
}

// defaults applies the default rules with these defaults.
func (s *stage) defaults(lines string) {
	s.Helper()
	s.policy(schematest.WithDefaults(lines))
}

const mixedPolicy = `
rules:
  - name: No one exports customers
    when: application.slug == "crm" && entitlement.key == "export"
    deny: Exports are made by the data team. Ask in <!channel> for one.
  - name: Reading for a week
    when: risk == "low" && days <= 7
    approve: true
  - name: Low risk has an end
    when: risk == "low"
    limits: {permanent: false}
    ask: [{approvers: [manager]}]
  - name: High risk
    when: risk == "high" && purpose != "on-call"
    limits: {max_days: 14, note: required}
    ask: [{approvers: [manager]}, {approvers: [entitlement owners], escalate_to: [application owners]}]
  - name: The rest
    ask: [{approvers: [application owners], required_approvals: 2}]
`

// custom opens the form for everything that can be requested, and ticks some of it.
func (s *stage) custom(a *slacksim.MustActor, grants ...string) {
	s.Helper()
	s.openForm(a)
	a.Choose("Access Like", "Custom")
	a.WaitForModal("Everything")
	for _, grant := range grants {
		a.Fill("Search", grant)
		a.Enter("Search")
		s.drawn(a)
		a.Tick(grant)
	}
	a.Choose("Reason", "Project work")
}

func TestPolicy(t *testing.T) {
	t.Run("rules approve and deny by themselves, limits are errors at their fields", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.policy(mixedPolicy)
		alice := s.as("alice")
		s.custom(alice, "Support desk", "Customer export", "Production database (read)")
		require.Equal(
			t,
			map[string]string{
				"Duration": "These can't be permanent. Choose Temporary: Support desk, Production database (read) (at most 14 days).",
			},
			alice.Submit(),
		)
		alice.Choose("Duration", "Temporary")
		alice.WaitForModal("End date")
		alice.PickDate("End date", time.Now().AddDate(0, 0, 20).Format(time.DateOnly))
		require.Equal(
			t,
			map[string]string{"End date": "This is longer than some access grants allow: Production database (read) (at most 14 days)."},
			alice.Submit(),
		)
		alice.PickDate("End date", time.Now().AddDate(0, 0, 4).Format(time.DateOnly))
		require.Contains(t, alice.Submit()["Note"], "The policy requires one for Production database (read).")
		alice.Fill("Note", "an incident")
		alice.SubmitAccepted()

		number := s.newest()
		require.Equal(
			t,
			[]string{"Customer export deny Exports are made by the data team. Ask in <!channel> for one.", "Support desk approve"},
			s.decided(),
		)
		require.Equal(
			t,
			2,
			one[int](
				s,
				`select count(*) from audit_events where actor = 'policy' and action = 'decision.recorded' and request_id = $1`,
				number,
			),
		)
		s.work(number)
		require.Equal(
			t,
			"approved",
			one[string](
				s,
				`select i.state from request_items i join entitlements e on e.id = i.entitlement_id where e.key = 'support' and i.request_id = $1`,
				number,
			),
		)
		card := alice.WaitForMessage("denied by the policy")
		require.Contains(t, card.Text(), "Ask in <!channel> for one", "as text")
		require.Empty(t, card.Pings())
		require.Contains(t, card.Text(), "waiting for approval, stage 1 of 2")
	})

	t.Run("two stages show in everyone's messages", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.policy(`
rules:
  - name: All
    ask:
      - approvers: [manager]
      - approvers: [lucia@example.com, carla@example.com, sam@example.com]
        required_approvals: 2
`)
		number := s.asks("alice", "priya", "Priya Nair", "Dashboard editor")
		s.work(number)
		manager := s.as(managerOf(s, "alice"))
		first := manager.WaitForMessage("Stage 1 of 2")
		require.Contains(t, first.Text(), "because you manage Alice")
		card := s.as("alice").WaitForMessage("stage 1 of 2")
		require.Contains(t, card.Text(), "(manager)")
		require.Contains(t, card.Text(), "response due by", "until when it can be answered")
		manager.PressIn(first, "Approve")
		s.eventually("it is recorded", func() bool { return len(s.decided()) > 0 })
		s.work(number)
		stage2 := s.as("lucia").WaitForMessage("Stage 2 of 2")
		require.Contains(t, stage2.Text(), "2 approvals required")
		before := len(s.decided())
		s.as("lucia").PressIn(stage2, "Approve")
		s.eventually("it is recorded", func() bool { return len(s.decided()) > before })
		s.work(number)
		require.Contains(t, s.as("lucia").WaitForEdit(stage2, "Approved so far by").Text(), "waiting for")
		require.Empty(t, s.as("lucia").Again(stage2).Buttons())
		card = s.as("alice").WaitForEdit(card, "1 more approval required")
		require.NotContains(t, card.Text(), "Approvers:* Lucía")
		s.as("carla").PressIn(s.as("carla").WaitForMessage("Stage 2 of 2"), "Approve")
		s.eventually("all agree", func() bool {
			return one[string](s, `select coalesce(item_outcome(id), '') from request_items`) == "approve"
		})
		s.work(number)
		require.Contains(t, s.as("alice").Again(card).Text(), "approved by")
	})
}

func managerOf(s *stage, name string) string {
	s.Helper()
	return one[string](
		s,
		`select split_part(m.email, '@', 1) from people p join people m on m.id = p.manager_id where p.email = $1`,
		name+"@example.com",
	)
}

// toLastLevel escalates the approvals of a request, level by level, to the administrators.
func (s *stage) toLastLevel(number int64) {
	s.Helper()
	for one[bool](s, `select exists (select from approvals where request_id = $1 and state = 'open' and escalate_at is not null)`, number) {
		s.do(`update clock set shift = shift + interval '61 minutes'`)
		s.work(number)
	}
}

func TestAdministratorDecision(t *testing.T) {
	const tag, button = "No response for 1 hour", "Decide as administrator…"
	atLastLevel := func(s *stage) (number int64, administrator string) {
		s.Helper()
		s.defaults("escalate_after: 1h")
		number = s.asks("alice", "priya", "Priya Nair", "Dashboard editor")
		s.work(number)
		administrator = one[string](s, `select split_part(email, '@', 1) from people where administrator order by id limit 1`)
		ada := s.as(administrator)
		ada.OpenHome()
		require.Contains(s, ada.Home(), "Nothing is waiting for you.", "others are asked first")
		s.toLastLevel(number)
		return number, administrator
	}

	t.Run("request without a response is decided on Home and marked", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			number, administrator := atLastLevel(s)
			ada := s.as(administrator)
			ada.OpenHome()
			waiting, _, _ := strings.Cut(ada.WaitForHome(tag), "My requests")
			require.Contains(s, waiting, "Waiting for my approval (1)")
			require.NotContains(s, waiting, "[Approve]")
			ada.PressBeside("#1001", button)
			require.Contains(s, ada.WaitForModal("You decide for all approvers"), tag)
			ada.Tick("Dashboard editor")
			require.NotEmpty(s, ada.Submit(), "a reason is needed")
			ada.Fill("Reason for your decision", "Bob is ill <!here>")
			ada.SubmitAccepted()
			require.Equal(s, []string{"Dashboard editor approve Bob is ill <!here>"}, s.decided())
			require.Equal(s, 1, s.alerts(schema.DecisionRecorded))
			s.work(number)
			card := s.as("alice").WaitForMessage("as administrator (no response from the approvers)")
			require.Contains(s, card.Text(), "approved by")
			require.Contains(s, s.as("bob").Latest("#").Text(), "as administrator (no response from the approvers)")
			ada.WaitForHome("Nothing is waiting for you.")
		})
	})

	t.Run("message at the last level has the tag and the button, and no vote", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, administrator := atLastLevel(s)
		ada := s.as(administrator)
		message := ada.WaitForMessage(tag)
		require.Equal(t, []string{button, "Ask a question…"}, message.Buttons())
		require.Contains(t, s.as("bob").Latest("#1001").Buttons(), "Approve", "the other approvers can still decide")

		// A forged click on Approve, with the administrator's own message.
		ada.PressIn(message, "Ask a question…")
		ada.WaitForModal("Ask a question")
		ada.CloseModal()
		_, click, err := s.slack.LastPayload("block_actions")
		require.NoError(t, err)
		action, ok := click["actions"].([]any)[0].(map[string]any)
		require.True(t, ok)
		action["action_id"] = "approve"
		_, err = s.slack.Deliver("interactivity", click)
		require.NoError(t, err)
		ada.WaitForEphemeral("To decide it for everyone, press “Decide as administrator…”.")
		action["action_id"] = "choose"
		_, err = s.slack.Deliver("interactivity", click)
		require.NoError(t, err)
		s.eventually("this opens no form", func() bool { return len(ada.Ephemerals()) == 2 })
		require.Empty(t, s.decided())

		ada.PressIn(message, button)
		ada.WaitForModal("You decide for all approvers")
		ada.Choose("Access grants not selected", "Deny")
		ada.Fill("Reason for your decision", "not needed")
		ada.SubmitAccepted()
		require.Equal(t, []string{"Dashboard editor deny not needed"}, s.decided())
		require.True(t, one[bool](s, `select override from decisions`))
	})

	t.Run("person without the role, or before the last level, is refused", func(t *testing.T) {
		s := newStage(t, 1, false)
		number, administrator := atLastLevel(s)
		ada := s.as(administrator)
		ada.OpenHome()
		ada.PressBeside("#1001", button)
		ada.WaitForModal("You decide for all approvers")
		ada.Tick("Dashboard editor")
		ada.Fill("Reason for your decision", "x")
		_, click, err := s.slack.LastPayload("block_actions")
		require.NoError(t, err)
		for n, change := range []string{
			`update people set administrator = false where email = $1`,
			`update approvals set escalate_at = app_now() + interval '1 hour'`,
			`update approvals set level = 0, escalate_at = null`,
		} {
			if strings.Contains(change, "$1") {
				s.do(change, administrator+"@example.com")
			} else {
				s.do(change)
			}
			require.Contains(t, ada.Submit()["Reason for your decision"], "not an approver for this request", change)
			require.Equal(t, n+1, s.alerts(schema.DecisionRefused), change)
			if n == 0 { // the button opens no form for a person who is no administrator
				_, err := s.slack.Deliver("interactivity", click)
				require.NoError(t, err)
				s.eventually("it is refused", func() bool { return s.alerts(schema.ButtonRefused) == 1 })
			}
			s.do(`update people set administrator = true where email = $1`, administrator+"@example.com")
		}
		require.Empty(t, s.decided())
		_, err = s.worker.Advance(s.Context(), activities.AdvanceInput{RequestID: number})
		require.NoError(t, err)
		require.Equal(t, "awaiting_approval", one[string](s, `select state from request_items`))
	})

	t.Run("request without an approver is decided from the notification and from Home", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.policy(`
rules:
  - name: All
    ask: [{approvers: [bob@example.com], required_approvals: 5}]
`)
		number := s.asks("alice", "priya", "Priya Nair", "Dashboard editor")
		s.work(number)
		noor := s.as("noor")
		noor.OpenHome()
		noor.WaitForHome("No approver is available")
		noor.PressBeside("#1001", button)
		noor.WaitForModal("No approver is available")
		noor.CloseModal()
		noor.PressIn(noor.WaitForMessage("No approver is available for 1 access grant"), button)
		noor.WaitForModal("No approver is available")
		noor.Tick("Dashboard editor")
		noor.Fill("Reason for your decision", "no one else can")
		noor.SubmitAccepted()
		require.Equal(t, []string{"Dashboard editor approve no one else can"}, s.decided())
		noor.WaitForHome("Nothing is waiting for you.")
	})
}

// TestLimits: each grant is shown with its own limit.
func TestLimits(t *testing.T) {
	s := newStage(t, 1, false)
	s.do(`update entitlements set max_days = 1 where key = 'support'`)
	s.do(`update entitlements set max_days = 30 where name = 'Customer export'`)
	s.policy(`
rules:
  - name: Databases
    when: entitlement.name == "Production database (read)"
    limits: {max_days: 14}
    ask: [{approvers: [manager]}]
  - name: The rest
    ask: [{approvers: [application owners]}]
`)
	alice := s.as("alice")
	s.custom(alice, "Production database (read)")
	require.Contains(t, alice.Modal(), "up to 14 days", "the policy's limit beside its grant")
	alice.CloseAllModals()
	s.custom(alice, "Support desk", "Customer export")
	require.Equal(
		t,
		map[string]string{
			"Duration": "These can't be permanent. Choose Temporary: Support desk (at most 1 day), Customer export (at most 30 days).",
		},
		alice.Submit(),
	)
	alice.Choose("Duration", "Temporary")
	alice.WaitForModal("Some access grants have a shorter limit")
	alice.PickDate("End date", time.Now().AddDate(0, 0, 20).Format(time.DateOnly))
	require.Equal(
		t,
		map[string]string{"End date": "This is longer than some access grants allow: Support desk (at most 1 day)."},
		alice.Submit(),
	)
	alice.PickDate("End date", time.Now().AddDate(0, 0, 1).Format(time.DateOnly))
	alice.SubmitAccepted()

	r, err := schema.RequestByID(t.Context(), s.db, s.newest())
	require.NoError(t, err)
	limits, err := schema.LimitsOf(t.Context(), s.db, r)
	require.NoError(t, err)
	shown := map[string]int{}
	for _, i := range r.Items {
		shown[i.Name] = limits[i.ID]
	}
	require.Equal(t, map[string]int{"Support desk": 1, "Customer export": 30}, shown)
}
