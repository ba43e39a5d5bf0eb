package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
	"accessbot/activities/connector/webhook/receiver"
)

func TestConformance(t *testing.T) {
	h := newHarness(t)
	connectortest.Run(t, h)
	connectortest.RunHTTP(t, h)
}

var assignment = connector.Assignment{Account: "ann", Object: "crew"}

func requireClass(t *testing.T, want connector.Class, err error) {
	t.Helper()
	require.Equal(t, want, connector.ClassOf(err), "%v", err)
}

// slowStore is a store that makes changes later, when a test says so.
type slowStore struct {
	*receiver.Memory
	mu     sync.Mutex
	status receiver.Status
	asked  []string // "grant" or "revoke"
}

func (s *slowStore) Read(context.Context, receiver.Assignment) (receiver.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, nil
}

func (s *slowStore) Change(_ context.Context, _ string, _ receiver.Assignment, held bool) (receiver.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, map[bool]string{true: "grant", false: "revoke"}[held])
	switch {
	case held && s.status.State == receiver.NotHeld:
		s.status = receiver.Status{State: receiver.Pending, WaitsFor: "Bob in\n finance", CheckAfter: 300, Revision: "2"}
	case !held && s.status.State == receiver.Held:
		s.status = receiver.Status{State: receiver.PendingRemoval, CheckAfter: 1 << 40, Revision: "4"}
	case !held && s.status.State == receiver.Pending:
		s.status = receiver.Status{State: receiver.NotHeld, Revision: "5"}
	}
	return s.status, nil
}

