package slacksim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

func TestControls(t *testing.T) {
	t.Run("every control sends what Slack would send", func(t *testing.T) {
		in, p := opened(t)
		a := in.app

		p.tick("Custom")
		p.tick("Writer")
		p.tick("Reader")
		p.idle()
		require.Equal(t, "custom", acted(a, "kind")[0].SelectedOption.Value)
		ticked := acted(a, "grants")
		require.Len(t, ticked, 2)
		require.Len(t, ticked[1].SelectedOptions, 2, "all ticked options, in the order of the list")
		require.Equal(t, "r", ticked[1].SelectedOptions[0].Value)

		p.click(`[data-action-id=who]`)
		p.waitText(`[role=option]`, "Anna")
		js[bool](p, `(async () => { // types two letters fast
		const e = document.activeElement
		for (const typed of ['b', 'be']) {
			e.value = typed
			e.dispatchEvent(new Event('input', { bubbles: true }))
			await new Promise((done) => setTimeout(done, 100))
		}
		return true })()`)
		p.wait(`document.querySelectorAll('[role=option]').length === 1`)
		require.Contains(t, p.text(`[role=option]`), "Ben")
		p.keys("x")
		p.waitText(`[role=listbox] + [role=status]`, "No result")
		p.keys(kb.Backspace)
		p.waitText(`[role=option]`, "Ben")
		p.keys(kb.Enter)
		p.idle()
		require.Equal(t, "Ben", js[string](p, `document.querySelector('[data-action-id=who]').value`))
		queries := a.of(slack.InteractionTypeBlockSuggestion)
		require.Empty(t, queries[0].Value, "options are offered before typing")
		require.Equal(t, "be", queries[1].Value, "fast typing is one query")
		require.Empty(t, acted(a, "who"), "an input block without dispatch_action sends nothing")

		p.click(`[data-action-id=why]`)
		require.Equal(t, 3, js[int](p, `document.querySelectorAll('[role=option]').length`))
		p.keys("ol")
		p.wait(`document.querySelectorAll('[role=option]').length === 1`)
		p.click(`[role=option]`)
		p.idle()
		require.Equal(t, "Role", js[string](p, `document.querySelector('[data-action-id=why]').value`))

		p.click(`[data-action-id=search]`)
		p.keys("pay")
		p.idle()
		require.Empty(t, acted(a, "search"), "not before Enter")
		p.keys("roll" + kb.Enter)
		p.idle()
		require.Len(t, acted(a, "search"), 1)
		require.Equal(t, "payroll", acted(a, "search")[0].Value)

		p.click(`[data-action-id=note]`)
		p.keys("two\nlines and as many as there is room for, no more")
		require.Equal(t, "0 characters left", p.text(`.count`))
		p.pick(`[data-action-id=date]`, "2026-12-01")
		p.pick(`[data-action-id=time]`, "17:05")

		p.press("More actions")
		p.keys(kb.ArrowDown + kb.Enter)
		p.idle()
		require.Equal(t, "second", acted(a, "menu")[0].SelectedOption.Value)

		p.click(`[data-action-id=note]`)
		p.keys(kb.Backspace + "!")
		p.press("Send") // sends text that is still being typed first
		p.wait(`!document.querySelector('[role=dialog]')`)
		submitted := a.of(slack.InteractionTypeViewSubmission)
		require.Len(t, submitted, 1)
		values := submitted[0].View.State.Values
		require.Equal(t, "custom", values["kind"]["kind"].SelectedOption.Value)
		require.Equal(t, "ben", values["who"]["who"].SelectedOption.Value)
		require.Equal(t, "role", values["why"]["why"].SelectedOption.Value)
		require.Equal(t, "payroll", values["search"]["search"].Value)
		require.Equal(t, "two\nlines and as many as there is room !", values["note"]["note"].Value)
		require.Equal(t, "2026-12-01", values["date"]["date"].SelectedDate)
		require.Equal(t, "17:05", values["time"]["time"].SelectedTime)
	})

	t.Run("button sets an end in two minutes", func(t *testing.T) {
		in, p := opened(t)
		berlin, err := time.LoadLocation("Europe/Berlin")
		require.NoError(t, err)
		require.Regexp(t, `^It is \d\d:\d\d CES?T now \(Europe/Berlin\)$`, p.text(`.clock`))
		before := time.Now()
		p.press("In 2 minutes")
		p.idle()
		values := in.ws.As(ann).Must(t).Screen().Modals[0].State
		got := fmt.Sprint(values["date"]["date"]["selected_date"], " ", values["time"]["time"]["selected_time"])
		soon := func(at time.Time) string { return at.Add(2 * time.Minute).In(berlin).Format("2006-01-02 15:04") }
		require.Contains(t, []string{soon(before), soon(time.Now())}, got)
	})

	t.Run("errors show at their fields and the first has the focus", func(t *testing.T) {
		in, p := opened(t)
		p.press("Send") // refused by the client, and not sent to the app
		p.wait(`document.querySelectorAll('.error[role=alert]').length === 4`)
		require.Empty(t, in.app.of(slack.InteractionTypeViewSubmission))
		p.wait(`document.activeElement.dataset.actionId === 'who'`)
		require.Contains(
			t,
			js[string](p, `document.getElementById(document.activeElement.getAttribute('aria-describedby').split(' ').pop()).innerText`),
			"Please complete this required field.",
		)

		p.click(`[data-action-id=who]`)
		p.waitText(`[role=option]`, "Ben")
		p.keys(kb.Enter)
		p.idle()
		require.Equal(t, 3, js[int](p, `document.querySelectorAll('.error').length`), "a filled in field has no error any more")
		p.click(`[data-action-id=why]`)
		p.keys(kb.Enter)
		p.click(`[data-action-id=note]`)
		p.keys("wrong")
		p.press("Today")
		p.press("Send")
		p.waitText(`[data-error-for=note]`, "Say more <b>now</b>")
		p.waitText(`[data-error-for=date]`, "Too soon")
		p.wait(`document.activeElement.dataset.actionId === 'note'`)
		require.Equal(t, "true", js[string](p, `document.activeElement.getAttribute('aria-invalid')`))
		require.Len(t, in.app.of(slack.InteractionTypeViewSubmission), 1)
	})

	t.Run("typing continues while the app replaces the view", func(t *testing.T) {
		in, p := opened(t)
		p.click(`[data-action-id=note]`)
		p.keys("abcd" + kb.ArrowLeft + kb.ArrowLeft)
		js[int](p, `document.querySelector('.modal-body').scrollTop = 333`)
		view := in.ws.As(ann).Must(t).Screen().Modals[0]
		v := everything()
		v.Blocks.BlockSet = append([]slack.Block{slack.NewSectionBlock(text("Something new above"), nil, nil)}, v.Blocks.BlockSet...)
		_, err := in.app.api.UpdateView(v, "", "", view.ID)
		require.NoError(t, err)
		p.waitText(`[role=dialog]`, "Something new above")
		p.keys("-X-")
		require.Equal(t, "ab-X-cd", js[string](p, `document.activeElement.value`))
		require.Equal(t, "note", js[string](p, `document.activeElement.dataset.actionId`))
		require.Greater(t, js[int](p, `document.querySelector('.modal-body').scrollTop`), 300)
		p.idle()
		require.Equal(t, "ab-X-cd", in.ws.As(ann).Must(t).Screen().Modals[0].State["note"]["note"]["value"])

		// A control that gets another block_id keeps the focus, because its action_id is the same.
		p.click(`[data-action-id=search]`)
		for i, b := range v.Blocks.BlockSet {
			if input, ok := b.(*slack.InputBlock); ok && input.BlockID == "search" {
				renamed := *input
				renamed.BlockID = "search.2"
				v.Blocks.BlockSet[i] = &renamed
			}
		}
		_, err = in.app.api.UpdateView(v, "", "", view.ID)
		require.NoError(t, err)
		p.wait(`document.activeElement.dataset.blockId === 'search.2'`)
	})

	t.Run("confirm dialog comes first", func(t *testing.T) {
		in, p := opened(t)
		asked := `document.querySelector('[role=alertdialog][aria-label="Start over?"]')`
		p.press("Start over")
		p.wait(asked)
		require.Contains(t, p.text(`[role=alertdialog]`), "What you chose is lost.")
		p.press("Keep it")
		p.wait(`!` + asked)
		p.press("Start over")
		p.wait(asked)
		p.keys(kb.Escape)
		p.wait(`!` + asked + ` && document.querySelector('[role=dialog]')`)
		p.idle()
		require.Empty(t, acted(in.app, "again"))
		p.press("Start over")
		p.wait(asked)
		require.Equal(t, "Start over", p.focused())
		p.keys(kb.Enter)
		p.wait(`!` + asked)
		p.idle()
		require.Len(t, acted(in.app, "again"), 1)
	})

	t.Run("keyboard alone is enough", func(t *testing.T) {
		in := install(t, "http", gallery())
		p := browse(t, in.url+"/?as="+ann+"&tab=home")
		p.waitText(`#panel-home`, "Request Access")
		tabTo := func(name string, modifiers ...kb.Modifier) {
			t.Helper()
			for range 60 {
				if p.focused() == name {
					return
				}
				p.keys(kb.Tab, modifiers...)
			}
			t.Fatalf("Tab never reaches %q", name)
		}
		tabTo("Request Access")
		require.NotEqual(t, "none", js[string](p, `getComputedStyle(document.activeElement).outlineStyle`), "the focus is visible")
		p.keys(kb.Enter)
		p.wait(`document.querySelector('[role=dialog] [data-action-id=note]')`)
		p.wait(`document.activeElement.dataset.actionId === 'kind'`) // the first field
		p.idle()

		// Tab stays in the dialog, in both directions.
		seen := map[string]bool{}
		for range 30 {
			p.keys(kb.Tab)
			require.True(t, js[bool](p, `!!document.activeElement.closest('[role=dialog]')`), "after %s", p.focused())
			seen[p.focused()] = true
		}
		for _, name := range []string{"Send", "Cancel", "Close all", "Reason", "Note", "Who"} {
			require.True(t, seen[name], "Tab reaches %s, not only %v", name, seen)
		}
		tabTo("Who", shift)
		p.keys(kb.ArrowDown)
		p.waitText(`[role=option]`, "Ben")
		p.keys(kb.ArrowDown + kb.ArrowDown)
		p.wait(`document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).innerText.includes('Ben')`)
		p.keys(kb.Escape) // only closes the list
		p.wait(`!document.querySelector('[role=listbox]')`)
		require.Equal(t, 1, js[int](p, `document.querySelectorAll('[role=dialog]').length`))
		p.keys("be")
		p.wait(`document.querySelectorAll('[role=option]').length === 1`)
		p.keys(kb.Enter)
		p.idle()
		require.Equal(t, "Ben", js[string](p, `document.activeElement.value`))

		// Escape closes the modal on top; the stack holds three.
		tabTo("Deeper")
		for depth := 2; depth <= 3; depth++ {
			p.keys(kb.Enter)
			p.wait(fmt.Sprintf(`document.querySelectorAll('[role=dialog]').length === %d`, depth))
			p.idle()
			require.Equal(t, 1, js[int](p, `[...document.querySelectorAll('[role=dialog]')].filter((d) => !d.closest('[inert]')).length`))
			require.Equal(t, "Deeper", p.focused())
		}
		for left := 2; left >= 0; left-- {
			p.keys(kb.Escape)
			p.wait(fmt.Sprintf(`document.querySelectorAll('[role=dialog]').length === %d`, left))
			p.idle()
		}
		require.Equal(t, "Request Access", p.focused(), "the focus returns to where it was")
	})
}
