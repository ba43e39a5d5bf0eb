package outbox_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/outbox"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/views"
)

// sync makes one attempt to sync a request's messages.
func (s *company) sync(request int64) (outbox.SyncResult, error) {
	return s.outbox.SyncMessages(context.Background(), outbox.SyncInput{RequestID: request})
}

func (s *company) synced(request int64) outbox.SyncResult {
	s.t.Helper()
	result, err := s.sync(request)
	require.NoError(s.t, err)
	return result
}

// posted is a request of Ann's whose messages were sent.
func (s *company) posted(lasts time.Duration) schematest.Asked {
	s.t.Helper()
	asked := s.Request(s.ann, lasts, s.admin)
	s.advance(asked.ID)
	s.synced(asked.ID)
	return asked
}

// reads returns the texts of a person's messages, the newest last.
func (s *company) reads(name string) []string {
	s.t.Helper()
	messages, err := s.slack.As(name + "@example.com").Messages()
	require.NoError(s.t, err)
	texts := make([]string, len(messages))
	for i, m := range messages {
		texts[i] = m.Text()
	}
	return texts
}

// buttons returns the labels of the buttons of a person's message.
func (s *company) buttons(name string, i int) []string {
	s.t.Helper()
	messages, err := s.slack.As(name + "@example.com").Messages()
	require.NoError(s.t, err)
	require.Greater(s.t, len(messages), i)
	return messages[i].Buttons()
}

// calls counts the calls of a Web API method.
func (s *company) calls(method string) int {
	s.t.Helper()
	traffic, err := s.slack.Traffic(0)
	require.NoError(s.t, err)
	n := 0
	for _, call := range traffic {
		if call.Name == method {
			n++
		}
	}
	return n
}

func (s *company) breakSlack(f slacksim.Fault) {
	s.t.Helper()
	require.NoError(s.t, s.slack.Break(f))
}

// press decides with the buttons of the approver's newest copy.
func (s *company) press(name string, person int64, approve bool) (schema.Decided, error) {
	s.t.Helper()
	return s.decides(name, schema.Answer{PersonID: person, Approve: approve, Reason: "because"})
}

// decides records an answer with the buttons of the person's newest copy that has some.
func (s *company) decides(name string, answer schema.Answer) (schema.Decided, error) {
	s.t.Helper()
	messages, err := s.slack.As(name + "@example.com").Messages()
	require.NoError(s.t, err)
	for _, m := range messages {
		for _, b := range m.Blocks {
			elements, ok := b["elements"].([]any)
			if !ok {
				continue
			}
			for _, e := range elements {
				button, ok := e.(map[string]any)
				if ok && button["action_id"] == views.ActionApprove {
					answer.MessageID, answer.Terms, err = views.ParseDecisionValue(button["value"].(string))
					require.NoError(s.t, err)
				}
			}
		}
	}
	require.NotZero(s.t, answer.MessageID, "%s has no button", name)
	return s.SlackApp.Decide(context.Background(), answer)
}

func TestMessageSync(t *testing.T) {
	t.Run("each person gets one message and every copy stays current", func(t *testing.T) {
		s := newCompany(t)
		olga := s.Person("Olga")
		s.Do(`insert into application_owners values ($1, $2)`, s.crm, olga)
		asked := s.posted(0)
		require.Len(t, s.reads("ann"), 1)
		assert.Contains(t, s.reads("ann")[0], "has been successfully created and sent for approval")
		assert.Equal(t, []string{"Withdraw"}, s.buttons("ann", 0))
		for _, name := range []string{"owen", "olga"} {
			require.Len(t, s.reads(name), 1)
			assert.Equal(t, []string{"Approve", "Deny…", "Approve with changes…", "Ask a question…"}, s.buttons(name, 0))
		}
		assert.Equal(t, 3, s.calls("chat.postMessage"))

		assert.Zero(t, s.synced(asked.ID).DueIn)
		assert.Equal(t, 3, s.calls("chat.postMessage"), "nothing is sent if nothing changed")
		assert.Zero(t, s.calls("chat.update"))
		assert.True(t, schematest.Value[bool](s.World, `select messages_due_at is null from access_requests`))

		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.synced(asked.ID)
		for _, name := range []string{"owen", "olga"} {
			require.Len(t, s.reads(name), 1)
			assert.Empty(t, s.buttons(name, 0), "approved, so no buttons")
		}
		assert.Contains(t, s.reads("olga")[0], "Approved by Owen")
		assert.Contains(t, s.reads("owen")[0], "Approved by you")
		assert.Equal(t, 3, s.calls("chat.update"))
	})

	t.Run("message that was reserved but not posted is posted", func(t *testing.T) {
		s := newCompany(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		for _, m := range []schema.Message{{Kind: "card", PersonID: s.ann}, {Kind: "approval", PersonID: s.owen, ItemIDs: asked.Items}} {
			m.RequestID = asked.ID
			_, err := schema.ReserveMessage(context.Background(), s.Worker, m)
			require.NoError(t, err)
		}
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 1)
		assert.Len(t, s.reads("owen"), 1)
		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
	})

	t.Run("concurrent syncs send once", func(t *testing.T) {
		s := newCompany(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				_, err := s.sync(asked.ID)
				assert.True(t, err == nil || outbox.IsBusy(err), "%v", err)
			})
		}
		group.Wait()
		s.synced(asked.ID)
		assert.Equal(t, 2, s.calls("chat.postMessage"))
	})
}

