package slacksim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"accessbot/slackapp/slacksim"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

// alone starts a workspace whose app only calls the Web API.
func alone(t testing.TB, change ...func(*slacksim.Config)) (*slack.Client, *slacksim.Workspace) {
	t.Helper()
	var cfg slacksim.Config
	for _, c := range change {
		c(&cfg)
	}
	u := serve(t, cfg)
	return slack.New(botToken, slack.OptionAPIURL(u+"/api/"), slack.OptionAppLevelToken(appToken)), slacksim.Dial(u)
}

func code(t testing.TB, err error) string {
	t.Helper()
	var e slack.SlackErrorResponse
	require.ErrorAs(t, err, &e)
	return e.Err
}

func say(s string) slack.MsgOption { return slack.MsgOptionText(s, false) }

func TestWebAPI(t *testing.T) {
	// Source: docs.slack.dev, "Token types", and the error lists of each method.
	t.Run("wrong token is refused", func(t *testing.T) {
		u := serve(t, slacksim.Config{})
		for token, want := range map[string]string{"": "not_authed", "xoxb-other": "invalid_auth", appToken: "not_allowed_token_type"} {
			_, err := slack.New(token, slack.OptionAPIURL(u+"/api/")).AuthTest()
			require.Equal(t, want, code(t, err), token)
		}
		_, _, err := slack.New(botToken, slack.OptionAPIURL(u+"/api/"), slack.OptionAppLevelToken(botToken)).
			StartSocketModeContext(t.Context())
		require.Equal(t, "not_allowed_token_type", code(t, err))
	})

	t.Run("token can be a form field or a bearer token", func(t *testing.T) {
		u := serve(t, slacksim.Config{})
		for _, token := range []string{botToken, "xoxb-other"} {
			resp, err := http.PostForm(u+"/api/auth.test", url.Values{"token": {token}})
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode, "Slack answers ok: false with 200")
			require.NoError(t, resp.Body.Close())
		}
		api := slack.New(botToken, slack.OptionAPIURL(u+"/api/"))
		who, err := api.AuthTest()
		require.NoError(t, err)
		require.NotEmpty(t, who.BotID)
		require.NotEmpty(t, who.TeamID)
		_, err = api.GetUsers()
		require.Equal(t, "unknown_method", code(t, err))
	})

	// Source: users.info, users.lookupByEmail.
	t.Run("users are found by ID and by e-mail", func(t *testing.T) {
		api, ws := alone(t)
		u, err := api.GetUserByEmail("ANN@example.com")
		require.NoError(t, err)
		require.Equal(t, slacksim.UserID(ann), u.ID)
		require.Equal(t, "Europe/Berlin", u.TZ)
		require.Equal(t, ann, u.Profile.Email)
		require.Equal(t, "Ann Example", u.RealName)
		require.True(t, u.IsEmailConfirmed)
		byID, err := api.GetUserInfo(u.ID)
		require.NoError(t, err)
		require.Equal(t, u.Profile.Email, byID.Profile.Email)

		_, err = api.GetUserByEmail("no-one@example.com")
		require.Equal(t, "users_not_found", code(t, err))
		_, err = api.GetUserInfo("U0UNKNOWN0")
		require.Equal(t, "user_not_found", code(t, err))

		_, err = ws.ChangeUser(ann, map[string]any{"deleted": true})
		require.NoError(t, err)
		_, err = api.GetUserByEmail(ann)
		require.Equal(t, "users_not_found", code(t, err), "deactivated users are not found by e-mail")
		gone, err := api.GetUserInfo(u.ID)
		require.NoError(t, err)
		require.True(t, gone.Deleted)
	})

	t.Run("guests, strangers and bots have their flags", func(t *testing.T) {
		api, ws := alone(t)
		for _, u := range []slacksim.User{
			{Email: "guest@example.com", Restricted: true},
			{Email: "single@example.com", UltraRestricted: true},
			{Email: "stranger@elsewhere.example", Stranger: true, TeamID: "T0ELSEWHERE"},
			{Email: "new@example.com", EmailUnconfirmed: true},
			{ID: "U0ROBOT000", Name: "Robot", Bot: true},
			{Email: "invited@example.com", Invited: true},
			{ID: "U0CONNECTOR", ConnectorBot: true},
			{ID: "U0WORKFLOW0", WorkflowBot: true},
		} {
			added, err := ws.AddUser(u)
			require.NoError(t, err)
			seen, err := api.GetUserInfo(added.ID)
			require.NoError(t, err)
			require.Equal(t, u.Restricted, seen.IsRestricted)
			require.Equal(t, u.UltraRestricted, seen.IsUltraRestricted)
			require.Equal(t, u.Stranger, seen.IsStranger)
			require.Equal(t, u.Bot, seen.IsBot)
			require.Equal(t, u.Invited, seen.IsInvitedUser)
			require.Equal(t, u.ConnectorBot, seen.IsConnectorBot)
			require.Equal(t, u.WorkflowBot, seen.IsWorkflowBot)
			require.Equal(t, u.Email != "" && !u.EmailUnconfirmed, seen.IsEmailConfirmed)
		}
		stranger, err := api.GetUserByEmail("stranger@elsewhere.example")
		require.NoError(t, err)
		require.Equal(t, "T0ELSEWHERE", stranger.TeamID)
		_, err = ws.AddUser(slacksim.User{Email: "GUEST@example.com", ID: "U0OTHER000"})
		require.ErrorContains(t, err, "two users with the e-mail")
		_, err = ws.ChangeUser(ben, map[string]any{"email": ann})
		require.ErrorContains(t, err, slacksim.UserID(ann))
	})

	// Source: views.publish: hash_conflict, user_not_found.
	t.Run("Home tab is published against its hash", func(t *testing.T) {
		api, ws := alone(t)
		id := slacksim.UserID(ann)
		first, err := api.PublishView(id, home(slack.NewHeaderBlock(text("One"))), "")
		require.NoError(t, err)
		second, err := api.PublishView(id, home(slack.NewHeaderBlock(text("Two"))), first.Hash)
		require.NoError(t, err)
		require.Equal(t, first.ID, second.ID)
		_, err = api.PublishView(id, home(slack.NewHeaderBlock(text("Three"))), first.Hash)
		require.Equal(t, "hash_conflict", code(t, err))
		require.Equal(t, "Two", ws.As(ann).Must(t).Home())
		_, err = api.PublishView("U0UNKNOWN0", home(), "")
		require.Equal(t, "user_not_found", code(t, err))
		_, err = api.UpdateView(modal(), "", "", "V0NOWHERE")
		require.Equal(t, "not_found", code(t, err))
	})

	t.Run("traffic log has no token and no text", func(t *testing.T) {
		api, ws := alone(t)
		_, _, err := api.PostMessage(slacksim.UserID(ann), say("a secret reason"))
		require.NoError(t, err)
		_, err = api.GetUserInfo("U0UNKNOWN0")
		require.Error(t, err)
		log, err := ws.Traffic(0)
		require.NoError(t, err)
		require.Len(t, log, 2)
		require.Equal(t, "chat.postMessage", log[0].Name)
		require.True(t, log[0].OK)
		require.Positive(t, log[0].ReplyBytes)
		require.Equal(t, "user_not_found", log[1].Error)
		later, err := ws.Traffic(log[0].Seq)
		require.NoError(t, err)
		require.Len(t, later, 1)
		raw := string(mustJSON(t, log))
		require.NotContains(t, raw, botToken)
		require.NotContains(t, raw, "secret reason")
	})
}