func TestChange(t *testing.T) {
	t.Run("slow change is pending until it is done", func(t *testing.T) {
		s := &slowStore{status: receiver.Status{State: receiver.NotHeld, Revision: "1"}}
		server := httptest.NewServer(receiver.Handler(s, testSecret))
		t.Cleanup(server.Close)
		c := connect(t, server.URL)
		requirePending := func(want connector.Pending, err error) {
			t.Helper()
			var pending *connector.Pending
			require.ErrorAs(t, err, &pending)
			require.Equal(t, want, *pending)
		}
		requireState := func(want connector.State) {
			t.Helper()
			state, err := c.Read(t.Context(), assignment)
			require.NoError(t, err)
			require.Equal(t, want, state)
		}
		for range 2 {
			requirePending(
				connector.Pending{Assignment: assignment, Want: true, WaitsFor: "Bob in finance", CheckAfter: 5 * time.Minute},
				connector.Ensure(t.Context(), c, assignment, true),
			)
			requireState(connector.State{Pending: true, WaitsFor: "Bob in finance"})
		}
		s.status = receiver.Status{State: receiver.Held, Revision: "3"} // Bob has done it
		require.NoError(t, connector.Ensure(t.Context(), c, assignment, true))
		requireState(connector.State{Held: true})

		requirePending(
			connector.Pending{Assignment: assignment, WaitsFor: "the target system", CheckAfter: 24 * time.Hour},
			connector.Ensure(t.Context(), c, assignment, false),
		)
		requireState(connector.State{Held: true, Pending: true})
		s.status = receiver.Status{State: receiver.NotHeld, Revision: "5"}
		require.NoError(t, connector.Ensure(t.Context(), c, assignment, false))

		requireClass(t, connector.ClassPending, c.Grant(t.Context(), assignment))
		require.NoError(t, connector.Ensure(t.Context(), c, assignment, false), "a pending grant is withdrawn")
		require.Equal(t, []string{"grant", "grant", "grant", "revoke", "grant", "revoke"}, s.asked)
	})

	t.Run("repeated change keeps its ID and the next change has another", func(t *testing.T) {
		m := receiver.NewMemory(3)
		require.NoError(t, m.CreateAccount(t.Context(), assignment.Account))
		m.AddObject(assignment.Object, "")
		x := &ids{next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body) // a truncated body is invalid JSON
			r.Body = io.NopCloser(bytes.NewReader(body))
			if bytes.Contains(body, []byte(`"read"`)) {
				receiver.Handler(m, testSecret).ServeHTTP(w, r)
				return
			}
			x.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		c := connect(t, server.URL)
		for range 3 { // the receiver gets none of them
			requireClass(t, connector.ClassUnavailable, c.Grant(t.Context(), assignment))
		}
		require.Equal(t, []string{x.all[0], x.all[0], x.all[0]}, x.all)
		require.NotEmpty(t, x.all[0])

		x.next = receiver.Handler(m, testSecret)
		require.NoError(t, connector.Ensure(t.Context(), c, assignment, true))
		require.Equal(t, x.all[0], x.all[3])
		for _, held := range []bool{false, true, false, true} {
			require.NoError(t, connector.Ensure(t.Context(), c, assignment, held))
		}
		seen := map[string]int{}
		for _, id := range x.all {
			seen[id]++
		}
		require.Len(t, seen, 5, "a grant after a revoke is another change")

		ann, bob := changeID("grant", assignment, "1"), changeID("grant", connector.Assignment{Account: "bob", Object: "crew"}, "1")
		require.NotEqual(t, ann, bob)
		require.NotEqual(t, changeID("grant", connector.Assignment{Account: "an", Object: "ncrew"}, "1"), ann)
		require.Empty(t, changeID("grant", assignment, ""), "without revisions, the next change would have the same ID")
	})

	t.Run("change whose response was lost is repeated", func(t *testing.T) {
		m := receiver.NewMemory(3)
		require.NoError(t, m.CreateAccount(t.Context(), assignment.Account))
		m.AddObject(assignment.Object, "")
		x := &ids{next: receiver.Handler(m, testSecret), drop: 1}
		server := httptest.NewServer(x)
		t.Cleanup(server.Close)
		c := connect(t, server.URL)
		requireClass(t, connector.ClassUnavailable, connector.Ensure(t.Context(), c, assignment, true))
		require.NoError(t, connector.Ensure(t.Context(), c, assignment, true))
		state, err := m.Read(t.Context(), receiver.Assignment(assignment))
		require.NoError(t, err)
		require.Equal(t, receiver.Status{State: receiver.Held, Revision: "1"}, state, "it was made once")
	})

	t.Run("grant replayed after the revocation grants nothing", func(t *testing.T) {
		m := receiver.NewMemory(3)
		require.NoError(t, m.CreateAccount(t.Context(), assignment.Account))
		m.AddObject(assignment.Object, "")
		handler := receiver.Handler(m, testSecret)
		x := &ids{next: handler}
		server := httptest.NewServer(x)
		t.Cleanup(server.Close)
		c := connect(t, server.URL)
		require.NoError(t, connector.Ensure(t.Context(), c, assignment, true))
		require.NoError(t, connector.Ensure(t.Context(), c, assignment, false))
		again := x.raw[0].Clone(t.Context())
		again.Body = io.NopCloser(bytes.NewReader(x.body[0]))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, again)
		require.Equal(t, http.StatusOK, w.Code)
		state, err := c.Read(t.Context(), assignment)
		require.NoError(t, err)
		require.Equal(t, connector.State{}, state)
	})

	t.Run("name that cannot exist is refused without a call", func(t *testing.T) {
		c := connectTo(t, func(http.ResponseWriter, *http.Request) { assert.Fail(t, "the receiver was called") })
		for _, a := range []connector.Assignment{{Account: "ann"}, {Object: "crew"}, {Account: "ann\x00", Object: "crew"}} {
			_, err := c.Read(t.Context(), a)
			requireClass(t, connector.ClassRefused, err)
			requireClass(t, connector.ClassRefused, c.Grant(t.Context(), a))
			requireClass(t, connector.ClassRefused, c.Revoke(t.Context(), a))
		}
		requireClass(t, connector.ClassRefused, c.CreateAccount(t.Context(), ""))
	})
}

// ids collects the IDs of the changes that a receiver gets.
type ids struct {
	next http.Handler
	mu   sync.Mutex
	all  []string
	drop int // how many responses to changes to lose
	raw  []*http.Request
	body [][]byte
}

func (x *ids) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	body, _ := io.ReadAll(r.Body) // a truncated body is invalid JSON
	r.Body = io.NopCloser(bytes.NewReader(body))
	var asked request
	if json.Unmarshal(body, &asked) == nil && (asked.Action == "grant" || asked.Action == "revoke") {
		x.all = append(x.all, asked.ID)
		x.raw, x.body = append(x.raw, r), append(x.body, body)
		if x.drop > 0 {
			x.drop--
			x.next.ServeHTTP(httptest.NewRecorder(), r)
			http.Error(w, "the response was lost", http.StatusBadGateway)
			return
		}
	}
	x.next.ServeHTTP(w, r)
}

