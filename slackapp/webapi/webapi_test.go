package webapi_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/webapi"
)

const (
	botToken = "xoxb-test-secret-token"
	alice    = "U0ALICE"
	tries    = 5
)

// local is a local Slack with one user, and a client for it.
type local struct {
	*slack.Client
	slack *slacksim.Workspace
	log   *bytes.Buffer
}

func newLocal(t *testing.T, options webapi.Options) local {
	t.Helper()
	sim, err := slacksim.New(slacksim.Config{
		BotToken: botToken,
		AppToken: "xapp-test-secret-token",
		Users:    []slacksim.User{{ID: alice, Name: "Alice Martin", Email: "alice@example.com"}},
	})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	web := httptest.NewServer(sim.Handler())
	t.Cleanup(web.Close)
	log := &bytes.Buffer{}
	options.APIURL, options.Log = web.URL+"/api/", slog.New(slog.NewTextHandler(log, nil))
	t.Cleanup(func() { assert.NotContains(t, log.String(), botToken) })
	return local{webapi.New(botToken, options), slacksim.Dial(web.URL), log}
}

// called waits until a method was called that often. The local Slack counts a call after answering it.
func (l local) called(t *testing.T, method string, times int) {
	t.Helper()
	n := 0
	assert.Eventually(t, func() bool { n = l.calls(t, method); return n >= times }, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, times, n, "calls of %s", method)
}

// calls counts the calls of a method that reached Slack.
func (l local) calls(t *testing.T, method string) int {
	t.Helper()
	all, err := l.slack.Traffic(0)
	require.NoError(t, err)
	n := 0
	for _, call := range all {
		if call.Name == method {
			n++
		}
	}
	return n
}

func TestMain(m *testing.M) {
	webapi.ShortenPauses()
	os.Exit(m.Run())
}

// methods are all methods that the two programs call, each with Slack's normal answer to the call.
var methods = []struct {
	name   string
	repeat bool   // retried after any failure
	wait   bool   // retried after a rate limit
	answer string // an error code; empty: ok
	call   func(ctx context.Context, l local, ts string) error
}{
	{
		"auth.test",
		true,
		true,
		"",
		func(ctx context.Context, l local, _ string) error { _, err := l.AuthTestContext(ctx); return err },
	},
	{"bots.info", true, true, "", func(ctx context.Context, l local, _ string) error {
		_, err := l.GetBotInfoContext(ctx, slack.GetBotInfoParameters{Bot: "B0LOCALBOT"})
		return err
	}},
	{"users.info", true, true, "", func(ctx context.Context, l local, _ string) error {
		_, err := l.GetUserInfoContext(ctx, alice)
		return err
	}},
	{"users.lookupByEmail", true, true, "", func(ctx context.Context, l local, _ string) error {
		_, err := l.GetUserByEmailContext(ctx, "alice@example.com")
		return err
	}},
	{"conversations.open", true, true, "", func(ctx context.Context, l local, _ string) error {
		_, _, _, err := l.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{alice}})
		return err
	}},
	{"chat.update", true, true, "", func(ctx context.Context, l local, ts string) error {
		channel, _, _, err := l.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{alice}})
		if err == nil {
			_, _, _, err = l.UpdateMessageContext(ctx, channel.ID, ts, slack.MsgOptionText("changed", false))
		}
		return err
	}},
	{"views.publish", true, true, "", func(ctx context.Context, l local, _ string) error {
		_, err := l.PublishViewContext(
			ctx,
			slack.PublishViewContextRequest{UserID: alice, View: slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: blocks}},
		)
		return err
	}},
	{"views.update", true, true, "not_found", func(ctx context.Context, l local, _ string) error {
		_, err := l.UpdateViewContext(ctx, modal, "", "", "V0NONE")
		return err
	}},
	{"chat.postMessage", false, true, "", func(ctx context.Context, l local, _ string) error {
		_, _, err := l.PostMessageContext(ctx, alice, slack.MsgOptionText("hello", false))
		return err
	}},
	{"chat.postEphemeral", false, true, "channel_not_found", func(ctx context.Context, l local, _ string) error {
		_, err := l.PostEphemeralContext(ctx, "D0NONE", alice, slack.MsgOptionText("hello", false))
		return err
	}},
	{"views.open", false, false, "invalid_trigger_id", func(ctx context.Context, l local, _ string) error {
		_, err := l.OpenViewContext(ctx, "none", modal)
		return err
	}},
	{"views.push", false, false, "invalid_trigger_id", func(ctx context.Context, l local, _ string) error {
		_, err := l.PushViewContext(ctx, "none", modal)
		return err
	}},
}

var (
	blocks = slack.Blocks{
		BlockSet: []slack.Block{slack.NewSectionBlock(slack.NewTextBlockObject(slack.PlainTextType, "hello", false, false), nil, nil)},
	}
	modal = slack.ModalViewRequest{
		Type:   slack.VTModal,
		Title:  slack.NewTextBlockObject(slack.PlainTextType, "Access", false, false),
		Blocks: blocks,
	}
)

// faults are the ways in which a call can fail. After all but the last, the caller can't know whether it was done.
var faults = map[string]slacksim.Fault{
	"502":                        {Kind: "status", Status: 502},
	"503 after it was done":      {Kind: "status", Status: 503, After: true},
	"no answer":                  {Kind: "cut"},
	"no answer after it is done": {Kind: "cut", After: true},
	"a slow answer":              {Kind: "slow", DelayMS: 60_000},
	"internal_error":             {Kind: "error", Error: "internal_error"},
	"fatal_error":                {Kind: "error", Error: "fatal_error"},
	"service_unavailable":        {Kind: "error", Error: "service_unavailable"},
	"429":                        {Kind: "ratelimited", RetryAfter: 1},
}

