package ldap

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// classify returns err in one of the classes of package connector. An error that advice does not know is Unavailable: the
// network, a server that is busy (51), unavailable (52) or slow (3), and a missing base (32), which may only be hidden. ctx is
// the caller's.
func (c *Connector) classify(ctx context.Context, err error) error {
	if err == nil || connector.ClassOf(err) != connector.ClassUnavailable {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if do := c.advice(err); do != "" {
		return &connector.Denied{Err: err, Fix: do}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &connector.Unavailable{Err: fmt.Errorf("the directory did not answer in time: %w", err)}
	}
	return &connector.Unavailable{Err: err}
}

// advice returns what an operator has to change; empty for other errors.
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
		return "set url to ldaps://, or set start_tls: the server requires TLS"
	case ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultAdminLimitExceeded:
		return fmt.Sprintf(
			"let bind_dn %q read all entries: limits dn.exact=%q size.prtotal=unlimited, or the server's equivalent",
			c.bindDN,
			c.bindDN,
		)
	case ldap.LDAPResultReferral:
		return "set url to the server that accepts changes: this one refers to another"
	default:
		return ""
	}
}

// changeError adds the missing permission to the error of a change.
func (c *Connector) changeError(g *group, err error) error {
	if ldap.IsErrorWithCode(err, ldap.LDAPResultInsufficientAccessRights) {
		return &connector.Denied{Err: err, Fix: fmt.Sprintf("let bind_dn %q write %s of %q", c.bindDN, g.attribute, g.dn)}
	}
	return err
}