func TestResponse(t *testing.T) {
	t.Run("404 is gone only with the exact body for it", func(t *testing.T) {
		for body, gone := range map[string]connector.Part{
			`{"missing":"object"}`:              connector.Object,
			" {\n \"missing\": \"account\" }\n": connector.Account,
			"404 page not found":                "",
			"":                                  "",
			"null":                              "",
			"{}":                                "",
			`{"message":"no Route matched"}`:    "",
			`{"missing":"object","message":"not found"}`: "",
			`{"missing":"route"}`:                        "",
			`{"missing":["object"]}`:                     "",
			`{"missing":"object"} {"missing":"object"}`:  "",
			`["missing","object"]`:                       "",
			`<html>{"missing":"object"}</html>`:          "",
		} {
			c := connectTo(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, body) // the client is this test
			})
			for name, call := range map[string]func() error{
				"read":   func() error { _, err := c.Read(t.Context(), assignment); return err },
				"grant":  func() error { return c.Grant(t.Context(), assignment) },
				"revoke": func() error { return c.Revoke(t.Context(), assignment) },
			} {
				err := call()
				if gone == "" {
					requireClass(t, connector.ClassUnavailable, err)
					continue
				}
				var g *connector.Gone
				require.ErrorAs(t, err, &g, "%s: %s", name, body)
				require.Equal(t, gone, g.Part)
			}
			if gone == "" {
				requireClass(t, connector.ClassUnavailable, connector.Ensure(t.Context(), c, assignment, false))
			}
			_, err := c.Check(t.Context())
			requireClass(t, connector.ClassUnavailable, err)
			requireClass(t, connector.ClassUnavailable, lister{c}.List(t.Context(), func(connector.Assignment) error { return nil }))
		}
	})

	t.Run("response has its class", func(t *testing.T) {
		for _, test := range []struct {
			status  int
			headers []string
			body    string
			class   connector.Class
			says    string
		}{
			{401, nil, `{"error":"the clock is off"}`, connector.ClassDenied, "the clock is off"},
			{403, nil, "", connector.ClassDenied, "compare the secret"},
			{400, nil, "", connector.ClassDenied, "version 1"},
			{405, nil, "", connector.ClassDenied, "version 1"},
			{307, []string{"Location", "/elsewhere"}, "", connector.ClassDenied, "redirects are not followed"},
			{422, nil, `{"refused":"there is no assignment left"}`, connector.ClassRefused, `the owners of "crew" cannot do it: there is no assignment left`},
			{422, nil, `{"refused":""}`, connector.ClassDenied, "let the receiver give a reason"},
			{422, nil, `Unprocessable`, connector.ClassDenied, "let the receiver give a reason"},
			{501, nil, "", connector.ClassDenied, "let the receiver support"},
			{408, nil, "", connector.ClassUnavailable, "408"},
			{409, nil, "", connector.ClassUnavailable, "409"},
			{500, nil, "", connector.ClassUnavailable, "500"},
			{502, nil, "<html>\n<b>Bad Gateway", connector.ClassUnavailable, "<html> <b>Bad Gateway"},
			{503, nil, "", connector.ClassUnavailable, "503"},
			{204, nil, "", connector.ClassUnavailable, "204"},
			{503, []string{"Retry-After", "30"}, "", connector.ClassRateLimited, "retry after 30s"},
			{429, []string{"Retry-After", "2"}, "", connector.ClassRateLimited, "retry after 2s"},
			{429, []string{"Retry-After", "99999999999"}, "", connector.ClassRateLimited, "retry after 24h"},
			{429, nil, "", connector.ClassRateLimited, "asks for fewer calls: "},
			{429, []string{"Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}, "", connector.ClassRateLimited, "retry after 59m"},
			{200, nil, "<html>Please log in", connector.ClassUnavailable, "not from a receiver"},
			{200, nil, `{"state":"yes"}`, connector.ClassDenied, `it returned "yes"`},
			{200, nil, `{}`, connector.ClassDenied, "held, not_held"},
			{200, nil, `{"state":"` + strings.Repeat("x", 1<<20) + `"}`, connector.ClassUnavailable, "more than 1048576 bytes"},
			{401, nil, "you sent " + testSecret, connector.ClassDenied, "you sent (secret)"},
		} {
			c := connectTo(t, func(w http.ResponseWriter, _ *http.Request) {
				for i := 0; i < len(test.headers); i += 2 {
					w.Header().Set(test.headers[i], test.headers[i+1])
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body) // the client is this test
			})
			for _, call := range []func() error{
				func() error { _, err := c.Read(t.Context(), assignment); return err },
				func() error { return c.Grant(t.Context(), assignment) },
				func() error { return c.Revoke(t.Context(), assignment) },
			} {
				err := call()
				requireClass(t, test.class, err)
				require.ErrorContains(t, err, test.says)
				require.NotContains(t, err.Error(), testSecret)
			}
		}
	})

	t.Run("response to a change has its class", func(t *testing.T) {
		for status, class := range map[int]connector.Class{200: connector.ClassNone, 202: connector.ClassPending, 204: connector.ClassUnavailable, 409: connector.ClassUnavailable, 501: connector.ClassDenied} {
			c := connectTo(t, func(w http.ResponseWriter, r *http.Request) {
				if body, _ := io.ReadAll(r.Body); bytes.Contains(body, []byte(`"read"`)) {
					_, _ = io.WriteString(w, `{"state":"pending","revision":"1"}`) // the client is this test
					return
				}
				w.WriteHeader(status)
			})
			requireClass(t, class, c.Grant(t.Context(), assignment))
			requireClass(t, class, c.Revoke(t.Context(), assignment))
		}
	})

	t.Run("receiver's text is shortened and cleaned", func(t *testing.T) {
		require.Equal(t, "a b c", readable("\n a\x00b \u2028c\t"))
		require.Equal(t, strings.Repeat("é", 200)+"...", readable(strings.Repeat("é", 300)))
		require.Equal(t, "a?b", readable("a\xffb"))
	})
}

// minimalStore is a store without optional actions.
type minimalStore struct{ *receiver.Memory }

func (minimalStore) CreateAccount(context.Context, string) error { return receiver.ErrNotSupported }
func (minimalStore) List(context.Context, string) ([]receiver.Assignment, string, error) {
	return nil, "", receiver.ErrNotSupported
}

func TestReceiver(t *testing.T) {
	t.Run("receiver need not create accounts or list", func(t *testing.T) {
		m := minimalStore{receiver.NewMemory(3)}
		m.AddObject(assignment.Object, "")
		server := httptest.NewServer(receiver.Handler(m, testSecret))
		t.Cleanup(server.Close)
		c := connect(t, server.URL)
		var gone *connector.Gone
		require.ErrorAs(t, connector.Ensure(t.Context(), c, assignment, true), &gone)
		require.Equal(t, connector.Gone{Part: connector.Account, Name: "ann"}, *gone)
		requireClass(t, connector.ClassGone, c.CreateAccount(t.Context(), "ann"))

		err := lister{c}.List(t.Context(), func(connector.Assignment) error { return nil })
		requireClass(t, connector.ClassDenied, err)
		require.ErrorContains(t, err, "lists: true")
		for _, lists := range []bool{false, true} {
			s := Settings{URL: server.URL, Secret: connector.NewSecret(testSecret), Lists: lists}
			opened, err := s.Open()
			require.NoError(t, err)
			_, is := opened.(connector.Lister)
			require.Equal(t, lists, is)
			_, is = opened.(connector.Checker)
			require.True(t, is)
			_, is = opened.(connector.AccountCreator)
			require.True(t, is)
		}
	})

	t.Run("list with repeated cursors ends with an error", func(t *testing.T) {
		next := map[string]string{"": "a", "a": "b", "b": "a"}
		c := connectTo(t, func(w http.ResponseWriter, r *http.Request) {
			var asked request
			if json.NewDecoder(r.Body).Decode(&asked) == nil {
				_ = json.NewEncoder(w).Encode(map[string]any{"assignments": []any{}, "next": next[asked.Cursor]}) // the client is this test
			}
		})
		err := lister{c}.List(t.Context(), func(connector.Assignment) error { return nil })
		requireClass(t, connector.ClassDenied, err)
		require.ErrorContains(t, err, "the same cursor")
	})

	t.Run("check returns the receiver's description of itself", func(t *testing.T) {
		h := newHarness(t)
		h.Account(t)
		report, err := connect(t, h.server.URL).Check(t.Context())
		require.NoError(t, err)
		require.Equal(t, h.Addr()+": a system in memory with 1 accounts and 0 objects", report)
	})

	t.Run("check finds a receiver that does not verify signatures", func(t *testing.T) {
		for status, class := range map[int]connector.Class{200: connector.ClassDenied, 404: connector.ClassDenied, 403: connector.ClassNone, 401: connector.ClassNone, 500: connector.ClassUnavailable, 429: connector.ClassRateLimited} {
			c := connectTo(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body) // a truncated body has a wrong signature
				if receiver.Verify(r, body, time.Now(), testSecret) != nil {
					w.WriteHeader(status)
				}
				_, _ = io.WriteString(w, `{"says":"all is well"}`) // the client is this test
			})
			_, err := c.Check(t.Context())
			requireClass(t, class, err)
			if status == 200 {
				require.ErrorContains(t, err, "anyone can grant access there")
			}
		}
	})
}

