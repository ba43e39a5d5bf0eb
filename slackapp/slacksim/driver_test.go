package slacksim_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"accessbot/slackapp/slacksim"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/stretchr/testify/require"
)

// form returns a request form with pages, which works like the real one: one view, replaced by views.update.
func form(page int, mode string) slack.ModalViewRequest {
	radio := slack.NewRadioButtonsBlockElement("mode", option("person"), option("custom"))
	radio.InitialOption = option("person")
	mo := slack.NewInputBlock("mode", text("Access Like"), nil, radio)
	mo.DispatchAction = true
	blocks := []slack.Block{mo}
	if mode == "person" {
		least := 0
		who := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, text("Search"), "who")
		who.MinQueryLength = &least
		in := slack.NewInputBlock("who", text("Person"), nil, who)
		in.DispatchAction = true
		in.Optional = true
		blocks = append(blocks, in)
	}
	boxes := slack.NewCheckboxGroupsBlockElement("grants",
		option(fmt.Sprintf("grant%d", 2*page+1)), option(fmt.Sprintf("grant%d", 2*page+2)))
	grants := slack.NewInputBlock(fmt.Sprintf("grants-%d", page), text("Access Grants"), nil, boxes)
	grants.DispatchAction, grants.Optional = true, true
	reason := slack.NewPlainTextInputBlockElement(text("Why"), "reason")
	note := slack.NewInputBlock("reason", text("Reason"), nil, reason)
	blocks = append(blocks, grants,
		slack.NewActionBlock("pages", button("next", "", "Next")), note)
	return modal(blocks...)
}

// sample returns an app with a Home tab, a form, and a message that it edits.
func sample() *app {
	a := &app{}
	page := map[string]int{}
	var mu sync.Mutex
	a.onEvent = func(e slackevents.EventsAPIEvent) {
		opened, ok := e.InnerEvent.Data.(*slackevents.AppHomeOpenedEvent)
		if !ok {
			a.t.Errorf("unexpected event %T", e.InnerEvent.Data)
			return
		}
		_, err := a.api.PublishView(opened.User, home(
			slack.NewHeaderBlock(text("Access")),
			slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "Hello <@"+opened.User+"> &amp; co", false, false), nil, nil),
			slack.NewActionBlock("start", button("request", "", "Request Access")),
		), "")
		if err != nil {
			a.t.Errorf("publish: %v", err)
		}
	}
	a.onAction = func(ic slack.InteractionCallback) {
		mu.Lock()
		defer mu.Unlock()
		var err error
		switch action := ic.ActionCallback.BlockActions[0]; action.ActionID {
		case "request":
			_, err = a.api.OpenView(ic.TriggerID, form(0, "person"))
		case "mode":
			_, err = a.api.UpdateView(form(page[ic.View.ID], action.SelectedOption.Value), "", ic.View.Hash, ic.View.ID)
		case "next":
			page[ic.View.ID]++
			_, err = a.api.UpdateView(form(page[ic.View.ID], "custom"), "", ic.View.Hash, ic.View.ID)
		case "approve":
			_, _, _, err = a.api.UpdateMessage(
				ic.Channel.ID,
				ic.Message.Timestamp,
				slack.MsgOptionText("Approved by <@"+ic.User.ID+">", false),
			)
		}
		if err != nil {
			a.t.Errorf("%s: %v", ic.ActionCallback.BlockActions[0].ActionID, err)
		}
	}
	a.onSubmit = func(ic slack.InteractionCallback) any {
		reason := ic.View.State.Values["reason"]["reason"].Value
		if reason == "because" {
			return slack.NewErrorsViewSubmissionResponse(map[string]string{"reason": "Say more"})
		}
		go func() {
			_, _, err := a.api.PostMessage(ic.User.ID, slack.MsgOptionText("New request", false), slack.MsgOptionBlocks(
				slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "Because "+reason, false, false), nil, nil),
				slack.NewActionBlock("decide", button("approve", "1", "Approve"), button("deny", "1", "Deny")),
			))
			if err != nil {
				a.t.Errorf("post: %v", err)
			}
		}()
		return nil
	}
	a.options = func(ic slack.InteractionCallback) any {
		found := []*slack.OptionBlockObject{}
		for _, name := range []string{"ann", "anna", "ben"} {
			if strings.HasPrefix(name, ic.Value) {
				found = append(found, option(name))
			}
		}
		return map[string]any{"options": found}
	}
	return a
}

