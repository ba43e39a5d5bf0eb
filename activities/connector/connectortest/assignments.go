package connectortest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

func grantsAgain(t *testing.T, h assignments) {
	c, a := open(t, h), newAssignment(t, h)
	requireHeld(t, h, c, a, false)
	for range 3 {
		require.NoError(t, c.Grant(t.Context(), a))
		requireHeld(t, h, c, a, true)
		require.NoError(t, connector.Ensure(t.Context(), c, a, true))
	}
}

func revokesAgain(t *testing.T, h assignments) {
	c, a := open(t, h), newAssignment(t, h)
	require.NoError(t, connector.Ensure(t.Context(), c, a, true))
	requireHeld(t, h, c, a, true)
	for range 3 {
		require.NoError(t, c.Revoke(t.Context(), a))
		requireHeld(t, h, c, a, false)
		require.NoError(t, connector.Ensure(t.Context(), c, a, false))
	}
}

func changesNothingElse(t *testing.T, h assignments) {
	c, a, b := open(t, h), newAssignment(t, h), newAssignment(t, h)
	crossed := []connector.Assignment{{Account: a.Account, Object: b.Object}, {Account: b.Account, Object: a.Object}}
	require.NoError(t, connector.Ensure(t.Context(), c, a, true))
	requireHeld(t, h, c, b, false)
	for _, x := range crossed {
		requireHeld(t, h, c, x, false)
		require.NoError(t, connector.Ensure(t.Context(), c, x, true))
	}
	require.NoError(t, connector.Ensure(t.Context(), c, a, false))
	for _, x := range crossed {
		requireHeld(t, h, c, x, true)
	}
}

// creator skips the test if the connector creates no accounts.
func creator(t *testing.T, c connector.Connector) connector.AccountCreator {
	t.Helper()
	creator, ok := c.(connector.AccountCreator)
	if !ok {
		t.Skip("this connector creates no accounts")
	}
	return creator
}

func createsMissingAccount(t *testing.T, h Harness) {
	c := open(t, h)
	creator(t, c)
	a := connector.Assignment{Account: h.MissingAccount(t), Object: h.Object(t)}
	requireGone(t, connector.Account, a.Account, c.Grant(t.Context(), a))
	require.False(t, h.Exists(t, a.Account), "Grant itself creates nothing")
	require.NoError(t, connector.Ensure(t.Context(), c, a, true))
	requireHeld(t, h, c, a, true)
}

func createsAccountOnce(t *testing.T, h Harness) {
	c, a := open(t, h), newAssignment(t, h)
	require.NoError(t, connector.Ensure(t.Context(), c, a, true))
	require.NoError(t, creator(t, c).CreateAccount(t.Context(), a.Account))
	requireHeld(t, h, c, a, true)
}

func createsNothingElse(t *testing.T, h Harness) {
	c := open(t, h)
	a := connector.Assignment{Account: h.MissingAccount(t), Object: h.Object(t)}
	_, err := c.Read(t.Context(), a)
	requireGone(t, connector.Account, a.Account, err)
	requireGone(t, connector.Account, a.Account, c.Revoke(t.Context(), a))
	require.NoError(t, connector.Ensure(t.Context(), c, a, false))
	require.False(t, h.Exists(t, a.Account))
}

func missingObject(t *testing.T, h Harness) {
	c := open(t, h)
	for _, account := range []string{h.Account(t), h.MissingAccount(t)} {
		existed := h.Exists(t, account)
		a := connector.Assignment{Account: account, Object: h.MissingObject(t)}
		_, err := c.Read(t.Context(), a)
		requireGone(t, connector.Object, a.Object, err)
		requireGone(t, connector.Object, a.Object, c.Grant(t.Context(), a))
		requireGone(t, connector.Object, a.Object, connector.Ensure(t.Context(), c, a, true))
		requireGone(t, connector.Object, a.Object, c.Revoke(t.Context(), a))
		require.False(t, h.Exists(t, a.Object))
		require.Equal(t, existed, h.Exists(t, account), "no account for an object that cannot be granted")
	}
}

func revokesFromGone(t *testing.T, h Harness) {
	c := open(t, h)
	for _, a := range []connector.Assignment{
		{Account: h.MissingAccount(t), Object: h.Object(t)},
		{Account: h.Account(t), Object: h.MissingObject(t)},
		{Account: h.MissingAccount(t), Object: h.MissingObject(t)},
	} {
		require.NoError(t, connector.Ensure(t.Context(), c, a, false))
	}
}

