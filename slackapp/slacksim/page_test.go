package slacksim_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"accessbot/slackapp/slacksim"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

func marked(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, false)
}

func described(value, text, description string) *slack.OptionBlockObject {
	return slack.NewOptionBlockObject(
		value,
		slack.NewTextBlockObject("plain_text", text, false, false),
		slack.NewTextBlockObject("plain_text", description, false, false),
	)
}

// everything returns a form with every kind of control.
func everything() slack.ModalViewRequest {
	least := 0
	radio := slack.NewRadioButtonsBlockElement(
		"kind",
		described("person", "Person", "What a colleague has"),
		described("custom", "Custom", "Anything"),
	)
	radio.InitialOption = described("person", "Person", "What a colleague has")
	kind := slack.NewInputBlock("kind", text("Access Like"), nil, radio)
	kind.DispatchAction = true
	boxes := slack.NewCheckboxGroupsBlockElement(
		"grants",
		described("r", "Reader", "held by 3 of 4"),
		described("w", "Writer", "high risk"),
	)
	grants := slack.NewInputBlock("grants", text("Wiki"), nil, boxes)
	grants.DispatchAction, grants.Optional = true, true
	who := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, text("Search people"), "who")
	who.MinQueryLength = &least
	reasons := slack.NewOptionsSelectBlockElement(
		slack.OptTypeStatic,
		text("Choose a reason"),
		"why",
		option("project"),
		option("role"),
		option("other"),
	)
	search := slack.NewPlainTextInputBlockElement(text("Type a name, press Enter"), "search")
	search.DispatchActionConfig = &slack.DispatchActionConfig{TriggerActionsOn: []string{"on_enter_pressed"}}
	searching := slack.NewInputBlock("search", text("Search"), nil, search)
	searching.DispatchAction, searching.Optional = true, true
	note := slack.NewPlainTextInputBlockElement(text("Your approvers read it"), "note").WithMultiline(true).WithMaxLength(40)
	at := slack.NewInputBlock(
		"time",
		text("End time"),
		text("Without a time: the end of the day"),
		slack.NewTimePickerBlockElement("time"),
	)
	at.Optional = true
	sure := slack.NewConfirmationBlockObject(
		text("Start over?"),
		text("What you chose is lost."),
		text("Start over"),
		text("Keep it"),
	)
	return modal(
		slack.NewHeaderBlock(text("All of it")),
		slack.NewSectionBlock(marked("*Two* fields"), []*slack.TextBlockObject{marked("_left_"), text("right")}, nil),
		slack.NewDividerBlock(),
		kind, grants,
		slack.NewInputBlock("who", text("Who"), nil, who),
		slack.NewInputBlock("why", text("Reason"), nil, reasons),
		searching,
		slack.NewInputBlock("note", text("Note"), text("In a few words"), note),
		slack.NewInputBlock("date", text("End date"), nil, slack.NewDatePickerBlockElement("date")),
		at,
		slack.NewActionBlock("more",
			button("again", "1", "Start over").WithConfirm(sure),
			button("deeper", "", "Deeper"),
			slack.NewOverflowBlockElement("menu", option("first"), option("second"))),
		slack.NewContextBlock("", marked("In `small` print")),
		slack.NewImageBlock("https://example.com/x.png", "A picture", "", nil),
	)
}

// gallery returns an app whose Home tab opens that form.
func gallery() *app {
	a := sample()
	open := a.onAction
	a.onAction = func(ic slack.InteractionCallback) {
		var err error
		switch ic.ActionCallback.BlockActions[0].ActionID {
		case "request":
			_, err = a.api.OpenView(ic.TriggerID, everything())
		case "deeper":
			deeper := modal(
				slack.NewSectionBlock(text("Deeper still"), nil, nil),
				slack.NewActionBlock("more", button("deeper", "", "Deeper")),
			)
			deeper.Title = text("Deeper")
			_, err = a.api.PushView(ic.TriggerID, deeper)
		case "kind", "grants", "who", "search", "menu", "again":
		default:
			open(ic)
		}
		if err != nil {
			a.t.Errorf("%s: %v", ic.ActionCallback.BlockActions[0].ActionID, err)
		}
	}
	a.onSubmit = func(ic slack.InteractionCallback) any {
		if strings.Contains(ic.View.State.Values["note"]["note"].Value, "wrong") {
			return slack.NewErrorsViewSubmissionResponse(map[string]string{"note": "Say more <b>now</b>", "date": "Too soon"})
		}
		return nil
	}
	return a
}

