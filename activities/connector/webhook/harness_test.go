package webhook

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
	"accessbot/activities/connector/webhook/receiver"
)

const testSecret = "hunter2hunter2hunter2hunter2hunter2"

// harness is the example receiver, with its data in memory.
type harness struct {
	*receiver.Memory
	server *httptest.Server
}

var _ connectortest.Harness = (*harness)(nil)

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{Memory: receiver.NewMemory(3)}
	h.server = httptest.NewServer(receiver.Handler(h.Memory, testSecret))
	t.Cleanup(h.server.Close)
	return h
}

// connect opens a connector to the receiver at url.
func connect(t *testing.T, url string) *Connector {
	t.Helper()
	return openAs(t, url, testSecret)
}

func openAs(t *testing.T, url, secret string) *Connector {
	t.Helper()
	s := Settings{URL: url, Secret: connector.NewSecret(secret)}
	c, err := s.open()
	require.NoError(t, err)
	c.bound = 3 * time.Second
	return c
}

// connectTo opens a connector to a receiver that a test implements.
func connectTo(t *testing.T, handler http.HandlerFunc) *Connector {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := connect(t, server.URL+"/accessbot")
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func (h *harness) Addr() string { return h.server.Listener.Addr().String() }

func (h *harness) Capabilities() connectortest.Capabilities {
	return connectortest.Capabilities{CreatesAccounts: true, Checks: true, Lists: true}
}

func (h *harness) Open(t *testing.T, addr string) connector.Connector {
	t.Helper()
	return lister{connect(t, "http://"+addr+"/accessbot?of=a")}
}

func (h *harness) OpenWithBadCredentials(t *testing.T) (connector.Connector, string) {
	t.Helper()
	secret := strings.ToUpper(testSecret)
	return openAs(t, h.server.URL, secret), secret
}

func (h *harness) CallTimeout() time.Duration { return 3 * time.Second }

func (h *harness) ChangeMarker() string { return `"id":"` }

func (h *harness) Account(t *testing.T) string {
	t.Helper()
	name := h.MissingAccount(t)
	require.NoError(t, h.CreateAccount(t.Context(), name))
	return name
}

func (h *harness) Object(t *testing.T) string {
	t.Helper()
	name := h.MissingObject(t)
	h.AddObject(name, "")
	return name
}

func (h *harness) MissingAccount(t *testing.T) string {
	t.Helper()
	return rand.Text() + "@exämple.com"
}

func (h *harness) MissingObject(t *testing.T) string {
	t.Helper()
	return `crm/"` + rand.Text() + `" <&>`
}

func (h *harness) Exists(t *testing.T, name string) bool {
	t.Helper()
	return h.Memory.Exists(name)
}

func (h *harness) Holds(t *testing.T, a connector.Assignment) bool {
	t.Helper()
	status, _ := h.Memory.Read(t.Context(), receiver.Assignment(a)) // what does not exist is not held
	return status.State == receiver.Held
}

func (h *harness) GrantByHand(t *testing.T, a connector.Assignment) {
	t.Helper()
	h.Set(receiver.Assignment(a), true)
}

func (h *harness) RevokeByHand(t *testing.T, a connector.Assignment) {
	t.Helper()
	h.Set(receiver.Assignment(a), false)
}

func (h *harness) Refused(t *testing.T) map[string]connector.Assignment {
	t.Helper()
	account, object, root, held := h.Account(t), h.Object(t), rand.Text(), rand.Text()
	h.AddObject(root, "no one may have this")
	h.AddObject(held, "no one may have this")
	h.GrantByHand(t, connector.Assignment{Account: account, Object: held})
	return map[string]connector.Assignment{
		"an object that the receiver refuses": {Account: account, Object: root},
		"... if it is held":                   {Account: account, Object: held},
		"... to a missing account":            {Account: h.MissingAccount(t), Object: root},
		"an empty name as object":             {Account: account, Object: ""},
		"an empty name as account":            {Account: "", Object: object},
		"a name with NUL as object":           {Account: account, Object: object + "\x00"},
		"a name with a line break as account": {Account: account + "\n", Object: object},
		"a name that is not UTF-8":            {Account: account + "\xff", Object: object},
		"a name that is too long":             {Account: strings.Repeat("é", 128), Object: object},
	}
}
