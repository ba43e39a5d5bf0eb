package github

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
	"accessbot/activities/connector/httptarget"
)

func TestConformance(t *testing.T) {
	for _, byID := range []bool{false, true} {
		t.Run(map[bool]string{false: "accounts by login", true: "accounts by ID"}[byID], func(t *testing.T) {
			h := newHarness(t)
			h.byID = byID
			connectortest.Run(t, h)
			connectortest.RunHTTP(t, h)
		})
	}
}

func requireClass(t *testing.T, want connector.Class, err error) {
	t.Helper()
	require.Equal(t, want, connector.ClassOf(err), "%v", err)
}

func requirePending(t *testing.T, waitsFor string, err error) {
	t.Helper()
	var pending *connector.Pending
	require.ErrorAs(t, err, &pending)
	require.Equal(t, waitsFor, pending.WaitsFor)
}

func (h *harness) changes() (writes []string) {
	h.do(func() { writes, h.writes = h.writes, nil })
	return writes
}

func TestInvitation(t *testing.T) {
	t.Run("user who is not a member is invited once", func(t *testing.T) {
		h := newHarness(t)
		c, login := h.connect(t), h.stranger(t)
		for _, object := range []string{h.Object(t), organizationObject} {
			a := connector.Assignment{Account: login, Object: object}
			for range 3 {
				requirePending(t, login+" to accept GitHub's invitation", c.Grant(t.Context(), a))
				requirePending(t, login+" to accept GitHub's invitation", connector.Ensure(t.Context(), c, a, true))
				state, err := c.Read(t.Context(), a)
				require.NoError(t, err)
				require.Equal(
					t,
					connector.State{Pending: true, On: connector.PendingOnHolder, WaitsFor: login + " to accept GitHub's invitation"},
					state,
				)
			}
			require.Len(t, h.changes(), 1, object)
			h.do(func() { h.accept(login) })
			require.NoError(t, connector.Ensure(t.Context(), c, a, true))
			require.True(t, h.Holds(t, a))
			require.NoError(t, connector.Ensure(t.Context(), c, connector.Assignment{Account: login, Object: organizationObject}, false))
			h.changes()
		}
	})

	t.Run("no invitation is sent where the settings refuse them", func(t *testing.T) {
		h := newHarness(t)
		c := h.connect(t, func(s *Settings) { s.Invitations = "refuse" })
		stranger, invited, colleague, object := h.stranger(t), h.stranger(t), h.Account(t), h.Object(t)
		h.do(func() { h.invite(h.users[h.key(invited)], h.users[strings.ToLower(localOrg)], member) }) // by someone else
		for login, o := range map[string]string{stranger: object, invited: object, h.stranger(t): organizationObject} {
			err := c.Grant(t.Context(), connector.Assignment{Account: login, Object: o})
			requireClass(t, connector.ClassRefused, err)
			require.ErrorContains(t, err, "the settings refuse invitations")
		}
		require.Empty(t, h.changes())
		require.NoError(t, connector.Ensure(t.Context(), c, connector.Assignment{Account: colleague, Object: object}, true))
	})

	t.Run("revoking the last team of an invitation withdraws it", func(t *testing.T) {
		h := newHarness(t)
		c, login, a, b := h.connect(t), h.stranger(t), h.Object(t), h.Object(t)
		both := []connector.Assignment{{Account: login, Object: a}, {Account: login, Object: b}}
		for range 4 { // more than a page of other invitations
			requireClass(t, connector.ClassPending, c.Grant(t.Context(), connector.Assignment{Account: h.stranger(t), Object: a}))
		}
		for _, x := range both {
			requireClass(t, connector.ClassPending, c.Grant(t.Context(), x))
		}
		require.NoError(t, connector.Ensure(t.Context(), c, both[0], false))
		state, err := c.Read(t.Context(), both[1])
		require.NoError(t, err)
		require.True(t, state.Pending, "the other team stays invited")
		require.NoError(t, connector.Ensure(t.Context(), c, both[1], false))
		h.do(func() {
			assert.Nil(t, h.members[strings.ToLower(login)], "the user cannot join the organization without a team")
			assert.Len(t, h.invitations, 4)
		})
	})

	t.Run("invitation from someone else only loses the team", func(t *testing.T) {
		h := newHarness(t)
		c, object := h.connect(t), h.Object(t)
		for name, change := range map[string]func(*localInvitation){
			"sent by someone else": func(i *localInvitation) { i.Inviter = h.users[strings.ToLower(localOrg)] },
			"sent as an owner":     func(i *localInvitation) { i.Role = "admin" },
			"extended by an admin": func(i *localInvitation) { i.teams = append(i.teams, "another") },
		} {
			t.Run(name, func(t *testing.T) {
				login := h.stranger(t)
				a := connector.Assignment{Account: login, Object: object}
				requireClass(t, connector.ClassPending, c.Grant(t.Context(), a))
				h.do(func() { change(h.invitations[len(h.invitations)-1]) })
				require.NoError(t, connector.Ensure(t.Context(), c, a, false))
				h.do(func() { assert.Equal(t, pending, h.members[strings.ToLower(login)].State) })
			})
		}
	})
}

