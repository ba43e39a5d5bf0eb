package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// developmentDatabases are the database and the target system, each with an owner as it would be in earnest: one that
// may make roles and is no superuser.
var developmentDatabases = []struct{ name, owner string }{
	{"accessbot", "accessbot_owner"},
	{"target", "target_admin"},
}

func runDatabases(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("databases", flag.ContinueOnError)
	admin := flags.String("admin", "", "URL of the server's superuser")
	if err := flags.Parse(args); err != nil {
		return err
	}
	db, err := sqlx.ConnectContext(ctx, "postgres", *admin)
	if err != nil {
		return fmt.Errorf("connect as the server's superuser: %w", err)
	}
	defer db.Close()
	for _, d := range developmentDatabases {
		err := makeMissing(ctx, db, `select exists (select from pg_roles where rolname = $1)`, d.owner,
			`create role `+pq.QuoteIdentifier(d.owner)+` login createrole`)
		if err != nil {
			return err
		}
		err = makeMissing(ctx, db, `select exists (select from pg_database where datname = $1)`, d.name,
			`create database `+pq.QuoteIdentifier(d.name)+` owner `+pq.QuoteIdentifier(d.owner))
		if err != nil {
			return err
		}
	}
	return nil
}

// makeMissing runs statement, which makes name, unless the query says that it exists.
func makeMissing(ctx context.Context, db *sqlx.DB, exists, name, statement string) error {
	var there bool
	if err := db.GetContext(ctx, &there, exists, name); err != nil {
		return fmt.Errorf("look for %s: %w", name, err)
	}
	if there {
		return nil
	}
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	return nil
}
