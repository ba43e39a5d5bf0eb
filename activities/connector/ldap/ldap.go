// Package ldap is the connector to the groups of an LDAP directory (tested:
// OpenLDAP 2.5): an object is a groupOfNames, groupOfUniqueNames or posixGroup,
// an account the entry of a person, and to hold an object is to be a direct
// member of it. It creates neither.
//
// What the server accepts is not what it means: it takes members that do not
// exist, keeps those whose entry was deleted, and does not let the last one of
// some groups go. The files groups.go and accounts.go say what is done about it.
package ldap

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// callTimeout is the longest that a call may take, connecting included; of List
// and Check, a page.
const callTimeout = 15 * time.Second

// Connector implements connector.Connector, connector.Lister and
// connector.Checker. Every call has a connection of its own.
type Connector struct {
	addr     string      // host:port
	tls      *tls.Config // nil: in the open
	startTLS bool

	bindDN      string
	password    connector.Secret
	bind        *ldap.DN
	placeholder *ldap.DN
	holdsPlace  string // the placeholder, as it is written into groups

	peopleBase       string
	people           *ldap.DN
	accountAttribute string
	accountDN        *template // nil: there is none
	groupsBase       string
	groupAttribute   string

	bound    time.Duration
	pageSize uint32
}

// Close has nothing to release: no connection outlasts its call.
func (c *Connector) Close() error { return nil }

// Read tells whether the account is a direct member of the object. That of an
// entry that was deleted may still be one.
func (c *Connector) Read(ctx context.Context, a connector.Assignment) (connector.State, error) {
	var state connector.State
	err := c.call(ctx, a, func(s *session) error {
		g, err := c.group(s, a.Object)
		if err != nil {
			return err
		}
		_, values, err := c.held(s, g, a.Account)
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
		p, values, err := c.held(s, g, a.Account)
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

// revokeAttempts are for changes by others between our look and our change, which
// then does not happen at all.
const revokeAttempts = 5

// Take ends the membership.
func (c *Connector) Revoke(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, a, func(s *session) error {
		var err error
		for range revokeAttempts {
			var again bool
			if again, err = c.take(s, a); !again {
				return err
			}
		}
		return fmt.Errorf("the group %q changed each time that %q was to be taken out of it: %w", a.Object, a.Account, err)
	})
}

func (c *Connector) take(s *session, a connector.Assignment) (again bool, err error) {
	g, err := c.group(s, a.Object)
	if err != nil {
		return false, err
	}
	p, values, err := c.held(s, g, a.Account)
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
