package slacksim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"accessbot/slackapp/slacksim"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

// answer is the response to a GET that follows no redirect.
type answer struct {
	status int
	header http.Header
	body   string
}

func look(t testing.TB, address string) answer {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(address)
	require.NoError(t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

// fetch gets JSON from the client API.
func fetch(t testing.TB, address string, into any) {
	t.Helper()
	got := look(t, address)
	require.Equal(t, http.StatusOK, got.status, "%s: %s", address, got.body)
	require.NoError(t, json.Unmarshal([]byte(got.body), into))
}

// post sends a body and returns the status and body of the response.
func post(t testing.TB, address, kind, body string) (status int, says string) {
	t.Helper()
	resp, err := http.Post(address, kind, strings.NewReader(body))
	require.NoError(t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(raw)
}

// pageOf is the data that the page shows for one person.
type pageOf struct {
	Start       string            `json:"start"`
	Seq         int64             `json:"seq"`
	Screen      slacksim.Screen   `json:"screen"`
	Earlier     int               `json:"earlier"`
	Names       map[string]string `json:"names"`
	Unread      int               `json:"unread"`
	Read        string            `json:"read"`
	Others      []slacksim.Unread `json:"others"`
	OthersTotal int               `json:"others_total"`
}

func seePage(t testing.TB, ws *slacksim.Workspace, who, query string) pageOf {
	t.Helper()
	var p pageOf
	fetch(t, ws.Address()+"/client/users/"+url.PathEscape(who)+"/page"+query, &p)
	return p
}

func TestPageAPI(t *testing.T) {
	t.Run("page and its files are served and load nothing from outside", func(t *testing.T) {
		_, ws := alone(t)
		index := look(t, ws.Address()+"/")
		require.Equal(t, "text/html; charset=utf-8", index.header.Get("Content-Type"))
		require.Contains(t, index.body, "<title>accessbot – local Slack</title>")
		files, err := os.ReadDir("page")
		require.NoError(t, err)
		outside := regexp.MustCompile(`(src|href|from|import|url)[ =('"]+https?:`)
		kinds := map[string]string{
			".js":   "text/javascript; charset=utf-8",
			".css":  "text/css; charset=utf-8",
			".html": "text/html; charset=utf-8",
		}
		for _, f := range files {
			got := look(t, ws.Address()+"/page/"+f.Name())
			require.Equal(t, http.StatusOK, got.status, f.Name())
			require.Equal(t, kinds[filepath.Ext(f.Name())], got.header.Get("Content-Type"), f.Name())
			require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
			policy := got.header.Get("Content-Security-Policy")
			for _, rule := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:", "frame-ancestors 'none'"} {
				require.Contains(t, policy, rule)
			}
			require.NotContains(t, policy, "unsafe")
			require.NotRegexp(t, outside, got.body, f.Name())
			require.NotContains(t, got.body, "innerHTML", f.Name())
		}
		for _, path := range []string{"/page/none.js", "/page/..%2fpage.go", "/page/"} {
			require.Equal(t, http.StatusNotFound, look(t, ws.Address()+path).status, path)
		}
	})

	t.Run("people are found by name and e-mail", func(t *testing.T) {
		users := []slacksim.User{
			{Email: "zoe@example.com", Name: "Zoë Laurent"},
			{Email: "tom.laurent@example.com", Name: "Tom"},
			{Email: "laura@example.com", Name: "Laura Bell"},
		}
		for i := range 40 {
			users = append(users, slacksim.User{Email: fmt.Sprintf("many%02d@example.com", i), Name: fmt.Sprintf("Many %02d", i)})
		}
		url := serve(t, slacksim.Config{Users: users})
		search := func(query string) (names []string, total int) {
			var found struct {
				Total  int             `json:"total"`
				People []slacksim.User `json:"people"`
			}
			fetch(t, url+"/client/people?"+query, &found)
			for _, u := range found.People {
				names = append(names, u.Name)
			}
			return names, found.Total
		}
		names, total := search("q=laur")
		require.Equal(t, []string{"Laura Bell", "Zoë Laurent", "Tom"}, names, "names that begin with the query come first")
		require.Equal(t, 3, total)
		names, _ = search("q=LAURENT+zo")
		require.Equal(t, []string{"Zoë Laurent"}, names, "every word, in any order and case")
		names, total = search("q=many&limit=20")
		require.Len(t, names, 20)
		require.Equal(t, 40, total)
		names, total = search("")
		require.Len(t, names, 20, "limited by default")
		require.Equal(t, 43, total, "without the app's own bot")
		names, _ = search("ids=" + slacksim.UserID("zoe@example.com") + ",U0UNKNOWN")
		require.Equal(t, []string{"Zoë Laurent"}, names)
		status, _ := post(t, url+"/client/people", "application/json", "{}")
		require.Equal(t, http.StatusMethodNotAllowed, status)
	})

	t.Run("unread messages are counted per person", func(t *testing.T) {
		api, ws := alone(t)
		annID, benID := slacksim.UserID(ann), slacksim.UserID(ben)
		require.Zero(t, seePage(t, ws, ann, "").Unread)

		channel, first, err := api.PostMessage(annID, say("one"))
		require.NoError(t, err)
		_, second, err := api.PostMessage(annID, say("two"))
		require.NoError(t, err)
		_, _, err = api.PostMessage(benID, say("for Ben"))
		require.NoError(t, err)
		_, err = api.PostEphemeral(channel, annID, say("only you"))
		require.NoError(t, err)
		_, _, _, err = api.UpdateMessage(channel, first, say("one, edited"))
		require.NoError(t, err)
		p := seePage(t, ws, ann, "")
		require.Equal(t, 2, p.Unread, "edits and ephemeral messages do not count")
		require.Empty(t, p.Read)
		require.Equal(
			t,
			[]slacksim.Unread{{ID: benID, Name: "Ben Example", Email: ben, Unread: 1, Latest: p.Others[0].Latest}},
			p.Others,
		)
		require.Equal(t, 1, p.OthersTotal)

		// After the first is read, one is left.
		status, says := post(t, ws.Address()+"/client/users/"+ann+"/read", "application/json", `{"ts":"`+first+`"}`)
		require.Equal(t, http.StatusOK, status, says)
		p = seePage(t, ws, ann, "")
		require.Equal(t, 1, p.Unread)
		require.Equal(t, first, p.Read)

		// A deleted message is no longer unread. Deleting one that was read changes nothing.
		_, _, err = api.DeleteMessage(channel, first)
		require.NoError(t, err)
		require.Equal(t, 1, seePage(t, ws, ann, "").Unread)
		_, _, err = api.DeleteMessage(channel, second)
		require.NoError(t, err)
		require.Zero(t, seePage(t, ws, ann, "").Unread)

		// Others are listed with the newest message first. Opening the Messages tab marks everything as read.
		_, _, err = api.PostMessage(annID, say("three"))
		require.NoError(t, err)
		_, err = ws.AddUser(slacksim.User{Email: "cam@example.com", Name: "Cam"})
		require.NoError(t, err)
		others := seePage(t, ws, "cam@example.com", "").Others
		require.Equal(t, []string{annID, benID}, []string{others[0].ID, others[1].ID})
		require.Error(t, ws.As(ann).OpenMessages(), "there is no app to acknowledge it")
		require.Zero(t, seePage(t, ws, ann, "").Unread)
		require.Len(t, seePage(t, ws, "cam@example.com", "").Others, 1)

		// An older mark changes nothing.
		status, _ = post(t, ws.Address()+"/client/users/"+ann+"/read", "application/json", `{"ts":"`+first+`"}`)
		require.Equal(t, http.StatusOK, status)
		require.Zero(t, seePage(t, ws, ann, "").Unread)
		status, _ = post(t, ws.Address()+"/client/users/"+ann+"/read", "application/json", `{"ts":"yesterday"}`)
		require.Equal(t, http.StatusBadRequest, status)
	})

	t.Run("page has the newest messages and the mentioned people", func(t *testing.T) {
		api, ws := alone(t)
		for i := range 5 {
			_, _, err := api.PostMessage(
				slacksim.UserID(ann),
				say(fmt.Sprintf("message %d of <@%s> and <@U0UNKNOWN0>", i, slacksim.UserID(ben))),
			)
			require.NoError(t, err)
		}
		p := seePage(t, ws, ann, "?messages=2")
		require.Equal(t, 3, p.Earlier)
		require.Len(t, p.Screen.Messages, 2)
		require.Contains(t, p.Screen.Messages[1].Plain, "message 4")
		require.Equal(t, map[string]string{slacksim.UserID(ben): "Ben Example"}, p.Names)
		require.Equal(t, http.StatusNotFound, look(t, ws.Address()+"/client/users/no-one@example.com/page").status)
	})

	t.Run("waiting page learns of a restart at once", func(t *testing.T) {
		type workspace struct {
			Start string          `json:"start"`
			As    string          `json:"as"`
			Links []slacksim.Link `json:"links"`
		}
		var one, other workspace
		link := slacksim.Link{Text: "Temporal", URL: "http://127.0.0.1:8233"}
		url := serve(t, slacksim.Config{As: ben, Links: []slacksim.Link{link}})
		fetch(t, url+"/client/workspace", &one)
		fetch(t, serve(t, slacksim.Config{})+"/client/workspace", &other)
		require.NotEmpty(t, one.Start)
		require.NotEqual(t, one.Start, other.Start)
		require.Equal(t, ben, one.As)
		require.Equal(t, ann, other.As, "the first user, if none is configured")
		require.Equal(t, []slacksim.Link{link}, one.Links)

		began := time.Now()
		var now workspace
		fetch(t, url+"/client/wait?after=1000000&timeout_ms=30000&start="+other.Start, &now)
		require.Equal(t, one.Start, now.Start)
		require.Less(t, time.Since(began), 10*time.Second)
		fetch(t, url+"/client/wait?after=1000000&timeout_ms=1&start="+one.Start, &now)
		require.Equal(t, one.Start, now.Start)
	})

	t.Run("wrong configuration of the page is refused", func(t *testing.T) {
		for want, cfg := range map[string]slacksim.Config{
			"the workspace has no user eve": {As: "eve@example.com"},
			"is not a link":                 {Links: []slacksim.Link{{Text: "x", URL: "javascript:alert(1)"}}},
		} {
			cfg.BotToken, cfg.AppToken = botToken, appToken
			_, err := slacksim.New(cfg)
			require.ErrorContains(t, err, want)
		}
	})

	t.Run("permalink of a message leads to the page", func(t *testing.T) {
		api, ws := alone(t)
		channel, ts, err := api.PostMessage(slacksim.UserID(ann), say("here"))
		require.NoError(t, err)
		archives := ws.Address() + "/archives/"
		there := look(t, archives+channel+"/p"+strings.Replace(ts, ".", "", 1))
		require.Equal(t, http.StatusFound, there.status)
		to, err := url.Parse(there.header.Get("Location"))
		require.NoError(t, err)
		require.Equal(t, url.Values{"as": {slacksim.UserID(ann)}, "tab": {"messages"}, "message": {ts}}, to.Query())
		require.Equal(t, http.StatusNotFound, look(t, archives+"D0NOWHERE/p1234567890123456").status)
		require.Equal(t, http.StatusNotFound, look(t, archives+channel+"/p12").status)
	})

	t.Run("body other than JSON is refused", func(t *testing.T) {
		_, ws := alone(t)
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
			status, says := post(t, ws.Address()+"/client/away", kind, `{"away":true}`)
			require.Equal(t, http.StatusUnsupportedMediaType, status, says)
		}
		status, _ := post(t, ws.Address()+"/client/away", "application/json; charset=utf-8", `{"away":false}`)
		require.Equal(t, http.StatusOK, status)
	})

	t.Run("traffic has payloads without tokens", func(t *testing.T) {
		a := sample()
		in := install(t, "http", a)
		u := in.ws.As(ann).Must(t)
		u.OpenHome()
		u.Press("Request Access")
		u.WaitForModal("Request Access")
		u.Search("Person", "an")
		u.Fill("Reason", "because")
		require.NotEmpty(t, u.Submit())
		_, _, err := a.api.PostMessage(slacksim.UserID(ben), say("the token is "+botToken), slack.MsgOptionBlocks(
			slack.NewActionBlock("decide", button("approve", "1", "Approve"))))
		require.NoError(t, err)
		bens := in.ws.As(ben).Must(t)
		bens.PressIn(bens.Messages()[0], "Approve")
		bens.WaitForMessage("Approved by")
		_, err = a.api.UpdateView(modal(), "", "", "V0NOWHERE")
		require.Error(t, err)

		all, err := in.ws.Traffic(0)
		require.NoError(t, err)
		contents := map[string]string{} // the newest, by direction and name
		users := map[string]string{}
		for _, row := range all {
			got := look(t, fmt.Sprintf("%s/client/traffic/%d", in.url, row.Seq))
			require.Equal(t, http.StatusOK, got.status, "%s: %s", row.Name, got.body)
			for _, token := range []string{botToken, appToken, secret, `"token"`} {
				require.NotContains(t, got.body, token, row.Name)
			}
			require.NotRegexp(t, `/response/R0`, got.body)
			contents[row.Direction+": "+row.Name] = got.body
			users[row.Name] = row.User
		}
		require.Contains(t, contents["app to slack: views.publish"], `"text":"Request Access"`)
		require.Contains(
			t,
			contents["app to slack: chat.postMessage"],
			`"action_id":"approve"`,
			"blocks are JSON, not JSON in a string",
		)
		require.Contains(t, contents["slack to app: block_actions"], `/response/•••`)
		require.Contains(t, contents["slack to app: view_submission"], `"answer":{"errors":{"reason":"Say more"}`)
		require.Contains(t, contents["slack to app: block_suggestion"], `"value":"an"`)
		require.Equal(t, slacksim.UserID(ann), users["views.publish"])
		require.Equal(t, slacksim.UserID(ann), users["views.open"], "by its trigger")
		require.Equal(t, slacksim.UserID(ben), users["chat.update"], "by its channel")

		var newest []slacksim.Traffic
		fetch(t, in.url+"/client/traffic?limit=1", &newest)
		require.Len(t, newest, 1)
		require.Equal(t, all[len(all)-1].Seq, newest[0].Seq)
		require.Equal(t, http.StatusConflict, look(t, in.url+"/client/traffic/1000000").status)
	})

	// Source: views.publish; a block without block_id gets a new random one each time.
	t.Run("button that was redrawn meanwhile can be pressed", func(t *testing.T) {
		api, ws := alone(t)
		publish := func() slacksim.Screen {
			_, err := api.PublishView(slacksim.UserID(ann), home(slack.NewActionBlock("", button("b", "seven", "Button"))), "")
			require.NoError(t, err)
			screen, err := ws.As(ann).Screen()
			require.NoError(t, err)
			return screen
		}
		before := publish().Home
		publish()
		press := func(value string) int {
			body, err := json.Marshal(m{"view_id": before.ID, "block_id": before.Blocks[0]["block_id"], "action_id": "b", "value": value})
			require.NoError(t, err)
			resp, err := http.Post(ws.Address()+"/client/users/"+ann+"/press", "application/json", bytes.NewReader(body))
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			return resp.StatusCode
		}
		require.Equal(t, http.StatusOK, press("seven"))
		require.Equal(t, http.StatusConflict, press("eight"), "another button")
		require.Equal(t, http.StatusConflict, press(""))
	})
}
