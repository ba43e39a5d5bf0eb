package ldap

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// classify puts an error of a call into one of the port's classes. What is not
// listed here is Unavailable: the network, a server that is busy (51), away
// (52) or slow (3), and a base that does not exist (32), which may just be
// hidden. ctx is the caller's.
func (c *Connector) classify(ctx context.Context, err error) error {
	if err == nil || connector.ClassOf(err) != connector.ClassUnavailable {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if do := c.advice(err); do != "" {
		return &connector.Denied{Err: err, Do: do}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &connector.Unavailable{Err: fmt.Errorf("the directory did not answer in time: %w", err)}
	}
	return &connector.Unavailable{Err: err}
}

// advice is what to do about the server's results that only an operator can
// change.
func (c *Connector) advice(err error) string {
	var result *ldap.Error
	if !errors.As(err, &result) {
		return ""
	}
	switch result.ResultCode {
	case ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication:
		return fmt.Sprintf("check bind_dn %q and its password", c.bindDN)
	case ldap.LDAPResultInsufficientAccessRights:
		return fmt.Sprintf("let bind_dn %q read people and groups, and write the members of groups", c.bindDN)
	case ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultConfidentialityRequired:
		return "set url to ldaps://, or set start_tls: the server wants it"
	case ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultAdminLimitExceeded:
		return fmt.Sprintf("let bind_dn %q read all entries: limits dn.exact=%q size.prtotal=unlimited, or what the server calls it", c.bindDN, c.bindDN)
	case ldap.LDAPResultReferral:
		return "set url to the server that changes are made on: this one sends us to another"
	default:
		return ""
	}
}

// changeError names what only the place of a change knows.
func (c *Connector) changeError(g *group, err error) error {
	if ldap.IsErrorWithCode(err, ldap.LDAPResultInsufficientAccessRights) {
		return &connector.Denied{Err: err, Do: fmt.Sprintf("let bind_dn %q write %s of %q", c.bindDN, g.attribute, g.dn)}
	}
	return err
}