func TestSettings(t *testing.T) {
	t.Run("setting that cannot work is refused", func(t *testing.T) {
		garbage := filepath.Join(t.TempDir(), "ca.pem")
		require.NoError(t, os.WriteFile(garbage, []byte("garbage"), 0o600))
		good := Settings{URL: "https://licences.example.com/accessbot", Secret: connector.NewSecret(testSecret)}
		c, err := good.Open()
		require.NoError(t, err)
		require.NoError(t, c.Close())
		for _, test := range []struct {
			says   string
			change func(*Settings)
		}{
			{"an https address", func(s *Settings) { s.URL = "http://licences.example.com" }},
			{"set url to the address", func(s *Settings) { s.URL = "https://user:hunter2@licences.example.com" }},
			{"set url to the address", func(s *Settings) { s.URL = "licences.example.com" }},
			{"set url to the address", func(s *Settings) { s.URL = "ftp://licences.example.com" }},
			{"set url to the address", func(s *Settings) { s.URL = "https://a:hunter2@:x" }},
			{"at least 32 characters", func(s *Settings) { s.Secret = connector.NewSecret("hunter2") }},
			{"at least 32 characters", func(s *Settings) { s.Secret = connector.Secret{} }},
			{"readable file", func(s *Settings) { s.CAFile = "/no/such/file" }},
			{"there are none in", func(s *Settings) { s.CAFile = garbage }},
		} {
			s := good
			test.change(&s)
			c, err := s.Open()
			requireClass(t, connector.ClassDenied, err)
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), "hunter2")
			require.Equal(t, connector.Connector(nil), c, "not a typed nil")
		}
	})

	t.Run("private certificate authority is trusted if ca_file has it", func(t *testing.T) {
		m := receiver.NewMemory(3)
		require.NoError(t, m.CreateAccount(t.Context(), assignment.Account))
		m.AddObject(assignment.Object, "")
		server := httptest.NewTLSServer(receiver.Handler(m, testSecret))
		t.Cleanup(server.Close)
		file := filepath.Join(t.TempDir(), "ca.pem")
		require.NoError(
			t,
			os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600),
		)
		s := Settings{URL: server.URL, Secret: connector.NewSecret(testSecret)}
		c, err := s.Open()
		require.NoError(t, err)
		err = c.Grant(t.Context(), assignment)
		requireClass(t, connector.ClassDenied, err)
		require.ErrorContains(t, err, "ca_file")
		s.CAFile = file
		c, err = s.Open()
		require.NoError(t, err)
		require.NoError(t, connector.Ensure(t.Context(), c, assignment, true))
		require.NoError(t, c.Close())
	})
}

