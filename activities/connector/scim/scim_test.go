package scim

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
)

func TestConformance(t *testing.T) {
	h := scimmy(t)
	connectortest.Run(t, h)
	connectortest.RunHTTP(t, h)
}

func TestMember(t *testing.T) {
	t.Run("duplicate member is removed completely", func(t *testing.T) {
		h := scimmy(t)
		c := h.open(t, h.at, testToken)
		a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
		h.GrantByHand(t, a)
		h.GrantByHand(t, a)
		require.Len(t, h.group(t, a.Object)[0].Members, 2, "SCIMMY keeps duplicates, against RFC 7644, 3.5.2.1")
		require.NoError(t, connector.Ensure(t.Context(), c, a, true))
		require.Len(t, h.group(t, a.Object)[0].Members, 2, "the connector reads the group before it adds a member")
		require.NoError(t, connector.Ensure(t.Context(), c, a, false))
		require.Empty(t, h.group(t, a.Object)[0].Members)
	})

	t.Run("disabled account is refused a grant and can still be revoked", func(t *testing.T) {
		h := scimmy(t)
		c := h.open(t, h.at, testToken)
		a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
		require.NoError(t, connector.Ensure(t.Context(), c, a, true))
		h.call(t, http.MethodPatch, "/Users/"+h.user(t, a.Account)[0].ID, map[string]any{"schemas": []string{schemaPatch},
			"Operations": []any{map[string]any{"op": "replace", "value": map[string]any{"active": false}}}}, nil)
		require.Equal(t, connector.ClassRefused, connector.ClassOf(c.Grant(t.Context(), a)))
		require.NoError(t, connector.Ensure(t.Context(), c, a, false))
		require.False(t, h.Holds(t, a))
	})

	// A proxy's page must not count as a group without members: access would be reported as ended.
	t.Run("response that is not the group is not an empty group", func(t *testing.T) {
		for _, group := range []string{`{}`, `{"id":"2","members":[]}`, `{"id":"1","members":{}}`, `{"id":"1","members":[{}]}`, `{"id":"1","members":[{"value":"9"}`} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := `{"schemas":["` + schemaList + `"],"totalResults":1,"startIndex":1,"Resources":[{"id":"1","displayName":"admins","userName":"ann"}]}`
				if r.URL.Path == "/Groups/1" {
					body = group
				}
				_, _ = w.Write([]byte(body))
			}))
			t.Cleanup(server.Close)
			s := Settings{URL: server.URL, Token: connector.NewSecret(testToken)}
			c, err := s.open()
			require.NoError(t, err)
			_, err = c.Read(t.Context(), connector.Assignment{Account: "ann", Object: "admins"})
			require.Equal(t, connector.ClassUnavailable, connector.ClassOf(err), "%s: %v", group, err)
		}
	})
}

func TestName(t *testing.T) {
	t.Run("two groups with one name are denied", func(t *testing.T) {
		h := scimmy(t)
		c := h.open(t, h.at, testToken)
		a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
		h.addGroup(t, a.Object)
		for _, held := range []bool{true, false} {
			err := connector.Ensure(t.Context(), c, a, held)
			require.Equal(t, connector.ClassDenied, connector.ClassOf(err), "%v", err)
			require.ErrorContains(t, err, "more than one has")
		}
	})

	// RFC 7643 lets services ignore letter case, and assignments are compared byte for byte.
	t.Run("name in another letter case is gone", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(
				[]byte(`{"schemas":["` + schemaList + `"],"totalResults":1,"startIndex":1,"Resources":[{"id":"1","displayName":"Admins"}]}`),
			)
		}))
		t.Cleanup(server.Close)
		s := Settings{URL: server.URL, Token: connector.NewSecret(testToken)}
		c, err := s.open()
		require.NoError(t, err)
		var gone *connector.Gone
		_, err = c.Read(t.Context(), connector.Assignment{Account: "a", Object: "admins"})
		require.ErrorAs(t, err, &gone)
		require.Equal(t, connector.Object, gone.Part)
	})

	t.Run("name in a filter is quoted", func(t *testing.T) {
		var filters []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			filters = append(filters, r.URL.Query().Get("filter"))
			_, _ = w.Write([]byte(`{"schemas":["` + schemaList + `"],"totalResults":0,"startIndex":1}`))
		}))
		t.Cleanup(server.Close)
		s := Settings{URL: server.URL, Token: connector.NewSecret(testToken)}
		c, err := s.open()
		require.NoError(t, err)
		_, err = c.Read(t.Context(), connector.Assignment{Account: "a", Object: `a" or id pr or "\ <é>`})
		require.Equal(t, connector.ClassGone, connector.ClassOf(err), "%v", err)
		require.Equal(t, []string{`displayName eq "a\" or id pr or \"\\ <é>"`}, filters)
	})
}