func TestOutcomeMessage(t *testing.T) {
	t.Run("outcome is sent once when the access is active", func(t *testing.T) {
		s := newCompany(t)
		asked := s.posted(0)
		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		again := s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 1, "no message for an approval that is provisioned at once")
		assert.InDelta(t, 30, again.DueIn, 2)
		require.NoError(t, s.grant(asked.Items[0]))
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 2)
		assert.Contains(t, s.reads("ann")[1], "is active")
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 2)
	})

	t.Run("approval alone is sent if provisioning takes long", func(t *testing.T) {
		s := newCompany(t)
		asked := s.posted(0)
		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.Shift(31 * time.Second)
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 2)
		assert.Contains(t, s.reads("ann")[1], "is approved and being set up")
		require.NoError(t, s.grant(asked.Items[0]))
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 3)
		assert.Contains(t, s.reads("ann")[2], "is active")
	})

	t.Run("retrying is shown in one sentence", func(t *testing.T) {
		s := newCompany(t)
		asked := s.posted(0)
		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.target.next("grant", lostAnswer)
		require.Error(t, s.grant(asked.Items[0]))
		s.synced(asked.ID)
		assert.Contains(t, s.reads("ann")[0], "Admin: being set up, waiting for Crm, which isn't responding")
	})

	t.Run("results are batched while others are pending", func(t *testing.T) {
		s := newCompany(t)
		olga := s.Person("Olga")
		asked := s.Request(s.ann, 0, s.admin, s.Entitlement(s.crm, "reader"), s.Entitlement(s.Application("wiki", olga), "reader"))
		s.advance(asked.ID)
		s.synced(asked.ID)
		_, err := s.press("owen", s.owen, false)
		require.NoError(t, err)
		s.advance(asked.ID)
		again := s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 1)
		assert.InDelta(t, 30, again.DueIn, 2)
		assert.True(
			t,
			schematest.Value[bool](s.World, `select messages_due_at > app_now() from access_requests`),
			"the sweep would send it too",
		)
		s.Shift(31 * time.Second)
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 2)
		assert.Contains(t, s.reads("ann")[1], "enied")
		_, err = s.press("olga", olga, false)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 3, "the last result is sent at once")
	})

	t.Run("end is announced once the access is gone", func(t *testing.T) {
		s := newCompany(t)
		asked := s.posted(72 * time.Hour)
		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		require.NoError(t, s.grant(asked.Items[0]))
		s.advance(asked.ID)
		again := s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 2)
		assert.InDelta(t, (48 * time.Hour).Seconds(), again.DueIn, 60)

		s.Shift(48 * time.Hour)
		s.advance(asked.ID)
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 3)
		assert.Contains(t, s.reads("ann")[2], "ends soon")

		s.Shift(24 * time.Hour)
		s.target.always("revoke", refusesConnection)
		require.Error(t, s.revoke(s.Claim(asked.Items[0])))
		s.advance(asked.ID)
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 3, "it has not ended")
		assert.NotContains(t, s.reads("ann")[0], "has ended")
		s.target.repair()
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 4)
		assert.Contains(t, s.reads("ann")[3], "has ended")
		assert.Contains(t, s.reads("ann")[0], "has ended")
	})

	t.Run("access of less than a day has no advance notification", func(t *testing.T) {
		s := newCompany(t)
		asked := s.posted(20 * time.Hour)
		s.decide(s.owen, asked.ID, "approve")
		s.advance(asked.ID)
		require.NoError(t, s.grant(asked.Items[0]))
		s.Shift(19 * time.Hour)
		s.advance(asked.ID)
		s.synced(asked.ID)
		for _, text := range s.reads("ann") {
			assert.NotContains(t, text, "ends soon")
		}
	})
}

