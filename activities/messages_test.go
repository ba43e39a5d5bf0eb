package activities_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/views"
	"accessbot/slackapp/webapi"
)

// withSlack is the small company with everybody in a local Slack, but those who are named.
type withSlack struct {
	small
	slack *slacksim.Workspace
}

func newWithSlack(t *testing.T) withSlack {
	s := withSlack{small: newSmall(t)}
	const token = "xoxb-test"
	server, err := slacksim.New(slacksim.Config{BotToken: token, AppToken: "xapp-test", Users: []slacksim.User{
		{Email: "ann@example.com", Name: "Ann"}, {Email: "owen@example.com", Name: "Owen"}, {Email: "olga@example.com", Name: "Olga"},
	}})
	require.NoError(t, err)
	web := httptest.NewServer(server.Handler())
	t.Cleanup(func() { server.Close(); web.Close() })
	s.do.Slack = webapi.New(token, webapi.Options{APIURL: web.URL + "/api/", Timeout: activities.SlackTimeout, LongestWait: activities.SlackLongestWait})
	s.slack = slacksim.Dial(web.URL)
	return s
}

func (s withSlack) sync(request int64) (activities.SyncResult, error) {
	return s.do.SyncMessages(context.Background(), activities.RequestInput{RequestID: request})
}

func (s withSlack) synced(request int64) activities.SyncResult {
	s.t.Helper()
	result, err := s.sync(request)
	require.NoError(s.t, err)
	return result
}

// posted is a request of Ann's about which Owen was asked, and everybody was told.
func (s withSlack) posted(lasts time.Duration) schematest.Asked {
	s.t.Helper()
	asked := s.Request(s.ann, lasts, s.admin)
	s.advance(asked.ID)
	s.synced(asked.ID)
	return asked
}

// reads is what someone's messages read, the newest last.
func (s withSlack) reads(name string) []string {
	s.t.Helper()
	messages, err := s.slack.As(name + "@example.com").Messages()
	require.NoError(s.t, err)
	texts := make([]string, len(messages))
	for n, m := range messages {
		texts[n] = m.Text()
	}
	return texts
}

func (s withSlack) buttons(name string, n int) []string {
	s.t.Helper()
	messages, err := s.slack.As(name + "@example.com").Messages()
	require.NoError(s.t, err)
	require.Greater(s.t, len(messages), n)
	return messages[n].Buttons()
}

// calls is how many calls of a Web API method Slack has had.
func (s withSlack) calls(method string) int {
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

func (s withSlack) breakSlack(f slacksim.Fault) {
	s.t.Helper()
	require.NoError(s.t, s.slack.Break(f))
}

// press is an approver's answer by the button that their copy shows now.
func (s withSlack) press(name string, person int64, approve bool) (schema.Decided, error) {
	s.t.Helper()
	return s.decides(name, schema.Answer{PersonID: person, Approve: approve, Reason: "because"})
}

// decides is an answer by the newest copy of someone's that has buttons.
func (s withSlack) decides(name string, answer schema.Answer) (schema.Decided, error) {
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
	t.Run("everyone involved is told once and every copy stays current", func(t *testing.T) {
		s := newWithSlack(t)
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

		assert.Zero(t, s.synced(asked.ID).AgainIn)
		assert.Equal(t, 3, s.calls("chat.postMessage"), "nothing is sent when nothing changed")
		assert.Zero(t, s.calls("chat.update"))
		assert.True(t, schematest.Value[bool](s.World, `select messages_due_at is null from access_requests`))

		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.synced(asked.ID)
		for _, name := range []string{"owen", "olga"} {
			require.Len(t, s.reads(name), 1)
			assert.Empty(t, s.buttons(name, 0), "approved, and no buttons")
		}
		assert.Contains(t, s.reads("olga")[0], "Approved by Owen")
		assert.Contains(t, s.reads("owen")[0], "Approved by you")
		assert.Equal(t, 3, s.calls("chat.update"))
	})

	t.Run("message that was reserved but not posted is posted", func(t *testing.T) {
		s := newWithSlack(t)
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
		s := newWithSlack(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				_, err := s.sync(asked.ID)
				assert.NoError(t, err)
			})
		}
		group.Wait()
		s.synced(asked.ID)
		assert.Equal(t, 2, s.calls("chat.postMessage"))
	})
}

