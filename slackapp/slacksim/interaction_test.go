package slacksim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"accessbot/slackapp/slacksim"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

func TestAction(t *testing.T) {
	// Source: reference/interaction-payloads/block_actions-payload.
	t.Run("action in a modal has the whole state", func(t *testing.T) {
		onEach(t, func(t *testing.T, transport string) {
			in := install(t, transport, sample())
			u := in.ws.As(ann).Must(t)
			u.OpenHome()
			u.Press("Request Access")
			u.Fill("Reason", "not dispatched")
			u.Tick("Grant2")
			require.Len(t, in.app.of(slack.InteractionTypeBlockActions), 2, "the button and the tick; text is not dispatched")
			ic := in.app.of(slack.InteractionTypeBlockActions)[1]

			require.Equal(t, slacksim.UserID(ann), ic.User.ID)
			require.Equal(t, ic.Team.ID, ic.User.TeamID)
			require.Equal(t, "view", ic.Container.Type)
			require.Equal(t, ic.View.ID, ic.Container.ViewID)
			require.Equal(t, ic.View.ID, ic.View.RootViewID)
			require.NotEmpty(t, ic.View.Hash)
			require.NotEmpty(t, ic.TriggerID)
			require.NotEmpty(t, ic.APIAppID)
			require.Equal(t, "form", ic.View.CallbackID)
			action := ic.ActionCallback.BlockActions[0]
			require.Equal(t, "grant2", action.SelectedOptions[0].Value)
			require.NotEmpty(t, action.ActionTs)
			values := ic.View.State.Values
			require.Equal(t, "person", values["mode"]["mode"].SelectedOption.Value, "initial options are reported as selected")
			require.Equal(t, "not dispatched", values["reason"]["reason"].Value)
			require.Equal(t, "grant2", values["grants-0"]["grants"].SelectedOptions[0].Value)
			require.Contains(t, values["who"], "who", "empty fields too")
		})
	})

	// Source: block_actions-payload (message), "Handling user interaction", response_url.
	t.Run("action in a message has the message and a response URL", func(t *testing.T) {
		onEach(t, func(t *testing.T, transport string) {
			actions := make(chan slack.InteractionCallback, 1)
			a := &app{onAction: func(ic slack.InteractionCallback) { actions <- ic }}
			in := install(t, transport, a)
			channel, ts, err := a.api.PostMessage(slacksim.UserID(ann), say("A request"), slack.MsgOptionBlocks(
				slack.NewActionBlock("decide", button("approve", "42", "Approve"))))
			require.NoError(t, err)
			u := in.ws.As(ann).Must(t)
			u.PressIn(u.WaitForMessage("[Approve]"), "Approve")
			ic := <-actions
			require.Equal(t, "message", ic.Container.Type)
			require.Equal(t, channel, ic.Channel.ID)
			require.Equal(t, ts, ic.Message.Timestamp)
			require.Equal(t, "A request", ic.Message.Text)
			require.Equal(t, "42", ic.ActionCallback.BlockActions[0].Value)
			require.NotNil(t, ic.BlockActionState)

			_, _, err = a.api.PostMessage("", slack.MsgOptionResponseURL(ic.ResponseURL, slack.ResponseTypeEphemeral), say("Too late"))
			require.NoError(t, err)
			e := u.WaitForEphemeral("Too late")
			require.True(t, e.Ephemeral)
			require.NoError(t, slack.PostWebhook(ic.ResponseURL, &slack.WebhookMessage{Text: "Replaced", ReplaceOriginal: true}))
			require.Equal(t, "Replaced", u.Latest("Replaced").Text())
			require.Equal(t, ts, u.Latest("Replaced").TS)
			require.NoError(t, slack.PostWebhook(ic.ResponseURL, &slack.WebhookMessage{DeleteOriginal: true}))
			require.Empty(t, u.Messages())
			for range 2 {
				require.NoError(t, slack.PostWebhook(ic.ResponseURL, &slack.WebhookMessage{Text: "more"}))
			}
			require.Error(t, slack.PostWebhook(ic.ResponseURL, &slack.WebhookMessage{Text: "x"}), "five uses")
		})
	})

	t.Run("ephemeral message is replaced through its response URL", func(t *testing.T) {
		actions := make(chan slack.InteractionCallback, 1)
		a := &app{onAction: func(ic slack.InteractionCallback) { actions <- ic }}
		in := install(t, "http", a)
		ch, _, _, err := a.api.OpenConversation(&slack.OpenConversationParameters{Users: []string{slacksim.UserID(ann)}})
		require.NoError(t, err)
		_, err = a.api.PostEphemeral(ch.ID, slacksim.UserID(ann), say("Sure?"), slack.MsgOptionBlocks(
			slack.NewActionBlock("x", button("yes", "", "Yes"))))
		require.NoError(t, err)
		u := in.ws.As(ann).Must(t)
		u.PressIn(u.WaitForEphemeral("[Yes]"), "Yes")
		ic := <-actions
		require.True(t, ic.Container.IsEphemeral)
		require.Empty(t, ic.Message.Timestamp, "Slack does not send an ephemeral message")
		require.NoError(t, slack.PostWebhook(ic.ResponseURL, &slack.WebhookMessage{Text: "Done", ReplaceOriginal: true}))
		require.Equal(t, "Done", u.Ephemerals()[0].Text())
	})

	t.Run("another user presses a forwarded button", func(t *testing.T) {
		actions := make(chan slack.InteractionCallback, 1)
		a := &app{onAction: func(ic slack.InteractionCallback) { actions <- ic }}
		in := install(t, "http", a)
		_, _, err := a.api.PostMessage(
			slacksim.UserID(ann),
			slack.MsgOptionBlocks(slack.NewActionBlock("x", button("approve", "1", "Approve"))),
		)
		require.NoError(t, err)
		m := in.ws.As(ann).Must(t).Messages()[0]
		require.Error(t, in.ws.As(ben).Within(time.Millisecond).PressIn(m, "Approve"), "it is not on Ben's screen")
		require.NoError(t, in.ws.As(ben).PressForwarded(m, "Approve"))
		ic := <-actions
		require.Equal(t, slacksim.UserID(ben), ic.User.ID)
		require.Equal(t, m.TS, ic.Message.Timestamp)
	})

	// Source: "Handling user interaction", acknowledgment within 3 seconds.
	t.Run("late acknowledgement is shown to the user", func(t *testing.T) {
		onEach(t, func(t *testing.T, transport string) {
			a := sample()
			release := make(chan struct{})
			in := install(t, transport, a, func(c *slacksim.Config) { c.AckTimeout = 100 * time.Millisecond })
			u := in.ws.As(ann).Must(t)
			u.OpenHome()
			a.onAction = nil
			a.before = func(kind string) {
				if kind == "block_actions" {
					<-release
				}
			}
			err := u.Actor().Press("Request Access")
			close(release)
			var late slacksim.NotAcked
			require.ErrorAs(t, err, &late)
			require.Contains(t, late.Cause, "within 100ms")
			require.Contains(t, u.Notices()[0].Text, "something went wrong")
			require.Len(t, a.of(slack.InteractionTypeBlockActions), 1, "interactions are not retried")
		})
	})

	t.Run("button is pressed many times at once", func(t *testing.T) {
		onEach(t, func(t *testing.T, transport string) {
			a := &app{}
			in := install(t, transport, a)
			_, _, err := a.api.PostMessage(
				slacksim.UserID(ann),
				slack.MsgOptionBlocks(slack.NewActionBlock("x", button("approve", "1", "Approve"))),
			)
			require.NoError(t, err)
			u := in.ws.As(ann)
			m := u.Must(t).Messages()[0]
			require.NoError(t, u.PressAtOnce(m, "Approve", 50))
			triggers := map[string]bool{}
			for _, ic := range a.of(slack.InteractionTypeBlockActions) {
				triggers[ic.TriggerID] = true
			}
			require.Len(t, triggers, 50, "each press is a separate action")
		})
	})
}