func TestCalls(t *testing.T) {
	t.Run("failed call is retried if that is safe", func(t *testing.T) {
		for _, method := range methods {
			for name, fault := range faults {
				fault.Method = method.name
				repeated := method.repeat || method.wait && fault.Kind == "ratelimited"
				t.Run(fmt.Sprintf("%s and %s once", method.name, name), func(t *testing.T) {
					t.Parallel()
					l, ts := prepared(t, fault, 1)
					err := method.call(t.Context(), l, ts)
					if !repeated {
						require.Error(t, err)
						require.NotEqual(t, method.answer, err.Error())
						l.called(t, method.name, posted(method.name)+1)
						return
					}
					if method.answer == "" {
						require.NoError(t, err)
					} else {
						require.EqualError(t, err, method.answer)
					}
					l.called(t, method.name, posted(method.name)+2)
					require.Contains(t, l.log.String(), "retrying")
				})
				if long := fault.Kind == "slow" ||
					fault.Kind == "ratelimited"; long && method.name != "views.update" &&
					method.name != "chat.postMessage" {
					continue // takes seconds each, and behaves like the others
				}
				t.Run(fmt.Sprintf("%s and %s always", method.name, name), func(t *testing.T) {
					t.Parallel()
					l, ts := prepared(t, fault, 0)
					err := method.call(t.Context(), l, ts)
					require.Error(t, err)
					require.NotEqual(t, method.answer, err.Error())
					want := 1
					if repeated {
						want = tries
					}
					l.called(t, method.name, posted(method.name)+want)
				})
			}
		}
	})

	t.Run("message whose answer was lost is posted once", func(t *testing.T) {
		t.Parallel()
		l := newLocal(t, webapi.Options{Timeout: 30 * time.Second})
		require.NoError(t, l.slack.Break(slacksim.Fault{Method: "chat.postMessage", Kind: "cut", After: true, Times: 1}))
		_, _, err := l.PostMessageContext(t.Context(), alice, slack.MsgOptionText("hello", false))
		require.Error(t, err)
		require.Len(t, l.slack.As(alice).Must(t).Messages(), 1)
	})

	t.Run("retries end before the deadline", func(t *testing.T) {
		info := func(t *testing.T, l local, within time.Duration) error {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			_, err := l.GetUserInfoContext(ctx, alice)
			require.NoError(t, ctx.Err(), "it returns while there is time left to report the error")
			return err
		}
		t.Run("when Slack keeps failing", func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, webapi.Options{Timeout: 30 * time.Second})
			require.NoError(t, l.slack.Break(slacksim.Fault{Method: "users.info", Kind: "status", Status: 502}))
			var status slack.StatusCodeError
			require.ErrorAs(t, info(t, l, 400*time.Millisecond), &status)
			require.Equal(t, 502, status.Code)
			l.called(t, "users.info", 1)
		})
		t.Run("when Retry-After is later", func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, webapi.Options{Timeout: 30 * time.Second})
			require.NoError(t, l.slack.Break(slacksim.Fault{Method: "users.info", Kind: "ratelimited", RetryAfter: 60}))
			var limited *slack.RateLimitedError
			require.ErrorAs(t, info(t, l, 30*time.Second), &limited)
			require.Equal(t, time.Minute, limited.RetryAfter)
			l.called(t, "users.info", 1)
		})
		t.Run("when Retry-After is longer than the longest wait", func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, webapi.Options{Timeout: 30 * time.Second, LongestWait: 2 * time.Second})
			require.NoError(t, l.slack.Break(slacksim.Fault{Method: "users.info", Kind: "ratelimited", RetryAfter: 7, Times: 1}))
			_, err := l.GetUserInfoContext(t.Context(), alice)
			var limited *slack.RateLimitedError
			require.ErrorAs(t, err, &limited)
			require.Equal(t, 7*time.Second, limited.RetryAfter)
		})
		t.Run("when the context is canceled", func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, webapi.Options{Timeout: 30 * time.Second})
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := l.GetUserInfoContext(ctx, alice)
			require.ErrorIs(t, err, context.Canceled)
			require.Zero(t, l.calls(t, "users.info"))
		})
	})

	t.Run("error that Slack answers is not retried", func(t *testing.T) {
		t.Parallel()
		l := newLocal(t, webapi.Options{Timeout: 30 * time.Second})
		for n, code := range []string{"invalid_auth", "user_not_found", "hash_conflict"} {
			require.NoError(t, l.slack.Break(slacksim.Fault{Method: "users.info", Kind: "error", Error: code, Times: 1}))
			_, err := l.GetUserInfoContext(t.Context(), alice)
			require.EqualError(t, err, code)
			l.called(t, "users.info", n+1)
		}
	})
}

// prepared returns a local Slack with one message, and a fault for so many calls (0: all).
func prepared(t *testing.T, fault slacksim.Fault, times int) (l local, ts string) {
	t.Helper()
	timeout := 30 * time.Second
	if fault.Kind == "slow" {
		timeout = time.Second
	}
	l = newLocal(t, webapi.Options{Timeout: timeout})
	_, ts, err := l.PostMessageContext(t.Context(), alice, slack.MsgOptionText("hello", false))
	require.NoError(t, err)
	fault.Times = times
	require.NoError(t, l.slack.Break(fault))
	return l, ts
}

// posted returns how often prepared called a method.
func posted(method string) int {
	if method == "chat.postMessage" {
		return 1
	}
	return 0
}
