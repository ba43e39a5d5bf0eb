package ldap

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// class is a class of groups, and how they name their members.
type class struct {
	name      string // an objectClass
	attribute string
	byUID     bool // members are named by their uid; else by DN
}

// classes are those that are known. A group that is of two, as RFC 2307bis lets
// it be, is of the first.
var classes = []class{
	{name: "groupOfNames", attribute: "member"},
	{name: "groupOfUniqueNames", attribute: "uniqueMember"},
	{name: "posixGroup", attribute: "memberUid", byUID: true},
}

const anyGroup = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))"

// group is a group as it is a delegate the directory.
type group struct {
	class
	dn      string
	names   []string // the values of group_attribute
	members []string // as they are written there, the placeholder too
}

func (c *Connector) groupAttributes() []string {
	attributes := []string{"objectClass", c.groupAttribute}
	for _, class := range classes {
		attributes = append(attributes, class.attribute)
	}
	return attributes
}

// group looks a group up by its name; none is *connector.Gone.
func (c *Connector) group(s *session, name string) (*group, error) {
	entry, err := c.lookup(s, c.groupsBase, "groups_base", anyGroup, c.groupAttribute, name, c.groupAttributes())
	if err != nil {
		return nil, err
	}
	if entry == nil {
		return nil, &connector.Gone{Part: connector.Object, Name: name}
	}
	return c.groupOf(entry)
}

func (c *Connector) groupOf(entry *ldap.Entry) (*group, error) {
	has := entry.GetEqualFoldAttributeValues("objectClass")
	for _, class := range classes {
		if slices.ContainsFunc(has, func(value string) bool { return strings.EqualFold(value, class.name) }) {
			return &group{
				class: class, dn: entry.DN,
				names: entry.GetEqualFoldAttributeValues(c.groupAttribute), members: entry.GetEqualFoldAttributeValues(class.attribute),
			}, nil
		}
	}
	return nil, &connector.Denied{Do: fmt.Sprintf("let bind_dn %q read objectClass of %q", c.bindDN, entry.DN)}
}

// held finds the account's entry, nil if it has none, and the group's values
// that make the account a member. No entry and no value is *connector.Gone.
func (c *Connector) held(s *session, g *group, account string) (*person, []string, error) {
	p, err := c.person(s, account)
	if err != nil {
		return nil, nil, err
	}
	var values []string
	switch {
	case p == nil:
		values, err = c.ghosts(s, g, account)
	case g.byUID && len(p.uids) == 0 && p.refused == "":
		err = &connector.Denied{Do: fmt.Sprintf("grant the entry %q a uid: %q names its members by it", p.dn, g.dn)}
	case g.byUID:
		values = p.uidsIn(g.members)
	default:
		for _, value := range g.members {
			if member := memberDN(value); member != nil && member.EqualFold(p.parsed) && !member.EqualFold(c.placeholder) {
				values = append(values, value)
			}
		}
	}
	if err == nil && p == nil && len(values) == 0 {
		err = &connector.Gone{Part: connector.Account, Name: account}
	}
	return p, values, err
}

// add makes a person a member. One who became it meanwhile is success.
func (c *Connector) add(s *session, g *group, p *person) error {
	value := p.dn
	if g.byUID {
		value = p.uids[0]
	}
	change := ldap.NewModifyRequest(g.dn, nil)
	change.Add(g.attribute, []string{value})
	err := s.conn.Modify(change)
	if ldap.IsErrorWithCode(err, ldap.LDAPResultAttributeOrValueExists) {
		return nil
	}
	return c.changeError(g, err)
}

// remove takes values out of the group. A group that names DNs must keep one:
// before its last, the placeholder goes in, by the same change. Again, if others
// changed the group since it was read; then nothing happened.
func (c *Connector) remove(s *session, g *group, values []string) (again bool, err error) {
	change := ldap.NewModifyRequest(g.dn, nil)
	if !g.byUID && len(g.members) == len(values) {
		change.Add(g.attribute, []string{c.holdsPlace})
	}
	change.Delete(g.attribute, values)
	err = s.conn.Modify(change)
	again = ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultAttributeOrValueExists,
		ldap.LDAPResultObjectClassViolation, ldap.LDAPResultNoSuchObject)
	return again, c.changeError(g, err)
}

// uniqueIdentifier may follow the DN of a uniqueMember (RFC 4517, section 3.3.21).
var uniqueIdentifier = regexp.MustCompile(`#'[01]*'B$`)

// memberDN is the DN that a value names, nil for one that is none.
func memberDN(value string) *ldap.DN {
	dn, err := ldap.ParseDN(uniqueIdentifier.ReplaceAllString(value, ""))
	if err != nil {
		return nil
	}
	return dn
}