// submitter opens a modal with a required note, an optional one and a section. answer answers submissions.
func submitter(t testing.TB, answer func(slack.InteractionCallback) any) (*installed, *slacksim.MustActor) {
	t.Helper()
	in, u := opener(t, func() slack.ModalViewRequest {
		note := slack.NewInputBlock("note", text("Note"), nil, slack.NewPlainTextInputBlockElement(nil, "note"))
		return modal(
			note,
			textField("more", "more", "More", ""),
			slack.NewSectionBlock(
				slack.NewTextBlockObject("mrkdwn", "Section", false, false),
				nil,
				nil,
				slack.SectionBlockOptionBlockID("section"),
			),
		)
	})
	in.app.onSubmit = answer
	u.Press("Open")
	u.WaitForModal("Note")
	return in, u
}

func TestViewSubmission(t *testing.T) {
	t.Run("client refuses a form without its required fields", func(t *testing.T) {
		in, u := submitter(t, func(slack.InteractionCallback) any { return nil })
		require.Equal(t, map[string]string{"Note": "Please complete this required field."}, u.Submit())
		u.Fill("Note", "  ")
		require.Len(t, u.Submit(), 1)
		u.Fill("Note", strings.Repeat("x", 3001))
		require.Equal(t, map[string]string{"Note": "Please enter no more than 3000 characters."}, u.Submit())
		require.Empty(t, in.app.of(slack.InteractionTypeViewSubmission), "the app is not told")
		u.Fill("Note", "x")
		u.SubmitAccepted()
		u.WaitForNoModal()
	})

	// Source: surfaces/modals, "Response actions".
	t.Run("each response action takes effect", func(t *testing.T) {
		next := modal(textField("second", "a", "Second page", ""))
		for _, c := range []struct {
			name   string
			answer any
			modals int
			says   string
		}{
			{"nothing closes the view", nil, 0, ""},
			{"update replaces it", slack.NewUpdateViewSubmissionResponse(&next), 1, "Second page"},
			{"push opens one on top", slack.NewPushViewSubmissionResponse(&next), 2, "Second page"},
			{"clear closes all", slack.NewClearViewSubmissionResponse(), 0, ""},
			{"errors are shown at their fields", slack.NewErrorsViewSubmissionResponse(map[string]string{"more": "Too little"}), 1, "! Too little"},
		} {
			t.Run(c.name, func(t *testing.T) {
				_, u := submitter(t, func(slack.InteractionCallback) any { return c.answer })
				u.Fill("Note", "x")
				u.Submit()
				require.Len(t, u.Screen().Modals, c.modals)
				require.Contains(t, u.Modal(), c.says)
				require.Empty(t, u.Notices())
			})
		}
	})

	// Source: slack-go's NewErrorsViewSubmissionResponse, bolt-python#1318, deno-slack-sdk#275: one text for all errors.
	t.Run("wrong response is shown as a connection problem", func(t *testing.T) {
		broken := modal()
		broken.Title = text(strings.Repeat("x", 25))
		for name, answer := range map[string]any{
			"an error at a section":    slack.NewErrorsViewSubmissionResponse(map[string]string{"section": "x"}),
			"an error at no block":     slack.NewErrorsViewSubmissionResponse(map[string]string{"nowhere": "x"}),
			"no errors":                map[string]any{"response_action": "errors", "errors": map[string]string{}},
			"an unknown action":        map[string]any{"response_action": "explode"},
			"a view beyond the limits": slack.NewUpdateViewSubmissionResponse(&broken),
			"no object":                "ok",
		} {
			t.Run(name, func(t *testing.T) {
				_, u := submitter(t, func(slack.InteractionCallback) any { return answer })
				u.Fill("Note", "x")
				_, err := u.Actor().Submit()
				var trouble slacksim.NotAcked
				require.ErrorAs(t, err, &trouble)
				require.Equal(t, "We had some trouble connecting. Try again?", trouble.Notice)
				require.Contains(t, u.Modal(), "! We had some trouble connecting. Try again?")
				require.Equal(t, "x", u.Value("Note"), "the form stays open with its data")
			})
		}
	})

	// Source: "Handling user interaction": an answer needs the content type of JSON.
	t.Run("response of another content type is refused", func(t *testing.T) {
		in, u := submitter(t, nil)
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			raw, _ := json.Marshal(slack.NewClearViewSubmissionResponse())
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write(raw)
		})
		in.app.replace(handler)
		u.Fill("Note", "x")
		_, err := u.Actor().Submit()
		require.ErrorContains(t, err, "content type")
	})

	t.Run("form is submitted twice at once", func(t *testing.T) {
		in, u := submitter(t, func(slack.InteractionCallback) any { return nil })
		u.Fill("Note", "x")
		errors, err := u.Actor().SubmitAtOnce(2)
		require.NoError(t, err)
		require.Empty(t, errors)
		all := in.app.of(slack.InteractionTypeViewSubmission)
		require.Len(t, all, 2)
		require.Equal(t, all[0].View.ID, all[1].View.ID)
		u.WaitForNoModal()
	})

	t.Run("payload can be changed and delivered again", func(t *testing.T) {
		in, u := submitter(t, func(slack.InteractionCallback) any { return nil })
		u.Fill("Note", "x")
		u.SubmitAccepted()
		route, payload, err := in.ws.LastPayload("view_submission")
		require.NoError(t, err)
		payload["user"].(m)["id"] = "U0EVIL0000"
		d, err := in.ws.Deliver(route, payload)
		require.NoError(t, err)
		require.True(t, d.Acked)
		all := in.app.of(slack.InteractionTypeViewSubmission)
		require.Equal(t, "U0EVIL0000", all[1].User.ID)
		require.Equal(t, "x", all[1].View.State.Values["note"]["note"].Value)
		_, _, err = in.ws.LastPayload("view_closed")
		require.Error(t, err)
	})
}

