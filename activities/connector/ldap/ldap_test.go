package ldap

import (
	"context"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
)

func TestConformance(t *testing.T) {
	harnesses(t, func(t *testing.T, h harness) { connectortest.Run(t, h) })
}

func requireClass(t *testing.T, want connector.Class, err error, says string) {
	t.Helper()
	require.Equal(t, want, connector.ClassOf(err), "%v", err)
	require.ErrorContains(t, err, says)
}

// requireHeld asks the connector.
func requireHeld(t *testing.T, c *Connector, a connector.Assignment, held bool) {
	t.Helper()
	state, err := connector.ReadIfExists(t.Context(), c, a)
	require.NoError(t, err)
	require.Equal(t, connector.State{Held: held}, state)
}

func TestPlaceholder(t *testing.T) {
	t.Run("last member is removed and the placeholder stays", func(t *testing.T) {
		namedByDN(t, func(t *testing.T, h harness) {
			for setting, placeholder := range map[string]string{"": botDN, placeholderDN: placeholderDN} {
				c := h.connect(t, func(s *Settings) { s.PlaceholderDN = setting })
				first, second := h.Account(t), h.Account(t)
				object := h.groupNamed(t, h.MissingObject(t), h.value(t, first), h.value(t, second))
				for _, account := range []string{first, second} {
					a := connector.Assignment{Account: account, Object: object}
					require.NoError(t, connector.Ensure(t.Context(), c, a, false))
					require.False(t, h.Holds(t, a))
				}
				require.Equal(t, []string{placeholder}, h.members(t, object))

				a := connector.Assignment{Account: first, Object: object}
				require.NoError(t, connector.Ensure(t.Context(), c, a, true))
				require.Len(t, h.members(t, object), 2, "the placeholder stays")
				require.NoError(t, connector.Ensure(t.Context(), c, a, false))
				require.Equal(t, []string{placeholder}, h.members(t, object))
			}
		})
	})

	t.Run("placeholder is neither held nor revoked", func(t *testing.T) {
		namedByDN(t, func(t *testing.T, h harness) {
			for setting, account := range map[string]string{"": "accessbot@example.org", placeholderDN: "placeholder@example.org"} {
				c := h.connect(t, func(s *Settings) { s.PlaceholderDN = setting })
				members := []string{botDN, placeholderDN}
				a := connector.Assignment{Account: account, Object: h.groupNamed(t, h.MissingObject(t), members...)}
				requireHeld(t, c, a, false)
				requireClass(t, connector.ClassRefused, c.Revoke(t.Context(), a), "is the ")
				require.ElementsMatch(t, members, h.members(t, a.Object))
			}
		})
	})

	t.Run("placeholder without an entry is not a deleted account", func(t *testing.T) {
		namedByDN(t, func(t *testing.T, h harness) {
			placeholder := "mail=none@example.org," + peopleOfTests
			c := h.connect(t, func(s *Settings) { s.PlaceholderDN = placeholder })
			a := connector.Assignment{Account: "none@example.org", Object: h.groupNamed(t, h.MissingObject(t), placeholder, placeholderDN)}
			requireHeld(t, c, a, false)
			require.NotContains(t, h.list(t, c), a)
			require.NoError(t, connector.Ensure(t.Context(), c, a, false))
			require.Len(t, h.members(t, a.Object), 2)
		})
	})

	t.Run("placeholder in another spelling changes nothing", func(t *testing.T) {
		namedByDN(t, func(t *testing.T, h harness) {
			other := "CN=Placeholder, OU=People,DC=Example,DC=ORG"
			c := h.connect(t, func(s *Settings) { s.PlaceholderDN = other })
			a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			require.NoError(t, connector.Ensure(t.Context(), c, a, true))
			require.NoError(t, connector.Ensure(t.Context(), c, a, false))
			require.Len(t, h.members(t, a.Object), 1)
			requireHeld(t, c, connector.Assignment{Account: "placeholder@example.org", Object: a.Object}, false)
			require.NotContains(t, h.list(t, c), connector.Assignment{Account: "placeholder@example.org", Object: a.Object})
		})
	})
}

