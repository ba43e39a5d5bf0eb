// Package ldap is the connector to groups of an LDAP directory (tested with OpenLDAP 2.5). An object is a groupOfNames,
// groupOfUniqueNames or posixGroup, and an account is a person's entry, which holds an object if it is a direct member. The
// connector creates neither.
//
// A server accepts members that do not exist, keeps members whose entries were deleted, and refuses to remove the last member of
// some groups. groups.go and accounts.go handle that.
package ldap

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// callTimeout limits a call, including the connection. In List and Check it limits each page.
const callTimeout = 15 * time.Second

// Connector implements connector.Connector, connector.Lister and connector.Checker. Each call uses its own connection.
type Connector struct {
	addr     string      // host:port
	tls      *tls.Config // nil: not encrypted
	startTLS bool

	bindDN        string
	password      connector.Secret
	bind          *ldap.DN
	placeholder   *ldap.DN
	placeholderDN string // the placeholder, as written into groups

	peopleBase       string
	people           *ldap.DN
	accountAttribute string
	accountDN        *template // nil: not set
	groupsBase       string
	groupAttribute   string

	bound    time.Duration
	pageSize uint32
}

// Close does nothing: connections are closed after each call.
func (c *Connector) Close() error { return nil }

// Read reports whether the account is a direct member of the object. An account whose entry was deleted can still be one.
func (c *Connector) Read(ctx context.Context, a connector.Assignment) (connector.State, error) {
	var state connector.State
	err := c.call(ctx, a, func(s *session) error {
		g, err := c.group(s, a.Object)
		if err != nil {
			return err
		}
		_, values, err := c.membership(s, g, a.Account)
		state.Held = len(values) > 0
		return err
	})
	if err != nil {
		return connector.State{}, err
	}
	return state, nil
}

// Grant makes the account a member of the object.
func (c *Connector) Grant(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, a, func(s *session) error {
		g, err := c.group(s, a.Object)
		if err != nil {
			return err
		}
		p, values, err := c.membership(s, g, a.Account)
		switch {
		case err != nil:
			return err
		case p == nil:
			return &connector.Gone{Part: connector.Account, Name: a.Account}
		case p.refused != "":
			return &connector.Refused{Part: connector.Account, Name: a.Account, Reason: p.refused}
		case len(values) > 0:
			return nil
		}
		return c.add(s, g, p)
	})
}

// revokeAttempts limits how often a removal is repeated because someone else changed the group after it was read.
const revokeAttempts = 5

// Revoke ends the membership.
func (c *Connector) Revoke(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, a, func(s *session) error {
		var err error
		for range revokeAttempts {
			var retry bool
			if retry, err = c.revokeOnce(s, a); !retry {
				return err
			}
		}
		return fmt.Errorf("group %q keeps changing while %q is removed: %w", a.Object, a.Account, err)
	})
}

func (c *Connector) revokeOnce(s *session, a connector.Assignment) (retry bool, err error) {
	g, err := c.group(s, a.Object)
	if err != nil {
		return false, err
	}
	p, values, err := c.membership(s, g, a.Account)
	switch {
	case err != nil:
		return false, err
	case p != nil && p.refused != "":
		return false, &connector.Refused{Part: connector.Account, Name: a.Account, Reason: p.refused}
	case len(values) == 0:
		return false, nil
	}
	return c.remove(s, g, values)
}