// document returns docs/connectors/webhook.md.
func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/connectors/webhook.md")
	require.NoError(t, err)
	return string(text)
}

func TestDocumentation(t *testing.T) {
	t.Run("documented signature is the one that is sent", func(t *testing.T) {
		const secret, timestamp, body = "0123456789abcdef0123456789abcdef", "1790000000", `{"version":1,"action":"check"}`
		signature := sign(secret, timestamp, "POST/accessbot", []byte(body))
		text := document(t)
		for _, part := range []string{secret, timestamp, "`/accessbot`", "`" + body + "`", "\n" + signature + "\n"} {
			require.Contains(t, text, part)
		}
		r := httptest.NewRequest(http.MethodPost, "/accessbot", strings.NewReader(body))
		r.Header.Set("Accessbot-Timestamp", timestamp)
		r.Header.Set("Accessbot-Signature", signature)
		require.NoError(t, receiver.Verify(r, []byte(body), time.Unix(1790000000, 0), secret))
	})

	t.Run("documented receiver compiles", func(t *testing.T) {
		block := regexp.MustCompile("(?s)```go\n(.*?)```").FindStringSubmatch(document(t))
		require.Len(t, block, 2)
		file := filepath.Join(t.TempDir(), "main.go")
		require.NoError(t, os.WriteFile(file, []byte(block[1]), 0o600))
		out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput()
		require.NoError(t, err, "%s", out)
		formatted, err := exec.CommandContext(t.Context(), "gofmt", "-l", file).CombinedOutput()
		require.NoError(t, err)
		require.Empty(t, string(formatted), "gofmt")
	})
}
