package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// developmentDatabases are the database and the target system. As in production, each owner may create roles and is not a
// superuser.
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
		err := createMissing(ctx, db, `select exists (select from pg_roles where rolname = $1)`, d.owner,
			`create role `+pq.QuoteIdentifier(d.owner)+` login createrole`)
		if err != nil {
			return err
		}
		err = createMissing(ctx, db, `select exists (select from pg_database where datname = $1)`, d.name,
			`create database `+pq.QuoteIdentifier(d.name)+` owner `+pq.QuoteIdentifier(d.owner))
		if err != nil {
			return err
		}
	}
	return nil
}

// createMissing runs a statement that creates name, unless the query exists returns true.
func createMissing(ctx context.Context, db *sqlx.DB, exists, name, statement string) error {
	var found bool
	if err := db.GetContext(ctx, &found, exists, name); err != nil {
		return fmt.Errorf("look for %s: %w", name, err)
	}
	if found {
		return nil
	}
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	return nil
}