func TestOptions(t *testing.T) {
	// Source: "Select menu of external data source"; python-slack-sdk and bolt-js threads on "No result".
	t.Run("options beyond the limits show no result", func(t *testing.T) {
		many := func(n int, text string) map[string]any {
			all := []m{}
			for range n {
				all = append(all, m{"text": plain(text), "value": "x"})
			}
			return map[string]any{"options": all}
		}
		for _, c := range []struct {
			name   string
			answer any
			want   int
			why    string
		}{
			{"100 options", many(100, "x"), 100, ""},
			{"none", many(0, "x"), 0, ""},
			{"101 options", many(101, "x"), 0, "no more than 100 items"},
			{"a text of 76", many(1, of(76)), 0, "less than 76 characters"},
			{"an empty object, as slack-go encodes no options", slack.OptionsResponse{}, 0, "must define either"},
			{"nothing at all", nil, 0, "not a JSON object"},
		} {
			t.Run(c.name, func(t *testing.T) {
				a := sample()
				a.options = func(slack.InteractionCallback) any { return c.answer }
				in := install(t, "http", a)
				u := in.ws.As(ann).Must(t)
				u.OpenHome()
				u.Press("Request Access")
				found, err := u.Actor().Search("Person", "an")
				require.Len(t, found, c.want)
				if c.why == "" {
					require.NoError(t, err)
					require.Empty(t, u.Notices())
					return
				}
				require.ErrorContains(t, err, c.why)
				require.Equal(t, "No result", u.Notices()[0].Text)
			})
		}
	})

	// Source: bolt-js#1146; reference/interaction-payloads/block_suggestion-payload.
	t.Run("request has the query and no state", func(t *testing.T) {
		onEach(t, func(t *testing.T, transport string) {
			in := install(t, transport, sample())
			u := in.ws.As(ann).Must(t)
			u.OpenHome()
			u.Press("Request Access")
			u.Tick("Grant1")
			require.Equal(t, []string{"Ben"}, u.Search("Person", "b"))
			ic := in.app.of(slack.InteractionTypeBlockSuggestion)[0]
			require.Equal(t, "b", ic.Value)
			require.Equal(t, "who", ic.ActionID)
			require.Equal(t, "who", ic.BlockID)
			require.NotEmpty(t, ic.View.ID)
			require.Empty(t, ic.View.State.Values)
			require.ErrorContains(t, u.Actor().Pick("Person", "b", "Zoe"), `the app offered ["Ben"]`)
		})
	})

	// Source: reference/block-kit/block-elements, min_query_length: 3 by default.
	t.Run("app is only asked from the minimum query length on", func(t *testing.T) {
		in, u := opener(t, func() slack.ModalViewRequest {
			return modal(
				slack.NewInputBlock("who", text("Person"), nil, slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, nil, "who")),
			)
		})
		in.app.options = func(slack.InteractionCallback) any { return map[string]any{"options": []m{}} }
		u.Press("Open")
		_, err := u.Actor().Search("Person", "an")
		require.ErrorContains(t, err, "from 3 characters on")
		require.Empty(t, u.Search("Person", "ann"))
	})
}

