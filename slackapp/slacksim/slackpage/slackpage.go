// Package slackpage drives the local Slack's page in a real browser, by what a person sees on it: for tests.
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

// patience is how long anything on the page may take: machines are slow at times.
const patience = time.Minute

// Tab is the page, or another one, in a browser.
type Tab struct {
	t    testing.TB
	ctx  context.Context
	base string // the local Slack's address
}

// Chromium is the browser's program: what TEST_CHROMIUM names, else what is on the PATH. Without one the test fails, or is
// left out where NOT_TESTED says that this was said loudly already.
func Chromium(t testing.TB) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	if named, set := os.LookupEnv("TEST_CHROMIUM"); set {
		if named == "" {
			t.Skip("NOT TESTED: there is no browser here, as temporal-dev.sh said")
		}
		names = []string{named}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("the tests of the page need a browser, and none of %q is there: run ./temporal-dev.sh test, or set TEST_CHROMIUM to one", names)
	return ""
}

// Open starts a browser of the test's own, with the local Slack at base in it.
func Open(t testing.TB, base string) *Tab {
	t.Helper()
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.ExecPath(Chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.WindowSize(1280, 800), chromedp.UserDataDir(t.TempDir()))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	return open(t, allocator, base)
}

// Another opens one more tab in the same browser.
func (p *Tab) Another() *Tab {
	p.t.Helper()
	return open(p.t, p.ctx, p.base)
}

func open(t testing.TB, parent context.Context, base string) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent)
	t.Cleanup(cancel)
	p := &Tab{t, ctx, base}
	if err := chromedp.Do(ctx); err != nil { // without a time limit: the browser would end with it
		t.Fatalf("start the browser: %v", err)
	}
	p.Size(1280, 800)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the page said in the end:\n%s", p.Text())
		}
	})
	return p
}

// Size sets the window's size, in pixels.
func (p *Tab) Size(width, height int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
}

// Visit opens a tab (home or messages) as someone.
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
		p.t.Fatalf("not so within %s: %s (%v)", patience, expression, err)
	}
}

func poll(ctx context.Context, expression string) error {
	// What is being redrawn may be missing for a moment: that is not so yet, and no error.
	_, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void]("(() => { try { return !!("+expression+") } catch { return false } })()",
		chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(0)))
	return err
}

// SeesWithin tells whether the page says so in time.
func (p *Tab) SeesWithin(limit time.Duration, text string) bool {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	return poll(ctx, said("document.body", text)) == nil
}

// Eval answers a JavaScript expression.
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

// Text is all that the page says now.
func (p *Tab) Text() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// See waits until the page says so; NotSee until it says so no more.
func (p *Tab) See(text string)    { p.t.Helper(); p.Wait(said("document.body", text)) }
func (p *Tab) NotSee(text string) { p.t.Helper(); p.Wait("!" + said("document.body", text)) }

// SeeIn waits until the first element of a CSS selector says so.
func (p *Tab) SeeIn(css, text string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`document.querySelector(%q)`, css) + " && " + said(fmt.Sprintf(`document.querySelector(%q)`, css), text))
}

func said(element, text string) string {
	return fmt.Sprintf(`(%s.innerText.includes(%q))`, element, text)
}

// front are the elements that can be used: of the top modal or dialog, if one is open.
const front = `[...([...document.querySelectorAll('[role=dialog], [role=alertdialog]')].at(-1) || document).querySelectorAll(CSS)].filter((e) => !e.closest('[inert]') && e.getClientRects().length && !e.disabled)`

// named is how an element is called: its aria-label, its labels, or what it says.
const named = `((e) => (e.getAttribute('aria-label') || [...(e.labels || [])].map((l) => l.innerText.split('\n')[0]).join(' ') || e.innerText || '').trim())`

// use waits for an element and does something with it: marked, it is found by a selector. What is redrawn meanwhile is
// looked for again.
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
		if err := p.try(5*time.Second, chromedp.Sleep(30*time.Millisecond)); err != nil { // what is redrawn tells no one
			p.t.Fatal(err)
		}
	}
	p.t.Fatalf("%s is not there, or cannot be used, within %s: %v", what, patience, last)
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
	return strings.Replace(front, "CSS", fmt.Sprintf("%q", css), 1) + fmt.Sprintf(`.find((e) => { const name = %s(e); return %s })`, named, condition)
}

