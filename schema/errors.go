package schema

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// Why the database refuses a decision, a withdrawal or a revocation. The texts are for logs; the Slack app has its own.
var (
	ErrNotFound       = errors.New("not found")
	ErrNotOpen        = errors.New("no longer open")
	ErrDecided        = errors.New("already decided")
	ErrWithdrawn      = errors.New("already withdrawn or revoked")
	ErrOwnRequest     = errors.New("a requester cannot decide their own request")
	ErrNotActive      = errors.New("the person is not active")
	ErrNotAllowed     = errors.New("not allowed")
	ErrTermsChanged   = errors.New("the request changed after it was shown")
	ErrEndPassed      = errors.New("the end has passed")
	ErrWrongKind      = errors.New("not possible in this state")
	ErrStateBackwards = errors.New("states only go forward")
	ErrNoProof        = errors.New("no recorded decision covers this")
	ErrTooMany        = errors.New("too many are open already")
)

// sqlstates are the SQLSTATEs that our triggers raise.
var sqlstates = map[pqerror.Code]error{
	"AB001": ErrNotOpen,
	"AB002": ErrDecided,
	"AB003": ErrWithdrawn,
	"AB004": ErrOwnRequest,
	"AB005": ErrNotActive,
	"AB006": ErrNotAllowed,
	"AB007": ErrTermsChanged,
	"AB008": ErrEndPassed,
	"AB009": ErrWrongKind,
	"AB010": ErrStateBackwards,
	"AB011": ErrNoProof,
	"AB014": ErrTooMany,
}

// mapError turns "no rows" and the SQLSTATEs of our triggers into the errors above, and leaves any other error as it is.
func mapError(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	var e *pq.Error
	if !errors.As(err, &e) {
		return err
	}
	if known, ok := sqlstates[e.Code]; ok {
		return known
	}
	return err
}

// NeedsRole adds to an error with which PostgreSQL refuses a login, or lacks a right, which role is needed. Other errors stay as
// they are.
func NeedsRole(err error, role string) error {
	var e *pq.Error
	if !errors.As(err, &e) ||
		e.Code.Class() != pqerror.ClassInvalidAuthorizationSpecification && e.Code != pqerror.InsufficientPrivilege {
		return err
	}
	return fmt.Errorf("PostgreSQL refuses: set DATABASE_URL to the URL of %s: %w", role, err)
}