func TestDriver(t *testing.T) {
	t.Run("request goes from form to approval", func(t *testing.T) {
		onEach(t, func(t *testing.T, transport string) {
			in := install(t, transport, sample())
			u := in.ws.As(ann).Must(t)

			u.OpenHome()
			require.Equal(t, "Access\nHello @Ann Example & co\n[Request Access]", u.Home())

			u.Press("Request Access")
			u.WaitForModal("Request Access")
			require.Equal(t, []string{"Ann", "Anna"}, u.Search("Person", "an"))
			u.Pick("Person", "be", "Ben")
			require.Equal(t, "Ben", u.Value("Person"))
			u.Tick("Grant1")
			u.Fill("Reason", "because")

			u.AwaitUpdate(func() { u.Choose("Access Like", "Custom") })
			require.NotContains(t, u.Modal(), "Person (optional)")
			require.Equal(t, []string{"Grant1"}, u.Ticked(), "a block that keeps its IDs keeps its input")

			u.AwaitUpdate(func() { u.Press("Next") })
			require.Equal(t, []string{"Grant3", "Grant4"}, u.Boxes())
			require.Empty(t, u.Ticked())
			u.Tick("Grant4")

			require.Equal(t, map[string]string{"Reason": "Say more"}, u.Submit())
			require.Contains(t, u.Modal(), "! Say more")
			u.Fill("Reason", "of the release")
			require.Empty(t, u.Submit())
			u.WaitForNoModal()

			submitted := in.app.of(slack.InteractionTypeViewSubmission)
			values := submitted[len(submitted)-1].View.State.Values
			require.Equal(t, "custom", values["mode"]["mode"].SelectedOption.Value)
			require.Equal(t, "grant4", values["grants-1"]["grants"].SelectedOptions[0].Value)
			require.NotContains(t, values, "grants-0", "pages that are not shown are absent")

			m := u.WaitForMessage("Because of the release")
			require.Equal(t, "Because of the release\n[Approve] [Deny]", m.Text())
			u.PressIn(m, "Approve")
			m = u.WaitForEdit(m, "Approved by @Ann Example")
			require.Empty(t, m.Buttons(), "chat.update with text alone removes the blocks")
			require.NotEmpty(t, m.Edited)
		})
	})

	t.Run("error shows what is on the screen", func(t *testing.T) {
		in := install(t, "http", sample())
		in.ws.As(ann).Must(t).OpenHome()
		err := in.ws.As(ann).Within(50 * time.Millisecond).Press("Approve")
		require.ErrorContains(t, err, `no button "Approve"`)
		require.ErrorContains(t, err, "[Request Access]")
	})

	t.Run("two buttons with the same text are an error unless the text beside them differs", func(t *testing.T) {
		a := sample()
		in := install(t, "http", a)
		id := slacksim.UserID(ann)
		row := func(name string) slack.Block {
			return slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", name, false, false), nil,
				slack.NewAccessory(button("extend-"+name, name, "Extend")))
		}
		_, err := a.api.PublishView(id, home(row("Wiki"), row("Payroll")), "")
		require.NoError(t, err)
		require.ErrorContains(t, in.ws.As(ann).Press("Extend"), "2 of the buttons match")
		require.NoError(t, in.ws.As(ann).PressBeside("Payroll", "Extend"))
		acted := a.of(slack.InteractionTypeBlockActions)
		require.Equal(t, "Payroll", acted[0].ActionCallback.BlockActions[0].Value)
		require.True(t, slices.ContainsFunc(acted, func(ic slack.InteractionCallback) bool { return ic.Container.Type == "view" }))
	})
}