func TestDeletedAccount(t *testing.T) {
	t.Run("deleted account is removed from its group if the DN contains its name", func(t *testing.T) {
		former := "ou=former," + suffix
		for name, test := range map[string]struct {
			dn       string // of the deleted account
			settings func(s *Settings)
			found    bool
		}{
			"by its RDN":                          {dn: "mail=NAME," + peopleOfTests, found: true},
			"by its RDN in another case":          {dn: "MAIL=NAME,OU=People," + suffix, found: true},
			"by its RDN further down":             {dn: "mail=NAME,ou=gone," + peopleOfTests, found: true},
			"by the template":                     {dn: "mail=NAME," + former, settings: func(s *Settings) { s.AccountDN = "mail=%s," + former }, found: true},
			"not by its RDN in another tree":      {dn: "mail=NAME," + former},
			"not by an attribute of another kind": {dn: "cn=NAME," + peopleOfTests},
			"not by a template of another kind":   {dn: "cn=NAME," + former, settings: func(s *Settings) { s.AccountDN = "mail=%s," + former }},
			"not by a template of another place":  {dn: "mail=NAME,ou=x," + former, settings: func(s *Settings) { s.AccountDN = "mail=%s," + former }},
		} {
			t.Run(name, func(t *testing.T) {
				namedByDN(t, func(t *testing.T, h harness) {
					c := h.connect(t, test.settings)
					account, bystander := h.MissingAccount(t), h.Account(t)
					deleted := strings.ReplaceAll(test.dn, "NAME", account)
					a := connector.Assignment{Account: account, Object: h.groupNamed(t, h.MissingObject(t), deleted, h.value(t, bystander))}
					_, err := c.Read(t.Context(), a)
					if !test.found {
						require.Equal(t, &connector.Gone{Part: connector.Account, Name: account}, err)
						require.Equal(t, &connector.Gone{Part: connector.Account, Name: account}, c.Revoke(t.Context(), a))
						require.Len(t, h.members(t, a.Object), 2)
						require.NotContains(t, h.list(t, c), a)
						return
					}
					require.NoError(t, err)
					requireHeld(t, c, a, true)
					require.Contains(t, h.list(t, c), a)
					require.Equal(
						t,
						&connector.Gone{Part: connector.Account, Name: account},
						c.Grant(t.Context(), a),
						"an account without an entry is granted nothing",
					)
					require.NoError(t, connector.Ensure(t.Context(), c, a, false))
					require.Equal(t, []string{h.value(t, bystander)}, h.members(t, a.Object))
				})
			})
		}
	})

	t.Run("deleted account is removed even as the last member", func(t *testing.T) {
		namedByDN(t, func(t *testing.T, h harness) {
			account := h.MissingAccount(t)
			a := connector.Assignment{Account: account, Object: h.groupNamed(t, h.MissingObject(t), "mail="+account+","+peopleOfTests)}
			require.NoError(t, connector.Ensure(t.Context(), h.connect(t, nil), a, false))
			require.Equal(t, []string{placeholderDN}, h.members(t, a.Object))
		})
	})

	t.Run("deleted account is removed from a posix group by its name", func(t *testing.T) {
		h := harness{newServer(t, false), classes[2]}
		byUID := h.connect(t, func(s *Settings) { s.AccountAttribute = "uid" })
		a := connector.Assignment{Account: "uid-" + random(), Object: h.Object(t)}
		grant := func(value string) {
			h.modify(t, a.Object, func(request *ldap.ModifyRequest) { request.Add(h.attribute, []string{value}) })
		}
		grant(a.Account)
		requireHeld(t, byUID, a, true)
		require.Contains(t, h.list(t, byUID), a)
		require.NoError(t, connector.Ensure(t.Context(), byUID, a, false))
		require.Empty(t, h.members(t, a.Object))

		// What looks like a deleted account may be the uid of another person.
		byMail, uid := h.connect(t, nil), "uid-"+random()
		h.person(t, "uid="+uid+","+peopleOfTests, h.MissingAccount(t))
		grant(uid)
		other := connector.Assignment{Account: uid, Object: a.Object}
		require.Equal(t, &connector.Gone{Part: connector.Account, Name: uid}, byMail.Revoke(t.Context(), other))
		require.Equal(t, []string{uid}, h.members(t, a.Object))
		require.NotContains(t, h.list(t, byMail), other)
	})
}

