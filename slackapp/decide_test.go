package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/views"
)

// approval lets alice request access to the warehouse, whose only owner is bob, and returns bob's approval.
func (s *stage) approvalMessage() (number int64, approvalMessage slacksim.Message) {
	s.Helper()
	number = s.asks("alice", "priya", "Priya Nair", "Analyst sandbox", "Marketing marts")
	s.work(number)
	return number, s.as("bob").WaitForMessage(fmt.Sprintf("#%d", number))
}

func (s *stage) decisions() int {
	s.Helper()
	return one[int](s, `select count(*) from decisions`)
}

func TestApproval(t *testing.T) {
	t.Run("click approves every item of the message", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			number, approvalMessage := s.approvalMessage()
			bob := s.as("bob") // it is his first contact
			bob.PressIn(approvalMessage, "Approve")
			s.eventually("both items are decided", func() bool { return s.decisions() == 2 })
			require.Equal(s, []string{"approve"}, s.verdicts())
			bob.WaitForEphemeral("Your decision is recorded. It will take effect as soon as our systems are back.")
			bob.WaitForHome("Nothing is waiting for you.")
			s.work(number)
			require.NotContains(s, bob.Again(approvalMessage).Buttons(), "Approve")
		})
	})

	t.Run("Home tab shows what is waiting", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.approvalMessage()
		bob := s.as("bob")
		bob.OpenHome()
		waiting, _, _ := strings.Cut(bob.Home(), "My requests")
		for _, said := range []string{"Waiting for my approval (1)", "#1001", "Alice Martin", "Data Warehouse: Analyst sandbox", "Data Warehouse: Marketing marts", "permanent"} {
			require.Contains(t, waiting, said)
		}
	})

	t.Run("denial without a reason is refused, its reason reaches the requester", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			number, approvalMessage := s.approvalMessage()
			bob := s.as("bob")
			bob.PressIn(approvalMessage, "Deny…")
			bob.WaitForModal("Reason")
			require.NotEmpty(s, bob.Submit(), "a reason is required")
			bob.Fill("Reason", "\u200b") // nothing readable
			require.Contains(s, bob.Submit()["Reason"], "Enter a reason")
			bob.Fill("Reason", "ask <!channel> first")
			bob.SubmitAccepted()
			bob.WaitForNoModal()
			require.Equal(s, []string{"deny"}, s.verdicts())
			require.Equal(s, "ask <!channel> first", one[string](s, `select min(reason) from decisions`))
			s.work(number)
			card := s.as("alice").WaitForMessage("ask <!channel> first")
			require.Empty(s, card.Pings())
		})
	})

	t.Run("a hundred clicks at once are one decision", func(t *testing.T) {
		s := newStage(t, 2, false, func(c *config) { c.limit = userLimit })
		_, approvalMessage := s.approvalMessage()
		bob := s.slack.As("bob@example.com")
		var clicks sync.WaitGroup
		for range 100 {
			clicks.Go(func() {
				if err := bob.PressIn(approvalMessage, "Approve"); err != nil {
					t.Error(err)
				}
			})
		}
		clicks.Wait()
		s.stop() // their effects are done by then
		told, err := bob.Ephemerals()
		require.NoError(t, err)
		require.NotEmpty(t, told)
		faster := 0
		for _, m := range told {
			switch text := m.Text(); {
			case strings.Contains(text, tooFast):
				faster++
			case strings.Contains(text, "Your decision is recorded"), strings.Contains(text, tryAgain): // Temporal is away; under load
			default:
				require.Contains(t, text, "You approved this on", "it was done already")
			}
		}
		require.LessOrEqual(t, faster, 2, "once by each replica, not for each click")
		require.Equal(t, 2, s.decisions(), "one for each item")
		require.Equal(t, 1, one[int](s, `select count(*) from audit_events where action = 'decision.recorded'`))
	})

	t.Run("forwarded button does nothing for another person", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			s.work(s.asks("alice", "priya", "Priya Nair", "Dashboard editor")) // bob and lucia own it
			bobs := s.as("bob").WaitForMessage("#1001")
			for n, name := range []string{"priya", "lucia"} { // lucia may decide, by her own copy
				presses := s.slack.As(name + "@example.com")
				require.NoError(s, presses.OpenHome())
				require.NoError(s, presses.PressForwarded(bobs, "Approve"))
				s.eventually(name+" is told", func() bool {
					screen, err := presses.Screen()
					require.NoError(s, err)
					for _, m := range screen.Messages {
						if strings.Contains(m.Text(), "You're not an approver for this request") {
							return true
						}
					}
					return false
				})
				require.Equal(s, n+1, s.alerts(schema.DecisionRefused))
				require.Zero(s, s.decisions())
			}
		})
	})

	t.Run("requester cannot approve their own request", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, approvalMessage := s.approvalMessage()
		alice := s.slack.As("alice@example.com")
		require.NoError(t, alice.PressForwarded(approvalMessage, "Approve"))
		s.eventually("it is refused", func() bool { return s.alerts(schema.DecisionRefused) == 1 })
		// Even an approval that she was asked for by mistake.
		s.do(`update slack_messages set person_id = $1 where kind = 'approval'`, s.person("alice").ID)
		require.NoError(t, alice.PressForwarded(approvalMessage, "Approve"))
		s.eventually("it is refused", func() bool { return s.alerts(schema.DecisionRefused) == 2 })
		s.eventually("she is told", func() bool {
			screen, err := alice.Screen()
			require.NoError(t, err)
			for _, m := range screen.Messages {
				if strings.Contains(m.Text(), "You can't approve your own request") {
					return true
				}
			}
			return false
		})
		require.Zero(t, s.decisions())
	})

	t.Run("terms changed after the message are not approved", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, approvalMessage := s.approvalMessage()
		s.do(`update access_requests set note = 'and the payroll, too'`)
		s.as("bob").PressIn(approvalMessage, "Approve")
		s.as("bob").WaitForEphemeral("This request has changed since this message was sent")
		require.Zero(t, s.decisions())
		require.Equal(t, 1, s.alerts(schema.DecisionRefused))
	})

	// The click.
	t.Run("approver who was deactivated is refused", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, approvalMessage := s.approvalMessage()
		s.do(`update people set status = 'suspended' where email = 'bob@example.com'`)
		s.as("bob").PressIn(approvalMessage, "Approve")
		s.as("bob").WaitForEphemeral("You aren't active in the directory")
		require.Zero(t, s.decisions())
	})

	t.Run("first of approval and denial wins and the other approver is told", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			number := s.asks("alice", "priya", "Priya Nair", "Dashboard editor") // bob and lucia own it
			s.work(number)
			bob, lucia := s.as("bob"), s.as("lucia")
			bob.OpenHome()
			lucia.OpenHome()
			toBob, toLucia := bob.WaitForMessage("#1001"), lucia.WaitForMessage("#1001")
			lucia.PressIn(toLucia, "Deny…")
			lucia.WaitForModal("Reason")
			lucia.Fill("Reason", "not now")
			bob.PressIn(toBob, "Approve")
			s.eventually("bob's is recorded", func() bool { return s.decisions() == 1 })
			require.Contains(s, lucia.Submit()["Reason"], "Bob Fischer approved this on ")
			require.Equal(s, []string{"approve"}, s.verdicts())
			lucia.CloseModal()
			lucia.PressIn(toLucia, "Approve")
			lucia.WaitForEphemeral("Bob Fischer approved this on ")
			require.Equal(s, 1, s.decisions())
		})
	})

	t.Run("forged button value does nothing", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.approvalMessage()
		_, payload, err := s.slack.LastPayload("block_actions")
		require.NoError(t, err)
		delete(payload, "view")
		n := 0
		for action := range actions {
			switch action {
			case views.ActionRequestAccess, views.ActionHolders, views.ActionAway, views.ActionBack, // no value
				views.ActionShowAll, views.ActionListPrevious, views.ActionListNext: // parsed when the list is drawn
				continue
			}
			for _, value := range []string{"", "0", "x:y", "-1:abc", "1'; drop table decisions; --\x00"} {
				payload["actions"].([]any)[0] = map[string]any{
					"type":      "button",
					"action_id": action,
					"block_id":  "b",
					"value":     value,
					"action_ts": "1.2",
				}
				answer, err := s.slack.Deliver("interactivity", payload)
				require.NoError(t, err)
				require.True(t, answer.Acked)
				n++
				s.eventually(action+" with "+value, func() bool { return s.alerts(schema.ButtonRefused) == n })
			}
		}
		require.Zero(t, s.decisions())
	})
}