func TestInput(t *testing.T) {
	// Source: reference/block-kit/composition-objects/dispatch-action-configuration-object.
	t.Run("text is dispatched on enter or on each character", func(t *testing.T) {
		for _, c := range []struct {
			on          []string
			fill, enter int
		}{{nil, 0, 1}, {[]string{"on_enter_pressed"}, 0, 1}, {[]string{"on_character_entered"}, 1, 1}, {[]string{"on_enter_pressed", "on_character_entered"}, 1, 2}} {
			in, u := opener(t, func() slack.ModalViewRequest {
				e := slack.NewPlainTextInputBlockElement(nil, "find")
				if c.on != nil {
					e.DispatchActionConfig = &slack.DispatchActionConfig{TriggerActionsOn: c.on}
				}
				b := slack.NewInputBlock("find", text("Find"), nil, e)
				b.DispatchAction = true
				return modal(b)
			})
			count := func() int { return len(in.app.of(slack.InteractionTypeBlockActions)) - 1 }
			u.Press("Open")
			u.Fill("Find", "wiki")
			require.Equal(t, c.fill, count(), "%v", c.on)
			u.Enter("Find")
			require.Equal(t, c.enter, count(), "%v", c.on)
			all := in.app.of(slack.InteractionTypeBlockActions)
			require.Equal(t, "wiki", all[len(all)-1].ActionCallback.BlockActions[0].Value)
		}
	})

	// Source: bolt-js#1258, bolt-python#572.
	t.Run("untouched initial options can be reported as none", func(t *testing.T) {
		in, u := opener(t, func() slack.ModalViewRequest {
			boxes := slack.NewCheckboxGroupsBlockElement("grants", option("one"), option("two"))
			boxes.InitialOptions = []*slack.OptionBlockObject{option("one")}
			b := slack.NewInputBlock("grants", text("Grants"), nil, boxes)
			b.DispatchAction = true
			return modal(b, textField("note", "note", "Note", ""))
		})
		require.NoError(t, in.ws.Break(slacksim.Fault{Method: "*", Kind: "forget_initials", Times: 1}))
		u.Press("Open")
		require.Equal(t, []string{"One"}, func() []string { u.WaitForModal("Grants"); return u.Ticked() }(), "shown as ticked")
		u.SubmitAccepted()
		require.Empty(t, in.app.of(slack.InteractionTypeViewSubmission)[0].View.State.Values["grants"]["grants"].SelectedOptions)
		u.Press("Open")
		u.Tick("Two")
		u.SubmitAccepted()
		require.Len(t, in.app.of(slack.InteractionTypeViewSubmission)[1].View.State.Values["grants"]["grants"].SelectedOptions, 2)
	})

	// Source: reference/block-kit/blocks/input-block, dispatch_action: false by default.
	t.Run("input is dispatched only if it asks for it", func(t *testing.T) {
		for _, dispatch := range []bool{false, true} {
			in, u := opener(t, func() slack.ModalViewRequest {
				b := slack.NewInputBlock(
					"why",
					text("Reason"),
					nil,
					slack.NewRadioButtonsBlockElement("why", option("oncall"), option("project")),
				)
				b.DispatchAction = dispatch
				filter := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, text("Filter"), "filter", option("all"), option("wiki"))
				return modal(b, slack.NewActionBlock("filter", filter))
			})
			u.Press("Open")
			u.Choose("Reason", "Project")
			u.Choose("Filter", "Wiki")
			chosen := []string{}
			for _, ic := range in.app.of(slack.InteractionTypeBlockActions)[1:] {
				chosen = append(chosen, ic.ActionCallback.BlockActions[0].SelectedOption.Value)
			}
			want := []string{"wiki"} // always dispatched: not in an input block
			if dispatch {
				want = []string{"project", "wiki"}
			}
			require.Equal(t, want, chosen)
		}
	})

	t.Run("dates, times and selects are filled in", func(t *testing.T) {
		in, u := opener(t, func() slack.ModalViewRequest {
			return modal(
				slack.NewInputBlock("day", text("End date"), nil, slack.NewDatePickerBlockElement("day")),
				slack.NewInputBlock("time", text("End time"), nil, slack.NewTimePickerBlockElement("time")),
				slack.NewInputBlock(
					"why",
					text("Reason"),
					nil,
					slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, text("Choose"), "why", option("oncall"), option("project")),
				),
			)
		})
		u.Press("Open")
		require.ErrorContains(t, u.Actor().PickDate("End date", "2026-02-30"), "no such day")
		u.PickDate("End date", "2026-12-01")
		u.PickTime("End time", "17:00")
		require.Equal(t, []string{"Oncall", "Project"}, u.Options("Reason"))
		u.Choose("Reason", "Project")
		require.Equal(t, "Project", u.Value("Reason"))
		u.SubmitAccepted()
		values := in.app.of(slack.InteractionTypeViewSubmission)[0].View.State.Values
		require.Equal(t, "2026-12-01", values["day"]["day"].SelectedDate)
		require.Equal(t, "17:00", values["time"]["time"].SelectedTime)
		require.Equal(t, "project", values["why"]["why"].SelectedOption.Value)
	})
}
