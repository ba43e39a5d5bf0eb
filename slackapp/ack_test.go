package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/views"
)

// gate delays all work after acks.
type gate struct{ mu sync.RWMutex }

func (g *gate) pass() {
	g.mu.RLock()
	defer g.mu.RUnlock()
}

// during runs f while no work after an ack is done.
func (g *gate) during(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do()
}

// showing are the actions that open or draw something and change nothing in the database before it is shown.
var showing = []string{
	views.ActionRequestAccess,
	views.ActionExtend,
	views.ActionExtendSoon,
	views.ActionExtendAll,
	views.ActionAgain,
	views.ActionShowAll,
	views.ActionDeny,
	views.ActionChoose,
	views.ActionDecideAsAdministrator,
	views.ActionAskQuestion,
	views.ActionAnswer,
	views.ActionAway,
	views.ActionHolders,
	views.ActionRevoke,
	views.ActionTaskCannot,
	views.ActionListPrevious,
	views.ActionListNext,
	views.ActionHolder,
}

func TestRecordedBeforeAck(t *testing.T) {
	t.Run("every action and submission is recorded by its ack", func(t *testing.T) {
		onBothTransportsGated(t, func(s *stage, g *gate) {
			var pressed, submitted []string
			// recorded runs an action, and checks what is recorded when its ack arrives.
			recorded := func(name, count string, act func()) {
				s.Helper()
				before := one[int](s, count)
				var after int
				g.during(func() { act(); after = one[int](s, count) })
				require.Greater(s, after, before, name)
			}
			press := func(actionID, count string, act func()) {
				s.Helper()
				recorded(actionID, count, act)
				pressed = append(pressed, actionID)
			}
			submit := func(callbackID, count string, a *slacksim.MustActor) {
				s.Helper()
				recorded(callbackID, count, func() { require.Empty(s, a.Submit()) })
				submitted = append(submitted, callbackID)
			}
			const (
				decisions   = `select count(*) from decisions`
				releases    = `select count(*) from stop_orders`
				delegations = `select count(*) from delegations`
				answers     = `select count(*) from manual_task_answers`
			)
			alice, bob := s.as("alice"), s.as("bob")

			s.openForm(alice)
			alice.Pick("Person", "priya", "Priya Nair")
			alice.WaitForModal("Select all access grants")
			alice.Tick("Analyst sandbox", "Marketing marts")
			alice.Choose("Reason", "Project work")
			submit(views.CallbackRequest, `select count(*) from access_requests`, alice)
			first := s.newest()
			s.work(first)
			approvalMessage := bob.WaitForMessage("#1001")
			bob.OpenHome() // which binds him

			bob.PressIn(approvalMessage, "Ask a question…")
			bob.WaitForModal("your question about request")
			bob.Fill("Question", "What for?")
			submit(views.CallbackAskQuestion, `select count(*) from questions`, bob)
			s.work(first)
			alice.PressIn(alice.WaitForMessage("Bob Fischer asks about your request"), "Answer…")
			alice.WaitForModal("What for")
			alice.Fill("Answer", "The board")
			submit(views.CallbackAnswer, `select count(*) from question_answers`, alice)

			bob.Press("Delegate approvals…")
			bob.WaitForModal("Delegate")
			bob.Pick("Delegate", "gómez", "Lucía Gómez")
			bob.PickDate("First day", time.Now().AddDate(0, 0, -1).Format(time.DateOnly))
			bob.PickDate("Last day", time.Now().AddDate(0, 0, 5).Format(time.DateOnly))
			submit(views.CallbackAway, delegations, bob)
			bob.WaitForHome("End delegation")
			press(views.ActionBack, delegations, func() { bob.Press("End delegation") })
			bob.WaitForHome("Delegate approvals…")

			bob.PressIn(approvalMessage, "Approve with changes…")
			bob.WaitForModal("Select the ones to approve")
			bob.Tick("Analyst sandbox")
			submit(views.CallbackChoose, decisions, bob)
			s.work(first)
			bob.PressIn(bob.Again(approvalMessage), "Deny…")
			bob.WaitForModal("Deny")
			bob.Fill("Reason", "not for analysts")
			submit(views.CallbackDeny, decisions, bob)
			s.work(first)
			s.grant(first)
			bob.Press("Review access…")
			bob.WaitForModal("Shows the access that you can revoke")
			bob.Pick("Person", "alice", "Alice Martin")
			bob.WaitForModal("Analyst sandbox")
			bob.PressBeside("Analyst sandbox", "Revoke…")
			bob.WaitForModal("The access ends now")
			bob.Fill("Reason", "not needed any more")
			submit(views.CallbackRevoke, releases, bob)
			bob.CloseAllModals()

			s.work(s.asks("alice", "priya", "Priya Nair", "Marketing marts"))
			card := alice.WaitForMessage("#1002")
			press(views.ActionWithdraw, releases, func() { alice.PressIn(card, "Withdraw") })

			third := s.asks("alice", "priya", "Priya Nair", "Dashboard editor")
			s.work(third)
			press(views.ActionApprove, decisions, func() { bob.PressIn(bob.WaitForMessage("#1003"), "Approve") })
			s.work(third)
			s.grant(third)
			alice.OpenHome()
			press(views.ActionRemoveAccess, releases, func() { alice.PressBeside("Dashboard editor", "Remove my access…") })
			alice.WaitForModal("Removing your access.") // Temporal is away
			alice.CloseAllModals()

			s.addOwners("building", "bob")
			s.manualTasks("alice", "building", "evening")
			message := bob.WaitForMessage("Alice Martin (alice@example.com)")
			press(views.ActionTaskDone, answers, func() { bob.PressIn(message, "Mark as done") })
			s.manualTasks("zoe", "building", "evening")
			bob.PressIn(bob.WaitForMessage("Zoë Laurent"), "Can't do it…")
			bob.WaitForModal("Can't do it")
			bob.Fill("Reason", "no badges left")
			submit(views.CallbackCannot, answers, bob)

			s.defaults("escalate_after: 1h")
			fourth := s.asks("alice", "priya", "Priya Nair", "Marketing marts")
			s.work(fourth)
			s.toLastLevel(fourth)
			noor := s.as("noor")
			noor.OpenHome()
			noor.PressBeside(fmt.Sprintf("#%d", fourth), "Decide as administrator…")
			noor.WaitForModal("You decide for all approvers")
			noor.Tick("Marketing marts")
			noor.Fill("Reason for your decision", "Bob is ill")
			submit(views.CallbackDecideAsAdministrator, decisions, noor)
			s.work(fourth)
			item := one[int64](s, `select id from request_items where request_id = $1`, fourth)
			_, err := s.worker.DB.NoteProblem(s.Context(), item, schema.Problem{Code: schema.TargetUnavailable}, 0)
			require.NoError(s, err)
			require.NoError(s, s.outbox.SendNotifications(s.Context(), 0, 10))
			dana := s.as("dana")
			press(views.ActionRetry, `select count(*) from retry_orders`, func() {
				dana.PressIn(dana.WaitForMessage("Approved requests are waiting for"), "Retry now")
			})

			s.openForm(alice)
			g.during(func() {
				alice.Choose("Access Like", "Custom")
				require.Equal(s, "custom", one[string](s, `select mode from form_drafts`), "an action in the form")
			})

			const complete = "whatever is new has its case above, or only shows something"
			require.ElementsMatch(s, slices.Collect(maps.Keys(actions)), append(pressed, showing...), complete)
			require.ElementsMatch(s, slices.Collect(maps.Keys(submissions)), submitted, complete)
		})
	})

	t.Run("question submitted twice is asked once", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, approvalMessage := s.approvalMessage()
		s.as("bob").OpenHome()
		s.askQuestion("bob", approvalMessage, "What for?")
		_, again, err := s.slack.LastPayload("view_submission")
		require.NoError(t, err)
		answer, err := s.slack.Deliver("interactivity", again)
		require.NoError(t, err)
		require.True(t, answer.Acked)
		require.Empty(t, answer.Body, "it closes the form")
		require.Equal(t, 1, one[int](s, `select count(*) from questions`))
		s.askQuestion("bob", approvalMessage, "Until when?")
		require.Equal(t, 2, one[int](s, `select count(*) from questions`))
	})

	t.Run("absence is ended once", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.approvalMessage()
		bob := s.as("bob")
		s.do(
			`insert into delegations (person_id, delegate_id, starts_at, ends_at) values ($1, $2, app_now() - interval '1 day', app_now() + interval '1 day')`,
			s.person("bob").ID,
			s.person("lucia").ID,
		)
		bob.OpenHome()
		bob.Press("End delegation")
		_, again, err := s.slack.LastPayload("block_actions")
		require.NoError(t, err)
		const ended = `select count(*) from delegations where delegate_id is null`
		require.Equal(t, 1, one[int](s, ended))
		for range 3 {
			answer, err := s.slack.Deliver("interactivity", again)
			require.NoError(t, err)
			require.True(t, answer.Acked)
		}
		require.Equal(t, 1, one[int](s, ended))
	})

	t.Run("late commit is said in time", func(t *testing.T) {
		const none = `select (select count(*) from decisions) + (select count(*) from stop_orders) + (select count(*) from audit_events where action ~ '^(decision|withdrawal|revocation)[.]recorded')`
		t.Run("the request is locked", func(t *testing.T) {
			onBothTransports(t, func(s *stage) {
				number, approvalMessage := s.approvalMessage()
				alice, bob := s.as("alice"), s.as("bob")
				bob.OpenHome()
				card := alice.WaitForMessage("#1001")
				s.locked(number, func() {
					bob.PressIn(approvalMessage, "Approve") // fails if there is no ack within Slack's three seconds
					bob.WaitForEphemeral("Nothing was changed. Try again")
					alice.PressIn(card, "Withdraw")
					alice.WaitForEphemeral("Nothing was changed. Try again")
					bob.PressIn(approvalMessage, "Deny…")
					bob.WaitForModal("Deny")
					bob.Fill("Reason", "no")
					require.Contains(s, bob.Submit()["Reason"], "Nothing was changed. Try again")
					require.Zero(s, one[int](s, none))
				})
				require.Zero(s, one[int](s, none), "nor when the lock is gone")
				bob.CloseAllModals()
				bob.PressIn(approvalMessage, "Approve")
				require.Equal(s, 2, s.decisions())
			})
		})
		t.Run("the database is silent", func(t *testing.T) {
			onBothTransportsSilent(t, func(s *stage, q *quiet) {
				_, approvalMessage := s.approvalMessage()
				bob := s.as("bob")
				bob.OpenHome()
				bob.PressIn(approvalMessage, "Deny…")
				bob.WaitForModal("Deny")
				bob.Fill("Reason", "no")
				q.be(true)
				require.Regexp(s, "Submit again in a moment|Try again", bob.Submit()["Reason"])
				bob.CloseAllModals()
				bob.PressIn(approvalMessage, "Approve")
				bob.WaitForEphemeral("ry again")
				q.be(false)
				s.eventually("pressing again records it", func() bool {
					bob.PressIn(approvalMessage, "Approve")
					return s.decisions() == 2
				})
				require.Equal(s, 1, one[int](s, `select count(*) from audit_events where action = 'decision.recorded'`))
			})
		})
		t.Run("the answer to the commit is lost", func(t *testing.T) {
			onBothTransportsSilent(t, func(s *stage, q *quiet) {
				_, approvalMessage := s.approvalMessage()
				bob := s.as("bob")
				bob.OpenHome()
				q.silenceAfter("COMMIT")
				bob.PressIn(approvalMessage, "Approve")
				bob.WaitForEphemeral("We couldn't confirm that this was saved. Check whether it was, or try again")
				require.Equal(s, 2, s.decisions(), "as a check of this test: it was")
				q.be(false)
				s.eventually("pressing again is safe", func() bool {
					bob.PressIn(approvalMessage, "Approve")
					told := bob.Ephemerals()
					return strings.Contains(told[len(told)-1].Text(), "You approved this on")
				})
				require.Equal(s, 2, s.decisions())
				require.Equal(s, 1, one[int](s, `select count(*) from audit_events where action = 'decision.recorded'`))
			})
		})
		t.Run("the pool has no free connection", func(t *testing.T) {
			onBothTransports(t, func(s *stage) {
				number, approvalMessage := s.approvalMessage()
				bob, alice := s.as("bob"), s.as("alice")
				bob.OpenHome()
				bob.PressIn(approvalMessage, "Deny…")
				bob.WaitForModal("Deny")
				_, press, err := s.slack.LastPayload("block_actions")
				require.NoError(s, err)
				approve := press
				approve["actions"].([]any)[0].(map[string]any)["action_id"] = views.ActionApprove
				bob.CloseAllModals()
				s.openForm(alice)
				s.locked(number, func() {
					var clicks sync.WaitGroup
					for range connections {
						clicks.Go(func() {
							if answer, err := s.slack.Deliver("interactivity", approve); err != nil || !answer.Acked {
								s.Errorf("no ack: %v %v", answer, err)
							}
						})
					}
					s.eventually("every connection waits", func() bool {
						return one[int](
							s,
							`select count(*) from pg_stat_activity where datname = $1 and usename = 'accessbot_slackapp' and wait_event_type = 'Lock'`,
							s.db.Name,
						) >= connections
					})
					alice.Choose("Access Like", "Custom")
					clicks.Wait()
				})
				require.Zero(s, one[int](s, none))
			})
		})
	})
}

// onBothTransportsGated is onBothTransports with a gate.
func onBothTransportsGated(t *testing.T, test func(s *stage, g *gate)) {
	for _, socket := range []bool{false, true} {
		t.Run(transport(socket), func(t *testing.T) {
			g := &gate{}
			test(newStage(t, 1, socket, func(c *config) { c.beginWork = g.pass }), g)
		})
	}
}

func transport(socket bool) string {
	if socket {
		return "over Socket Mode"
	}
	return "over HTTP"
}

// locked runs f while another transaction holds a request's lock, as a slow commit does.
func (s *stage) locked(number int64, do func()) {
	s.Helper()
	tx, err := s.db.Beginx()
	require.NoError(s, err)
	defer tx.Rollback() //nolint:errcheck // it only holds the lock
	_, err = tx.Exec(`select from access_requests where id = $1 for update`, number)
	require.NoError(s, err)
	do()
}
