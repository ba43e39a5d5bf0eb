// Package connector is the port to target systems: what reads, grants and revokes
// access there. Each kind of system has a package below this one; package
// kinds opens them by name, and package connectortest says by tests what all of
// them must keep.
package connector

import "context"

// Assignment is what may be held: an object of the target system (a role, a
// group, a team) by an account there. Both are names as the target knows them,
// byte for byte.
type Assignment struct {
	Account string
	Object  string
}

// String is "account on object", for messages and logs.
func (a Assignment) String() string { return a.Account + " on " + a.Object }

// State is what the target really shows for an assignment.
type State struct {
	// Held: the account has the object, no matter who granted it. What it has only
	// through another object does not count.
	Held bool
	// Pending: a change to it is under way and not done (an invitation is out, a
	// task is open). A pending assignment is neither granted nor revoked yet.
	Pending bool
	// WaitsFor says to people what a pending one waits for, such as "ann to
	// accept the invitation of acme"; empty: unknown.
	WaitsFor string
	On       WaitsOn
	People   []string // with OnPeople: their names
}

// Matches reports whether the state is the wanted one: held (or not held), and no
// change pending.
func (s State) Matches(held bool) bool { return !s.Pending && s.Held == held }

func (s State) String() string {
	switch {
	case s.Held && s.Pending:
		return "held, with a change to it under way"
	case s.Held:
		return "held"
	case s.Pending:
		return "under way, not held yet"
	default:
		return "not held"
	}
}

// Connector works on one target system. It is safe for concurrent use, opens
// without needing the target to be up, and bounds every call in time by itself.
// Errors are those of this package (see Class), or the context's own error if
// the caller cancelled. Their texts hold no secrets.
//
// Callers that want something changed use Ensure: an answer of success from a
// target is not proof.
type Connector interface {
	// Read looks the assignment up. A missing account or object is *Gone.
	Read(ctx context.Context, a Assignment) (State, error)
	// Grant grants the object to the account; already held, or invited, is
	// success. What the target does later, or a person has to do, is success or
	// *Pending; asking for it again changes nothing. It creates nothing: a
	// missing object is *Gone, and so is a missing account, in this order, so
	// that no account is made for an object that cannot be granted.
	Grant(ctx context.Context, a Assignment) error
	// Revoke revokes the object, also if someone else granted it, and withdraws
	// an open invitation; not held is success, and *Pending as for Grant. A
	// missing account or object is *Gone. It refuses less than Grant: what has become dangerous since, or an
	// account that was disabled, must still lose its access.
	Revoke(ctx context.Context, a Assignment) error
	// Close releases what the connector holds open.
	Close() error
}

// AccountCreator is a Connector that can create a missing account, with no
// access and no means to log in beyond what the target grants everyone. An
// account that is already there is success and stays as it is. *Gone: it turns
// out that accounts are not created there.
type AccountCreator interface {
	CreateAccount(ctx context.Context, account string) error
}

// Checker is a Connector that can say what it sees with its credentials, in a
// line for operators: which system, as whom, how much of it. It changes nothing.
// What would not work later is an error now, as far as it can be seen.
type Checker interface {
	Check(ctx context.Context) (string, error)
}

// Limits are what a target may be asked for at once.
type Limits struct {
	Concurrency int     // reconciliations at once; at least 1
	PerSecond   float64 // reconciliations started per second; 0: no limit
}

// Lister is a Connector that can tell all assignments that it could revoke.
// It streams them to fn in no particular order, each once; fn's error ends the
// listing and is returned as it is.
type Lister interface {
	List(ctx context.Context, fn func(Assignment) error) error
}