func TestOutcomeMessage(t *testing.T) {
	t.Run("outcome is sent once when the access is active", func(t *testing.T) {
		s := newWithSlack(t)
		asked := s.posted(0)
		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		again := s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 1, "approved, and given in a moment")
		assert.InDelta(t, 30, again.AgainIn, 2)
		require.NoError(t, s.grant(asked.Items[0]))
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 2)
		assert.Contains(t, s.reads("ann")[1], "is active")
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 2)
	})

	t.Run("approval alone is sent if provisioning takes long", func(t *testing.T) {
		s := newWithSlack(t)
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
		s := newWithSlack(t)
		asked := s.posted(0)
		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.target.next("give", lostAnswer)
		require.Error(t, s.grant(asked.Items[0]))
		s.synced(asked.ID)
		assert.Contains(t, s.reads("ann")[0], "Admin: being set up, waiting for Crm, which isn't responding")
	})

	t.Run("results are batched while others are pending", func(t *testing.T) {
		s := newWithSlack(t)
		olga := s.Person("Olga")
		asked := s.Request(s.ann, 0, s.admin, s.Entitlement(s.crm, "reader"), s.Entitlement(s.Application("wiki", olga), "reader"))
		s.advance(asked.ID)
		s.synced(asked.ID)
		_, err := s.press("owen", s.owen, false)
		require.NoError(t, err)
		s.advance(asked.ID)
		again := s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 1)
		assert.InDelta(t, 30, again.AgainIn, 2)
		assert.True(t, schematest.Value[bool](s.World, `select messages_due_at > app_now() from access_requests`), "the sweep would see to it, too")
		s.Shift(31 * time.Second)
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 2)
		assert.Contains(t, s.reads("ann")[1], "enied")
		_, err = s.press("olga", olga, false)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 3, "the last one at once")
	})

	t.Run("end is announced only after the access is gone", func(t *testing.T) {
		s := newWithSlack(t)
		asked := s.posted(72 * time.Hour)
		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		require.NoError(t, s.grant(asked.Items[0]))
		s.advance(asked.ID)
		again := s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 2)
		assert.InDelta(t, (48 * time.Hour).Seconds(), again.AgainIn, 60)

		s.Shift(48 * time.Hour)
		s.advance(asked.ID)
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 3)
		assert.Contains(t, s.reads("ann")[2], "ends soon")

		s.Shift(24 * time.Hour)
		s.target.always("take", refusesConnection)
		require.Error(t, s.revoke(s.Claim(asked.Items[0])))
		s.advance(asked.ID)
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 3, "it has not ended")
		assert.NotContains(t, s.reads("ann")[0], "has ended")
		s.target.mend()
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])))
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 4)
		assert.Contains(t, s.reads("ann")[3], "has ended")
		assert.Contains(t, s.reads("ann")[0], "has ended")
	})

	t.Run("access of less than a day has no advance notification", func(t *testing.T) {
		s := newWithSlack(t)
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
	t.Run("approver who cannot be reached is passed over and recorded", func(t *testing.T) {
		s := newWithSlack(t)
		// No one in Slack has Zoe's e-mail.
		zoe, olga := s.Person("Zoe"), s.Person("Olga")
		wiki := s.Application("wiki", zoe)
		s.Manages(olga, s.ann)
		asked := s.Request(s.ann, 0, s.Entitlement(wiki, "reader"))
		s.advance(asked.ID)
		result := s.synced(asked.ID)
		assert.True(t, result.AskAgain)
		assert.Len(t, s.reads("ann"), 1, "the others are written to all the same")
		assert.Equal(t, 1, s.Alerts("cannot be reached in Slack"))
		assert.Equal(t, []string{"olga@example.com"}, s.advance(asked.ID).Approvers)
		assert.False(t, s.synced(asked.ID).AskAgain)
		assert.Len(t, s.reads("olga"), 1)
		lookups := s.calls("users.lookupByEmail")
		s.synced(asked.ID)
		assert.Equal(t, lookups, s.calls("users.lookupByEmail"), "what Slack denied is remembered")
		assert.Equal(t, 1, s.Alerts("cannot be reached in Slack"))
	})

	t.Run("other approvers are asked at once", func(t *testing.T) {
		s := newWithSlack(t)
		zoe, olga := s.Person("Zoe"), s.Person("Olga") // Zoe, who is written to first, is not in Slack
		asked := s.Request(s.ann, 0, s.Entitlement(s.Application("wiki", zoe, olga), "reader"))
		s.advance(asked.ID)
		s.Do(`update access_requests set due_at = app_now() + interval '1 day'`)
		assert.True(t, s.synced(asked.ID).AskAgain)
		assert.Len(t, s.reads("olga"), 1)
		assert.Equal(t, 1, s.Alerts("cannot be reached in Slack"))
		assert.True(t, schematest.Value[bool](s.World, `select due_at <= app_now() from access_requests`), "the run is woken, whoever sent the messages")
		assert.Equal(t, []string{"olga@example.com"}, s.advance(asked.ID).Approvers)
		_, err := s.press("olga", olga, true)
		require.NoError(t, err)
		assert.Len(t, s.advance(asked.ID).Grant, 1)
	})

	t.Run("approver with a closed Slack account is passed over", func(t *testing.T) {
		s := newWithSlack(t)
		olga := s.Person("Olga")
		s.Manages(olga, s.ann)
		s.Do(`update people set slack_user_id = $1 where id = $2`, slacksim.UserID("owen@example.com"), s.owen)
		_, err := s.slack.ChangeUser("owen@example.com", map[string]any{"deleted": true})
		require.NoError(t, err)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		result := s.synced(asked.ID)
		assert.True(t, result.AskAgain)
		assert.Equal(t, []string{"olga@example.com"}, s.advance(asked.ID).Approvers)
	})

	t.Run("look-alike address is not written to", func(t *testing.T) {
		t.Run("Slack answers with a user whose address only looks like the person's", func(t *testing.T) {
			s := newWithSlack(t)
			kenji := s.Person("Kenji")
			_, err := s.slack.AddUser(slacksim.User{ID: "U0LOOKALIKE", Email: "\u212aenji@example.com", Name: "Kenji"})
			require.NoError(t, err)
			request := s.Request(kenji, 0, s.admin)
			s.advance(request.ID)
			s.synced(request.ID)
			messages, err := s.slack.As("U0LOOKALIKE").Messages()
			require.NoError(t, err)
			assert.Empty(t, messages)
			assert.Equal(t, 1, s.Alerts("address.refused"))
			assert.Equal(t, 1, s.Alerts("cannot be reached in Slack"))
		})
		t.Run("a person with an address that is not ASCII is not looked up by it", func(t *testing.T) {
			s := newWithSlack(t)
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
	t.Run("message that fails stops no others", func(t *testing.T) {
		s := newWithSlack(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.breakSlack(slacksim.Fault{Method: "chat.postMessage", Kind: "status", Status: 503, Times: 1}) // the first: Owen's approval
		_, err := s.sync(asked.ID)
		require.Error(t, err, "it is tried again")
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
		s := newWithSlack(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.breakSlack(slacksim.Fault{Method: "chat.postMessage", Kind: "error", Error: "invalid_blocks", Times: 1})
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 1)
		assert.Contains(t, s.reads("owen")[0], "We couldn't show this message in full")
		assert.Contains(t, s.reads("ann")[0], "sent for approval")
		assert.Equal(t, []string{"Approve", "Deny…", "Approve with changes…", "Ask a question…"}, s.buttons("owen", 0), "the request goes on")
		assert.Equal(t, 1, s.Alerts("a message was refused by Slack"))
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 1, "and not sent again and again")

		// Where Slack takes no blocks at all, an update takes the old form's buttons along.
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

	t.Run("outage delays no access and messages catch up", func(t *testing.T) {
		s := newWithSlack(t)
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
		assert.Equal(t, []int64{asked.ID}, due, "the sweep knows")

		require.NoError(t, s.slack.Away(false))
		s.synced(asked.ID)
		assert.Contains(t, s.reads("ann")[0], "has ended")
		assert.Empty(t, s.buttons("owen", 0))
		due, err = schema.DueMessages(context.Background(), s.Worker, 0, 10)
		require.NoError(t, err)
		assert.Empty(t, due)
	})

	t.Run("rate limit is obeyed", func(t *testing.T) {
		s := newWithSlack(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.breakSlack(slacksim.Fault{Method: "chat.postMessage", Kind: "ratelimited", RetryAfter: 7, Times: 1})
		_, err := s.sync(asked.ID)
		require.Error(t, err)
		assert.Equal(t, 7*time.Second, err.(interface{ NextRetryDelay() time.Duration }).NextRetryDelay(), "Temporal sees it only on the error itself")
		assert.Equal(t, 1, s.calls("chat.postMessage"), "and nothing else is tried meanwhile")
		s.synced(asked.ID)
		assert.Len(t, s.reads("owen"), 1)
	})

	t.Run("message that is gone is posted again", func(t *testing.T) {
		s := newWithSlack(t)
		asked := s.posted(0)
		_, err := s.press("owen", s.owen, true)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.breakSlack(slacksim.Fault{Method: "chat.update", Kind: "error", Error: "message_not_found", Times: 2}) // Owen's approval, and Ann's card
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

	t.Run("request that is swallowed is an error and no endless loop", func(t *testing.T) {
		s := newWithSlack(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.breakSlack(slacksim.Fault{Method: "*", Kind: "slow", DelayMS: 60_000})
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		_, err := s.do.SyncMessages(ctx, activities.RequestInput{RequestID: asked.ID})
		require.Error(t, err, "a success that says \"again in a second\" would spin")
		require.NoError(t, s.slack.Mend())
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 1)
	})

	t.Run("swallowed requests take no connections from other work", func(t *testing.T) {
		s := newWithSlack(t)
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
				_, err := s.do.SyncMessages(ctx, activities.RequestInput{RequestID: id})
				mutex.Lock()
				defer mutex.Unlock()
				if activities.IsBusy(err) {
					busy = append(busy, err)
				}
			})
		}
		require.Eventually(t, func() bool { mutex.Lock(); defer mutex.Unlock(); return len(busy) > 0 }, 20*time.Second, 10*time.Millisecond)
		assert.InDelta(t, 2.5, retryDelay(t, busy[0]).Seconds(), 0.5)
		quick, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.do.ProvisionAccess(quick, activities.ItemInput{ItemID: asked.Items[0]}), "nothing waits for Slack")
		giveUp()
		group.Wait()
		assert.Len(t, busy, len(requests)-4)
	})
}

func TestOwnerNotification(t *testing.T) {
	t.Run("owners learn what could not be set up", func(t *testing.T) {
		s := newWithSlack(t)
		olga, dana := s.Person("Olga"), s.Person("Dana")
		s.Administrator(dana)
		asked := s.Request(s.ann, 0, s.admin, s.Entitlement(s.Application("wiki", olga), "reader"))
		s.advance(asked.ID)
		s.decide(s.owen, asked.ID, "approve")
		s.decide(olga, asked.ID, "approve")
		s.advance(asked.ID)
		s.target.next("give", hasNoObject)
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
		assert.Zero(t, schematest.Value[int](s.World, `select count(*) from slack_messages where person_id = $1`, dana), "owners are there: administrators are not bothered")
		last := s.reads("ann")[len(s.reads("ann"))-1]
		assert.Contains(t, last, "1 active, 1 couldn't be set up")
		assert.Contains(t, last, "no longer exists in Crm")
	})

	t.Run("owners learn of access found before and of overdue revocations", func(t *testing.T) {
		s := newWithSlack(t)
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
		s.target.always("take", refusesConnection)
		require.Error(t, s.revoke(s.Claim(other.Items[0])))
		require.Error(t, s.revoke(s.Claim(other.Items[0])))
		s.synced(other.ID)
		s.synced(other.ID)
		assert.Equal(t, 1, strings.Count(strings.Join(s.reads("owen"), "\n"), "Revocation of 1 access grant in Crm for Ann is overdue"))
	})
}