func TestMessage(t *testing.T) {
	// Source: chat.postMessage: channel may be a user's ID; chat.update: it may not; message_not_found.
	t.Run("message is posted to a user but updated by its channel", func(t *testing.T) {
		api, ws := alone(t)
		id := slacksim.UserID(ann)
		channel, ts, err := api.PostMessage(id, say("One"))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(channel, "D"), channel)
		opened, _, already, err := api.OpenConversation(&slack.OpenConversationParameters{Users: []string{id}, ReturnIM: true})
		require.NoError(t, err)
		require.True(t, already)
		require.Equal(t, channel, opened.ID)

		_, _, _, err = api.UpdateMessage(id, ts, say("Two"))
		require.Equal(t, "channel_not_found", code(t, err))
		_, _, _, err = api.UpdateMessage(channel, "1.000001", say("Two"))
		require.Equal(t, "message_not_found", code(t, err))
		_, _, _, err = api.UpdateMessage(channel, ts, say(strings.Repeat("x", 4001)))
		require.Equal(t, "msg_too_long", code(t, err))
		_, _, _, err = api.UpdateMessage(channel, ts, say("Two"))
		require.NoError(t, err)
		m := ws.As(ann).Must(t).Latest("Two")
		require.NotEmpty(t, m.Edited)

		_, _, err = api.PostMessage("U0UNKNOWN0", say("x"))
		require.Equal(t, "channel_not_found", code(t, err))
		_, _, err = api.PostMessage(id, say(""))
		require.Equal(t, "no_text", code(t, err))
		_, _, err = api.PostMessage(id, say(strings.Repeat("x", 40_001)))
		require.Equal(t, "msg_too_long", code(t, err))
		_, _, err = api.PostMessage(id, say("One"))
		require.NoError(t, err)
		_, _, err = api.PostMessage(id, say("One"))
		require.NoError(t, err)
		require.Len(t, ws.As(ann).Must(t).Messages(), 3, "there is no idempotency key")
	})

	// Source: chat.update: text without blocks removes the blocks.
	t.Run("update with text alone removes the blocks", func(t *testing.T) {
		api, ws := alone(t)
		channel, ts, err := api.PostMessage(slacksim.UserID(ann), say("A request"), slack.MsgOptionBlocks(
			slack.NewActionBlock("x", button("approve", "1", "Approve"))))
		require.NoError(t, err)
		u := ws.As(ann).Must(t)
		require.Equal(t, []string{"Approve"}, u.Messages()[0].Buttons())
		require.Equal(t, "A request", u.Messages()[0].Notification())
		_, _, _, err = api.UpdateMessage(channel, ts, say("Done"))
		require.NoError(t, err)
		require.Equal(t, "Done", u.Messages()[0].Text())
		require.Empty(t, u.Messages()[0].Buttons())
	})

	// Source: slack-go#1446 and the documentation of response_metadata.
	t.Run("error of invalid blocks names the place", func(t *testing.T) {
		api, ws := alone(t)
		_, _, err := api.PostMessage(slacksim.UserID(ann), say("x"), slack.MsgOptionBlocks(
			slack.NewActionBlock("x", button("approve", "1", strings.Repeat("x", 76)))))
		require.Equal(t, "invalid_blocks", code(t, err))
		var e slack.SlackErrorResponse
		require.ErrorAs(t, err, &e)
		require.Equal(
			t,
			[]string{"[ERROR] must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]"},
			e.ResponseMetadata.Messages,
		)
		require.Empty(t, ws.As(ann).Must(t).Messages())

		_, err = api.PublishView(slacksim.UserID(ann), home(slack.NewHeaderBlock(text(strings.Repeat("x", 151)))), "")
		require.Equal(t, "invalid_arguments", code(t, err))
		require.ErrorAs(t, err, &e)
		require.Equal(t, []string{
			"[ERROR] failed to match all allowed schemas [json-pointer:/view]",
			"[ERROR] must be less than 151 characters [json-pointer:/view/blocks/0/text/text]",
		}, e.ResponseMetadata.Messages)
	})

	// Source: conversations.open.
	t.Run("conversation with an unknown or deactivated user is refused", func(t *testing.T) {
		api, ws := alone(t)
		_, err := ws.ChangeUser(ben, map[string]any{"deleted": true})
		require.NoError(t, err)
		for users, want := range map[string]string{"U0UNKNOWN0": "user_not_found", slacksim.UserID(ben): "user_disabled", "": "users_list_not_supplied"} {
			_, _, _, err := api.OpenConversation(&slack.OpenConversationParameters{Users: []string{users}})
			require.Equal(t, want, code(t, err))
		}
		_, _, err = api.PostMessage(slacksim.UserID(ben), say("x"))
		require.Equal(t, "channel_not_found", code(t, err), "the user cannot read it")
	})

	// Source: chat.postEphemeral: shown to one user, and cannot be updated.
	t.Run("ephemeral message has one reader and cannot be updated", func(t *testing.T) {
		api, ws := alone(t)
		both, _, _, err := api.OpenConversation(
			&slack.OpenConversationParameters{Users: []string{slacksim.UserID(ann), slacksim.UserID(ben)}},
		)
		require.NoError(t, err)
		ts, err := api.PostEphemeral(both.ID, slacksim.UserID(ann), say("Only you"))
		require.NoError(t, err)
		require.Len(t, ws.As(ann).Must(t).Ephemerals(), 1)
		require.Empty(t, ws.As(ann).Must(t).Messages())
		require.Empty(t, ws.As(ben).Must(t).Ephemerals())
		_, _, _, err = api.UpdateMessage(both.ID, ts, say("x"))
		require.Equal(t, "message_not_found", code(t, err))
		_, err = api.PostEphemeral(both.ID, "U0UNKNOWN0", say("x"))
		require.Equal(t, "user_not_in_channel", code(t, err))
	})
}

