package ldap

import (
	"context"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// List lists every direct membership of an account. It names the account by the first value of its account_attribute; an account
// without an entry, by what its group says. It keeps the names of all people in memory and reads groups page by page. fn may be
// slow.
func (c *Connector) List(ctx context.Context, fn func(connector.Assignment) error) error {
	var fnErr error // returned unchanged
	err := c.withSession(ctx, func(s *session) error {
		known, err := c.accountNames(ctx, s)
		if err != nil {
			return err
		}
		seen := map[string]bool{} // groups with the same name cannot be revoked, so they are listed once
		return c.pages(ctx, s, c.groupsBase, "groups_base", anyGroup, c.groupAttributes(), func(entry *ldap.Entry) error {
			g, err := c.groupOf(entry)
			if err != nil || len(g.names) == 0 || seen[g.names[0]] {
				return err
			}
			seen[g.names[0]] = true
			for account := range c.accountsOf(g, known) {
				if fnErr = fn(connector.Assignment{Account: account, Object: g.names[0]}); fnErr != nil {
					return fnErr
				}
			}
			return nil
		})
	})
	if fnErr != nil {
		return fnErr
	}
	return c.classify(ctx, err)
}

// names are account names by DN and by uid. Accounts with an empty name are not listed.
type names struct{ byDN, byUID map[string]string }

func (c *Connector) accountNames(ctx context.Context, s *session) (names, error) {
	known := names{byDN: map[string]string{}, byUID: map[string]string{}}
	err := c.pages(ctx, s, c.peopleBase, "people_base", "(!"+anyGroup+")", c.personAttributes(), func(entry *ldap.Entry) error {
		p, err := c.personOf(entry)
		if err != nil {
			return err
		}
		name := ""
		if values := entry.GetEqualFoldAttributeValues(c.accountAttribute); len(values) > 0 && p.refused == "" {
			name = values[0]
		}
		known.byDN[key(p.parsed)] = name
		for _, uid := range p.uids {
			known.byUID[uid] = name
		}
		return nil
	})
	return known, err
}

// accountsOf returns the accounts in a group, without duplicates.
func (c *Connector) accountsOf(g *group, known names) map[string]bool {
	accounts := map[string]bool{}
	for _, value := range g.members {
		if name := c.nameOf(g, value, known); name != "" {
			accounts[name] = true
		}
	}
	return accounts
}

// nameOf returns the account name for a group's member value; empty if it is not listed.
func (c *Connector) nameOf(g *group, value string, known names) string {
	if g.byUID {
		if name, ok := known.byUID[value]; ok {
			return name
		}
		return value
	}
	dn := memberDN(value)
	if dn == nil || dn.EqualFold(c.placeholder) {
		return ""
	}
	if name, ok := known.byDN[key(dn)]; ok {
		return name
	}
	if name, ok := c.nameIn(dn); ok {
		return name
	}
	return ""
}

// key returns the same string for equal DNs.
func key(dn *ldap.DN) string { return strings.ToLower(dn.String()) }

// pages calls fn for every entry that matches, with one page in memory at a time (RFC 2696).
func (c *Connector) pages(
	ctx context.Context,
	s *session,
	base, setting, filter string,
	attributes []string,
	fn func(*ldap.Entry) error,
) error {
	paging := ldap.NewControlPaging(c.pageSize)
	for {
		var found *ldap.SearchResult
		err := s.step(ctx, func(context.Context) (err error) {
			found, err = s.conn.Search(
				ldap.NewSearchRequest(
					base,
					ldap.ScopeWholeSubtree,
					ldap.NeverDerefAliases,
					0,
					0,
					false,
					filter,
					attributes,
					[]ldap.Control{paging},
				),
			)
			return err
		})
		if err != nil {
			return baseError(base, setting, err)
		}
		for _, entry := range found.Entries {
			if err := fn(entry); err != nil {
				return err
			}
		}
		next, ok := ldap.FindControl(found.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(next.Cookie) == 0 { // a server without paging has returned everything
			return nil
		}
		paging.SetCookie(next.Cookie)
	}
}
