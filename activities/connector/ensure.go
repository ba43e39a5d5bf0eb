package connector

import (
	"context"
	"errors"
)

// Ensure makes the assignment held, or not held. It returns nil only after the target shows that state, and *Pending while the
// change is not complete. It can be called again after any error, or if nothing needs to change. A missing account is created
// only for a grant, if the connector can. A missing account or object counts as revoked once Read confirms it.
func Ensure(ctx context.Context, c Connector, a Assignment, held bool) error {
	var err error
	if held {
		err = grant(ctx, c, a)
	} else {
		err = c.Revoke(ctx, a)
	}
	var pending *Pending
	switch {
	case errors.As(err, &pending): // it may be complete by now
	case err != nil && (held || ClassOf(err) != ClassGone):
		return err
	}

	read := c.Read
	if !held {
		read = func(ctx context.Context, a Assignment) (State, error) { return ReadIfExists(ctx, c, a) }
	}
	state, err := read(ctx, a)
	switch {
	case err != nil:
		return err
	case state.Confirms(held):
		return nil
	case pending != nil:
		return pending
	case held && state.Pending:
		return NewPending(a, state)
	default: // including an invitation that is still open after it was withdrawn
		return &NotConfirmed{Assignment: a, Want: held, Got: state}
	}
}

// NewPending returns the error for a grant that the target shows as pending.
func NewPending(a Assignment, state State) *Pending {
	what := state.WaitsFor
	if what == "" {
		what = "the target system"
	}
	return &Pending{Assignment: a, Want: true, On: state.On, WaitsFor: what, People: state.People}
}

// ReadIfExists reads the assignment. If the account or the object does not exist, it is not held.
func ReadIfExists(ctx context.Context, c Connector, a Assignment) (State, error) {
	state, err := c.Read(ctx, a)
	if ClassOf(err) == ClassGone {
		return State{}, nil
	}
	return state, err
}

// Check checks the connector's credentials. It returns one line for operators, which also says whether missing accounts are
// created. It changes nothing.
func Check(ctx context.Context, c Connector) (string, error) {
	report := "configured; this kind has nothing to check"
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

// grant grants the assignment, and creates a missing account if the connector can. If the account is still *Gone, accounts are
// never created there. Any other failure to create it is *NotCreated.
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
	return &NotCreated{Account: a.Account, Err: &Unavailable{Err: errors.New("the account was created and does not show yet")}}
}

func isAccountGone(err error) bool {
	var gone *Gone
	return errors.As(err, &gone) && gone.Part == Account
}
