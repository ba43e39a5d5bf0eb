// Package connectortest is the conformance suite for connectors: it tests what package connector promises on a real target
// system. A connector's tests call Run with a Harness for its target.
package connectortest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/throttle"
)

// Harness is a running target system, which it reads and changes without the connector. Each name it returns is used by one test
// only. When that test ends, the account or object of that name is removed, whether the test or the connector created it. Methods
// fail t if the target fails.
type Harness interface {
	assignments
	// OpenWithBadCredentials opens a connector whose credentials the target rejects, and returns the secret in them.
	OpenWithBadCredentials(t *testing.T) (c connector.Connector, secret string)
	// CallTimeout limits every call of an opened connector.
	CallTimeout() time.Duration
	// ChangeMarker returns text in the last data that the connector sends for a change.
	ChangeMarker() string

	// MissingObject returns the name of an object that does not exist.
	MissingObject(t *testing.T) string
	// Refused returns assignments that must never be granted, by the reason.
	Refused(t *testing.T) map[string]connector.Assignment

	// Exists reports whether an account or object of this name exists.
	Exists(t *testing.T, name string) bool
}

// assignments is what tests that only grant, revoke and read need.
type assignments interface {
	// Addr returns the host:port of the target, without TLS; empty if it has none.
	Addr() string
	// Open opens a connector to the target through addr. The suite uses it as the program does: through package throttle.
	Open(t *testing.T, addr string) connector.Connector
	// Capabilities returns the optional interfaces that the connector has, so that no test is skipped by mistake.
	Capabilities() Capabilities

	// Account and Object create an account or object without assignments.
	Account(t *testing.T) string
	Object(t *testing.T) string
	// MissingAccount returns the name of an account that does not exist.
	MissingAccount(t *testing.T) string

	// Holds reports whether the target shows the assignment.
	Holds(t *testing.T, a connector.Assignment) bool
	// GrantByHand grants it as an administrator of the target would, without the connector.
	GrantByHand(t *testing.T, a connector.Assignment)
	// RevokeByHand revokes what GrantByHand or the connector granted.
	RevokeByHand(t *testing.T, a connector.Assignment)
}

// Run runs the suite with parallel tests.
func Run(t *testing.T, h Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"connector has all of its optional interfaces":                              on(hasCapabilities),
		"grant is held, and repeating it changes nothing":                           on(grantsAgain),
		"revocation is complete, and repeating it changes nothing":                  on(revokesAgain),
		"change affects its assignment only":                                        on(changesNothingElse),
		"grant creates a missing account":                                           createsMissingAccount,
		"creating an existing account changes nothing":                              createsAccountOnce,
		"read and revocation create nothing":                                        createsNothingElse,
		"missing object is gone, and nothing is created for it":                     missingObject,
		"revocation of a missing account or object succeeds":                        revokesFromGone,
		"access that someone else granted is held and can be revoked":               on(revokesWhatOthersGranted),
		"access that someone else revoked can be granted again and revoked":         on(followsWhatOthersRevoked),
		"dangerous assignment is refused and nothing is changed":                    refuses,
		"held assignments are listed":                                               lists,
		"error of the callback ends the listing":                                    listingEnds,
		"false success of the target is detected":                                   on(detectsFalseSuccess),
		"concurrent grants, then revocations, of one assignment succeed":            on(manyAtOnce),
		"concurrent grants and revocations of one object for many accounts succeed": on(manyAccountsAtOnce),
		"concurrent grants and revocations end with the last change":                on(grantingAgainstRevoking),
		"connector opens while its target is down":                                  opensWhileDown,
		"target that never answers is unavailable in time":                          neverAnswers,
		"target that stops answering is unavailable in time":                        stopsAnswering,
		"lost connection is unavailable, then recovers":                             lostConnection,
		"connection that died while idle is replaced":                               diesWhileIdle,
		"change whose response was lost is unavailable and can be repeated":         lostResponse,
		"cancelled call returns at once, as cancelled":                              cancelled,
		"call past its deadline is unavailable at once":                             deadline,
		"bad credentials are denied and not shown":                                  badCredentials,
		"check reports what it sees and changes nothing":                            on(checks),
		"check with bad credentials is denied and does not show them":               checksBadCredentials,
		"check of a target that is down is unavailable in time":                     checksWhatIsDown,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

func on(test func(*testing.T, assignments)) func(*testing.T, Harness) {
	return func(t *testing.T, h Harness) { test(t, h) }
}

// open opens a connector to the target.
func open(t *testing.T, h assignments) connector.Connector {
	t.Helper()
	return openAt(t, h, h.Addr())
}

// openAt opens a connector as the program does, with limits. It holds a slot for the whole test.
func openAt(t *testing.T, h assignments, addr string) connector.Connector {
	t.Helper()
	target := throttle.New(h.Open(t, addr), connector.Limits{})
	t.Cleanup(func() { assert.NoError(t, target.Close()) })
	c, done, err := target.Acquire(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { done(nil) })
	return c
}

// Capabilities are the optional interfaces that a connector has.
type Capabilities struct {
	CreatesAccounts bool // connector.AccountCreator
	Checks          bool // connector.Checker
	Lists           bool // connector.Lister
}

// CapabilitiesOf returns the optional interfaces that type assertions find, which is how the program checks for them.
func CapabilitiesOf(c connector.Connector) (a Capabilities) {
	_, a.CreatesAccounts = c.(connector.AccountCreator)
	_, a.Checks = c.(connector.Checker)
	_, a.Lists = c.(connector.Lister)
	return a
}

// hasCapabilities: the program gets a connector with every optional interface that the harness names.
func hasCapabilities(t *testing.T, h assignments) {
	require.Equal(t, h.Capabilities(), CapabilitiesOf(open(t, h)))
	target := throttle.New(h.Open(t, h.Addr()), connector.Limits{})
	t.Cleanup(func() { assert.NoError(t, target.Close()) })
	require.Equal(t, h.Capabilities(), CapabilitiesOf(target.Connector()))
}

// newAssignment returns an assignment of an existing account and object.
func newAssignment(t *testing.T, h assignments) connector.Assignment {
	t.Helper()
	return connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
}

// ensure calls connector.Ensure as its callers do: it repeats the call while the error's class allows that.
func ensure(ctx context.Context, c connector.Connector, a connector.Assignment, held bool) error {
	for {
		err := connector.Ensure(ctx, c, a, held)
		if err == nil || !canRetry(err) {
			return err
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func canRetry(err error) bool {
	switch connector.ClassOf(err) {
	case connector.ClassUnavailable, connector.ClassRateLimited, connector.ClassNotConfirmed:
		return true
	default:
		return false
	}
}

func requireClass(t *testing.T, want connector.Class, err error) {
	t.Helper()
	require.Equal(t, want, connector.ClassOf(err), "%v", err)
}

func requireGone(t *testing.T, part connector.Part, name string, err error) {
	t.Helper()
	var gone *connector.Gone
	require.ErrorAs(t, err, &gone)
	require.Equal(t, connector.Gone{Part: part, Name: name}, *gone)
}

// requireHeld checks both the connector and the target.
func requireHeld(t *testing.T, h assignments, c connector.Connector, a connector.Assignment, held bool) {
	t.Helper()
	require.Equal(t, held, h.Holds(t, a), "the target shows %s", a)
	state, err := connector.ReadIfExists(t.Context(), c, a)
	require.NoError(t, err)
	require.Equal(t, connector.State{Held: held}, state)
}