// opened returns the page with that form open.
func opened(t *testing.T) (*installed, *tab) {
	in := install(t, "http", gallery())
	p := browse(t, in.url+"/?as="+ann+"&tab=home")
	p.press("Request Access")
	p.wait(`document.querySelector('[role=dialog][aria-label="Request Access"] [data-action-id=note]')`)
	p.idle()
	return in, p
}

// acted returns the actions with an action_id that the app received.
func acted(a *app, id string) []*slack.BlockAction {
	var found []*slack.BlockAction
	for _, ic := range a.of(slack.InteractionTypeBlockActions) {
		if action := ic.ActionCallback.BlockActions[0]; action.ActionID == id {
			found = append(found, action)
		}
	}
	return found
}

func TestPage(t *testing.T) {
	// Source: messaging/formatting-message-text.
	t.Run("mrkdwn is read as Slack reads it", func(t *testing.T) {
		_, ws := alone(t)
		p := browse(t, ws.Address())
		for _, c := range [][2]string{
			{`plain`, `["plain"]`},
			{`*bold* and _italic_ and ~struck~`, `[{"bold":["bold"]}," and ",{"italic":["italic"]}," and ",{"strike":["struck"]}]`},
			{`*a _b ~c~_*`, `[{"bold":["a ",{"italic":["b ",{"strike":["c"]}]}]}]`},
			{`snake_case_name and 2*3*4`, `["snake_case_name and 2*3*4"]`},
			{`3*4* and a_b_`, `["3*4* and a_b_"]`},
			{`* no * and *no`, `["* no * and *no"]`},
			{"*not\nover lines*", `["*not\nover lines*"]`},
			{"(*in brackets*), *x*.", `["(",{"bold":["in brackets"]},"), ",{"bold":["x"]},"."]`},
			{"`a *b* <@U1>`", `[{"code":["a *b* ",{"user":"U1"}]}]`},
			{"before\n```\nx *y*\n  z\n```\nafter", `["before",{"pre":["x *y*\n  z"]},"after"]`},
			{"&gt; quoted *so*\nnot", `[{"quote":["quoted ",{"bold":["so"]}]},"not"]`},
			{"a\n&gt;&gt;&gt; b\nc", `["a",{"quote":["b\nc"]}]`},
			{`a &lt;b&gt; &amp;amp; &quot;`, `["a <b> &amp; &quot;"]`},
			{`<https://example.com/x_y_z|the *page*>`, `[{"link":"https://example.com/x_y_z","label":"the *page*"}]`},
			{`<mailto:ann@example.com|Ann>`, `[{"link":"mailto:ann@example.com","label":"Ann"}]`},
			{`see https://example.com/a_b_c, now`, `["see ",{"link":"https://example.com/a_b_c","label":"https://example.com/a_b_c"},", now"]`},
			{`<javascript:alert(1)|click>`, `["click (javascript:alert(1))"]`},
			{`<file:///etc/passwd>`, `["file:///etc/passwd"]`},
			{`*<@U1>* <!channel> <!subteam^S1|@admins> <#C1|general>`, `[{"bold":[{"user":"U1"}]}," ",{"ping":"@channel"}," ",{"ping":"@admins"}," ",{"channel":"#general"}]`},
			{`<!date^1764608400^{date} at {time}|then>`, `[{"date":1764608400,"label":"then"}]`},
			{`<!date^soon^{date}|then>`, `["then"]`},
			{`:white_check_mark: done :nothing_here: 10:30:45`, `["✅ done :nothing_here: 10:30:45"]`},
			{"`:white_check_mark:`", `[{"code":[":white_check_mark:"]}]`},
			{`*ünïcode* and *名前*`, `[{"bold":["ünïcode"]}," and ",{"bold":["名前"]}]`},
			{`<b onclick="x">&lt;img src=x&gt;`, `["b onclick=\"x\"","<img src=x>"]`},
		} {
			got := js[string](p, `import('/page/mrkdwn.js').then(({ parse }) => {
			const short = (n) => typeof n === 'string' ? n
				: n.kind === 'user' ? { user: n.id } : n.kind === 'link' ? { link: n.url, label: n.label } : n.kind === 'date' ? { date: n.seconds, label: n.label }
				: n.kind === 'ping' || n.kind === 'channel' ? { [n.kind]: n.label } : { [n.kind]: n.children.map(short) }
			return JSON.stringify(parse(`+string(mustJSON(t, c[0]))+`).map(short)) })`)
			require.Equal(t, c[1], got, "%s", c[0])
		}
		require.Equal(
			t,
			`["https://example.com"]`,
			js[string](p, `import('/page/mrkdwn.js').then((m) => JSON.stringify(m.parse('https://example.com', { verbatim: true })))`),
		)
		require.Equal(
			t,
			"1 December 2025 at 18:00 (2 December 2025 at 06:00)",
			js[string](p, `import('/page/times.js').then(({ slackDate: d }) =>
		d(1764608400, '{date} at {time}', 'Europe/Berlin', 0) + ' (' + d(1764608400, '{date} at {time}', 'Pacific/Auckland', 0) + ')')`),
		)
	})

	t.Run("page follows messages, edits and the chosen person", func(t *testing.T) {
		in := install(t, "http", gallery())
		api := in.app.api
		p := browse(t, in.url)
		require.Equal(t, ann, js[string](p, `document.body.dataset.as`), "the first person by default")
		require.Equal(t, "accessbot – local Slack", js[string](p, `document.title`))
		p.waitText(`#hint`, "Press “Request Access”")
		p.waitText(`#me`, "Europe/Berlin")

		channel, ts, err := api.PostMessage(slacksim.UserID(ann), say("first"))
		require.NoError(t, err)
		p.waitText(`#tab-messages .badge`, "1")
		p.press("Messages, 1 unread")
		p.waitText(`article`, "first")
		require.Equal(t, "New", p.text(`[role=separator].new`))
		p.wait(`!document.querySelector('#tab-messages .badge')`)
		at := js[string](p, `document.querySelector('article time').innerText`)
		berlin, err := time.LoadLocation("Europe/Berlin")
		require.NoError(t, err)
		require.Contains(
			t,
			[]string{time.Now().In(berlin).Format("15:04"), time.Now().Add(-time.Minute).In(berlin).Format("15:04")},
			at,
			"on her clock",
		)

		_, _, _, err = api.UpdateMessage(channel, ts, say("second thoughts of <@"+slacksim.UserID(ben)+">"))
		require.NoError(t, err)
		p.waitText(`article`, "second thoughts of @Ben Example")
		p.waitText(`article`, "(edited)")
		_, err = api.PostEphemeral(channel, slacksim.UserID(ann), say("psst"))
		require.NoError(t, err)
		p.waitText(`article[data-ephemeral=true]`, "Only visible to you")
		_, _, err = api.PostMessage(slacksim.UserID(ann), say("third"))
		require.NoError(t, err)
		p.waitText(`article`, "third")
		require.Eventually(t, func() bool { return seePage(t, in.ws, ann, "").Unread == 0 }, patience, 20*time.Millisecond,
			"messages that arrive while the tab is visible are read")

		_, _, err = api.PostMessage(slacksim.UserID(ben), say("for Ben"))
		require.NoError(t, err)
		p.waitText(`section[aria-label="Unread for others"]`, "Ben Example")
		p.click(`section[aria-label="Unread for others"] button`)
		p.wait(fmt.Sprintf(`document.body.dataset.as === %q && document.body.dataset.tab === 'messages'`, ben))
		p.waitText(`article`, "for Ben")
		p.wait(`!document.querySelector('section[aria-label="Unread for others"] button')`)
		require.Contains(t, js[string](p, `location.search`), "tab=messages")
		p.do(chromedp.Reload())
		p.waitText(`article`, "for Ben")
		require.Equal(t, ben, js[string](p, `document.body.dataset.as`))
		p.do(chromedp.NavigateBack())
		p.wait(fmt.Sprintf(`document.body.dataset.as === %q`, ann))

		p.click(`#people`)
		p.keys("ben")
		p.waitText(`#people-list [role=option]`, ben)
		p.wait(`document.querySelectorAll('#people-list [role=option]').length === 1`)
		p.keys(kb.Enter)
		p.wait(fmt.Sprintf(`document.body.dataset.as === %q`, ben))
	})

	t.Run("link to a message leads to it", func(t *testing.T) {
		in := install(t, "http", gallery())
		channel, ts, err := in.app.api.PostMessage(slacksim.UserID(ann), say("the one"))
		require.NoError(t, err)
		for range 150 {
			_, _, err = in.app.api.PostMessage(slacksim.UserID(ann), say("another"))
			require.NoError(t, err)
		}
		address := in.url + "/archives/" + channel + "/p" + strings.Replace(ts, ".", "", 1)
		_, _, err = in.app.api.PostMessage(slacksim.UserID(ann), say("<"+address+"|#1001>"))
		require.NoError(t, err)
		p := browse(t, in.url+"/?as="+ann+"&tab=messages")
		p.waitText(`article a`, "#1001")
		require.Equal(t, 100, js[int](p, `document.querySelectorAll('article').length`), "only the newest, until more are requested")
		p.click(`article a`)
		p.wait(fmt.Sprintf(`document.activeElement.dataset.ts === %q`, ts))
		p.open(address)
		p.wait(fmt.Sprintf(`document.activeElement.dataset.ts === %q`, ts))
	})

	t.Run("page recovers after a restart", func(t *testing.T) {
		a := gallery()
		a.t = t
		appServer := httptest.NewServer(a)
		t.Cleanup(appServer.Close)
		cfg := slacksim.Config{
			BotToken:         botToken,
			SigningSecret:    secret,
			Users:            people(),
			EventsURL:        appServer.URL + "/slack/events",
			InteractivityURL: appServer.URL + "/slack/interactivity",
			OptionsURL:       appServer.URL + "/slack/options",
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := l.Addr().String()
		start := func(l net.Listener) (stop func()) {
			s, err := slacksim.New(cfg)
			require.NoError(t, err)
			srv := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: time.Second}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(l) }()
			return func() {
				s.Close()
				require.NoError(t, srv.Close())
				require.ErrorIs(t, <-served, http.ErrServerClosed)
			}
		}
		stop := start(l)
		a.api = slack.New(botToken, slack.OptionAPIURL("http://"+address+"/api/"))
		for i := range 5 {
			_, _, err = a.api.PostMessage(slacksim.UserID(ann), say(fmt.Sprintf("old %d", i)))
			require.NoError(t, err)
		}
		p := browse(t, "http://"+address+"/?as="+ann+"&tab=home")
		p.press("Request Access")
		p.wait(`document.querySelector('[role=dialog]')`)
		first := js[string](p, `document.body.dataset.start`)

		stop()
		p.waitText(`#connection`, "Not connected. Trying again…")
		require.Equal(t, "false", js[string](p, `document.body.dataset.connected`))
		l, err = net.Listen("tcp", address)
		require.NoError(t, err)
		stop = start(l)
		defer stop()
		p.wait(`document.body.dataset.connected === 'true' && document.body.dataset.start !== ` + string(mustJSON(t, first)))
		p.wait(`!document.querySelector('[role=dialog]') && !document.querySelector('#connection')`)
		p.waitText(`.toast`, "has forgotten")
		p.waitText(`#panel-home`, "Request Access") // the page opened the tab again, so the app published it again
		p.press("Messages")
		_, _, err = a.api.PostMessage(slacksim.UserID(ann), say("new"))
		require.NoError(t, err)
		p.waitText(`article`, "new")
		require.Equal(t, 1, js[int](p, `document.querySelectorAll('article').length`))
	})

	t.Run("hostile text is shown literally", func(t *testing.T) {
		const hostile = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`
		a := gallery()
		in := install(t, "http", a, func(c *slacksim.Config) {
			c.Users = append(people(), slacksim.User{Email: "eve@example.com", Name: hostile})
		})
		eve := slacksim.UserID("eve@example.com")
		_, err := a.api.PublishView(slacksim.UserID(ann), home(
			slack.NewHeaderBlock(text(hostile)),
			slack.NewSectionBlock(text(hostile), nil, nil),
			slack.NewSectionBlock(marked(strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(hostile)), nil, nil),
			slack.NewSectionBlock(marked("<javascript:window.hacked=1|click here> <@"+eve+">"), nil, nil),
			slack.NewActionBlock("x", button("b", "", hostile)),
			slack.NewImageBlock("javascript:window.hacked=1", hostile, "", nil),
		), "")
		require.NoError(t, err)
		a.onEvent = nil // the app publishes nothing else
		p := browse(t, in.url+"/?as="+ann+"&tab=home")
		p.waitText(`#panel-home`, hostile)
		p.waitText(`#panel-home .mention`, "@"+hostile)
		require.Equal(t, "click here (javascript:window.hacked=1) @"+hostile, p.text(`#panel-home .block:nth-child(4)`))
		harmless := func() {
			t.Helper()
			require.Zero(t, js[int](p, `document.querySelectorAll('img, script:not([src])').length`))
			require.Zero(t, js[int](p, `document.querySelectorAll('a[href^=javascript]').length`))
			require.False(t, js[bool](p, `'hacked' in window`))
		}
		harmless()
		p.click(`#people`)
		p.waitText(`[role=option]`, hostile)
		p.keys("eve@")
		p.wait(`document.querySelectorAll('[role=option]').length === 1`) // only then Enter selects her
		p.keys(kb.Enter)
		p.waitText(`#me`, hostile)
		harmless()
	})

	t.Run("errors are shown as Slack shows them", func(t *testing.T) {
		var broken atomic.Bool
		a := gallery()
		a.status = func(string) int {
			if broken.Load() {
				return http.StatusInternalServerError
			}
			return http.StatusOK
		}
		in := install(t, "http", a)
		p := browse(t, in.url+"/?as="+ann+"&tab=home")
		p.waitText(`#panel-home`, "Request Access")
		broken.Store(true)
		p.press("Request Access")
		p.waitText(`#toasts [role=alert]`, "Oh no, something went wrong. Please try that again.")
		p.waitText(`#toasts .cause`, "500")
		p.press("Dismiss")
		p.wait(`!document.querySelector('#toasts [role=alert]')`)

		broken.Store(false)
		_, _, err := a.api.PostMessage(slacksim.UserID(ann), say("x"))
		require.NoError(t, err)
		a.onSubmit = func(slack.InteractionCallback) any { return map[string]any{"response_action": "nonsense"} }
		p.press("Request Access")
		p.wait(`document.querySelector('[role=dialog]')`)
		v := modal(slack.NewSectionBlock(text("Sure?"), nil, nil))
		_, err = a.api.UpdateView(v, "", "", in.ws.As(ann).Must(t).Screen().Modals[0].ID)
		require.NoError(t, err)
		p.waitText(`[role=dialog]`, "Sure?")
		p.press("Send")
		p.waitText(`[role=dialog] .notice[role=alert]`, "We had some trouble connecting. Try again?")
		p.idle()
		require.Equal(t, "null", js[string](p, `document.querySelector('.submit').getAttribute('aria-busy') + ''`))
	})

	t.Run("drawer shows the traffic", func(t *testing.T) {
		a, release := gallery(), make(chan struct{})
		a.before = func(kind string) {
			if kind == "block_actions" {
				<-release
			}
		}
		in := install(t, "http", a, func(c *slacksim.Config) { c.AckTimeout = 500 * time.Millisecond })
		p := browse(t, in.url+"/?as="+ann+"&tab=home")
		p.waitText(`#panel-home`, "Request Access")
		p.click(`#traffic-toggle`)
		p.waitText(`#traffic li[data-name="app_home_opened"]`, "Ann Example")
		require.Contains(t, p.text(`#traffic`), "Tokens are removed.")
		p.press("Request Access")
		p.waitText(`#traffic li.late[data-name="block_actions"]`, "late ack")
		close(release)
		p.wait(`document.querySelector('[role=dialog]')`) // its trigger is still valid
		p.keys(kb.Escape)
		p.wait(`!document.querySelector('[role=dialog]')`)
		_, err := in.app.api.PublishView(slacksim.UserID(ann), home(slack.NewHeaderBlock(text(strings.Repeat("x", 200)))), "")
		require.Error(t, err)
		refused := `#traffic li[data-name="views.publish"][data-ok=false]`
		p.waitText(refused, "invalid_arguments")
		p.waitText(refused, "/view/blocks/0/text/text") // the place of the error
		p.click(`#traffic [aria-label=Show]`)
		js[bool](
			p,
			`(() => { const s = document.querySelector('#traffic [aria-label=Show]'); s.value = 'refused'; s.dispatchEvent(new Event('change')); return true })()`,
		)
		p.wait(`document.querySelectorAll('#traffic li').length === 2`)
		p.click(refused + ` button`)
		p.waitText(refused+` pre.payload`, `"type": "home"`)
		var payload map[string]any
		require.NoError(t, json.Unmarshal([]byte(p.text(refused+` pre.payload`)), &payload))
		require.NotContains(t, payload, "token")
		p.click(`[aria-label="Filter traffic"]`)
		p.keys("nothing like it")
		p.waitText(`#traffic`, "No matching traffic.")
	})
}