func TestNames(t *testing.T) {
	t.Run("person without a uid is denied a posix group", func(t *testing.T) {
		h := harness{newServer(t, false), classes[2]}
		a := connector.Assignment{Account: h.MissingAccount(t), Object: h.Object(t)}
		h.add(t, "cn=ann,"+peopleOfTests, "objectClass", "inetOrgPerson", "cn", "ann", "sn", "ann", "mail", a.Account)
		requireClass(t, connector.ClassDenied, h.connect(t, nil).Grant(t.Context(), a), `add a uid to the entry "cn=ann,`)
	})

	t.Run("special characters are taken literally", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h harness) {
			c, bystander := h.connect(t, nil), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			h.GrantByHand(t, bystander)
			for _, format := range []string{
				"*", "NAME*", "*NAME", "NAME)(objectClass=*", "NAME)(|(mail=*", `NAME\2a`, "NAME&|!=<>~", `NAME"quoted' +,;#`, "#NAME", "NAME%s{0}",
			} {
				a := connector.Assignment{
					Account: strings.ReplaceAll(format, "NAME", random()),
					Object:  strings.ReplaceAll(format, "NAME", random()),
				}
				_, err := c.Read(t.Context(), a)
				require.Equal(t, &connector.Gone{Part: connector.Object, Name: a.Object}, err)
				h.groupNamed(t, a.Object, placeholderDN)
				require.Equal(t, &connector.Gone{Part: connector.Account, Name: a.Account}, c.Grant(t.Context(), a))
				h.person(t, "mail="+ldap.EscapeDN(a.Account)+","+peopleOfTests, a.Account)
				require.NoError(t, connector.Ensure(t.Context(), c, a, true), "%q", a)
				require.True(t, h.Holds(t, a), "%q", a)
				require.Contains(t, h.list(t, c), a)
				require.NoError(t, connector.Ensure(t.Context(), c, a, false), "%q", a)
				require.False(t, h.Holds(t, a), "%q", a)
			}
			require.True(t, h.Holds(t, bystander))
		})
	})

	t.Run("distinguished name is not a group name", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h harness) {
			object := "cn=" + h.Object(t) + "," + groupsOfTests
			_, err := h.connect(t, nil).Read(t.Context(), connector.Assignment{Account: h.Account(t), Object: object})
			require.Equal(t, &connector.Gone{Part: connector.Object, Name: object}, err)
		})
	})

	t.Run("another spelling of a name is denied and not gone", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h harness) {
			c, a := h.connect(t, nil), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			h.GrantByHand(t, a)
			for _, other := range []connector.Assignment{
				{Account: strings.ToUpper(a.Account), Object: a.Object},
				{Account: a.Account, Object: strings.ToUpper(a.Object)},
				{Account: a.Account, Object: a.Object + " "},
			} {
				requireClass(t, connector.ClassDenied, connector.Ensure(t.Context(), c, other, false), "as the directory does")
				requireClass(t, connector.ClassDenied, connector.Ensure(t.Context(), c, other, true), "as the directory does")
			}
			require.True(t, h.Holds(t, a))
		})
	})

	t.Run("two entries with one name are denied", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h harness) {
			c, a := h.connect(t, nil), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			for range 2 {
				h.person(t, "uid=uid-"+random()+","+peopleOfTests, a.Account)
				requireClass(t, connector.ClassDenied, c.Grant(t.Context(), a), "leave one entry under people_base with mail ")
			}
			a.Account = h.Account(t)
			dn := "ou=" + random() + "," + groupsOfTests
			h.add(t, dn, "objectClass", "organizationalUnit")
			t.Cleanup(func() { h.delete(t, dn) })
			h.groupAt(t, "cn="+ldap.EscapeDN(a.Object)+","+dn, a.Object, placeholderDN)
			requireClass(t, connector.ClassDenied, c.Grant(t.Context(), a), "leave one entry under groups_base with cn ")
		})
	})
}

