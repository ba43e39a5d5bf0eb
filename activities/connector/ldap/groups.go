package ldap

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// class is a class of groups, with the way it names members.
type class struct {
	name      string // an objectClass
	attribute string
	byUID     bool // members are named by uid, not by DN
}

// classes are the supported classes. A group can have two of them (RFC 2307bis); then the first one counts.
var classes = []class{
	{name: "groupOfNames", attribute: "member"},
	{name: "groupOfUniqueNames", attribute: "uniqueMember"},
	{name: "posixGroup", attribute: "memberUid", byUID: true},
}

const anyGroup = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))"

// group is a group in the directory.
type group struct {
	class
	dn      string
	names   []string // the values of group_attribute
	members []string // as written in the directory, including the placeholder
}

func (c *Connector) groupAttributes() []string {
	attributes := []string{"objectClass", c.groupAttribute}
	for _, class := range classes {
		attributes = append(attributes, class.attribute)
	}
	return attributes
}

// group returns a group by its name, or *connector.Gone.
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
	return nil, &connector.Denied{Fix: fmt.Sprintf("let bind_dn %q read objectClass of %q", c.bindDN, entry.DN)}
}

// membership returns the account's entry, nil if it has none, and the group's values that make the account a member. If there is
// neither, it returns *connector.Gone.
func (c *Connector) membership(s *session, g *group, account string) (*person, []string, error) {
	p, err := c.person(s, account)
	if err != nil {
		return nil, nil, err
	}
	var values []string
	switch {
	case p == nil:
		values, err = c.deletedMember(s, g, account)
	case g.byUID && len(p.uids) == 0 && p.refused == "":
		err = &connector.Denied{Fix: fmt.Sprintf("add a uid to the entry %q: %q names its members by uid", p.dn, g.dn)}
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

// add makes a person a member. It succeeds if someone else did so meanwhile.
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

// remove removes values from the group. A group that names members by DN must not be empty, so the same change adds the
// placeholder if it removes the last member. If someone else changed the group since it was read, nothing happens and retry is
// true.
func (c *Connector) remove(s *session, g *group, values []string) (retry bool, err error) {
	change := ldap.NewModifyRequest(g.dn, nil)
	if !g.byUID && len(g.members) == len(values) {
		change.Add(g.attribute, []string{c.placeholderDN})
	}
	change.Delete(g.attribute, values)
	err = s.conn.Modify(change)
	retry = ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultAttributeOrValueExists,
		ldap.LDAPResultObjectClassViolation, ldap.LDAPResultNoSuchObject)
	return retry, c.changeError(g, err)
}

// uniqueIdentifier may follow the DN of a uniqueMember (RFC 4517, section 3.3.21).
var uniqueIdentifier = regexp.MustCompile(`#'[01]*'B$`)

// memberDN returns the DN in a member value, or nil if it is invalid.
func memberDN(value string) *ldap.DN {
	dn, err := ldap.ParseDN(uniqueIdentifier.ReplaceAllString(value, ""))
	if err != nil {
		return nil
	}
	return dn
}
