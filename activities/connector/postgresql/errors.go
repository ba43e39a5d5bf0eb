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

// classify puts an error of a call into one of the port's classes. What is not
// listed here, in classes 08, 40, 53, 55, 57, XX and all others, and whatever
// the network says, is Unavailable: two sessions that grant the same role at
// once can meet in 23505 or XX000 ("tuple concurrently updated"); a role that is
// dropped between our look and our GRANT is 42704, and Gone at the next look.
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
			return &connector.Denied{Err: pqErr, Do: fmt.Sprintf(
				"check user %q and its password in the target's URL, and the server's pg_hba.conf", c.login)}
		case pqErr.Code == pqerror.InvalidCatalogName:
			return &connector.Denied{Err: pqErr, Do: "name a database that exists in the target's URL"}
		case pqErr.Code == pqerror.InsufficientPrivilege:
			return &connector.Denied{Err: pqErr, Do: fmt.Sprintf("login %q lacks a right", c.login)}
		}
	}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, pq.ErrSSLNotSupported), errors.As(err, &certificate):
		return &connector.Denied{Err: err, Do: "set sslmode and sslrootcert in the target's URL as the server has it"}
	case errors.Is(err, context.DeadlineExceeded):
		return &connector.Unavailable{Err: fmt.Errorf("PostgreSQL did not answer in time: %w", err)}
	case errors.Is(err, driver.ErrBadConn):
		return &connector.Unavailable{Err: fmt.Errorf("the connection to PostgreSQL was cut: %w", err)}
	default:
		return &connector.Unavailable{Err: err}
	}
}

// grantError names what only the place of a GRANT knows.
func (c *Connector) grantError(a connector.Assignment, err error) error {
	if pq.As(err, pqerror.InsufficientPrivilege) == nil {
		return err
	}
	return &connector.Denied{Err: err, Do: fmt.Sprintf("let login %q grant %q: GRANT %s TO %s WITH ADMIN OPTION",
		c.login, a.Object, pq.QuoteIdentifier(a.Object), pq.QuoteIdentifier(c.login))}
}

// revokeError names what only the place of a REVOKE knows.
func (c *Connector) revokeError(statement string, err error) error {
	switch {
	case pq.As(err, pqerror.InsufficientPrivilege) != nil:
		return &connector.Denied{Err: err, Do: fmt.Sprintf(
			"login %q may not revoke what this role granted; let someone who may run: %s", c.login, statement)}
	case pq.As(err, pqerror.DependentObjectsStillExist, pqerror.DependentPrivilegeDescriptorsStillExist) != nil:
		return &connector.Denied{Err: err, Do: fmt.Sprintf(
			"the account had the ADMIN option and granted the role on; look at who has it from there, then run: %s CASCADE", statement)}
	default:
		return err
	}
}
