package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"accessbot/schema"
	"accessbot/schema/email"
)

// unbind unbinds people from their Slack users: those named, or everyone with --all.
func unbind(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	if len(args) == 0 || len(args) > 1 && args[0] == "--all" {
		return errors.New("usage: worker unbind EMAIL..., or worker unbind --all")
	}
	if args[0] == "--all" {
		args = nil
	}
	emails := make([]string, len(args))
	for i, address := range args {
		emails[i] = email.Lower(address)
	}
	db, err := openDatabase(ctx, getenv, 1)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	n, err := db.Unbind(ctx, emails...)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "Unbound from their Slack users: %d. They are identified again when they next use the app.\n", n)
	return err
}

// rename changes a person's e-mail address.
func rename(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: worker rename OLD NEW")
	}
	db, err := openDatabase(ctx, getenv, 1)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	if err := db.RenamePerson(ctx, args[0], args[1]); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "Renamed %s to %s. Make the same change in people.csv before the next import.\n",
		args[0], args[1])
	return err
}

// openDatabase opens the database at DATABASE_URL, or at the URL in the file DATABASE_URL_FILE.
func openDatabase(ctx context.Context, getenv func(string) string, connections int) (*schema.DB, error) {
	url, err := schema.Secret(getenv, "DATABASE_URL")
	if err != nil {
		return nil, err
	}
	db, err := schema.Open(url, connections)
	if err != nil {
		return nil, err
	}
	if err := schema.CheckDatabase(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}