func TestUnreachableApprover(t *testing.T) {
	t.Run("unreachable approver is recorded and left out", func(t *testing.T) {
		s := newCompany(t)
		// No Slack user has Zoe's e-mail address.
		zoe, olga := s.Person("Zoe"), s.Person("Olga")
		wiki := s.Application("wiki", zoe)
		s.Manages(olga, s.ann)
		asked := s.Request(s.ann, 0, s.Entitlement(wiki, "reader"))
		s.advance(asked.ID)
		result := s.synced(asked.ID)
		assert.True(t, result.ApproverUnreachable)
		assert.Len(t, s.reads("ann"), 1, "the others get their messages")
		assert.Equal(t, 1, s.Alerts(schema.MessageUndelivered))
		assert.Equal(t, []string{"olga@example.com"}, s.advance(asked.ID).Approvers)
		assert.False(t, s.synced(asked.ID).ApproverUnreachable)
		assert.Len(t, s.reads("olga"), 1)
		lookups := s.calls("users.lookupByEmail")
		s.synced(asked.ID)
		assert.Equal(t, lookups, s.calls("users.lookupByEmail"), "the answer is remembered")
		assert.Equal(t, 1, s.Alerts(schema.MessageUndelivered))
	})

	t.Run("other approvers are asked at once", func(t *testing.T) {
		s := newCompany(t)
		zoe, olga := s.Person("Zoe"), s.Person("Olga") // Zoe is first, and not in Slack
		asked := s.Request(s.ann, 0, s.Entitlement(s.Application("wiki", zoe, olga), "reader"))
		s.advance(asked.ID)
		s.Do(`update access_requests set due_at = app_now() + interval '1 day'`)
		assert.True(t, s.synced(asked.ID).ApproverUnreachable)
		assert.Len(t, s.reads("olga"), 1)
		assert.Equal(t, 1, s.Alerts(schema.MessageUndelivered))
		assert.True(
			t,
			schematest.Value[bool](s.World, `select due_at <= app_now() from access_requests`),
			"the run is due, also if the sweep sent the messages",
		)
		assert.Equal(t, []string{"olga@example.com"}, s.advance(asked.ID).Approvers)
		_, err := s.press("olga", olga, true)
		require.NoError(t, err)
		assert.Len(t, s.advance(asked.ID).Grant, 1)
	})

	t.Run("approver with a closed Slack account is left out", func(t *testing.T) {
		s := newCompany(t)
		olga := s.Person("Olga")
		s.Manages(olga, s.ann)
		s.Do(`update people set slack_user_id = $1 where id = $2`, slacksim.UserID("owen@example.com"), s.owen)
		_, err := s.slack.ChangeUser("owen@example.com", map[string]any{"deleted": true})
		require.NoError(t, err)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		result := s.synced(asked.ID)
		assert.True(t, result.ApproverUnreachable)
		assert.Equal(t, []string{"olga@example.com"}, s.advance(asked.ID).Approvers)
	})

	t.Run("look-alike address gets no message", func(t *testing.T) {
		t.Run("user with a look-alike address is refused", func(t *testing.T) {
			s := newCompany(t)
			kenji := s.Person("Kenji")
			_, err := s.slack.AddUser(slacksim.User{ID: "U0LOOKALIKE", Email: "\u212aenji@example.com", Name: "Kenji"})
			require.NoError(t, err)
			request := s.Request(kenji, 0, s.admin)
			s.advance(request.ID)
			s.synced(request.ID)
			messages, err := s.slack.As("U0LOOKALIKE").Messages()
			require.NoError(t, err)
			assert.Empty(t, messages)
			assert.Equal(t, 1, s.Alerts(schema.AddressRefused))
			assert.Equal(t, 1, s.Alerts(schema.MessageUndelivered))
		})
		t.Run("address that is not ASCII is not looked up", func(t *testing.T) {
			s := newCompany(t)
			kenji := s.Person("Kenji")
			s.Do(`update people set email = $1 where id = $2`, "\u212aenji@example.com", kenji)
			_, err := s.slack.AddUser(slacksim.User{ID: "U0LOOKALIKE", Email: "\u212aenji@example.com", Name: "Kenji"})
			require.NoError(t, err)
			request := s.Request(kenji, 0, s.admin)
			s.advance(request.ID)
			s.synced(request.ID)
			messages, err := s.slack.As("U0LOOKALIKE").Messages()
			require.NoError(t, err)
			assert.Empty(t, messages)
		})
	})
}