func TestGroupMember(t *testing.T) {
	t.Run("member is found in any letter case", func(t *testing.T) {
		namedByDN(t, func(t *testing.T, h harness) {
			c, account := h.connect(t, nil), h.Account(t)
			upper := strings.ToUpper(h.value(t, account))
			a := connector.Assignment{Account: account, Object: h.groupNamed(t, h.MissingObject(t), upper, placeholderDN)}
			requireHeld(t, c, a, true)
			require.Contains(t, h.list(t, c), a)
			require.NoError(t, connector.Ensure(t.Context(), c, a, true))
			require.NoError(t, connector.Ensure(t.Context(), c, a, false))
			require.Equal(t, []string{placeholderDN}, h.members(t, a.Object))
		})
	})

	t.Run("uniqueMember may have an identifier", func(t *testing.T) {
		h := harness{newServer(t, false), classes[1]}
		c, account := h.connect(t, nil), h.Account(t)
		a := connector.Assignment{
			Account: account,
			Object:  h.groupNamed(t, h.MissingObject(t), h.value(t, account)+"#'0101'B", placeholderDN),
		}
		requireHeld(t, c, a, true)
		require.NoError(t, connector.Ensure(t.Context(), c, a, false))
		require.Equal(t, []string{placeholderDN}, h.members(t, a.Object))
	})

	t.Run("group is not an account", func(t *testing.T) {
		h := harness{newServer(t, false), classes[0]}
		inner, outer := h.Object(t), h.Object(t)
		c := h.connect(t, func(s *Settings) { s.PeopleBase, s.AccountAttribute = suffix, "cn" })
		require.Equal(
			t,
			&connector.Gone{Part: connector.Account, Name: inner},
			c.Grant(t.Context(), connector.Assignment{Account: inner, Object: outer}),
		)
	})

	t.Run("membership through another group is not held", func(t *testing.T) {
		namedByDN(t, func(t *testing.T, h harness) {
			c, a := h.connect(t, nil), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			h.GrantByHand(t, a)
			inner := "cn=" + ldap.EscapeDN(a.Object) + "," + groupsOfTests
			through := connector.Assignment{Account: a.Account, Object: h.groupNamed(t, h.MissingObject(t), inner)}
			requireHeld(t, c, through, false)
			require.NoError(t, connector.Ensure(t.Context(), c, through, false))
			require.True(t, h.Holds(t, a))
		})
	})

	t.Run("member who was added meanwhile counts as granted", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h harness) {
			c, a := h.connect(t, nil), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			require.NoError(t, c.call(t.Context(), a, func(s *session) error {
				g, err := c.group(s, a.Object)
				require.NoError(t, err)
				p, err := c.person(s, a.Account)
				require.NoError(t, err)
				h.GrantByHand(t, a)
				return c.add(s, g, p)
			}))
		})
	})

	t.Run("group that changes meanwhile is read again", func(t *testing.T) {
		namedByDN(t, func(t *testing.T, h harness) {
			c, a, other := h.connect(t, nil), connector.Assignment{Account: h.Account(t)}, h.Account(t)
			value, otherValue := h.value(t, a.Account), h.value(t, other)
			a.Object = h.groupNamed(t, h.MissingObject(t), value, otherValue)
			require.NoError(t, c.call(t.Context(), a, func(s *session) error {
				g, err := c.group(s, a.Object)
				require.NoError(t, err)
				h.RevokeByHand(t, connector.Assignment{Account: other, Object: a.Object})
				retry, err := c.remove(s, g, []string{value}) // the last one now
				require.True(t, retry, "%v", err)
				retry, err = c.remove(s, g, []string{otherValue}) // gone
				require.True(t, retry, "%v", err)
				return nil
			}))
			require.NoError(t, c.Revoke(t.Context(), a))
			require.Equal(t, []string{placeholderDN}, h.members(t, a.Object))
		})
	})
}

func TestErrors(t *testing.T) {
	t.Run("missing permission is named", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h harness) {
			a, held := connector.Assignment{
				Account: h.Account(t),
				Object:  h.Object(t),
			}, connector.Assignment{
				Account: h.Account(t),
				Object:  h.Object(t),
			}
			h.GrantByHand(t, held)
			c := h.connect(t, func(s *Settings) { s.BindDN = limitedDN })
			requireClass(t, connector.ClassDenied, c.Grant(t.Context(), a), "write "+h.attribute+" of ")
			requireClass(t, connector.ClassDenied, c.Revoke(t.Context(), held), "write "+h.attribute+" of ")
		})
	})

	t.Run("missing base is not a missing account", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h harness) {
			a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			for setting, change := range map[string]func(s *Settings){
				"people_base": func(s *Settings) { s.PeopleBase = "ou=none," + suffix },
				"groups_base": func(s *Settings) { s.GroupsBase = "ou=none," + suffix },
			} {
				c := h.connect(t, change)
				for _, held := range []bool{true, false} {
					requireClass(t, connector.ClassUnavailable, connector.Ensure(t.Context(), c, a, held), setting)
				}
				requireClass(t, connector.ClassUnavailable, c.List(t.Context(), func(connector.Assignment) error { return nil }), setting)
				_, err := c.Check(t.Context())
				requireClass(t, connector.ClassDenied, err, "set "+setting)
			}
		})
	})

	t.Run("result code has its class", func(t *testing.T) {
		c := openWith(t, "127.0.0.1:1", nil)
		for code, want := range map[uint16]connector.Class{
			ldap.LDAPResultBusy: connector.ClassUnavailable, ldap.LDAPResultUnavailable: connector.ClassUnavailable,
			ldap.LDAPResultTimeLimitExceeded: connector.ClassUnavailable, ldap.LDAPResultNoSuchObject: connector.ClassUnavailable,
			ldap.ErrorNetwork: connector.ClassUnavailable, ldap.LDAPResultOther: connector.ClassUnavailable,
			ldap.LDAPResultInvalidCredentials: connector.ClassDenied, ldap.LDAPResultInsufficientAccessRights: connector.ClassDenied,
			ldap.LDAPResultConfidentialityRequired: connector.ClassDenied, ldap.LDAPResultReferral: connector.ClassDenied,
		} {
			err := c.classify(context.Background(), ldap.NewError(code, context.DeadlineExceeded))
			require.Equal(t, want, connector.ClassOf(err), "%d: %v", code, err)
		}
	})
}
