package ldap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// person is the entry of an account.
type person struct {
	dn      string
	parsed  *ldap.DN
	uids    []string
	refused string // why its access is never changed; completes "it ..."
}

// person returns the entry of an account, or nil if there is none.
func (c *Connector) person(s *session, account string) (*person, error) {
	// A mailing list has an address too, and is not a person.
	entry, err := c.lookup(s, c.peopleBase, "people_base", "(!"+anyGroup+")", c.accountAttribute, account, c.personAttributes())
	if err != nil || entry == nil {
		return nil, err
	}
	return c.personOf(entry)
}

func (c *Connector) personAttributes() []string { return []string{c.accountAttribute, "uid"} }

func (c *Connector) personOf(entry *ldap.Entry) (*person, error) {
	dn, err := ldap.ParseDN(entry.DN)
	if err != nil {
		return nil, fmt.Errorf("parse DN %q from the directory: %w", entry.DN, err)
	}
	p := &person{dn: entry.DN, parsed: dn, uids: entry.GetEqualFoldAttributeValues("uid")}
	switch {
	case dn.EqualFold(c.bind):
		p.refused = "is the connector's own entry (bind_dn)"
	case dn.EqualFold(c.placeholder):
		p.refused = "is the placeholder of groups without members (placeholder_dn)"
	}
	return p, nil
}

// uidsIn returns those values of memberUid, which is case-sensitive, that are the person's.
func (p *person) uidsIn(values []string) []string {
	var found []string
	for _, value := range values {
		if slices.Contains(p.uids, value) {
			found = append(found, value)
		}
	}
	return found
}

// deletedMember returns the values of a group that name an account without an entry. Unless the server removes them, deleted
// accounts stay members.
func (c *Connector) deletedMember(s *session, g *group, account string) ([]string, error) {
	var values []string
	if g.byUID {
		if !slices.Contains(g.members, account) {
			return nil, nil
		}
		// It may be the uid of a person whose account has another name.
		other, err := c.search(s, c.peopleBase, "people_base", fmt.Sprintf("(uid=%s)", ldap.EscapeFilter(account)), []string{"1.1"})
		if err != nil || len(other) > 0 {
			return nil, err
		}
		return []string{account}, nil
	}
	for _, value := range g.members {
		member := memberDN(value)
		if member == nil || member.EqualFold(c.placeholder) {
			continue
		}
		if name, ok := c.nameIn(member); ok && strings.EqualFold(name, account) {
			values = append(values, value)
		}
	}
	return values, nil
}

// nameIn returns the account name that the DN of an entry contains: in the place that account_dn says, or in an account_attribute
// below people_base.
func (c *Connector) nameIn(dn *ldap.DN) (string, bool) {
	if c.accountDN != nil {
		if name, ok := c.accountDN.nameIn(dn); ok {
			return name, true
		}
	}
	if len(dn.RDNs) == 0 || !c.people.AncestorOfFold(dn) {
		return "", false
	}
	for _, part := range dn.RDNs[0].Attributes {
		if strings.EqualFold(part.Type, c.accountAttribute) {
			return part.Value, true
		}
	}
	return "", false
}

// template is account_dn: ATTRIBUTE=%s and the rest of a DN.
type template struct {
	attribute string
	parent    *ldap.DN
}

// newTemplate parses account_dn. It returns nil if the text is invalid.
func newTemplate(text string) *template {
	dn, err := ldap.ParseDN(text)
	if err != nil || len(dn.RDNs) < 2 || len(dn.RDNs[0].Attributes) != 1 || dn.RDNs[0].Attributes[0].Value != "%s" {
		return nil
	}
	return &template{attribute: dn.RDNs[0].Attributes[0].Type, parent: &ldap.DN{RDNs: dn.RDNs[1:]}}
}

func (t *template) nameIn(dn *ldap.DN) (string, bool) {
	if len(dn.RDNs) == 0 || !t.parent.EqualFold(&ldap.DN{RDNs: dn.RDNs[1:]}) || len(dn.RDNs[0].Attributes) != 1 {
		return "", false
	}
	first := dn.RDNs[0].Attributes[0]
	return first.Value, strings.EqualFold(first.Type, t.attribute)
}

// lookup returns the one entry with a name, or nil if there is none.
func (c *Connector) lookup(s *session, base, setting, filter, attribute, name string, attributes []string) (*ldap.Entry, error) {
	entries, err := c.search(s, base, setting, fmt.Sprintf("(&%s(%s=%s))", filter, attribute, ldap.EscapeFilter(name)), attributes)
	switch {
	case err != nil:
		return nil, err
	case len(entries) == 0:
		return nil, nil //nolint:nilnil // no entry is not an error
	case len(entries) > 1:
		return nil, &connector.Denied{
			Fix: fmt.Sprintf(
				"leave one entry under %s with %s %q: %q and %q have it",
				setting,
				attribute,
				name,
				entries[0].DN,
				entries[1].DN,
			),
		}
	}
	// The server ignores letter case and spaces, and the database does not: two spellings would be two assignments.
	if has := entries[0].GetEqualFoldAttributeValues(attribute); !slices.Contains(has, name) {
		return nil, &connector.Denied{
			Fix: fmt.Sprintf("spell %q as the directory does: %s of %q is %q", name, attribute, entries[0].DN, has),
		}
	}
	return entries[0], nil
}

// search returns at most two entries.
func (c *Connector) search(s *session, base, setting, filter string, attributes []string) ([]*ldap.Entry, error) {
	found, err := s.conn.Search(
		ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2, 0, false, filter, attributes, nil),
	)
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) && len(found.Entries) > 1:
		return found.Entries, nil
	case err != nil:
		return nil, baseError(base, setting, err)
	}
	return found.Entries, nil
}

// baseError adds the setting to the error "no such object".
func baseError(base, setting string, err error) error {
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return fmt.Errorf("%s %q does not exist, or bind_dn cannot see it: %w", setting, base, err)
	}
	return err
}