func TestMembership(t *testing.T) {
	t.Run("membership of the organization is granted and revoked", func(t *testing.T) {
		h := newHarness(t)
		c, login, team := h.connect(t), h.Account(t), h.Object(t)
		a := connector.Assignment{Account: login, Object: organizationObject}
		require.NoError(t, connector.Ensure(t.Context(), c, connector.Assignment{Account: login, Object: team}, true))
		state, err := c.Read(t.Context(), a)
		require.NoError(t, err)
		require.Equal(t, connector.State{Held: true}, state)
		for range 2 {
			require.NoError(t, connector.Ensure(t.Context(), c, a, false))
		}
		require.False(t, h.Holds(t, a))
		require.False(t, h.Holds(t, connector.Assignment{Account: login, Object: team}), "GitHub removes the teams too")

		stranger := connector.Assignment{Account: h.stranger(t), Object: organizationObject}
		requireClass(t, connector.ClassPending, c.Grant(t.Context(), stranger))
		require.NoError(t, connector.Ensure(t.Context(), c, stranger, false))
		h.do(func() { assert.Empty(t, h.invitations) })
	})

	t.Run("grant does not demote maintainers and owners", func(t *testing.T) {
		h := newHarness(t)
		c, maintainer, boss, object := h.connect(t), h.Account(t), h.Account(t), h.Object(t)
		h.GrantByHand(t, connector.Assignment{Account: maintainer, Object: object})
		h.do(func() { h.members[strings.ToLower(boss)].Role = owner })
		require.NoError(t, connector.Ensure(t.Context(), c, connector.Assignment{Account: maintainer, Object: object}, true))
		require.NoError(t, connector.Ensure(t.Context(), c, connector.Assignment{Account: boss, Object: organizationObject}, true))
		require.Empty(t, h.changes())
		h.do(func() {
			assert.Equal(t, "maintainer", h.teams[strings.TrimPrefix(object, teamPrefix)].direct[strings.ToLower(maintainer)])
			assert.Equal(t, owner, h.members[strings.ToLower(boss)].Role)
		})
	})

	t.Run("owner keeps the organization and loses teams", func(t *testing.T) {
		h := newHarness(t)
		c, boss, object := h.connect(t), h.Account(t), h.Object(t)
		h.do(func() { h.members[strings.ToLower(boss)].Role = owner })
		err := c.Revoke(t.Context(), connector.Assignment{Account: boss, Object: organizationObject})
		requireClass(t, connector.ClassRefused, err)
		require.ErrorContains(t, err, "is an owner of the organization")

		a := connector.Assignment{Account: boss, Object: object}
		require.NoError(t, connector.Ensure(t.Context(), c, a, true))
		require.NoError(t, connector.Ensure(t.Context(), c, a, false))
		require.False(t, h.Holds(t, a))
		require.True(t, h.Holds(t, connector.Assignment{Account: boss, Object: organizationObject}))
	})

	t.Run("token's own user is not changed", func(t *testing.T) {
		h := newHarness(t)
		c, object := h.connect(t), h.Object(t)
		for _, o := range []string{object, organizationObject} {
			requireClass(t, connector.ClassRefused, c.Revoke(t.Context(), connector.Assignment{Account: "accessbot-app", Object: o}))
		}
		require.Empty(t, h.changes())
	})

	t.Run("member of a child team does not hold its parent", func(t *testing.T) {
		h := newHarness(t)
		c, login, parent, child := h.connect(t), h.Account(t), h.Object(t), h.Object(t)
		h.do(func() { h.teams[strings.TrimPrefix(child, teamPrefix)].parent = strings.TrimPrefix(parent, teamPrefix) })
		h.GrantByHand(t, connector.Assignment{Account: login, Object: child})
		a := connector.Assignment{Account: login, Object: parent}
		for range 4 { // more than a page of other members
			require.NoError(t, connector.Ensure(t.Context(), c, connector.Assignment{Account: h.Account(t), Object: parent}, true))
		}
		state, err := c.Read(t.Context(), a)
		require.NoError(t, err)
		require.Equal(t, connector.State{}, state)
		require.NoError(t, connector.Ensure(t.Context(), c, a, false))
		require.NoError(t, connector.Ensure(t.Context(), c, a, true))
		require.True(t, h.Holds(t, a))
		require.NoError(t, connector.Ensure(t.Context(), c, a, false))
		require.False(t, h.Holds(t, a))
		require.True(t, h.Holds(t, connector.Assignment{Account: login, Object: child}))
	})

	t.Run("member is found with one search", func(t *testing.T) {
		h := newHarness(t)
		c, object := h.connect(t), h.Object(t)
		login := ""
		for range 12 {
			login = h.Account(t)
			h.GrantByHand(t, connector.Assignment{Account: login, Object: object})
		}
		state, err := c.Read(t.Context(), connector.Assignment{Account: login, Object: object})
		require.NoError(t, err)
		require.True(t, state.Held)
		require.Equal(t, 1, h.searches)
	})

	t.Run("member that the search misses is found page by page", func(t *testing.T) {
		h := newHarness(t)
		c, object := h.connect(t), h.Object(t)
		var all []string
		for range 8 {
			all = append(all, h.Account(t))
			h.GrantByHand(t, connector.Assignment{Account: all[len(all)-1], Object: object})
		}
		h.do(func() {
			h.intercept = func(w http.ResponseWriter, r *http.Request) bool { // a search index that is out of date
				if r.URL.Path != "/api/graphql" {
					return false
				}
				body, err := readAll(r)
				if err != nil || !strings.Contains(body, `"search"`) {
					return false
				}
				reply(w, http.StatusOK, map[string]any{"data": map[string]any{"organization": map[string]any{"team": map[string]any{
					"members": map[string]any{"nodes": []any{}, "pageInfo": map[string]any{}}}}}})
				return true
			}
		})
		for _, login := range all {
			state, err := c.Read(t.Context(), connector.Assignment{Account: login, Object: object})
			require.NoError(t, err)
			require.True(t, state.Held, login)
		}
	})

	t.Run("membership removed meanwhile is revoked and a forbidden removal is an error", func(t *testing.T) {
		h := newHarness(t)
		c, a := h.connect(t), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
		h.GrantByHand(t, a)
		h.do(func() {
			h.intercept = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodDelete {
					delete(h.teams[strings.TrimPrefix(a.Object, teamPrefix)].direct, h.key(a.Account))
				}
				return false
			}
		})
		require.NoError(t, c.Revoke(t.Context(), a))
		h.GrantByHand(t, a)
		h.do(func() {
			h.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodDelete {
					notFound(w) // and it is still there: the token lacks the permission
				}
				return r.Method == http.MethodDelete
			}
		})
		err := c.Revoke(t.Context(), a)
		requireClass(t, connector.ClassUnavailable, err)
		require.ErrorContains(t, err, "let the token remove members of team crew-")
	})

	t.Run("list has direct members only", func(t *testing.T) {
		h := newHarness(t)
		c, parent, child := h.connect(t), h.Object(t), h.Object(t)
		h.do(func() { h.teams[strings.TrimPrefix(child, teamPrefix)].parent = strings.TrimPrefix(parent, teamPrefix) })
		for range 3 { // more than a page of teams, with the two
			h.Object(t)
		}
		above, below, boss, invited := h.Account(t), h.Account(t), h.Account(t), h.stranger(t)
		h.GrantByHand(t, connector.Assignment{Account: above, Object: parent})
		h.GrantByHand(t, connector.Assignment{Account: below, Object: child})
		h.GrantByHand(t, connector.Assignment{Account: "accessbot-app", Object: child})
		h.do(func() { h.members[strings.ToLower(boss)].Role = owner })
		requireClass(t, connector.ClassPending, c.Grant(t.Context(), connector.Assignment{Account: invited, Object: child}))

		var all []connector.Assignment
		require.NoError(t, c.List(t.Context(), func(a connector.Assignment) error { all = append(all, a); return nil }))
		require.ElementsMatch(t, []connector.Assignment{
			{Account: above, Object: parent}, {Account: below, Object: child},
			{Account: above, Object: organizationObject}, {Account: below, Object: organizationObject},
		}, all)

		h.do(func() { h.members["accessbot-app"].Role = member })
		requireClass(t, connector.ClassDenied, c.List(t.Context(), func(connector.Assignment) error { return nil }))
	})
}

