// Package connectortest is the conformance suite of connectors: what package
// connector promises about them, tried on a real target system. A connector's
// own tests call Run with a Harness for its target.
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

// Harness is a running target system and a way to look at it that does not go
// through the connector. Names it hands out are used by one test only, and are
// removed from the target when that test ends, whether the test or the
// connector created what they name. Methods fail t when the target fails them.
type Harness interface {
	assignments
	// OpenBadly opens one with credentials that the target rejects, and tells
	// the secret among them.
	OpenBadly(t *testing.T) (c connector.Connector, secret string)
	// Bound is the longest that any call of an opened connector may take.
	Bound() time.Duration
	// FinalBytes are in what the connector sends last to make a change happen.
	FinalBytes() string

	// MissingObject names one that does not exist.
	MissingObject(t *testing.T) string
	// Refused are assignments that must never be granted, by what is wrong with them.
	Refused(t *testing.T) map[string]connector.Assignment

	// Exists tells whether an account or object of this name exists.
	Exists(t *testing.T, name string) bool
}

// assignments is what the tests need that only grant, revoke and look.
type assignments interface {
	// Addr is the host:port where the target listens, without TLS; empty where nothing does.
	Addr() string
	// Open opens a connector for the target, as if that listened at addr. The suite does not use it as it is, but as the
	// program does: through package throttle.
	Open(t *testing.T, addr string) connector.Connector
	// Can is what the opened connector can do beyond connector.Connector, so that no test is skipped by mistake.
	Can() Abilities

	// Account and Object create one that no one has anything of.
	Account(t *testing.T) string
	Object(t *testing.T) string
	// MissingAccount names one that does not exist.
	MissingAccount(t *testing.T) string

	// Holds tells whether the target shows the assignment.
	Holds(t *testing.T, a connector.Assignment) bool
	// GrantByHand grants it as some administrator would, not as the connector does.
	GrantByHand(t *testing.T, a connector.Assignment)
	// RevokeByHand revokes what GrantByHand or the connector granted.
	RevokeByHand(t *testing.T, a connector.Assignment)
}

// Run runs the suite, its tests in parallel.
func Run(t *testing.T, h Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"the program is handed a connector with all of its abilities":               on(can),
		"what is granted is held, and granting it again changes nothing":            on(grantsAgain),
		"what is revoked is gone, and taking it again changes nothing":              on(revokesAgain),
		"only the assignment that is asked for changes":                             on(changesNothingElse),
		"granting creates a missing account":                                        createsMissingAccount,
		"creating an account that is there leaves it as it is":                      createsAccountOnce,
		"looking and revoking create nothing":                                       createsNothingElse,
		"a missing object is gone, and nothing is created for it":                   missingObject,
		"revoking from an account or of an object that is gone succeeds":            revokesFromGone,
		"what someone else granted is held, and can be revoked":                     on(revokesWhatOthersGranted),
		"what someone else revoked can be granted again, and revoked":               on(followsWhatOthersRevoked),
		"dangerous assignments are refused and nothing is changed":                  refuses,
		"what is held is listed":                                                    lists,
		"an error of the lister's reader ends the listing":                          listingEnds,
		"a target that lies about granting and taking is found out":                 on(findsLies),
		"one assignment given, then revoked, by many at once":                       on(manyAtOnce),
		"many accounts get and lose one object at once":                             on(manyAccountsAtOnce),
		"granting and revoking at once end in what is asked for last":               on(grantingAgainstRevoking),
		"a connector opens while its target is down":                                opensWhileDown,
		"a target that swallows everything is unavailable in bounded time":          swallowed,
		"a target that falls silent is unavailable in bounded time":                 fallsSilent,
		"a cut connection is unavailable, and recovers":                             cut,
		"connections that died while idle are not noticed":                          diedWhileIdle,
		"a change whose answer was lost is unavailable, and can be asked for again": lostAnswer,
		"a cancelled call returns at once, as cancelled":                            cancelled,
		"a deadline that passes is unavailable, at once":                            deadline,
		"bad credentials are denied, without telling them":                          badCredentials,
		"a check says what it sees and changes nothing":                             on(checks),
		"a check with bad credentials is denied, without telling them":              checksBadCredentials,
		"a check of a target that is down is unavailable in bounded time":           checksWhatIsDown,
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

// open opens a connector straight to the target.
func open(t *testing.T, h assignments) connector.Connector {
	t.Helper()
	return openAt(t, h, h.Addr())
}

// openAt opens one as the program does: through its limits, from which a slot is taken for the whole test.
func openAt(t *testing.T, h assignments, addr string) connector.Connector {
	t.Helper()
	target := throttle.New(h.Open(t, addr), connector.Limits{})
	t.Cleanup(func() { assert.NoError(t, target.Close()) })
	c, done, err := target.Acquire(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { done(nil) })
	return c
}

// Abilities are the optional interfaces of package connector, by whether a connector has them.
type Abilities struct {
	CreatesAccounts bool // connector.AccountCreator
	Checks          bool // connector.Checker
	Lists           bool // connector.Lister
}

// AbilitiesOf are those that a connector shows to a type assertion, which is how the program asks.
func AbilitiesOf(c connector.Connector) (a Abilities) {
	_, a.CreatesAccounts = c.(connector.AccountCreator)
	_, a.Checks = c.(connector.Checker)
	_, a.Lists = c.(connector.Lister)
	return a
}

// can: what the program is handed has every optional interface that the connector is said to have, for all that it does.
func can(t *testing.T, h assignments) {
	require.Equal(t, h.Can(), AbilitiesOf(open(t, h)))
	target := throttle.New(h.Open(t, h.Addr()), connector.Limits{})
	t.Cleanup(func() { assert.NoError(t, target.Close()) })
	require.Equal(t, h.Can(), AbilitiesOf(target.Connector()))
}

// fresh is an assignment of an account and an object that exist.
func fresh(t *testing.T, h assignments) connector.Assignment {
	t.Helper()
	return connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
}

// ensure is connector.Ensure in the way that its callers use it: again, as long
// as the error says that this is worth it.
func ensure(ctx context.Context, c connector.Connector, a connector.Assignment, held bool) error {
	for {
		err := connector.Ensure(ctx, c, a, held)
		if err == nil || !again(err) {
			return err
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func again(err error) bool {
	switch connector.ClassOf(err) {
	case connector.ClassUnavailable, connector.ClassRateLimited, connector.ClassNotAsWanted:
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

// requireHeld asks the connector and the target.
func requireHeld(t *testing.T, h assignments, c connector.Connector, a connector.Assignment, held bool) {
	t.Helper()
	require.Equal(t, held, h.Holds(t, a), "the target shows %s", a)
	state, err := connector.ReadOrNotHeld(t.Context(), c, a)
	require.NoError(t, err)
	require.Equal(t, connector.State{Held: held}, state)
}
