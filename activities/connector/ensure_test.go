package connector_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

// target is a target system in memory. Tests choose its responses.
type target struct {
	state                        connector.State
	readErr, grantErr, revokeErr error // returned instead of making the change
	invites, lies, noAccount     bool
	reads, grants, creations     int
}

func (x *target) Read(context.Context, connector.Assignment) (connector.State, error) {
	x.reads++
	return x.state, x.readErr
}

func (x *target) Grant(_ context.Context, a connector.Assignment) error {
	x.grants++
	switch {
	case x.grantErr != nil:
		return x.grantErr
	case x.noAccount:
		return &connector.Gone{Part: connector.Account, Name: a.Account}
	case x.lies:
	case x.invites:
		x.state.Pending = true
	default:
		x.state = connector.State{Held: true}
	}
	return nil
}

func (x *target) Revoke(context.Context, connector.Assignment) error {
	if x.revokeErr == nil && !x.lies {
		x.state = connector.State{}
	}
	return x.revokeErr
}

func (x *target) Close() error { return nil }

// creating is a target whose connector can create accounts.
type creating struct {
	*target
	err  error
	lies bool // reports success without creating anything
}

func (x creating) CreateAccount(context.Context, string) error {
	x.creations++
	x.noAccount = x.err != nil || x.lies
	return x.err
}

var (
	assignment   = connector.Assignment{Account: "ann", Object: "admins"}
	accountGone  = &connector.Gone{Part: connector.Account, Name: "ann"}
	objectGone   = &connector.Gone{Part: connector.Object, Name: "admins"}
	notAvailable = &connector.Unavailable{Err: errors.New("cut")}
	heldState    = connector.State{Held: true}
	pendingState = connector.State{Pending: true}
	notConfirmed = &connector.NotConfirmed{Assignment: assignment, Want: true}
)

