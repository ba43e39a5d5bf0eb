package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"accessbot/activities"
	"accessbot/activities/connector/kinds"
	"accessbot/schema"
)

// printGrants prints a target's access in the format of grants.csv, if the directory knows the account and the entitlement.
func printGrants(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: worker grants INSTANCE")
	}
	config, err := kinds.Read(getenv("CONNECTORS_FILE"), getenv)
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, getenv, 2)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	instance, err := schema.InstanceNamed(ctx, db, args[0])
	if err != nil {
		return err
	}
	targets := &activities.Targets{Open: config.Open}
	defer targets.Close() // the process ends
	out := csv.NewWriter(stdout)
	if err := out.Write([]string{"email", "application", "key"}); err != nil {
		return err
	}
	listed, named := 0, 0
	reconciler := &activities.Reconciler{DB: db, Targets: targets}
	canList, err := reconciler.List(ctx, instance, func(accounts, objects []string) error {
		rows, err := schema.NamesOf(ctx, db, instance.Instance, accounts, objects)
		if err != nil {
			return err
		}
		listed, named = listed+len(accounts), named+len(rows)
		for _, row := range rows {
			if err := out.Write(row[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !canList {
		return fmt.Errorf("the %s connector cannot list access", instance.Connector)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stderr, "%s shows %d assignments. %d are of people and entitlements in the directory.\n",
		instance.Instance, listed, named)
	return err
}