func TestFaults(t *testing.T) {
	// Source: docs.slack.dev, "Rate limits": 429 with Retry-After in seconds.
	t.Run("rate limits apply if they are switched on", func(t *testing.T) {
		api, ws := alone(t, func(c *slacksim.Config) { c.RateLimits = true })
		id := slacksim.UserID(ann)
		_, _, err := api.PostMessage(id, say("One"))
		require.NoError(t, err)
		_, _, err = api.PostMessage(id, say("Two"))
		var limited *slack.RateLimitedError
		require.ErrorAs(t, err, &limited)
		require.GreaterOrEqual(t, limited.RetryAfter, time.Second)
		_, _, err = api.PostMessage(slacksim.UserID(ben), say("One"))
		require.NoError(t, err, "the limit applies to each channel")
		require.Len(t, ws.As(ann).Must(t).Messages(), 1)
		for range 50 {
			_, err = api.GetUserByEmail(ann)
			require.NoError(t, err)
		}
		_, err = api.GetUserByEmail(ann)
		require.ErrorAs(t, err, &limited)
	})

	t.Run("every kind of fault can be injected", func(t *testing.T) {
		api, ws := alone(t)
		id := slacksim.UserID(ann)
		post := func() error { _, _, err := api.PostMessage(id, say("x")); return err }
		count := func() int { return len(ws.As(ann).Must(t).Messages()) }

		require.NoError(t, ws.Break(slacksim.Fault{Method: "chat.postMessage", Kind: "ratelimited", RetryAfter: 7, Times: 1}))
		var limited *slack.RateLimitedError
		require.ErrorAs(t, post(), &limited)
		require.Equal(t, 7*time.Second, limited.RetryAfter)
		require.NoError(t, post(), "the fault applied once")

		require.NoError(t, ws.Break(slacksim.Fault{Method: "chat.postMessage", Kind: "error", Error: "invalid_blocks", Times: 2}))
		require.Equal(t, "invalid_blocks", code(t, post()))
		require.Equal(t, "invalid_blocks", code(t, post()))

		require.NoError(t, ws.Break(slacksim.Fault{Method: "*", Kind: "status", Status: 503}))
		var status slack.StatusCodeError
		require.ErrorAs(t, post(), &status)
		require.Equal(t, 503, status.Code)
		require.ErrorAs(t, post(), &status, "until Mend")
		require.NoError(t, ws.Mend())

		require.NoError(t, ws.Break(slacksim.Fault{Method: "chat.postMessage", Kind: "cut", Times: 1}))
		require.Error(t, post())
		require.Equal(t, 1, count(), "none of the failed calls posted")
		require.NoError(t, ws.Break(slacksim.Fault{Method: "chat.postMessage", Kind: "cut", After: true, Times: 1}))
		require.Error(t, post())
		require.Equal(t, 2, count(), "posted, but the answer was lost")

		require.NoError(t, ws.Break(slacksim.Fault{Method: "chat.postMessage", Kind: "slow", DelayMS: 60_000, Times: 1}))
		impatient := slack.New(
			botToken,
			slack.OptionAPIURL(ws.Address()+"/api/"),
			slack.OptionHTTPClient(&http.Client{Timeout: 20 * time.Millisecond}),
		)
		_, _, err := impatient.PostMessage(id, say("x"))
		require.Error(t, err)
		require.Equal(t, 2, count())

		for _, f := range []slacksim.Fault{{Kind: "cut"}, {Method: "*", Kind: "odd"}, {Method: "*", Kind: "error"}, {Method: "*", Kind: "slow"}, {Method: "*", Kind: "status"}} {
			require.Error(t, ws.Break(f))
		}
	})

	t.Run("Slack can be away and available again", func(t *testing.T) {
		api, ws := alone(t)
		require.NoError(t, ws.Away(true))
		_, err := api.AuthTest()
		require.Error(t, err)
		require.ErrorContains(t, ws.As(ann).VisitHome(), "Slack is away")
		require.NoError(t, ws.Away(false))
		_, err = api.AuthTest()
		require.NoError(t, err)
	})
}
