package ldap

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// Check reports the server, the bound entry, and the number of groups.
func (c *Connector) Check(ctx context.Context) (report string, err error) {
	err = c.withSession(ctx, func(s *session) error {
		var as string
		err := s.step(ctx, func(context.Context) error {
			if as, err = c.whoAmI(s); err != nil {
				return err
			}
			if err := c.exists(s, "people_base", c.peopleBase); err != nil {
				return err
			}
			return c.exists(s, "groups_base", c.groupsBase)
		})
		if err != nil {
			return err
		}
		groups := 0
		err = c.pages(ctx, s, c.groupsBase, "groups_base", anyGroup, []string{"objectClass"}, func(*ldap.Entry) error {
			groups++
			return nil
		})
		report = fmt.Sprintf("LDAP at %s as %s: %d groups under %s, people under %s", c.addr, as, groups, c.groupsBase, c.peopleBase)
		return err
	})
	if err != nil {
		return "", c.classify(ctx, err)
	}
	return report, nil
}

// whoAmI asks the server who is bound (RFC 4532). Not every server supports that.
func (c *Connector) whoAmI(s *session) (string, error) {
	answer, err := s.conn.WhoAmI(nil)
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultProtocolError):
		return c.bindDN, nil
	case err != nil:
		return "", err
	}
	return strings.TrimPrefix(answer.AuthzID, "dn:"), nil
}

func (c *Connector) exists(s *session, setting, base string) error {
	_, err := s.conn.Search(
		ldap.NewSearchRequest(base, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"1.1"}, nil),
	)
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return &connector.Denied{
			Err: err,
			Fix: fmt.Sprintf("set %s to an entry that exists and that bind_dn %q can see, not %q", setting, c.bindDN, base),
		}
	}
	return err
}