func TestEnsure(t *testing.T) {
	t.Run("grant succeeds once the target shows the access", func(t *testing.T) {
		x := &target{}
		require.NoError(t, connector.Ensure(t.Context(), x, assignment, true))
		require.Equal(t, 1, x.reads)
		require.Equal(t, heldState, x.state)
	})

	t.Run("target that reports a change it did not make is an error", func(t *testing.T) {
		require.Equal(t, notConfirmed, connector.Ensure(t.Context(), &target{lies: true}, assignment, true))
		require.Equal(t, &connector.NotConfirmed{Assignment: assignment, Want: false, Got: heldState},
			connector.Ensure(t.Context(), &target{lies: true, state: heldState}, assignment, false))
	})

	t.Run("invitation is neither granted nor revoked", func(t *testing.T) {
		x := &target{invites: true}
		require.Equal(t, &connector.Pending{Assignment: assignment, Want: true, WaitsFor: "the target system"},
			connector.Ensure(t.Context(), x, assignment, true))
		x.lies = true
		require.Equal(t, &connector.NotConfirmed{Assignment: assignment, Want: false, Got: pendingState},
			connector.Ensure(t.Context(), x, assignment, false))
		x.lies = false
		require.NoError(t, connector.Ensure(t.Context(), x, assignment, false))
	})

	t.Run("change that the target makes later is pending until it shows", func(t *testing.T) {
		later := &connector.Pending{Assignment: assignment, Want: true, WaitsFor: "the nightly run", CheckAfter: time.Hour}
		require.Equal(t, later, connector.Ensure(t.Context(), &target{grantErr: later}, assignment, true))
		require.NoError(
			t,
			connector.Ensure(t.Context(), &target{grantErr: later, state: heldState}, assignment, true),
			"complete by now",
		)
		require.Equal(t, later, connector.Ensure(t.Context(), &target{revokeErr: later, state: heldState}, assignment, false))
		require.NoError(t, connector.Ensure(t.Context(), &target{revokeErr: later}, assignment, false))
		require.Equal(t, notAvailable, connector.Ensure(t.Context(), &target{grantErr: later, readErr: notAvailable}, assignment, true))
	})

	t.Run("missing account is created only for a grant", func(t *testing.T) {
		x := creating{target: &target{noAccount: true}}
		require.NoError(t, connector.Ensure(t.Context(), x, assignment, true))
		require.Equal(t, []int{1, 2}, []int{x.creations, x.grants})

		x = creating{target: &target{revokeErr: accountGone, readErr: accountGone}}
		require.NoError(t, connector.Ensure(t.Context(), x, assignment, false))
		require.Zero(t, x.creations)

		x = creating{target: &target{grantErr: objectGone}}
		require.Equal(t, objectGone, connector.Ensure(t.Context(), x, assignment, true))
		require.Zero(t, x.creations)
	})

	t.Run("account that cannot be created fails the grant", func(t *testing.T) {
		require.Equal(t, accountGone, connector.Ensure(t.Context(), &target{noAccount: true}, assignment, true))
		for _, err := range []error{&connector.Denied{Fix: "grant it"}, notAvailable, context.Canceled} {
			x := creating{target: &target{noAccount: true}, err: err}
			got := connector.Ensure(t.Context(), x, assignment, true)
			require.Equal(t, &connector.NotCreated{Account: "ann", Err: err}, got)
			require.Equal(t, connector.ClassOf(err), connector.ClassOf(got))
			require.ErrorIs(t, got, err)
			require.Equal(t, 1, x.grants)
		}
		x := creating{target: &target{noAccount: true}, err: accountGone}
		require.Equal(t, accountGone, connector.Ensure(t.Context(), x, assignment, true), "accounts cannot be created there")

		x = creating{target: &target{noAccount: true}, lies: true}
		var notCreated *connector.NotCreated
		require.ErrorAs(t, connector.Ensure(t.Context(), x, assignment, true), &notCreated)
		require.Equal(t, connector.ClassUnavailable, connector.ClassOf(notCreated), "it may show a moment later")
	})

	t.Run("object that vanishes after the grant is not a success", func(t *testing.T) {
		require.Equal(t, objectGone, connector.Ensure(t.Context(), &target{readErr: objectGone}, assignment, true))
	})

	t.Run("missing account or object counts as revoked once a read confirms it", func(t *testing.T) {
		for _, gone := range []error{accountGone, objectGone} {
			require.NoError(t, connector.Ensure(t.Context(), &target{revokeErr: gone, readErr: gone}, assignment, false))
			require.NoError(t, connector.Ensure(t.Context(), &target{revokeErr: gone}, assignment, false))
			require.Equal(t, &connector.NotConfirmed{Assignment: assignment, Want: false, Got: heldState},
				connector.Ensure(t.Context(), &target{revokeErr: gone, state: heldState}, assignment, false))
			require.Equal(t, notAvailable,
				connector.Ensure(t.Context(), &target{revokeErr: gone, readErr: notAvailable}, assignment, false))
		}
	})

	t.Run("other errors are returned unchanged", func(t *testing.T) {
		require.Equal(t, notAvailable, connector.Ensure(t.Context(), &target{grantErr: notAvailable}, assignment, true))
		require.Equal(t, notAvailable, connector.Ensure(t.Context(), &target{revokeErr: notAvailable}, assignment, false))
		require.Equal(t, notAvailable, connector.Ensure(t.Context(), &target{readErr: notAvailable}, assignment, true))
	})

	t.Run("missing account reads as not held", func(t *testing.T) {
		state, err := connector.ReadIfExists(t.Context(), &target{state: heldState}, assignment)
		require.NoError(t, err)
		require.Equal(t, heldState, state)
		state, err = connector.ReadIfExists(t.Context(), &target{state: heldState, readErr: accountGone}, assignment)
		require.NoError(t, err)
		require.Equal(t, connector.State{}, state)
		_, err = connector.ReadIfExists(t.Context(), &target{readErr: notAvailable}, assignment)
		require.Equal(t, notAvailable, err)
	})
}

// checking is a connector that can check.
type checking struct {
	connector.Connector
	err error
}

func (x checking) Check(context.Context) (string, error) { return "version 4", x.err }

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		condition string
		connector connector.Connector
		says      string
		err       error
	}{
		{"connector that creates accounts says so", creating{target: &target{}},
			"configured; this kind has nothing to check; creates missing accounts, if the target allows it", nil},
		{"connector that creates no accounts says so", checking{Connector: &target{}}, "version 4; creates no accounts", nil},
		{"failed check is returned", checking{&target{}, notAvailable}, "", notAvailable},
	} {
		t.Run(test.condition, func(t *testing.T) {
			says, err := connector.Check(t.Context(), test.connector)
			require.Equal(t, test.err, err)
			require.Equal(t, test.says, says)
		})
	}
}
