package slacksim_test

import (
	"testing"
	"time"

	"accessbot/slackapp/slacksim"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

// opener installs an app in HTTP mode, whose Home tab has a button that opens a modal.
func opener(
	t testing.TB,
	view func() slack.ModalViewRequest,
	change ...func(*slacksim.Config),
) (*installed, *slacksim.MustActor) {
	t.Helper()
	a := &app{}
	a.onAction = func(ic slack.InteractionCallback) {
		if ic.ActionCallback.BlockActions[0].ActionID == "open" {
			if _, err := a.api.OpenView(ic.TriggerID, view()); err != nil {
				t.Errorf("open: %v", err)
			}
		}
	}
	in := install(t, "http", a, change...)
	_, err := a.api.PublishView(slacksim.UserID(ann), home(slack.NewActionBlock("x", button("open", "", "Open"))), "")
	require.NoError(t, err)
	return in, in.ws.As(ann).Must(t)
}

// top returns the top modal.
func top(u *slacksim.MustActor) slacksim.View {
	sc := u.Screen()
	return sc.Modals[len(sc.Modals)-1]
}

func textField(block, action, label, initial string) *slack.InputBlock {
	e := slack.NewPlainTextInputBlockElement(nil, action)
	e.InitialValue = initial
	b := slack.NewInputBlock(block, text(label), nil, e)
	b.Optional = true
	return b
}

func TestBlockState(t *testing.T) {
	// Source: docs.slack.dev, surfaces/modals, "Updating views"; bolt-js#625.
	t.Run("kept IDs keep the input and ignore initial values", func(t *testing.T) {
		in, u := opener(t, func() slack.ModalViewRequest { return modal(textField("b1", "a1", "Note", "")) })
		u.Press("Open")
		u.Fill("Note", "mine")
		update := func(block, action, initial string) {
			_, err := in.app.api.UpdateView(modal(textField(block, action, "Note", initial)), "", "", top(u).ID)
			require.NoError(t, err)
		}
		update("b1", "a1", "theirs")
		require.Equal(t, "mine", u.Value("Note"))
		update("b2", "a1", "theirs")
		require.Equal(t, "theirs", u.Value("Note"), "with a new block_id, initial_value applies")
		require.Equal(t, "theirs", top(u).State["b2"]["a1"]["value"], "and is reported as input")
		require.Len(t, top(u).State, 1, "only elements that are shown are in the state")
	})

	// Source: bolt-python#1036.
	t.Run("block that returns has its earlier state", func(t *testing.T) {
		in, u := opener(t, func() slack.ModalViewRequest { return modal(textField("b1", "a1", "Note", "")) })
		u.Press("Open")
		u.Fill("Note", "stale")
		for _, block := range []string{"b2", "b1"} {
			_, err := in.app.api.UpdateView(modal(textField(block, "a1", "Note", "")), "", "", top(u).ID)
			require.NoError(t, err)
		}
		require.Equal(t, "stale", u.Value("Note"))
	})

	// Source: docs.slack.dev, reference/block-kit/blocks: a block without block_id gets a random one.
	t.Run("block without an ID loses its input", func(t *testing.T) {
		in, u := opener(t, func() slack.ModalViewRequest { return modal(textField("", "", "Note", "")) })
		u.Press("Open")
		u.Fill("Note", "lost")
		_, err := in.app.api.UpdateView(modal(textField("", "", "Note", "")), "", "", top(u).ID)
		require.NoError(t, err)
		require.Empty(t, u.Value("Note"))
	})
}

func TestView(t *testing.T) {
	// Source: views.update, hash_conflict.
	t.Run("stale hash is a conflict", func(t *testing.T) {
		in, u := opener(t, func() slack.ModalViewRequest { return modal(textField("b1", "a1", "Note", "")) })
		u.Press("Open")
		u.WaitForModal("Note")
		old := top(u)
		_, err := in.app.api.UpdateView(modal(textField("b1", "a1", "First", "")), "", old.Hash, old.ID)
		require.NoError(t, err)
		_, err = in.app.api.UpdateView(modal(textField("b1", "a1", "Second", "")), "", old.Hash, old.ID)
		require.Equal(t, "hash_conflict", code(t, err))
		require.Contains(t, u.Modal(), "First")
	})

	// Source: views.open, exchanged_trigger_id, expired_trigger_id, invalid_trigger_id.
	t.Run("trigger opens one modal", func(t *testing.T) {
		triggers := make(chan string, 3)
		a := &app{onAction: func(ic slack.InteractionCallback) { triggers <- ic.TriggerID }}
		in := install(t, "http", a)
		_, err := a.api.PublishView(slacksim.UserID(ann), home(slack.NewActionBlock("x", button("open", "", "Open"))), "")
		require.NoError(t, err)
		u := in.ws.As(ann).Must(t)

		u.Press("Open")
		trigger := <-triggers
		_, err = a.api.OpenView(trigger, modal())
		require.NoError(t, err)
		_, err = a.api.OpenView(trigger, modal())
		require.Equal(t, "exchanged_trigger_id", code(t, err))
		_, err = a.api.OpenView("1.2.3", modal())
		require.Equal(t, "invalid_trigger_id", code(t, err))
		require.Len(t, u.Screen().Modals, 1)
	})

	t.Run("trigger expires soon", func(t *testing.T) {
		triggers := make(chan string, 1)
		a := &app{onAction: func(ic slack.InteractionCallback) { triggers <- ic.TriggerID }}
		in := install(t, "http", a, func(c *slacksim.Config) { c.TriggerTTL = time.Nanosecond })
		_, err := a.api.PublishView(slacksim.UserID(ann), home(slack.NewActionBlock("x", button("open", "", "Open"))), "")
		require.NoError(t, err)
		in.ws.As(ann).Must(t).Press("Open")
		_, err = a.api.OpenView(<-triggers, modal())
		require.Equal(t, "expired_trigger_id", code(t, err))
	})

	// Source: docs.slack.dev, surfaces/modals: a stack of three; views.push, push_limit_reached.
	t.Run("three modals can be stacked", func(t *testing.T) {
		a := &app{}
		results := make(chan error, 4)
		a.onAction = func(ic slack.InteractionCallback) {
			v := modal(slack.NewActionBlock("x", button("push", "", "More")))
			v.NotifyOnClose = true
			if ic.View.Type == slack.VTHomeTab {
				_, err := a.api.OpenView(ic.TriggerID, v)
				results <- err
				return
			}
			_, err := a.api.PushView(ic.TriggerID, v)
			results <- err
		}
		in := install(t, "http", a)
		_, err := a.api.PublishView(slacksim.UserID(ann), home(slack.NewActionBlock("x", button("push", "", "More"))), "")
		require.NoError(t, err)
		u := in.ws.As(ann).Must(t)
		for range 3 {
			u.Press("More")
			require.NoError(t, <-results)
		}
		u.Press("More")
		require.Equal(t, "push_limit_reached", code(t, <-results))
		stack := u.Screen().Modals
		require.Len(t, stack, 3)
		require.Equal(t, stack[0].ID, stack[2].RootID)
		require.Equal(t, stack[1].ID, stack[2].PreviousID)

		u.CloseModal()
		require.Len(t, u.Screen().Modals, 2)
		closed := a.of(slack.InteractionTypeViewClosed)
		require.Len(t, closed, 1)
		require.Equal(t, stack[2].ID, closed[0].View.ID)
		require.False(t, closed[0].IsCleared)
		u.CloseAllModals()
		require.Empty(t, u.Screen().Modals)
		closed = a.of(slack.InteractionTypeViewClosed)
		require.Len(t, closed, 3)
		require.True(t, closed[2].IsCleared)
		require.Error(t, u.Actor().Within(time.Millisecond).CloseModal())
	})

	// Source: reference/views/modal-views, notify_on_close, clear_on_close, external_id.
	t.Run("app is told of a closed view only if it asked", func(t *testing.T) {
		in, u := opener(t, func() slack.ModalViewRequest { return modal() })
		u.Press("Open")
		u.WaitForModal("Request Access")
		u.CloseModal()
		require.Empty(t, in.app.of(slack.InteractionTypeViewClosed))
	})

	t.Run("external ID identifies one view", func(t *testing.T) {
		v := modal(textField("b", "a", "Note", ""))
		v.ExternalID = "mine"
		in, u := opener(t, func() slack.ModalViewRequest { return v })
		u.Press("Open")
		u.WaitForModal("Note")
		_, err := in.app.api.PublishView(slacksim.UserID(ben), slack.HomeTabViewRequest{
			Type: slack.VTHomeTab, ExternalID: "mine", Blocks: home(slack.NewDividerBlock()).Blocks,
		}, "")
		require.Equal(t, "duplicate_external_id", code(t, err))
		v = modal(textField("b", "a", "Other", ""))
		v.ExternalID = "mine"
		_, err = in.app.api.UpdateView(v, "mine", "", "")
		require.NoError(t, err)
		require.Contains(t, u.Modal(), "Other")
	})
}
