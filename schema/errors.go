package schema

import (
	"database/sql"
	"errors"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// Why the database refuses a decision or a release. The texts are for logs; people read what the Slack app makes of them.
var (
	ErrNotFound       = errors.New("not found")
	ErrNotOpen        = errors.New("not open any more")
	ErrDecided        = errors.New("decided already")
	ErrWithdrawn      = errors.New("withdrawn or released already")
	ErrOwnRequest     = errors.New("no one decides their own request")
	ErrNotActive      = errors.New("the person is not active")
	ErrNotAllowed     = errors.New("not theirs to decide")
	ErrTermsChanged   = errors.New("the request is not what was shown")
	ErrEndPassed      = errors.New("the end has passed")
	ErrWrongKind      = errors.New("not possible in this state")
	ErrStateBackwards = errors.New("states only go forward")
	ErrNoProof        = errors.New("no recorded decision covers this")
	ErrTooMany        = errors.New("too many wait already")
)

// refusals are the SQLSTATEs that the triggers of the migrations raise.
var refusals = map[pqerror.Code]error{
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

// refusal turns what a trigger or a constraint says into one of the errors above, and leaves any other error as it is.
func refusal(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	var e *pq.Error
	if !errors.As(err, &e) {
		return err
	}
	if known, ok := refusals[e.Code]; ok {
		return known
	}
	return err
}
