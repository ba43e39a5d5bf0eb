package github

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
	"accessbot/activities/connector/httptarget"
)

// harness is a local GitHub.
type harness struct {
	*localGitHub
	at   string
	byID bool
}

var _ connectortest.Harness = (*harness)(nil)

func newHarness(t *testing.T) *harness {
	t.Helper()
	g := newLocalGitHub(t)
	return &harness{localGitHub: g, at: g.addr(t)}
}

// changing marks requests that change something, so that tests can recognize them.
type changing struct{ *http.Transport }

func (c changing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut || r.Method == http.MethodDelete {
		r = r.Clone(r.Context())
		r.Header.Set("X-Test-Change", "1")
	}
	return c.Transport.RoundTrip(r)
}

func (h *harness) ChangeMarker() string { return "X-Test-Change" }

func (h *harness) settings(addr string) Settings {
	s := Settings{URL: "http://" + addr, Organization: localOrg, Token: connector.NewSecret(localToken)}
	if h.byID {
		s.Accounts = "id"
	}
	return s
}

func (h *harness) open(t *testing.T, s Settings) *Connector {
	t.Helper()
	c, err := s.open(changing{httptarget.Transport()})
	require.NoError(t, err)
	c.bound, c.pageSize = h.CallTimeout(), 3
	return c
}

// connect opens a connector for a test of this package.
func (h *harness) connect(t *testing.T, change ...func(*Settings)) *Connector {
	t.Helper()
	s := h.settings(h.at)
	for _, f := range change {
		f(&s)
	}
	c := h.open(t, s)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func (h *harness) Addr() string { return h.at }

func (h *harness) Capabilities() connectortest.Capabilities {
	return connectortest.Capabilities{Checks: true, Lists: true}
}

func (h *harness) Open(t *testing.T, addr string) connector.Connector {
	t.Helper()
	return h.open(t, h.settings(addr))
}

func (h *harness) OpenWithBadCredentials(t *testing.T) (connector.Connector, string) {
	t.Helper()
	s := h.settings(h.at)
	s.Token = connector.NewSecret("ghp_wrongwrongwrong")
	return h.open(t, s), s.Token.Reveal()
}

func (h *harness) CallTimeout() time.Duration { return 3 * time.Second }

func word() string { return strings.ToLower(rand.Text()[:10]) }

// stranger adds a user who is not a member of the organization.
func (h *harness) stranger(t *testing.T) string {
	t.Helper()
	var u *localUser
	h.do(func() { u = h.addUser("Octo-"+word(), "User") })
	return h.name(u)
}

func (h *harness) name(u *localUser) string {
	if h.byID {
		return strconv.FormatInt(u.ID, 10)
	}
	return u.Login
}

// key returns the lower-case login of an account.
func (h *harness) key(account string) string {
	if !h.byID {
		return strings.ToLower(account)
	}
	for key, u := range h.users {
		if h.name(u) == account {
			return key
		}
	}
	return ""
}

func (h *harness) Account(t *testing.T) string {
	t.Helper()
	account := h.stranger(t)
	h.do(func() { h.members[h.key(account)] = &localMembership{State: active, Role: member} })
	return account
}

func (h *harness) Object(t *testing.T) string {
	t.Helper()
	object := h.MissingObject(t)
	h.do(func() { h.addTeam(strings.TrimPrefix(object, teamPrefix), "") })
	return object
}

func (h *harness) MissingAccount(t *testing.T) string {
	t.Helper()
	if h.byID {
		return "9" + strconv.Itoa(int(time.Now().UnixNano()%1e9))
	}
	return "Missing-" + word()
}

func (h *harness) MissingObject(t *testing.T) string {
	t.Helper()
	return "team:crew-" + word()
}

func (h *harness) Exists(t *testing.T, name string) (exists bool) {
	t.Helper()
	h.do(func() {
		_, team := h.teams[strings.TrimPrefix(name, teamPrefix)]
		_, user := h.users[h.key(name)]
		exists = team || user
	})
	return exists
}

func (h *harness) Holds(t *testing.T, a connector.Assignment) (holds bool) {
	t.Helper()
	h.do(func() {
		if a.Object == organizationObject {
			m := h.members[h.key(a.Account)]
			holds = m != nil && m.State == active
			return
		}
		if team := h.teams[strings.TrimPrefix(a.Object, teamPrefix)]; team != nil {
			_, holds = team.direct[h.key(a.Account)]
		}
	})
	return holds
}

func (h *harness) GrantByHand(t *testing.T, a connector.Assignment) {
	t.Helper()
	h.do(func() { h.teams[strings.TrimPrefix(a.Object, teamPrefix)].direct[h.key(a.Account)] = "maintainer" })
}

func (h *harness) RevokeByHand(t *testing.T, a connector.Assignment) {
	t.Helper()
	h.do(func() { delete(h.teams[strings.TrimPrefix(a.Object, teamPrefix)].direct, h.key(a.Account)) })
}

func (h *harness) Refused(t *testing.T) map[string]connector.Assignment {
	t.Helper()
	account, object := h.Account(t), h.Object(t)
	var own, company string
	h.do(func() { own, company = h.name(h.users["accessbot-app"]), h.name(h.users[strings.ToLower(localOrg)]) })
	refused := map[string]connector.Assignment{
		"the token's own user":                     {Account: own, Object: object},
		"the token's own user in the organization": {Account: own, Object: organizationObject},
		"an organization as account":               {Account: company, Object: object},
		"an empty name as object":                  {Account: account, Object: ""},
		"an empty name as account":                 {Account: "", Object: object},
		"a team without its slug":                  {Account: account, Object: "team:"},
		"a slug without its prefix":                {Account: account, Object: strings.TrimPrefix(object, teamPrefix)},
		"a team name, not its slug":                {Account: account, Object: "team:The Crew"},
		"path traversal as object":                 {Account: account, Object: "team:../../user"},
		"path traversal as account":                {Account: "../" + account, Object: object},
		"an email address as account":              {Account: "ann@example.com", Object: object},
		"a name with NUL as account":               {Account: account + "\x00", Object: object},
		"a name that is too long as object":        {Account: account, Object: "team:" + strings.Repeat("x", 251)},
		"a name that is too long as account":       {Account: strings.Repeat("7", 101), Object: object},
		"a login where accounts are IDs, or an ID": {Account: map[bool]string{true: "octocat", false: "-1"}[h.byID], Object: object},
	}
	if !h.byID {
		refused["a login in another spelling"] = connector.Assignment{Account: strings.ToUpper(account), Object: object}
	}
	return refused
}
