package connector

import (
	"context"
	"errors"
)

// Ensure makes the assignment held, or not held, and returns nil only after the
// target itself shows it so. It may be called again after any error, and when
// it is already so. When giving, and only then, a missing account is created if
// the connector can. When taking back, an account or object that is gone counts
// as taken back once a look-up confirms it.
func Ensure(ctx context.Context, c Connector, a Assignment, held bool) error {
	var err error
	if held {
		err = give(ctx, c, a)
	} else {
		err = c.Take(ctx, a)
	}
	if err != nil && (held || ClassOf(err) != ClassGone) {
		return err
	}

	read := c.Read
	if !held {
		read = func(ctx context.Context, a Assignment) (State, error) { return Look(ctx, c, a) }
	}
	state, err := read(ctx, a)
	if err != nil {
		return err
	}
	if !state.Settled(held) {
		return &NotAsWanted{Assignment: a, Want: held, Got: state}
	}
	return nil
}

// Look reads the assignment where an account or object that does not exist
// simply means not held, as before a first grant.
func Look(ctx context.Context, c Connector, a Assignment) (State, error) {
	state, err := c.Read(ctx, a)
	if ClassOf(err) == ClassGone {
		return State{}, nil
	}
	return state, err
}

func give(ctx context.Context, c Connector, a Assignment) error {
	err := c.Give(ctx, a)
	var gone *Gone
	if !errors.As(err, &gone) || gone.Part != Account {
		return err
	}
	creator, ok := c.(AccountCreator)
	if !ok {
		return err
	}
	if err := creator.CreateAccount(ctx, a.Account); err != nil {
		return err
	}
	return c.Give(ctx, a)
}