func TestSlackFault(t *testing.T) {
	t.Run("failed message does not stop others", func(t *testing.T) {
		s := newCompany(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.breakSlack(
			slacksim.Fault{Method: "chat.postMessage", Kind: "status", Status: 503, Times: 1},
		) // the first: Owen's approval message
		_, err := s.sync(asked.ID)
		require.Error(t, err, "it is retried")
		require.Len(t, s.reads("ann"), 1)
		assert.Contains(t, s.reads("ann")[0], "as soon as we can reach an approver in Slack")
		assert.NotContains(t, s.reads("ann")[0], "successfully")
		assert.Empty(t, s.reads("owen"))
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 1)
		assert.Contains(t, s.reads("ann")[0], "successfully created and sent for approval", "edited")
		assert.Len(t, s.reads("owen"), 1)
	})

	t.Run("refused blocks are sent as plain text and the request continues", func(t *testing.T) {
		s := newCompany(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.breakSlack(slacksim.Fault{Method: "chat.postMessage", Kind: "error", Error: "invalid_blocks", Times: 1})
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 1)
		assert.Contains(t, s.reads("owen")[0], "We couldn't show this message in full")
		assert.Contains(t, s.reads("ann")[0], "sent for approval")
		assert.Equal(
			t,
			[]string{"Approve", "Deny…", "Approve with changes…", "Ask a question…"},
			s.buttons("owen", 0),
			"the request goes on",
		)
		assert.Equal(t, 1, s.Alerts(schema.MessageRefused))
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 1, "and sent only once")

		// If Slack accepts no blocks, an edit removes the old version's buttons.
		other := s.Request(s.ann, 0, s.Entitlement(s.crm, "reader"))
		s.advance(other.ID)
		s.synced(other.ID)
		require.Contains(t, s.buttons("owen", 1), "Approve")
		s.decide(s.owen, other.ID, "approve")
		s.advance(other.ID)
		s.breakSlack(slacksim.Fault{Method: "chat.update", Kind: "error", Error: "invalid_blocks", Times: 2})
		s.synced(other.ID)
		assert.Empty(t, s.buttons("owen", 1))
	})

	t.Run("outage does not delay access and messages are sent later", func(t *testing.T) {
		s := newCompany(t)
		asked := s.posted(time.Hour)
		s.decide(s.owen, asked.ID, "approve")
		s.advance(asked.ID)
		require.NoError(t, s.slack.Away(true))
		require.NoError(t, s.grant(asked.Items[0]))
		_, err := s.sync(asked.ID)
		require.Error(t, err)
		s.Shift(time.Hour)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		assert.False(t, s.held(), "on time")
		s.advance(asked.ID)
		_, err = s.sync(asked.ID)
		require.Error(t, err)
		due, err := schema.DueMessages(context.Background(), s.Worker, 0, 10)
		require.NoError(t, err)
		assert.Equal(t, []int64{asked.ID}, due, "the sweep sends them")

		require.NoError(t, s.slack.Away(false))
		s.synced(asked.ID)
		assert.Contains(t, s.reads("ann")[0], "has ended")
		assert.Empty(t, s.buttons("owen", 0))
		due, err = schema.DueMessages(context.Background(), s.Worker, 0, 10)
		require.NoError(t, err)
		assert.Empty(t, due)
	})

	t.Run("rate limit is obeyed", func(t *testing.T) {
		s := newCompany(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.breakSlack(slacksim.Fault{Method: "chat.postMessage", Kind: "ratelimited", RetryAfter: 7, Times: 1})
		_, err := s.sync(asked.ID)
		require.Error(t, err)
		assert.Equal(
			t,
			7*time.Second,
			err.(interface{ NextRetryDelay() time.Duration }).NextRetryDelay(),
			"Temporal reads it from the error itself",
		)
		assert.Equal(t, 1, s.calls("chat.postMessage"), "and no other call is made meanwhile")
		s.synced(asked.ID)
		assert.Len(t, s.reads("owen"), 1)
	})

	t.Run("deleted message is posted again", func(t *testing.T) {
		s := newCompany(t)
		asked := s.posted(0)
		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.breakSlack(
			slacksim.Fault{Method: "chat.update", Kind: "error", Error: "message_not_found", Times: 2},
		) // Owen's approval message, and Ann's card
		_, err = s.sync(asked.ID)
		require.Error(t, err)
		s.synced(asked.ID)
		assert.Len(t, s.reads("owen"), 1, "a decided approval is not posted again")
		cards := s.reads("ann")
		require.Len(t, cards, 2)
		assert.Contains(t, cards[1], "is approved")
		posts := s.calls("chat.postMessage")
		s.synced(asked.ID)
		assert.Equal(t, posts, s.calls("chat.postMessage"), "once")
	})

	t.Run("call without an answer is an error", func(t *testing.T) {
		s := newCompany(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.breakSlack(slacksim.Fault{Method: "*", Kind: "slow", DelayMS: 60_000})
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		_, err := s.outbox.SyncMessages(ctx, outbox.SyncInput{RequestID: asked.ID})
		require.Error(t, err, "a result that is due in a second would loop")
		require.NoError(t, s.slack.Mend())
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 1)
	})

	t.Run("calls without an answer leave connections to other work", func(t *testing.T) {
		s := newCompany(t)
		var requests []int64
		for range 25 { // more than the pool has connections
			requests = append(requests, s.Request(s.ann, 0, s.admin).ID)
		}
		asked := s.approved(0)
		s.breakSlack(slacksim.Fault{Method: "*", Kind: "slow", DelayMS: 60_000})
		ctx, giveUp := context.WithCancel(context.Background())
		var group sync.WaitGroup
		var mutex sync.Mutex
		var busy []error
		for _, id := range requests {
			group.Go(func() {
				_, err := s.outbox.SyncMessages(ctx, outbox.SyncInput{RequestID: id})
				mutex.Lock()
				defer mutex.Unlock()
				if outbox.IsBusy(err) {
					busy = append(busy, err)
				}
			})
		}
		require.Eventually(
			t,
			func() bool { mutex.Lock(); defer mutex.Unlock(); return len(busy) > 0 },
			20*time.Second,
			10*time.Millisecond,
		)
		var retry *temporal.ApplicationError
		require.ErrorAs(t, busy[0], &retry)
		assert.InDelta(t, 2.5, retry.NextRetryDelay().Seconds(), 0.5)
		quick, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(
			t,
			s.do.ProvisionAccess(quick, activities.ItemInput{ItemID: asked.Items[0]}),
			"provisioning does not wait for Slack",
		)
		giveUp()
		group.Wait()
		assert.Len(t, busy, len(requests)-4)
	})
}

