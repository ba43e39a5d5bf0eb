package ldap

import (
	"context"
	"fmt"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

// list returns how often the connector lists each assignment.
func (h harness) list(t *testing.T, c *Connector) map[connector.Assignment]int {
	t.Helper()
	all := map[connector.Assignment]int{}
	require.NoError(t, c.List(t.Context(), func(a connector.Assignment) error {
		all[a]++
		return nil
	}))
	return all
}

func TestList(t *testing.T) {
	t.Run("groups are listed page by page", func(t *testing.T) {
		const groups = 1200
		harnesses(t, func(t *testing.T, h harness) {
			account := h.Account(t)
			for i := range groups {
				name := fmt.Sprintf("paged-%s-%d", h.name, i)
				h.groupNamed(t, name, placeholderDN, h.value(t, account))
				if h.byUID {
					h.GrantByHand(t, connector.Assignment{Account: account, Object: name})
				}
			}
			c := h.connect(t, nil)
			listed := h.list(t, c)
			require.Len(t, listed, groups)
			for a, times := range listed {
				require.Equal(t, account, a.Account)
				require.Equal(t, 1, times, "%s", a)
			}
			report, err := c.Check(t.Context())
			require.NoError(t, err)
			require.Contains(t, report, fmt.Sprintf("as %s: %d groups under %s", botDN, groups, groupsOfTests))

			// Without paging this server does not return so many.
			require.NoError(t, c.withSession(t.Context(), func(s *session) error {
				_, err := s.conn.Search(
					ldap.NewSearchRequest(groupsOfTests, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, anyGroup, nil, nil),
				)
				require.True(t, ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded), "%v", err)
				return nil
			}))
			limited := h.connect(t, func(s *Settings) { s.BindDN = limitedDN })
			_, err = limited.Check(t.Context())
			requireClass(t, connector.ClassDenied, err, "size.prtotal=unlimited")
			requireClass(
				t,
				connector.ClassDenied,
				limited.List(t.Context(), func(connector.Assignment) error { return nil }),
				"size.prtotal=unlimited",
			)
		})
	})

	t.Run("listing is cancelled between its pages", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h harness) {
			c := h.connect(t, nil)
			c.pageSize = 1
			for range 3 {
				h.GrantByHand(t, connector.Assignment{Account: h.Account(t), Object: h.Object(t)})
			}
			ctx, cancel := context.WithCancel(t.Context())
			calls := 0
			require.Equal(t, context.Canceled, c.List(ctx, func(connector.Assignment) error {
				calls++
				cancel()
				return nil
			}))
			require.Equal(t, 1, calls)
		})
	})

	t.Run("account with two addresses, or in two groups with one name, is listed once", func(t *testing.T) {
		namedByDN(t, func(t *testing.T, h harness) {
			c, a := h.connect(t, nil), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			h.GrantByHand(t, a)
			request := ldap.NewModifyRequest(h.value(t, a.Account), nil)
			request.Add("mail", []string{"alias-" + a.Account})
			require.NoError(t, h.admin.Modify(request))
			dn := "ou=" + random() + "," + groupsOfTests
			h.add(t, dn, "objectClass", "organizationalUnit")
			t.Cleanup(func() { h.delete(t, dn) })
			h.groupAt(t, "cn="+ldap.EscapeDN(a.Object)+","+dn, a.Object, h.value(t, a.Account))
			require.Equal(t, map[connector.Assignment]int{a: 1}, h.list(t, c))
		})
	})
}
