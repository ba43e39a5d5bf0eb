package ldap

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
)

// harness is a server, with the class of groups to test.
type harness struct {
	*server
	class
}

var _ connectortest.Harness = harness{}

// harnesses runs a test with each class of groups.
func harnesses(t *testing.T, test func(t *testing.T, h harness)) {
	t.Helper()
	s := newServer(t, false)
	for _, class := range classes {
		t.Run(class.name, func(t *testing.T) { test(t, harness{s, class}) })
	}
}

// namedByDN runs a test with each class that names members by DN.
func namedByDN(t *testing.T, test func(t *testing.T, h harness)) {
	t.Helper()
	s := newServer(t, false)
	for _, class := range classes {
		if !class.byUID {
			t.Run(class.name, func(t *testing.T) { test(t, harness{s, class}) })
		}
	}
}

// settings returns the settings of the tests, modified by change.
func settings(addr string, change func(s *Settings)) *Settings {
	s := &Settings{
		URL: "ldap://" + addr, BindDN: botDN, Password: connector.NewSecret(testPassword),
		PeopleBase: peopleOfTests, GroupsBase: groupsOfTests, PlaceholderDN: placeholderDN,
	}
	if change != nil {
		change(s)
	}
	return s
}

func openWith(t *testing.T, addr string, change func(s *Settings)) *Connector {
	t.Helper()
	c, err := settings(addr, change).open()
	require.NoError(t, err)
	return c
}

// connect opens a connector for a test of this package.
func (h harness) connect(t *testing.T, change func(s *Settings)) *Connector {
	t.Helper()
	return openWith(t, h.plain, change)
}

func (h harness) Addr() string { return h.plain }

func (h harness) Capabilities() connectortest.Capabilities {
	return connectortest.Capabilities{Checks: true, Lists: true}
}

func (h harness) Open(t *testing.T, addr string) connector.Connector {
	t.Helper()
	c := openWith(t, addr, nil)
	c.bound, c.pageSize = h.CallTimeout(), 3
	return c
}

func (h harness) OpenWithBadCredentials(t *testing.T) (connector.Connector, string) {
	t.Helper()
	return h.connect(t, func(s *Settings) { s.Password = connector.NewSecret("hunter2") }), "hunter2"
}

func (h harness) CallTimeout() time.Duration { return 3 * time.Second }

// ChangeMarker returns the beginning of every uid, which is only sent in a change.
func (h harness) ChangeMarker() string { return "uid-" }

func random() string { return strings.ToLower(rand.Text()[:12]) }

func (h harness) Account(t *testing.T) string {
	t.Helper()
	name := h.MissingAccount(t)
	h.person(t, "uid=uid-"+random()+","+peopleOfTests, name)
	return name
}

// person adds an entry, and deletes it at the end of the test.
func (h harness) person(t *testing.T, dn, mail string) {
	t.Helper()
	parsed, err := ldap.ParseDN(dn)
	require.NoError(t, err)
	first := parsed.RDNs[0].Attributes[0]
	attributes := []string{"objectClass", "inetOrgPerson", "cn", "A Person", "sn", "Person", "mail", mail}
	if first.Type == "uid" {
		attributes = append(attributes, "uid", first.Value)
	} else {
		attributes = append(attributes, "uid", "uid-"+random())
	}
	h.add(t, dn, attributes...)
	t.Cleanup(func() { h.delete(t, dn) })
}

func (h harness) Object(t *testing.T) string {
	t.Helper()
	return h.groupNamed(t, h.MissingObject(t), placeholderDN)
}

// groupNamed adds a group with members, and deletes it at the end of the test.
func (h harness) groupNamed(t *testing.T, name string, members ...string) string {
	t.Helper()
	h.groupAt(t, "cn="+ldap.EscapeDN(name)+","+groupsOfTests, name, members...)
	return name
}

