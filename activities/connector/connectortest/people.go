package connectortest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

// ManualHarness is a harness for a connector whose changes people make by hand. Tasks of the connector that Open returns are done
// at once.
//
// The other tests of Run do not apply: there is no address, connection or credential that could fail, no accounts or objects that
// could be missing, and no name that is refused without a person.
type ManualHarness interface {
	assignments
	// OpenUnanswered opens a connector whose tasks stay open until Complete marks them as done.
	OpenUnanswered(t *testing.T) connector.Connector
	Complete(t *testing.T, a connector.Assignment)
	// TaskCount returns how many tasks there were for an assignment.
	TaskCount(t *testing.T, a connector.Assignment) int
}

// RunManual runs the part of the suite that applies to such a connector, and the tests that apply only to it.
func RunManual(t *testing.T, h ManualHarness) {
	for name, test := range map[string]func(*testing.T, assignments){
		"connector has all of its optional interfaces":                              hasCapabilities,
		"grant is held, and repeating it changes nothing":                           grantsAgain,
		"revocation is complete, and repeating it changes nothing":                  revokesAgain,
		"change affects its assignment only":                                        changesNothingElse,
		"access that someone else granted is held and can be revoked":               revokesWhatOthersGranted,
		"access that someone else revoked can be granted again and revoked":         followsWhatOthersRevoked,
		"false success of the target is detected":                                   detectsFalseSuccess,
		"concurrent grants, then revocations, of one assignment succeed":            manyAtOnce,
		"concurrent grants and revocations of one object for many accounts succeed": manyAccountsAtOnce,
		"concurrent grants and revocations end with the last change":                grantingAgainstRevoking,
		"check reports what it sees and changes nothing":                            checks,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
	t.Run("change is pending until its one task is done", func(t *testing.T) {
		t.Parallel()
		staysPending(t, h)
	})
	t.Run("grant that was not done yet is cancelled without a task", func(t *testing.T) {
		t.Parallel()
		cancelsTask(t, h)
	})
}

func staysPending(t *testing.T, h ManualHarness) {
	c := h.OpenUnanswered(t)
	a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
	for i, held := range []bool{true, false} {
		for range 3 {
			requireClass(t, connector.ClassPending, connector.Ensure(t.Context(), c, a, held))
			require.Equal(t, i+1, h.TaskCount(t, a))
			require.Equal(t, !held, h.Holds(t, a))
		}
		state, err := c.Read(t.Context(), a)
		require.NoError(t, err)
		require.True(t, state.Pending)
		require.NotEmpty(t, state.WaitsFor)
		h.Complete(t, a)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
		requireHeld(t, h, c, a, held)
	}
}

func cancelsTask(t *testing.T, h ManualHarness) {
	c := h.OpenUnanswered(t)
	a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
	requireClass(t, connector.ClassPending, connector.Ensure(t.Context(), c, a, true))
	require.NoError(t, connector.Ensure(t.Context(), c, a, false))
	requireHeld(t, h, c, a, false)
	require.Equal(t, 1, h.TaskCount(t, a))
}
