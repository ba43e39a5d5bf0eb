package main

import (
	"context"
	"errors"
	"fmt"

	"accessbot/schema"
	"accessbot/schema/email"
	"accessbot/worker/program"
)

// unbindCommand unbinds people from their Slack users.
type unbindCommand struct {
	Emails []string `arg:"" optional:"" name:"email" help:"People to unbind."`
	All    bool     `                                help:"Unbind everyone."`
}

// Validate requires either people or --all.
func (c *unbindCommand) Validate() error {
	if c.All == (len(c.Emails) > 0) {
		return errors.New("name people, or use --all")
	}
	return nil
}

// Run unbinds them.
func (c *unbindCommand) Run(ctx context.Context, p *program.Process) error {
	emails := make([]string, len(c.Emails))
	for i, address := range c.Emails {
		emails[i] = email.Lower(address)
	}
	return withDatabase(ctx, p, directoryRole, func(db *schema.DB) error {
		n, err := db.Unbind(ctx, emails...)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.Stdout, "Unbound from their Slack users: %d. They are identified again when they next use the app.\n", n)
		return err
	})
}

// renameCommand changes a person's e-mail address.
type renameCommand struct {
	Old string `arg:"" help:"The address in the database."`
	New string `arg:"" help:"The new address."`
}

// Run changes it.
func (c *renameCommand) Run(ctx context.Context, p *program.Process) error {
	return withDatabase(ctx, p, directoryRole, func(db *schema.DB) error {
		if err := db.RenamePerson(ctx, c.Old, c.New); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Stdout, "Renamed %s to %s. Make the same change in people.csv before the next import.\n", c.Old, c.New)
		return err
	})
}
