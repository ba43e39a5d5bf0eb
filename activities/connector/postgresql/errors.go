package postgresql

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"accessbot/activities/connector"
)

// classify returns err in one of the classes of package connector. Network errors and all codes not listed here (classes 08,
// 40, 53, 55, 57, XX and others) are Unavailable. Two sessions that grant the same role at once can fail with 23505 or XX000
// ("tuple concurrently updated"). A role that is dropped between the read and the GRANT is 42704, and Gone at the next read.
// ctx is the caller's.
func (c *Connector) classify(ctx context.Context, err error) error {
	if err == nil || connector.ClassOf(err) != connector.ClassUnavailable {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if pqErr := pq.As(err); pqErr != nil {
		switch {
		case pqErr.Code.Class() == pqerror.ClassInvalidAuthorizationSpecification:
			return &connector.Denied{Err: pqErr, Fix: fmt.Sprintf(
				"check user %q and its password in the target's URL, and the server's pg_hba.conf", c.login)}
		case pqErr.Code == pqerror.InvalidCatalogName:
			return &connector.Denied{Err: pqErr, Fix: "set the target's URL to a database that exists"}
		case pqErr.Code == pqerror.InsufficientPrivilege:
			return &connector.Denied{Err: pqErr, Fix: fmt.Sprintf("grant login %q the missing privilege", c.login)}
		}
	}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, pq.ErrSSLNotSupported), errors.As(err, &certificate):
		return &connector.Denied{Err: err, Fix: "set sslmode and sslrootcert in the target's URL to match the server"}
	case errors.Is(err, context.DeadlineExceeded):
		return &connector.Unavailable{Err: fmt.Errorf("PostgreSQL did not answer in time: %w", err)}
	case errors.Is(err, driver.ErrBadConn):
		return &connector.Unavailable{Err: fmt.Errorf("the connection to PostgreSQL was cut: %w", err)}
	default:
		return &connector.Unavailable{Err: err}
	}
}

// grantError adds the missing privilege to the error of a GRANT.
func (c *Connector) grantError(a connector.Assignment, err error) error {
	if pq.As(err, pqerror.InsufficientPrivilege) == nil {
		return err
	}
	return &connector.Denied{Err: err, Fix: fmt.Sprintf("let login %q grant %q: GRANT %s TO %s WITH ADMIN OPTION",
		c.login, a.Object, pq.QuoteIdentifier(a.Object), pq.QuoteIdentifier(c.login))}
}

// revokeError adds the statement that would help to the error of a REVOKE.
func (c *Connector) revokeError(statement string, err error) error {
	switch {
	case pq.As(err, pqerror.InsufficientPrivilege) != nil:
		return &connector.Denied{Err: err, Fix: fmt.Sprintf(
			"login %q cannot revoke what this role granted; as a role that can, run: %s", c.login, statement)}
	case pq.As(err, pqerror.DependentObjectsStillExist, pqerror.DependentPrivilegeDescriptorsStillExist) != nil:
		return &connector.Denied{Err: err, Fix: fmt.Sprintf(
			"the account has the ADMIN option and granted the role to others; check who they are, then run: %s CASCADE", statement)}
	default:
		return err
	}
}
