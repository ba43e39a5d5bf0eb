// Package slackpage drives the local Slack's page in a real browser, by what a person sees. It is for tests.
package slackpage

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long anything on the page may take. Test machines can be slow.
const patience = time.Minute

// Tab is one tab of the browser.
type Tab struct {
	t    testing.TB
	ctx  context.Context
	base string // the local Slack's address
}

// Chromium returns the path of the browser: TEST_CHROMIUM if it is set, else one on the PATH. Without a browser the test fails.
// If TEST_CHROMIUM is set and empty, temporal-dev.sh reports that there is none, and the test is skipped.
func Chromium(t testing.TB) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	if named, set := os.LookupEnv("TEST_CHROMIUM"); set {
		if named == "" {
			t.Skip("NOT TESTED: there is no browser, as temporal-dev.sh reports")
		}
		names = []string{named}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("tests of the page need a browser, and there is none of %q: run ./temporal-dev.sh test, or set TEST_CHROMIUM", names)
	return ""
}

// Open starts a browser for the test, for the local Slack at base.
func Open(t testing.TB, base string) *Tab {
	t.Helper()
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.ExecPath(Chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.WindowSize(1280, 800), chromedp.UserDataDir(t.TempDir()))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	return open(t, allocator, base)
}

// Another opens another tab in the same browser.
func (p *Tab) Another() *Tab {
	p.t.Helper()
	return open(p.t, p.ctx, p.base)
}

func open(t testing.TB, parent context.Context, base string) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent)
	t.Cleanup(cancel)
	p := &Tab{t, ctx, base}
	if err := chromedp.Do(ctx); err != nil { // without a timeout, which would end the browser
		t.Fatalf("start the browser: %v", err)
	}
	p.Size(1280, 800)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the page at the end:\n%s", p.Text())
		}
	})
	return p
}

// Size sets the window's size, in pixels.
func (p *Tab) Size(width, height int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
}

// Visit opens a tab of the app (home or messages) as a user.
func (p *Tab) Visit(email, tab string) {
	p.t.Helper()
	p.Go(p.base + "/?" + url.Values{"as": {email}, "tab": {tab}}.Encode())
	p.Wait(`document.body.dataset.connected === 'true' && document.body.dataset.pending === '0'`)
}

// Go opens any address.
func (p *Tab) Go(address string) {
	p.t.Helper()
	p.do(chromedp.Navigate(address))
}

func (p *Tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := p.try(patience, steps...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Tab) try(limit time.Duration, steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

// Wait waits until a JavaScript expression is true.
func (p *Tab) Wait(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := poll(ctx, expression); err != nil {
		p.t.Fatalf("not true within %s: %s (%v)", patience, expression, err)
	}
}

func poll(ctx context.Context, expression string) error {
	// An element that is being redrawn may be missing for a moment: that counts as false.
	_, err := chromedp.Run(
		ctx,
		chromedp.Poll[chromedp.Void]("(() => { try { return !!("+expression+") } catch { return false } })()",
			chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(0)),
	)
	return err
}

// SeesWithin reports whether the page shows a text in time.
func (p *Tab) SeesWithin(limit time.Duration, text string) bool {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	return poll(ctx, shows("document.body", text)) == nil
}

// Eval returns the value of a JavaScript expression.
func Eval[T any](p *Tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Text returns all text on the page.
func (p *Tab) Text() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// See waits until the page shows a text; NotSee until it does not.
func (p *Tab) See(text string)    { p.t.Helper(); p.Wait(shows("document.body", text)) }
func (p *Tab) NotSee(text string) { p.t.Helper(); p.Wait("!" + shows("document.body", text)) }

// SeeIn waits until the first element of a CSS selector shows a text.
func (p *Tab) SeeIn(css, text string) {
	p.t.Helper()
	element := fmt.Sprintf(`document.querySelector(%q)`, css)
	p.Wait(element + " && " + shows(element, text))
}

func shows(element, text string) string {
	return fmt.Sprintf(`(%s.innerText.includes(%q))`, element, text)
}

// front is an expression for the usable elements: those in the top modal or dialog, if one is open.
const front = `[...([...document.querySelectorAll('[role=dialog], [role=alertdialog]')].at(-1) || document).querySelectorAll(CSS)].filter((e) => !e.closest('[inert]') && e.getClientRects().length && !e.disabled)`

// named is a function that returns an element's name: its aria-label, its labels, or its text.
const named = `((e) => (e.getAttribute('aria-label') || [...(e.labels || [])].map((l) => l.innerText.split('\n')[0]).join(' ') || e.innerText || '').trim())`

// use waits for an element, marks it so that a selector finds it, and calls do. It starts again if the element is redrawn
// meanwhile.
func (p *Tab) use(what, expression string, do func(css string) []chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	mark := fmt.Sprintf(`(() => { const e = %s; if (!e) return false
		document.querySelectorAll('[data-used]').forEach((u) => u.removeAttribute('data-used'))
		e.setAttribute('data-used', ''); return true })()`, expression)
	var last error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
		found, err := chromedp.Run(ctx, chromedp.Evaluate[bool](mark))
		cancel()
		if err == nil && found {
			if err = p.try(3*time.Second, do(`[data-used]`)...); err == nil {
				return
			}
		}
		last = err
		if err := p.try(5*time.Second, chromedp.Sleep(30*time.Millisecond)); err != nil { // a redraw sends no event
			p.t.Fatal(err)
		}
	}
	p.t.Fatalf("%s cannot be used within %s: %v", what, patience, last)
}

func (p *Tab) click(what, expression string) {
	p.t.Helper()
	p.use(what, expression, func(css string) []chromedp.Action[chromedp.Void] {
		return []chromedp.Action[chromedp.Void]{chromedp.Click(chromedp.CSS(css))}
	})
	p.idle()
}

func (p *Tab) idle() {
	p.t.Helper()
	p.Wait(`document.body.dataset.pending === '0' || document.querySelector('[role=alertdialog]')`)
}

func find(css, condition string) string {
	return strings.Replace(
		front,
		"CSS",
		fmt.Sprintf("%q", css),
		1,
	) + fmt.Sprintf(
		`.find((e) => { const name = %s(e); return %s })`,
		named,
		condition,
	)
}

// Press presses the button or tab with that text, in front.
func (p *Tab) Press(text string) {
	p.t.Helper()
	p.click("the button "+text, find("button, [role=tab]", fmt.Sprintf(`name.replace(/\s*,\s*[0-9]+\s+unread$/, '') === %q`, text)))
}

// Become switches to a user who has unread messages.
func (p *Tab) Become(name string) {
	p.t.Helper()
	p.click(
		"the unread mark of "+name,
		find(`section[aria-label="Unread for others"] button`, fmt.Sprintf("e.innerText.includes(%q)", name)),
	)
	p.Wait(shows(`document.querySelector('#me')`, name))
}

// PressIn presses a button of the newest message that contains a text.
func (p *Tab) PressIn(message, text string) {
	p.t.Helper()
	p.click(
		fmt.Sprintf("the button %s of the message %q", text, message),
		fmt.Sprintf(
			`[...document.querySelectorAll('article')].filter((m) => m.innerText.includes(%q)).flatMap((m) => [...m.querySelectorAll('button')].filter((b) => b.innerText.trim() === %q)).at(-1)`,
			message,
			text,
		),
	)
}

// Message waits for a message that contains a text.
func (p *Tab) Message(text string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`[...document.querySelectorAll('article')].some((m) => m.innerText.includes(%q))`, text))
}