func TestRequesterActions(t *testing.T) {
	t.Run("access is removed from the whole list too", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.grantMany("alice", 20)
		number, approvalMessage := s.approvalMessage()
		s.as("bob").PressIn(approvalMessage, "Approve")
		s.eventually("it is approved", func() bool { return s.decisions() == 2 })
		s.work(number)
		s.grant(number)
		alice := s.as("alice")
		alice.OpenHome()
		alice.Press("Show all")
		alice.WaitForModal("24 in total")
		for page := 2; !strings.Contains(alice.Modal(), "Analyst sandbox"); page++ {
			alice.Press("Next")
			alice.WaitForModal(fmt.Sprintf("page %d of", page))
		}
		alice.PressBeside("Analyst sandbox", "Remove my access…")
		alice.WaitForModal("Removing your access.") // Temporal is away
		alice.CloseModal()
		alice.WaitForModal("Being removed")
		alice.PressBeside("Marketing marts", "Remove my access…")
		s.eventually("it is recorded", func() bool { return one[int](s, `select count(*) from stop_orders`) == 2 })
	})

	t.Run("requester withdraws and another person cannot", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			_, approvalMessage := s.approvalMessage()
			alice := s.as("alice")
			card := alice.WaitForMessage("has been successfully created")
			priya := s.slack.As("priya@example.com")
			require.NoError(s, priya.PressForwarded(card, "Withdraw"))
			s.eventually("someone else may not", func() bool { return s.alerts(schema.WithdrawalRefused) == 1 })
			require.Zero(s, one[int](s, `select count(*) from stop_orders`))
			alice.PressIn(card, "Withdraw")
			s.eventually("it is recorded", func() bool { return one[int](s, `select count(*) from stop_orders`) == 2 })
			alice.WaitForEphemeral("Withdrawing request #") // Temporal is away
			alice.WaitForHome("Withdrawn")
			alice.PressIn(card, "Withdraw")
			alice.WaitForEphemeral("There is nothing left to withdraw")
			s.as("bob").PressIn(approvalMessage, "Approve")
			s.as("bob").WaitForEphemeral("withdrawn")
			require.Zero(s, s.decisions())
		})
	})

	t.Run("access from a request is removed by its holder", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			number, approvalMessage := s.approvalMessage()
			s.as("bob").PressIn(approvalMessage, "Approve")
			s.eventually("it is approved", func() bool { return s.decisions() == 2 })
			s.work(number)
			s.grant(number)
			alice := s.as("alice")
			alice.OpenHome()
			require.Equal(s, 2, strings.Count(alice.Home(), "[Remove my access…]"), "not for what did not come from a request")
			alice.PressBeside("Analyst sandbox", "Remove my access…")
			s.eventually("it is recorded", func() bool {
				return one[int](s, `select count(*) from stop_orders where kind = 'removed_by_holder'`) == 1
			})
			alice.WaitForHome("Being removed")
			require.Equal(s, 1, strings.Count(alice.Home(), "[Remove my access…]"))
			// Another person's, by a forged payload.
			_, payload, err := s.slack.LastPayload("block_actions")
			require.NoError(s, err)
			payload["user"] = map[string]any{"id": slacksim.UserID("priya@example.com"), "team_id": "T0LOCALSIM"}
			payload["actions"].([]any)[0].(map[string]any)["value"] = fmt.Sprint(
				one[int64](s, `select max(id) from claims where source = 'request'`),
			)
			_, err = s.slack.Deliver("interactivity", payload)
			require.NoError(s, err)
			s.eventually("it is refused", func() bool { return s.alerts(schema.RevocationRefused) == 1 })
			require.Equal(s, 1, one[int](s, `select count(*) from stop_orders`))
		})
	})

	t.Run("access with an end is extended", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("Select all")
		alice.Tick("Analyst sandbox", "Marketing marts")
		alice.Choose("Duration", "Temporary")
		alice.WaitForModal("End date")
		paris := zone(t, "Europe/Paris")
		day := func(n int) string { return time.Now().In(paris).AddDate(0, 0, n).Format(time.DateOnly) }
		alice.PickDate("End date", day(5))
		alice.Choose("Reason", "Project work")
		alice.SubmitAccepted()
		first := s.newest()
		s.work(first)
		s.as("bob").OpenHome()
		s.as("bob").PressIn(s.as("bob").WaitForMessage("#1001"), "Approve")
		s.eventually("it is approved", func() bool { return s.decisions() == 2 })
		s.work(first)
		s.grant(first)

		alice.OpenHome()
		alice.PressBeside("Analyst sandbox", "Extend…")
		alice.WaitForModal("Access from request #1001 that has an end date.")
		require.Len(t, alice.Boxes(), 2)
		require.Len(t, alice.Ticked(), 1, "the one that was pressed")
		require.Equal(t, "Temporary", strings.Split(alice.Value("Duration"), " (")[0])
		alice.PickDate("End date", day(5))
		alice.Choose("Reason", "Project work")
		require.Equal(t, map[string]string{"End date": "You have this until then or longer already: Analyst sandbox."}, alice.Submit())
		alice.PickDate("End date", day(9))
		alice.SubmitAccepted()
		require.Equal(t, []string{"warehouse/sandbox"}, s.asked(s.newest()))
		require.NotEqual(t, first, s.newest())
	})

	t.Run("notification extends the access it names", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice, priya := s.as("alice"), s.as("priya")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("Select all")
		alice.Tick("Analyst sandbox", "Marketing marts")
		alice.Choose("Duration", "Temporary")
		alice.WaitForModal("End date")
		alice.PickDate("End date", time.Now().AddDate(0, 0, 9).Format(time.DateOnly))
		alice.Choose("Reason", "Project work")
		alice.SubmitAccepted()
		number := s.newest()
		s.work(number)
		s.as("bob").PressIn(s.as("bob").WaitForMessage(fmt.Sprintf("#%d", number)), "Approve")
		s.eventually("it is approved", func() bool { return s.decisions() == 2 })
		s.work(number)
		s.grant(number)
		s.do(fmt.Sprintf(`set session_replication_role = replica;
		update claims c set ends_at = app_now() + interval '20 hours', granted_at = app_now() - interval '3 days'
		  from request_items i join entitlements e on e.id = i.entitlement_id where i.id = c.item_id and e.key = 'sandbox' and i.request_id = %d;
		set session_replication_role = origin`, number))
		s.work(number)
		soon := alice.WaitForMessage(fmt.Sprintf("Your access from request #%d ends soon", number))
		require.Contains(t, soon.Text(), "Analyst sandbox")
		require.NotContains(t, soon.Text(), "Marketing marts")

		require.NoError(t, priya.Actor().PressForwarded(soon, "Extend…"))
		s.eventually("it is refused", func() bool { return s.alerts(schema.FormRefused) == 1 })
		alice.PressIn(soon, "Extend…")
		alice.WaitForModal(fmt.Sprintf("Access from request #%d that has an end date.", number))
		require.Len(t, alice.Boxes(), 2)
		require.Len(t, alice.Ticked(), 1)
		require.Contains(t, alice.Ticked()[0], "Analyst sandbox")
	})
}

func (s *stage) verdicts() []string {
	s.Helper()
	verdicts := []string{}
	require.NoError(s, s.db.Select(&verdicts, `select distinct outcome from decisions order by 1`))
	return verdicts
}