// Press presses the button of that text, in front; Tab changes to a tab of the app.
func (p *Tab) Press(text string) {
	p.t.Helper()
	p.click("the button "+text, find("button, [role=tab]", fmt.Sprintf(`name.replace(/\s*,\s*[0-9]+\s+unread$/, '') === %q`, text)))
}

// Become becomes one of those who have something to read.
func (p *Tab) Become(name string) {
	p.t.Helper()
	p.click("the unread mark of "+name, find(`section[aria-label="Unread for others"] button`, fmt.Sprintf("e.innerText.includes(%q)", name)))
	p.Wait(said(`document.querySelector('#me')`, name))
}

// PressIn presses a button of the newest message that says so.
func (p *Tab) PressIn(message, text string) {
	p.t.Helper()
	p.click(fmt.Sprintf("the button %s of the message %q", text, message),
		fmt.Sprintf(`[...document.querySelectorAll('article')].filter((m) => m.innerText.includes(%q)).flatMap((m) => [...m.querySelectorAll('button')].filter((b) => b.innerText.trim() === %q)).at(-1)`, message, text))
}

// Message waits for a message that says so.
func (p *Tab) Message(text string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`[...document.querySelectorAll('article')].some((m) => m.innerText.includes(%q))`, text))
}

// Choose chooses a radio button, Tick ticks a box or takes the tick off, by its text.
func (p *Tab) Choose(option string) { p.t.Helper(); p.box("radio", option) }
func (p *Tab) Tick(option string)   { p.t.Helper(); p.box("checkbox", option) }

func (p *Tab) box(kind, option string) {
	p.t.Helper()
	p.click("the "+kind+" "+option, find(fmt.Sprintf("input[type=%s]", kind), fmt.Sprintf("name === %q || name.startsWith(%[1]q)", option)))
}

// Ticked are the boxes that are ticked, in order.
func (p *Tab) Ticked() []string {
	p.t.Helper()
	return Eval[[]string](p, strings.Replace(front, "CSS", `'input[type=checkbox]:checked'`, 1)+".map("+named+")")
}

// Pick types into a select and takes the option that begins so.
func (p *Tab) Pick(label, query, option string) {
	p.t.Helper()
	p.use("the field "+label, find("input[role=combobox]", fmt.Sprintf("name === %q", label)), func(css string) []chromedp.Action[chromedp.Void] {
		return []chromedp.Action[chromedp.Void]{chromedp.Click(chromedp.CSS(css)), chromedp.SendKeys(chromedp.CSS(css), query)}
	})
	p.click("the option "+option, find("[role=option]", fmt.Sprintf("name.startsWith(%q)", option)))
}

// Fill writes into a text field, in place of what stands there.
func (p *Tab) Fill(label, text string) {
	p.t.Helper()
	p.use("the field "+label, field(label), func(css string) []chromedp.Action[chromedp.Void] {
		return []chromedp.Action[chromedp.Void]{chromedp.Click(chromedp.CSS(css)), chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)), chromedp.SendKeys(chromedp.CSS(css), text)}
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

// Keys are pressed wherever the focus is.
func (p *Tab) Keys(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...)))
}

// Enter, and what else has no letter.
const (
	Enter     = kb.Enter
	TabKey    = kb.Tab
	ArrowDown = kb.ArrowDown
	Space     = " "
	Escape    = kb.Escape
)

// Dialog waits for a modal of that title; NoDialog until none is open.
func (p *Tab) Dialog(title string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`[...document.querySelectorAll('[role=dialog], [role=alertdialog]')].some((d) => d.getAttribute('aria-label') === %q)`, title))
}

func (p *Tab) NoDialog() {
	p.t.Helper()
	p.Wait(`!document.querySelector('[role=dialog], [role=alertdialog]')`)
}

// Error waits for the error at a field.
func (p *Tab) Error(text string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`[...document.querySelectorAll('.error[role=alert]')].some((e) => e.innerText.includes(%q))`, text))
}

// Focused is what has the focus, by its name.
func (p *Tab) Focused() string {
	p.t.Helper()
	return Eval[string](p, named+`(document.activeElement)`)
}

// Picture is the window as it looks now, as PNG.
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
