package connectortest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

// People is a Harness for a connector behind which people act, and no system: their answers are all that is known. Open's
// connector is one whose approvals someone answers at once.
//
// What Run tries beyond this cannot be there: no address, connection or credentials that could fail, no list of accounts and
// objects in which one could be missing, and no name that would be refused by itself rather than by someone.
type People interface {
	assignments
	// Unanswered opens the connector while no one answers. Answer answers what is asked about an assignment with Done.
	Unanswered(t *testing.T) connector.Connector
	Answer(t *testing.T, a connector.Assignment)
	// Asked is how often someone was asked about an assignment.
	Asked(t *testing.T, a connector.Assignment) int
}

// RunPeople runs what of the suite applies to such a connector, and what only applies to it.
func RunPeople(t *testing.T, h People) {
	for name, test := range map[string]func(*testing.T, assignments){
		"the program is handed a connector with all of its abilities":    can,
		"what is granted is held, and granting it again changes nothing": grantsAgain,
		"what is revoked is gone, and taking it again changes nothing":   revokesAgain,
		"only the assignment that is asked for changes":                  changesNothingElse,
		"what someone else granted is held, and can be revoked":          revokesWhatOthersGranted,
		"what someone else revoked can be granted again, and revoked":    followsWhatOthersRevoked,
		"what lies about granting and taking is found out":               findsLies,
		"one assignment given, then revoked, by many at once":            manyAtOnce,
		"many accounts get and lose one object at once":                  manyAccountsAtOnce,
		"granting and revoking at once end in what is asked for last":    grantingAgainstRevoking,
		"a check says what it sees and changes nothing":                  checks,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
	t.Run("until someone answers it is pending, and they are asked once", func(t *testing.T) {
		t.Parallel()
		waits(t, h)
	})
	t.Run("what was not done yet needs no one when it is not wanted any more", func(t *testing.T) {
		t.Parallel()
		drops(t, h)
	})
}

func waits(t *testing.T, h People) {
	c := h.Unanswered(t)
	a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
	for n, held := range []bool{true, false} {
		for range 3 {
			requireClass(t, connector.ClassPending, connector.Ensure(t.Context(), c, a, held))
			require.Equal(t, n+1, h.Asked(t, a))
			require.Equal(t, !held, h.Holds(t, a))
		}
		state, err := c.Read(t.Context(), a)
		require.NoError(t, err)
		require.True(t, state.Pending)
		require.NotEmpty(t, state.WaitsFor)
		h.Answer(t, a)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		requireHeld(t, h, c, a, held)
	}
}

func drops(t *testing.T, h People) {
	c := h.Unanswered(t)
	a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
	requireClass(t, connector.ClassPending, connector.Ensure(t.Context(), c, a, true))
	require.NoError(t, connector.Ensure(t.Context(), c, a, false))
	requireHeld(t, h, c, a, false)
	require.Equal(t, 1, h.Asked(t, a))
}
