package github

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

func TestResponses(t *testing.T) {
	t.Run("refusal says what to do and does not show the token", func(t *testing.T) {
		h := newHarness(t)
		c, login, object := h.connect(t), h.Account(t), h.Object(t)
		a := connector.Assignment{Account: login, Object: object}
		answer := func(status int, headers ...string) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut && r.Method != http.MethodDelete {
					return false
				}
				for i := 0; i < len(headers); i += 2 {
					w.Header().Set(headers[i], headers[i+1])
				}
				reply(w, status, message("Because."))
				return true
			}
		}
		for name, test := range map[string]struct {
			intercept func(http.ResponseWriter, *http.Request) bool
			class     connector.Class
			says      string
		}{
			"a team that an identity provider manages": {nil, connector.ClassDenied, "if an identity provider manages these members, change them there"},
			"no permission, status 403":                {answer(http.StatusForbidden), connector.ClassDenied, "let the token add members to team crew-"},
			"no permission, status 404":                {answer(http.StatusNotFound), connector.ClassDenied, "let the token add members to team crew-"},
			"single sign-on":                           {everything(http.StatusForbidden, "X-GitHub-SSO", "required; url=https://github.com/orgs/x/sso"), connector.ClassDenied, "single sign-on"},
			"rejected":                                 {answer(http.StatusUnprocessableEntity), connector.ClassDenied, "Because."},
			"too many requests":                        {answer(http.StatusForbidden, "Retry-After", "9"), connector.ClassRateLimited, "retry after 9s"},
			"server error":                             {answer(http.StatusBadGateway), connector.ClassUnavailable, "502"},
			"a conflict":                               {answer(http.StatusConflict), connector.ClassUnavailable, "409"},
			"redirect":                                 {everything(http.StatusMovedPermanently, "Location", "/api/v3/organizations/7"), connector.ClassDenied, "redirects to another address"},
		} {
			t.Run(name, func(t *testing.T) {
				h.do(func() {
					h.intercept, h.teams[strings.TrimPrefix(object, teamPrefix)].synced = test.intercept, test.intercept == nil
				})
				err := c.Grant(t.Context(), a)
				requireClass(t, test.class, err)
				require.ErrorContains(t, err, test.says)
				require.NotContains(t, err.Error(), localToken)
			})
		}
	})

	t.Run("rate limit delays further requests", func(t *testing.T) {
		h := newHarness(t)
		a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
		soon := fmt.Sprint(time.Now().Add(100 * time.Second).Unix())
		for name, test := range map[string]struct {
			status  int
			page    string // of GitHub's documentation, which the response names
			headers []string
			between [2]time.Duration
		}{
			"secondary, with a time":          {403, "#about-secondary-rate-limits", []string{"Retry-After", "30", "X-RateLimit-Remaining", "4000", "X-RateLimit-Reset", soon}, [2]time.Duration{30 * time.Second, 30 * time.Second}},
			"secondary, without a time":       {403, "#about-secondary-rate-limits", []string{"X-RateLimit-Remaining", "4000", "X-RateLimit-Reset", soon}, [2]time.Duration{time.Minute, time.Minute}},
			"secondary, unnamed":              {429, "", nil, [2]time.Duration{time.Minute, time.Minute}},
			"secondary, by its header":        {403, "", []string{"Retry-After", "7"}, [2]time.Duration{7 * time.Second, 7 * time.Second}},
			"primary":                         {403, "", []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", soon}, [2]time.Duration{90 * time.Second, 102 * time.Second}},
			"primary, with a time":            {429, "", []string{"Retry-After", "5", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", soon}, [2]time.Duration{5 * time.Second, 5 * time.Second}},
			"primary, with a reset long ago":  {403, "", []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1"}, [2]time.Duration{time.Second, 3 * time.Second}},
			"primary, reset in the year 2200": {403, "", []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "7258118400"}, [2]time.Duration{24 * time.Hour, 24*time.Hour + time.Second}},
			"primary, in milliseconds":        {403, "", []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", fmt.Sprint(time.Now().UnixMilli())}, [2]time.Duration{24 * time.Hour, 24*time.Hour + time.Second}},
			"overload":                        {503, "", []string{"Retry-After", "11"}, [2]time.Duration{11 * time.Second, 11 * time.Second}},
		} {
			t.Run(name, func(t *testing.T) {
				c := h.connect(t)
				h.do(func() {
					h.intercept = func(w http.ResponseWriter, _ *http.Request) bool {
						for i := 0; i < len(test.headers); i += 2 {
							w.Header().Set(test.headers[i], test.headers[i+1])
						}
						reply(
							w,
							test.status,
							map[string]string{
								"message":           "Slow down.",
								"documentation_url": "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api" + test.page,
							},
						)
						return true
					}
				})
				for _, call := range []func() error{
					func() error { _, err := c.Read(t.Context(), a); return err },
					func() error { return c.Grant(t.Context(), a) },
					func() error { return c.Revoke(t.Context(), a) },
				} {
					var limited *connector.RateLimited
					require.ErrorAs(t, call(), &limited)
					assert.GreaterOrEqual(t, limited.RetryAfter, test.between[0])
					assert.LessOrEqual(t, limited.RetryAfter, test.between[1])
				}
				h.do(func() { h.intercept = nil })
				_, err := c.Read(t.Context(), a)
				require.NoError(t, err, "the caller decides when to retry")
			})
		}
	})

	t.Run("GraphQL error has its class", func(t *testing.T) {
		h := newHarness(t)
		c, a := h.connect(t), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
		h.GrantByHand(t, a)
		page := func(info map[string]any) any {
			return map[string]any{
				"data": map[string]any{
					"organization": map[string]any{"team": map[string]any{"members": map[string]any{"nodes": []any{}, "pageInfo": info}}},
				},
			}
		}
		for name, test := range map[string]struct {
			answer any
			class  connector.Class
		}{
			"rate limited":           {map[string]any{"errors": []any{map[string]any{"type": "RATE_LIMITED", "message": "slow down"}}}, connector.ClassRateLimited},
			"forbidden":              {map[string]any{"errors": []any{map[string]any{"type": "FORBIDDEN", "message": "no"}}}, connector.ClassDenied},
			"no scope":               {map[string]any{"errors": []any{map[string]any{"type": "INSUFFICIENT_SCOPES", "message": "no"}}}, connector.ClassDenied},
			"other":                  {map[string]any{"errors": []any{map[string]any{"message": "timeout"}}}, connector.ClassUnavailable},
			"no team":                {map[string]any{"data": map[string]any{"organization": map[string]any{"team": nil}}}, connector.ClassUnavailable},
			"no organization":        {map[string]any{"data": map[string]any{"organization": nil}}, connector.ClassUnavailable},
			"a page that never ends": {page(map[string]any{"hasNextPage": true, "endCursor": ""}), connector.ClassUnavailable},
		} {
			t.Run(name, func(t *testing.T) {
				h.do(func() {
					h.intercept = func(w http.ResponseWriter, r *http.Request) bool {
						if r.URL.Path == "/api/graphql" {
							reply(w, http.StatusOK, test.answer)
						}
						return r.URL.Path == "/api/graphql"
					}
				})
				_, err := c.Read(t.Context(), a)
				requireClass(t, test.class, err)
				requireClass(t, test.class, connector.Ensure(t.Context(), c, a, false))
			})
		}
	})

	t.Run("membership in an unknown state says nothing", func(t *testing.T) {
		h := newHarness(t)
		c, a := h.connect(t), connector.Assignment{Account: h.Account(t), Object: organizationObject}
		h.do(func() { h.members[h.key(a.Account)].State = "suspended" })
		_, err := c.Read(t.Context(), a)
		requireClass(t, connector.ClassUnavailable, err)
		require.ErrorContains(t, err, "suspended")
		requireClass(t, connector.ClassUnavailable, connector.Ensure(t.Context(), c, a, false))
	})

	t.Run("token that cannot see everything makes nothing gone", func(t *testing.T) {
		h := newHarness(t)
		c, login, object := h.connect(t), h.Account(t), h.MissingObject(t)
		for name, change := range map[string]func(){
			"no longer an owner":   func() { h.members["accessbot-app"].Role = member },
			"no longer a member":   func() { delete(h.members, "accessbot-app") },
			"only invited":         func() { h.members["accessbot-app"].State = pending },
			"another organization": func() { h.org = "Elsewhere" },
		} {
			t.Run(name, func(t *testing.T) {
				h.do(change)
				t.Cleanup(func() {
					h.do(func() { h.members["accessbot-app"], h.org = &localMembership{State: active, Role: owner}, localOrg })
				})
				for _, o := range []string{object, organizationObject} {
					a := connector.Assignment{Account: login, Object: o}
					_, err := c.Read(t.Context(), a)
					requireClass(t, connector.ClassDenied, err)
					requireClass(t, connector.ClassDenied, connector.Ensure(t.Context(), c, a, false))
				}
			})
		}
	})
}

func everything(status int, headers ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		reply(w, status, message("Because."))
		return true
	}
}