func TestSettings(t *testing.T) {
	t.Run("check reports the permissions of the token", func(t *testing.T) {
		h := newHarness(t)
		c := h.connect(t)
		report, err := c.Check(t.Context())
		require.NoError(t, err)
		require.Equal(
			t,
			"organization Acme-Corp as accessbot-app, an owner, with scopes admin:org, read:user: 0 teams; 4987 of 5000 requests left until 14:13 UTC",
			report,
		)
		h.Object(t)
		report, err = c.Check(t.Context())
		require.NoError(t, err)
		require.Contains(t, report, ": 1 teams")
		h.Object(t)
		h.do(func() { h.scopes = "" })
		report, err = c.Check(t.Context())
		require.NoError(t, err)
		require.Contains(t, report, "with a fine-grained token: 2 teams")
		require.Empty(t, h.changes())

		for says, change := range map[string]func(){
			"the scope admin:org":         func() { h.scopes = "read:org, repo" },
			"an owner of":                 func() { h.members["accessbot-app"].Role = member },
			"renew the token":             func() { delete(h.tokens, localToken) },
			"cannot see the organization": func() { h.org = "Elsewhere" },
		} {
			t.Run(says, func(t *testing.T) {
				app := h.tokens[localToken]
				h.do(change)
				t.Cleanup(func() {
					h.do(func() {
						h.scopes, h.tokens[localToken], h.org, h.members["accessbot-app"].Role = "admin:org", app, localOrg, owner
					})
				})
				_, err := c.Check(t.Context())
				requireClass(t, connector.ClassDenied, err)
				require.ErrorContains(t, err, says)
			})
		}
	})

	t.Run("token is not sent to the target of a redirect", func(t *testing.T) {
		h := newHarness(t)
		elsewhere := httptest.NewServer(
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) { assert.Fail(t, "a redirect was followed") }),
		)
		t.Cleanup(elsewhere.Close)
		h.do(func() { h.intercept = everything(http.StatusTemporaryRedirect, "Location", elsewhere.URL) })
		requireClass(
			t,
			connector.ClassDenied,
			h.connect(t).Grant(t.Context(), connector.Assignment{Account: "ann", Object: "team:crew"}),
		)
	})

	t.Run("setting that cannot work is refused", func(t *testing.T) {
		good := Settings{URL: "https://github.example.com", Organization: "acme", Token: connector.NewSecret("hunter2")}
		c, err := good.Open()
		require.NoError(t, err)
		require.NoError(t, c.Close())
		for says, change := range map[string]func(*Settings){
			"https address":                 func(s *Settings) { s.URL = "http://github.example.com" },
			"set url to the address":        func(s *Settings) { s.URL = "https://user:hunter2@github.example.com" },
			"or leave it out":               func(s *Settings) { s.URL = "github.example.com" },
			"set organization to":           func(s *Settings) { s.Organization = "acme/crew" },
			"set organization to the":       func(s *Settings) { s.Organization = "" },
			"set token to":                  func(s *Settings) { s.Token = connector.Secret{} },
			"set accounts to login or id":   func(s *Settings) { s.Accounts = "email" },
			"set invitations to send or re": func(s *Settings) { s.Invitations = "no" },
		} {
			s := good
			change(&s)
			c, err := s.Open()
			requireClass(t, connector.ClassDenied, err)
			require.ErrorContains(t, err, says)
			require.NotContains(t, err.Error(), "hunter2")
			require.Equal(t, connector.Connector(nil), c, "not a typed nil")
		}
	})

	t.Run("API URLs match github.com, GHE.com and an Enterprise Server", func(t *testing.T) {
		for url, want := range map[string][2]string{
			"":                           {"https://api.github.com/", "https://api.github.com/graphql"},
			"https://github.example.com": {"https://github.example.com/api/v3/", "https://github.example.com/api/graphql"},
			"https://api.acme.ghe.com":   {"https://api.acme.ghe.com/", "https://api.acme.ghe.com/graphql"},
		} {
			s := Settings{URL: url, Organization: "acme", Token: connector.NewSecret("hunter2")}
			c, err := s.open(httptarget.Transport())
			require.NoError(t, err)
			require.Equal(t, want[0], c.client.BaseURL())
			request, err := c.client.NewRequest(t.Context(), http.MethodPost, c.graphQLPath(), nil)
			require.NoError(t, err)
			require.Equal(t, want[1], request.URL.String())
		}
	})

	t.Run("server without a valid certificate is denied", func(t *testing.T) {
		server := httptest.NewTLSServer(http.NotFoundHandler())
		t.Cleanup(server.Close)
		s := Settings{URL: server.URL, Organization: localOrg, Token: connector.NewSecret(localToken)}
		c, err := s.Open()
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		err = c.Grant(t.Context(), connector.Assignment{Account: "ann", Object: "team:crew"})
		requireClass(t, connector.ClassDenied, err)
		require.ErrorContains(t, err, "certificate is not valid")
	})
}

