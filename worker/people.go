package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"accessbot/schema"
	"accessbot/schema/email"
)

// unbind undoes who Slack users are: of the people named, or of everybody.
func unbind(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	if len(args) == 0 || len(args) > 1 && args[0] == "--all" {
		return errors.New("unbind needs people: worker unbind EMAIL..., or worker unbind --all for everybody")
	}
	if args[0] == "--all" {
		args = nil
	}
	emails := make([]string, len(args))
	for n, address := range args {
		emails[n] = email.Lower(address)
	}
	db, err := openRecord(getenv, 1)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	n, err := db.Unbind(ctx, emails...)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%d undone: who these Slack users are is decided again when they next use the app\n", n)
	return err
}

// rename grants a person another e-mail address.
func rename(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	if len(args) != 2 {
		return errors.New("rename needs two e-mail addresses: worker rename OLD NEW")
	}
	db, err := openRecord(getenv, 1)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	if err := db.RenamePerson(ctx, args[0], args[1]); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s is %s from now on: import a people.csv that says so too\n", args[0], args[1])
	return err
}

// openRecord opens the database that DATABASE_URL, or the file that DATABASE_URL_FILE names, says.
func openRecord(getenv func(string) string, connections int) (*schema.DB, error) {
	url, err := schema.Secret(getenv, "DATABASE_URL")
	if err != nil {
		return nil, err
	}
	return schema.Open(url, connections)
}
