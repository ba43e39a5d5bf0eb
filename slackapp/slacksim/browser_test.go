package slacksim_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"accessbot/slackapp/slacksim/slackpage"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// tab is the page in a real browser.
type tab struct {
	t   testing.TB
	ctx context.Context
}

// browse opens an address in a new browser, which ends with the test.
func browse(t testing.TB, address string) *tab {
	t.Helper()
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(
		options,
		chromedp.ExecPath(slackpage.Chromium(t)),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.WindowSize(1280, 800),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancelTab := chromedp.NewContext(allocator)
	t.Cleanup(cancelTab)
	p := &tab{t, ctx}
	require.NoError(t, chromedp.Do(ctx), "start the browser") // without a timeout, which would end the browser
	p.do(chromedp.EmulateViewport(1280, 800))
	p.open(address)
	return p
}

func (p *tab) open(address string) {
	p.t.Helper()
	p.do(chromedp.Navigate(address))
	p.wait(`document.body.dataset.connected === 'true'`)
}

// patience is how long anything may take. Test machines can be slow.
const patience = time.Minute

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%v\non the page:\n%s", err, p.seen())
	}
}

// js returns the value of an expression, or the result of a promise.
func js[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// wait waits until an expression is true.
func (p *tab) wait(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	_, err := chromedp.Run(
		ctx,
		chromedp.Poll[chromedp.Void](
			"!!("+expression+")",
			chromedp.WithPollingInterval(20*time.Millisecond),
			chromedp.WithPollingTimeout(0),
		),
	)
	if err != nil {
		p.t.Fatalf("not true within %s: %s (%v)\non the page:\n%s", patience, expression, err, p.seen())
	}
}

// idle waits until all actions have reached the server.
func (p *tab) idle() {
	p.t.Helper()
	p.wait(`document.body.dataset.pending === '0'`)
}

// seen returns the text on the page, for errors.
func (p *tab) seen() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

func (p *tab) waitText(css, text string) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`[...document.querySelectorAll(%q)].some((e) => e.innerText.includes(%q))`, css, text))
}

func (p *tab) click(css string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(css), chromedp.NodeVisible))
}

// press clicks the button with that text or name in front.
func (p *tab) press(name string) {
	p.t.Helper()
	p.do(
		chromedp.Click(
			fmt.Sprintf(`//button[not(ancestor-or-self::*[@inert])][normalize-space(.)=%q or @aria-label=%q]`, name, name),
			chromedp.NodeVisible,
		),
	)
}

// tick clicks a radio button or checkbox by its text.
func (p *tab) tick(text string) {
	p.t.Helper()
	p.do(
		chromedp.Click(
			fmt.Sprintf(`//label[contains(@class,"choice")][.//span[normalize-space(.)=%q]]//input`, text),
			chromedp.NodeVisible,
		),
	)
}

func (p *tab) keys(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...)))
}

// focused returns the name or text of the element that has the focus.
func (p *tab) focused() string {
	p.t.Helper()
	return js[string](p, `(() => { const e = document.activeElement
		return e.getAttribute('aria-label') || (e.labels && e.labels.length && e.labels[0].innerText.split('\n')[0]) || e.innerText || e.tagName })()`)
}

// pick sets a date or time as its picker does.
func (p *tab) pick(css, value string) {
	p.t.Helper()
	js[bool](
		p,
		fmt.Sprintf(
			`(() => { const e = document.querySelector(%q); e.value = %q; e.dispatchEvent(new Event('input', { bubbles: true })); return true })()`,
			css,
			value,
		),
	)
}

func (p *tab) text(css string) string {
	p.t.Helper()
	return strings.TrimSpace(js[string](p, fmt.Sprintf(`(document.querySelector(%q) || { innerText: '(none)' }).innerText`, css)))
}

var shift = kb.ModifierShift