// Choose selects a radio button by its text. Tick ticks or unticks a checkbox.
func (p *Tab) Choose(option string) { p.t.Helper(); p.box("radio", option) }
func (p *Tab) Tick(option string)   { p.t.Helper(); p.box("checkbox", option) }

func (p *Tab) box(kind, option string) {
	p.t.Helper()
	p.click(
		"the "+kind+" "+option,
		find(fmt.Sprintf("input[type=%s]", kind), fmt.Sprintf("name === %q || name.startsWith(%[1]q)", option)),
	)
}

// Ticked returns the names of the ticked checkboxes, in order.
func (p *Tab) Ticked() []string {
	p.t.Helper()
	return Eval[[]string](p, strings.Replace(front, "CSS", `'input[type=checkbox]:checked'`, 1)+".map("+named+")")
}

// Pick types into a select and selects the option that begins with a text.
func (p *Tab) Pick(label, query, option string) {
	p.t.Helper()
	p.use(
		"the field "+label,
		find("input[role=combobox]", fmt.Sprintf("name === %q", label)),
		func(css string) []chromedp.Action[chromedp.Void] {
			return []chromedp.Action[chromedp.Void]{chromedp.Click(chromedp.CSS(css)), chromedp.SendKeys(chromedp.CSS(css), query)}
		},
	)
	p.click("the option "+option, find("[role=option]", fmt.Sprintf("name.startsWith(%q)", option)))
}

// Fill replaces the text of a field.
func (p *Tab) Fill(label, text string) {
	p.t.Helper()
	p.use("the field "+label, field(label), func(css string) []chromedp.Action[chromedp.Void] {
		return []chromedp.Action[chromedp.Void]{
			chromedp.Click(chromedp.CSS(css)),
			chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)),
			chromedp.SendKeys(chromedp.CSS(css), text),
		}
	})
	p.idle()
}

func field(label string) string {
	return find("input, textarea", fmt.Sprintf("name === %q || name === %q", label, label+" (optional)"))
}

// Set sets a date (YYYY-MM-DD) or a time (HH:MM), as its picker does.
func (p *Tab) Set(label, value string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`(() => { const e = %s; if (!e) return false
		e.value = %q; e.dispatchEvent(new Event('input', { bubbles: true })); return true })()`, field(label), value))
	p.idle()
}

// Keys presses keys, wherever the focus is.
func (p *Tab) Keys(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...)))
}

// Keys without a character.
const (
	Enter     = kb.Enter
	TabKey    = kb.Tab
	ArrowDown = kb.ArrowDown
	Space     = " "
	Escape    = kb.Escape
)

// Dialog waits for a modal with that title; NoDialog until none is open.
func (p *Tab) Dialog(title string) {
	p.t.Helper()
	p.Wait(
		fmt.Sprintf(
			`[...document.querySelectorAll('[role=dialog], [role=alertdialog]')].some((d) => d.getAttribute('aria-label') === %q)`,
			title,
		),
	)
}

func (p *Tab) NoDialog() {
	p.t.Helper()
	p.Wait(`!document.querySelector('[role=dialog], [role=alertdialog]')`)
}

// Error waits for an error at a field.
func (p *Tab) Error(text string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`[...document.querySelectorAll('.error[role=alert]')].some((e) => e.innerText.includes(%q))`, text))
}

// Focused returns the name of the element that has the focus.
func (p *Tab) Focused() string {
	p.t.Helper()
	return Eval[string](p, named+`(document.activeElement)`)
}

// Picture returns a screenshot of the window, as PNG.
func (p *Tab) Picture() []byte {
	p.t.Helper()
	p.Wait(`document.fonts.status === 'loaded'`)
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatalf("take a picture: %v", err)
	}
	return picture
}
