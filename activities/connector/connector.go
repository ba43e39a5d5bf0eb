// Package connector defines how target systems are read and changed. Each kind of system has a package below this one: package
// kinds opens them by name, and package connectortest is the test suite that all of them must pass.
package connector

import "context"

// Assignment is an object of a target system (a role, a group, a team) that an account there can hold. Both names are as the
// target knows them, byte for byte.
type Assignment struct {
	Account string
	Object  string
}

// String returns "account on object", for messages and logs.
func (a Assignment) String() string { return a.Account + " on " + a.Object }

// State is what the target shows for an assignment.
type State struct {
	// Held: the account has the object, no matter who granted it. Access through another object does not count.
	Held bool
	// Pending: a change has been started and is not complete (an unaccepted invitation, an open task). A pending assignment is
	// neither granted nor revoked yet.
	Pending bool
	// WaitsFor says what a pending change waits for, as shown to people: "ann to accept the invitation of acme". Empty: unknown.
	WaitsFor string
	On       PendingOn
	People   []string // with PendingOnOwners: the owners' names
}

// Confirms reports whether the target shows the wanted state, with no change pending.
func (s State) Confirms(held bool) bool { return !s.Pending && s.Held == held }

func (s State) String() string {
	switch {
	case s.Held && s.Pending:
		return "held, with a change pending"
	case s.Held:
		return "held"
	case s.Pending:
		return "pending, not held yet"
	default:
		return "not held"
	}
}

// Connector works on one target system. It is safe for concurrent use, can be opened while the target is down, and limits the
// duration of every call. Errors are those of this package (see Class), or the context's error if the caller cancelled. They
// contain no secrets.
//
// To change something, call Ensure: a target that reports success has not proved it.
type Connector interface {
	// Read returns the state of the assignment. A missing account or object is *Gone.
	Read(ctx context.Context, a Assignment) (State, error)
	// Grant grants the object to the account. It succeeds if the account already holds the object or is invited. If the target
	// makes the change later, or a person has to make it, Grant returns nil or *Pending; calling it again changes nothing. It
	// creates nothing: a missing object is *Gone, then a missing account is. The object is checked first, so that no account is
	// created for an object that cannot be granted.
	Grant(ctx context.Context, a Assignment) error
	// Revoke revokes the object, no matter who granted it, and withdraws an open invitation. It succeeds if the account does not
	// hold the object; *Pending as for Grant. A missing account or object is *Gone. It refuses less than Grant: an account that
	// was disabled, and an object that became dangerous, must still lose their access.
	Revoke(ctx context.Context, a Assignment) error
	// Close releases the connector's resources.
	Close() error
}

// AccountCreator is a Connector that can create a missing account, with no access and no way to log in beyond what the target
// gives every account. An account that already exists is success and is not changed. *Gone means that accounts cannot be created
// there.
type AccountCreator interface {
	CreateAccount(ctx context.Context, account string) error
}

// Checker is a Connector that can check its credentials. It returns one line for operators: which system, as whom, how much it
// sees. It changes nothing. What would fail later is an error now, where that can be seen.
type Checker interface {
	Check(ctx context.Context) (string, error)
}

// Limits restrict how much is asked of a target.
type Limits struct {
	Concurrency int     // concurrent reconciliations; at least 1
	PerSecond   float64 // reconciliations started per second; 0: no limit
}

// Lister is a Connector that can list all assignments that it could revoke. It calls fn for each of them once, in no particular
// order. An error from fn ends the listing and is returned unchanged.
type Lister interface {
	List(ctx context.Context, fn func(Assignment) error) error
}