func TestService(t *testing.T) {
	// A service may apply Unicode case folding to userName. A look-alike is another user.
	t.Run("look-alike user name is another user", func(t *testing.T) {
		for name, same := range map[string]bool{"KENJI@example.com": true, "\u212aenji@example.com": false} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := `{"schemas":["` + schemaList + `"],"totalResults":1,"startIndex":1,"Resources":[{"id":"1","displayName":"admins","userName":"` + name + `"}]}`
				if r.URL.Path == "/Groups/1" {
					body = `{"id":"1","members":[{"value":"1"}]}`
				}
				_, _ = w.Write([]byte(body))
			}))
			t.Cleanup(server.Close)
			s := Settings{URL: server.URL, Token: connector.NewSecret(testToken)}
			c, err := s.open()
			require.NoError(t, err)
			user, err := c.user(t.Context(), "kenji@example.com")
			if same {
				require.NoError(t, err)
				require.Equal(t, "1", user.ID)
				continue
			}
			require.Equal(t, connector.ClassGone, connector.ClassOf(err), "%v", err)
		}
	})

	t.Run("accounts are created only where the settings allow it", func(t *testing.T) {
		for _, creates := range []bool{true, false} {
			s := Settings{URL: "https://scim.example.com", Token: connector.NewSecret(testToken), CreatesAccounts: creates}
			c, err := s.Open()
			require.NoError(t, err)
			_, is := c.(connector.AccountCreator)
			require.Equal(t, creates, is)
			require.NoError(t, c.Close())
		}
	})

	t.Run("account creation that conflicts looks up the user again", func(t *testing.T) {
		// The service responds to a new user with 409, and shows the user from lookup number shownFrom on.
		create := func(t *testing.T, shownFrom int64) error {
			t.Helper()
			var lookups atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := `{"schemas":["` + schemaList + `"],"totalResults":0,"Resources":[]}`
				switch {
				case r.Method == http.MethodPost:
					w.WriteHeader(http.StatusConflict)
					body = `{"scimType":"uniqueness","status":"409"}`
				case lookups.Add(1) >= shownFrom:
					body = `{"schemas":["` + schemaList + `"],"totalResults":1,"Resources":[{"id":"1","userName":"ann"}]}`
				}
				_, _ = w.Write([]byte(body))
			}))
			t.Cleanup(server.Close)
			s := Settings{URL: server.URL, Token: connector.NewSecret(testToken)}
			c, err := s.open()
			require.NoError(t, err)
			return creator{c}.CreateAccount(t.Context(), "ann")
		}
		t.Run("user who was created meanwhile is success", func(t *testing.T) {
			require.NoError(t, create(t, 2))
		})
		t.Run("user who does not show is retried, with an error that says what to check", func(t *testing.T) {
			err := create(t, 1000)
			require.Equal(t, connector.ClassUnavailable, connector.ClassOf(err))
			require.ErrorContains(t, err, "deleted, or hidden from the token")
		})
	})

	t.Run("service without PATCH fails the check", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := `{"schemas":["` + schemaList + `"],"totalResults":0,"Resources":[]}`
			if r.URL.Path == "/ServiceProviderConfig" {
				body = `{"patch":{"supported":false},"filter":{"supported":true}}`
			}
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(server.Close)
		s := Settings{URL: server.URL, Token: connector.NewSecret(testToken)}
		c, err := s.open()
		require.NoError(t, err)
		_, err = c.Check(t.Context())
		require.Equal(t, connector.ClassDenied, connector.ClassOf(err))
		require.ErrorContains(t, err, "no PATCH")
	})

	// SCIMMY with an unmodified scimmy-routers is such a service.
	t.Run("service that repeats its first page is denied", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(
				[]byte(
					`{"schemas":["` + schemaList + `"],"totalResults":4,"startIndex":1,"Resources":[{"id":"1","userName":"a"},{"id":"2","userName":"b"}]}`,
				),
			)
		}))
		t.Cleanup(server.Close)
		s := Settings{URL: server.URL, Token: connector.NewSecret(testToken)}
		c, err := s.open()
		require.NoError(t, err)
		err = c.List(t.Context(), func(connector.Assignment) error { return nil })
		require.Equal(t, connector.ClassDenied, connector.ClassOf(err))
		require.ErrorContains(t, err, "startIndex")
	})

	t.Run("wrong setting says what it should be", func(t *testing.T) {
		for says, change := range map[string]func(*Settings){
			"set url to the address":      func(s *Settings) { s.URL = "scim.example.com" },
			"set url to an https address": func(s *Settings) { s.URL = "http://scim.example.com" },
			"without a query":             func(s *Settings) { s.URL += "?a=b" },
			"set token":                   func(s *Settings) { s.Token = connector.Secret{} },
			"set account_attribute":       func(s *Settings) { s.AccountAttribute = "emails" },
			"set group_attribute":         func(s *Settings) { s.GroupAttribute = "name" },
			"leave account_attribute or":  func(s *Settings) { s.AccountAttribute, s.CreatesAccounts = "externalId", true },
			"set ca_file to a readable":   func(s *Settings) { s.CAFile = "/nowhere.pem" },
		} {
			s := Settings{URL: "https://scim.example.com/v2", Token: connector.NewSecret(testToken)}
			change(&s)
			_, err := s.Open()
			require.Equal(t, connector.ClassDenied, connector.ClassOf(err), says)
			require.ErrorContains(t, err, says)
			require.NotContains(t, err.Error(), testToken)
		}
	})
}
