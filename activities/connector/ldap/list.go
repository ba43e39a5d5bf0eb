package ldap

import (
	"context"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// List tells every direct membership of an account: by the first value of its
// account_attribute, or by what a group still says of one without an entry. It
// keeps the names of all people in memory, and reads groups page by page; fn may
// take its time.
func (c *Connector) List(ctx context.Context, fn func(connector.Assignment) error) error {
	var told error // by fn: the caller's own
	err := c.long(ctx, func(s *session) error {
		known, err := c.everyone(ctx, s)
		if err != nil {
			return err
		}
		seen := map[string]bool{} // of two groups of one name, neither could be revoked
		return c.pages(ctx, s, c.groupsBase, "groups_base", anyGroup, c.groupAttributes(), func(entry *ldap.Entry) error {
			g, err := c.groupOf(entry)
			if err != nil || len(g.names) == 0 || seen[g.names[0]] {
				return err
			}
			seen[g.names[0]] = true
			for account := range c.accountsOf(g, known) {
				if told = fn(connector.Assignment{Account: account, Object: g.names[0]}); told != nil {
					return told
				}
			}
			return nil
		})
	})
	if told != nil {
		return told
	}
	return c.classify(ctx, err)
}

// names are those of accounts, by what groups name them by. An empty one is not
// to be told.
type names struct{ byDN, byUID map[string]string }

func (c *Connector) everyone(ctx context.Context, s *session) (names, error) {
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

// accountsOf are the accounts in a group, each once.
func (c *Connector) accountsOf(g *group, known names) map[string]bool {
	accounts := map[string]bool{}
	for _, value := range g.members {
		if name := c.nameOf(g, value, known); name != "" {
			accounts[name] = true
		}
	}
	return accounts
}

// nameOf is the account's name that a value of a group stands for; empty, where
// none is to be told.
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

// key is the same for DNs that are equal.
func key(dn *ldap.DN) string { return strings.ToLower(dn.String()) }

// pages tells fn of every entry that matches, a page of them in memory at once
// (RFC 2696).
func (c *Connector) pages(ctx context.Context, s *session, base, setting, filter string, attributes []string, fn func(*ldap.Entry) error) error {
	paging := ldap.NewControlPaging(c.pageSize)
	for {
		var found *ldap.SearchResult
		err := s.step(ctx, func(context.Context) (err error) {
			found, err = s.conn.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, attributes, []ldap.Control{paging}))
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
		if !ok || len(next.Cookie) == 0 { // a server that knows no pages has answered with everything
			return nil
		}
		paging.SetCookie(next.Cookie)
	}
}