func TestAccountName(t *testing.T) {
	t.Run("login in another letter case still loses its access", func(t *testing.T) {
		h := newHarness(t)
		c, a := h.connect(t), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
		h.GrantByHand(t, a)
		require.NoError(
			t,
			connector.Ensure(t.Context(), c, connector.Assignment{Account: strings.ToUpper(a.Account), Object: a.Object}, false),
		)
		require.False(t, h.Holds(t, a))
	})

	t.Run("ID follows a user whose login changes", func(t *testing.T) {
		h := newHarness(t)
		h.byID = true
		c, a := h.connect(t), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
		require.NoError(t, connector.Ensure(t.Context(), c, a, true))
		h.do(func() {
			before := h.key(a.Account)
			user := h.users[before]
			delete(h.users, before)
			user.Login = "renamed"
			h.users["renamed"], h.members["renamed"] = user, h.members[before]
			delete(h.members, before)
			team := h.teams[strings.TrimPrefix(a.Object, teamPrefix)]
			team.direct["renamed"] = team.direct[before]
			delete(team.direct, before)
		})
		state, err := c.Read(t.Context(), a)
		require.NoError(t, err)
		require.True(t, state.Held)
		require.NoError(t, connector.Ensure(t.Context(), c, a, false))
		require.False(t, h.Holds(t, a))
	})
}

func readAll(r *http.Request) (string, error) {
	var body json.RawMessage
	err := json.NewDecoder(r.Body).Decode(&body)
	r.Body = bodyOf(body)
	return string(body), err
}
