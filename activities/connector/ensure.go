package connector

import (
	"context"
	"errors"
)

// Ensure makes the assignment held, or not held, and returns nil only after the
// target itself shows it so; *Pending while that is not done yet. It may be called again after any error, and when
// it is already so. When granting, and only then, a missing account is created if
// the connector can. When revoking, an account or object that is gone counts
// as revoked once a look-up confirms it.
func Ensure(ctx context.Context, c Connector, a Assignment, held bool) error {
	var err error
	if held {
		err = grant(ctx, c, a)
	} else {
		err = c.Revoke(ctx, a)
	}
	var pending *Pending
	switch {
	case errors.As(err, &pending): // perhaps it is done by now
	case err != nil && (held || ClassOf(err) != ClassGone):
		return err
	}

	read := c.Read
	if !held {
		read = func(ctx context.Context, a Assignment) (State, error) { return ReadOrNotHeld(ctx, c, a) }
	}
	state, err := read(ctx, a)
	switch {
	case err != nil:
		return err
	case state.Matches(held):
		return nil
	case pending != nil:
		return pending
	case held && state.Pending:
		return Waiting(a, state)
	default: // an invitation that is still out after it was withdrawn is a lie too
		return &NotAsWanted{Assignment: a, Want: held, Got: state}
	}
}

// Waiting is the error of granting what the target shows as under way.
func Waiting(a Assignment, state State) *Pending {
	what := state.WaitsFor
	if what == "" {
		what = "the target system"
	}
	return &Pending{Assignment: a, Want: true, On: state.On, WaitsFor: what, People: state.People}
}

// ReadOrNotHeld reads the assignment. An account or object that does not exist
// counts as not held, as before a first grant.
func ReadOrNotHeld(ctx context.Context, c Connector, a Assignment) (State, error) {
	state, err := c.Read(ctx, a)
	if ClassOf(err) == ClassGone {
		return State{}, nil
	}
	return state, err
}

// Check is what the connector sees with its credentials, in a line for operators,
// and whether a person without an account gets one. It changes nothing.
func Check(ctx context.Context, c Connector) (string, error) {
	report := "configured; this kind has nothing to try"
	if checker, ok := c.(Checker); ok {
		var err error
		if report, err = checker.Check(ctx); err != nil {
			return "", err
		}
	}
	if _, ok := c.(AccountCreator); ok {
		return report + "; creates missing accounts, if the target allows it", nil
	}
	return report + "; creates no accounts", nil
}

// grant creates a missing account where the connector can. *Gone of the account
// then means that accounts are not created there at all; what fails otherwise is
// *NotCreated.
func grant(ctx context.Context, c Connector, a Assignment) error {
	err := c.Grant(ctx, a)
	if !isAccountGone(err) {
		return err
	}
	creator, ok := c.(AccountCreator)
	if !ok {
		return err
	}
	if err := creator.CreateAccount(ctx, a.Account); isAccountGone(err) {
		return err
	} else if err != nil {
		return &NotCreated{Account: a.Account, Err: err}
	}
	if err := c.Grant(ctx, a); !isAccountGone(err) {
		return err
	}
	// Services that are eventually consistent show it a moment later.
	return &NotCreated{Account: a.Account, Err: &Unavailable{Err: errors.New("it was created, and is not shown yet")}}
}

func isAccountGone(err error) bool {
	var gone *Gone
	return errors.As(err, &gone) && gone.Part == Account
}