func TestOwnerNotification(t *testing.T) {
	t.Run("owners are notified of failed items", func(t *testing.T) {
		s := newCompany(t)
		olga, dana := s.Person("Olga"), s.Person("Dana")
		s.Administrator(dana)
		asked := s.Request(s.ann, 0, s.admin, s.Entitlement(s.Application("wiki", olga), "reader"))
		s.advance(asked.ID)
		s.decide(s.owen, asked.ID, "approve")
		s.decide(olga, asked.ID, "approve")
		s.advance(asked.ID)
		s.target.next("grant", hasNoObject)
		for _, item := range asked.Items {
			require.NoError(t, s.grant(item))
		}
		s.advance(asked.ID)
		s.synced(asked.ID)
		reports := func(name string) []string {
			var reports []string
			for _, text := range s.reads(name) {
				if strings.Contains(text, "couldn't be set up for") {
					reports = append(reports, text)
				}
			}
			return reports
		}
		require.Len(t, reports("owen"), 1)
		assert.Contains(t, reports("owen")[0], "no longer exists in Crm")
		assert.Empty(t, reports("olga"), "hers was granted")
		assert.Zero(
			t,
			schematest.Value[int](s.World, `select count(*) from slack_messages where person_id = $1`, dana),
			"owners are there: administrators are not bothered",
		)
		last := s.reads("ann")[len(s.reads("ann"))-1]
		assert.Contains(t, last, "1 active, 1 couldn't be set up")
		assert.Contains(t, last, "no longer exists in Crm")
	})

	t.Run("owners are notified of access before the claim and of overdue revocations", func(t *testing.T) {
		s := newCompany(t)
		s.target.set("ann", "crm/admin", true)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		s.advance(asked.ID)
		s.synced(asked.ID)
		assert.Contains(t, strings.Join(s.reads("owen"), "\n"), "had 1 access grant in Crm before request")

		other := s.Request(s.ann, time.Hour, s.Entitlement(s.crm, "reader"))
		s.Approve(s.owen, other)
		require.NoError(t, s.grant(other.Items[0]))
		s.synced(other.ID)
		s.Shift(2 * time.Hour)
		s.target.always("revoke", refusesConnection)
		require.Error(t, s.revoke(s.Claim(other.Items[0])))
		require.Error(t, s.revoke(s.Claim(other.Items[0])))
		s.synced(other.ID)
		s.synced(other.ID)
		assert.Equal(t, 1, strings.Count(strings.Join(s.reads("owen"), "\n"), "Revocation of 1 access grant in Crm for Ann is overdue"))
	})
}