func revokesWhatOthersGranted(t *testing.T, h assignments) {
	c, a, both := open(t, h), newAssignment(t, h), newAssignment(t, h)
	h.GrantByHand(t, a)
	requireHeld(t, h, c, a, true)
	require.NoError(t, connector.Ensure(t.Context(), c, a, false))
	requireHeld(t, h, c, a, false)

	h.GrantByHand(t, both)
	require.NoError(t, connector.Ensure(t.Context(), c, both, true))
	require.NoError(t, connector.Ensure(t.Context(), c, both, false))
	requireHeld(t, h, c, both, false)
}

func followsWhatOthersRevoked(t *testing.T, h assignments) {
	c, a := open(t, h), newAssignment(t, h)
	require.NoError(t, connector.Ensure(t.Context(), c, a, true))
	h.RevokeByHand(t, a)
	requireHeld(t, h, c, a, false)
	require.NoError(t, connector.Ensure(t.Context(), c, a, true))
	requireHeld(t, h, c, a, true)
	h.RevokeByHand(t, a)
	require.NoError(t, connector.Ensure(t.Context(), c, a, false))
	requireHeld(t, h, c, a, false)
}

func refuses(t *testing.T, h Harness) {
	c := open(t, h)
	refused := h.Refused(t)
	require.NotEmpty(t, refused)
	for reason, a := range refused {
		t.Run(reason, func(t *testing.T) {
			existed, held := h.Exists(t, a.Account), h.Holds(t, a)
			requireClass(t, connector.ClassRefused, c.Grant(t.Context(), a))
			requireClass(t, connector.ClassRefused, connector.Ensure(t.Context(), c, a, true))
			require.Equal(t, held, h.Holds(t, a))
			require.Equal(t, existed, h.Exists(t, a.Account))
		})
	}
}

func lister(t *testing.T, c connector.Connector) connector.Lister {
	t.Helper()
	lister, ok := c.(connector.Lister)
	if !ok {
		t.Skip("this connector lists nothing")
	}
	return lister
}

func lists(t *testing.T, h Harness) {
	c := open(t, h)
	held := map[connector.Assignment]int{}
	object := h.Object(t)
	for range 7 { // more than one page, if the harness uses small pages
		a := connector.Assignment{Account: h.Account(t), Object: object}
		require.NoError(t, connector.Ensure(t.Context(), c, a, true))
		held[a] = 0
	}
	byHand, unheld := newAssignment(t, h), newAssignment(t, h)
	h.GrantByHand(t, byHand)
	require.NoError(t, connector.Ensure(t.Context(), c, byHand, true)) // granted twice, listed once
	held[byHand] = 0
	require.NoError(t, lister(t, c).List(t.Context(), func(a connector.Assignment) error {
		if _, ok := held[a]; ok {
			held[a]++
		}
		require.NotEqual(t, unheld, a)
		return nil
	}))
	for a, times := range held {
		require.Equal(t, 1, times, "%s", a)
	}
}

func listingEnds(t *testing.T, h Harness) {
	c := open(t, h)
	require.NoError(t, connector.Ensure(t.Context(), c, newAssignment(t, h), true))
	require.NoError(t, connector.Ensure(t.Context(), c, newAssignment(t, h), true))
	errStop, calls := errors.New("stop"), 0
	err := lister(t, c).List(t.Context(), func(connector.Assignment) error {
		calls++
		return errStop
	})
	require.Equal(t, errStop, err)
	require.Equal(t, 1, calls)
}

// falseSuccess reports success without changing anything.
type falseSuccess struct{ connector.Connector }

func (falseSuccess) Grant(context.Context, connector.Assignment) error  { return nil }
func (falseSuccess) Revoke(context.Context, connector.Assignment) error { return nil }

func detectsFalseSuccess(t *testing.T, h assignments) {
	c, a := open(t, h), newAssignment(t, h)
	for _, held := range []bool{true, false} {
		var wrong *connector.NotConfirmed
		require.ErrorAs(t, connector.Ensure(t.Context(), falseSuccess{c}, a, held), &wrong)
		require.Equal(t, connector.NotConfirmed{Assignment: a, Want: held, Got: connector.State{Held: !held}}, *wrong)
		require.NoError(t, connector.Ensure(t.Context(), c, a, held))
	}
}