func (h harness) groupAt(t *testing.T, dn, name string, members ...string) {
	t.Helper()
	attributes := []string{"objectClass", h.name, "cn", name}
	if h.byUID {
		attributes = append(attributes, "gidNumber", "4711")
	} else {
		for _, member := range members {
			attributes = append(attributes, h.attribute, member)
		}
	}
	h.add(t, dn, attributes...)
	t.Cleanup(func() { h.delete(t, dn) })
}

func (h harness) MissingAccount(*testing.T) string { return random() + "@kubernetes.example" }

func (h harness) MissingObject(*testing.T) string { return "kubernetes-" + random() + "/@admin" }

func (h harness) Refused(t *testing.T) map[string]connector.Assignment {
	t.Helper()
	account, object := h.Account(t), h.Object(t)
	return map[string]connector.Assignment{
		"the connector's own entry":           {Account: "accessbot@example.org", Object: object},
		"the placeholder":                     {Account: "placeholder@example.org", Object: object},
		"an empty name as object":             {Account: account},
		"an empty name as account":            {Object: object},
		"a name of spaces as account":         {Account: "  ", Object: object},
		"a name with NUL as object":           {Account: account, Object: object + "\x00"},
		"a name with NUL as account":          {Account: account + "\x00", Object: object},
		"a name with a line break as account": {Account: account + "\n", Object: object},
		"a name with a C1 control as object":  {Account: account, Object: object + "\u0085"},
		"a name that is not UTF-8 as account": {Account: "\xff" + account, Object: object},
		"a name that is too long as account":  {Account: strings.Repeat("x", MaxNameBytes) + account, Object: object},
	}
}

func (h harness) Exists(t *testing.T, name string) bool {
	t.Helper()
	return len(h.find(t, fmt.Sprintf("(|(mail=%[1]s)(cn=%[1]s))", ldap.EscapeFilter(name)))) > 0
}

// value returns how a group names the account; empty if it has no entry.
func (h harness) value(t *testing.T, account string) string {
	t.Helper()
	found := h.find(t, fmt.Sprintf("(mail=%s)", ldap.EscapeFilter(account)))
	switch {
	case len(found) == 0:
		return ""
	case h.byUID:
		return found[0].GetAttributeValue("uid")
	default:
		return found[0].DN
	}
}

// Holds asks the server, which compares names by its own rules.
func (h harness) Holds(t *testing.T, a connector.Assignment) bool {
	t.Helper()
	value := h.value(t, a.Account)
	return value != "" && value != placeholderDN && h.contains(t, a.Object, value)
}

func (h harness) contains(t *testing.T, object, value string) bool {
	t.Helper()
	return len(
		h.find(
			t,
			fmt.Sprintf("(&(objectClass=%s)(cn=%s)(%s=%s))", h.name, ldap.EscapeFilter(object), h.attribute, ldap.EscapeFilter(value)),
		),
	) > 0
}

// members returns all members of the group, including the placeholder.
func (h harness) members(t *testing.T, object string) []string {
	t.Helper()
	found := h.find(t, fmt.Sprintf("(&(objectClass=%s)(cn=%s))", h.name, ldap.EscapeFilter(object)))
	require.Len(t, found, 1)
	return found[0].GetAttributeValues(h.attribute)
}

func (h harness) modify(t *testing.T, object string, change func(request *ldap.ModifyRequest)) {
	t.Helper()
	found := h.find(t, fmt.Sprintf("(&(objectClass=%s)(cn=%s))", h.name, ldap.EscapeFilter(object)))
	require.Len(t, found, 1)
	request := ldap.NewModifyRequest(found[0].DN, nil)
	change(request)
	require.NoError(t, h.admin.Modify(request))
}

func (h harness) GrantByHand(t *testing.T, a connector.Assignment) {
	t.Helper()
	h.modify(t, a.Object, func(request *ldap.ModifyRequest) { request.Add(h.attribute, []string{h.value(t, a.Account)}) })
}

func (h harness) RevokeByHand(t *testing.T, a connector.Assignment) {
	t.Helper()
	h.modify(t, a.Object, func(request *ldap.ModifyRequest) { request.Delete(h.attribute, []string{h.value(t, a.Account)}) })
}
