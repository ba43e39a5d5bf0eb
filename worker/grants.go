package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"

	"accessbot/activities"
	"accessbot/activities/connector/kinds"
	"accessbot/schema"
	"accessbot/worker/program"
)

// grantsCommand prints a target's access in the format of grants.csv, if the directory knows the account and the entitlement.
type grantsCommand struct {
	Instance string `arg:"" help:"The target, as in applications.csv."`
}

// Run prints it.
func (c *grantsCommand) Run(ctx context.Context, p *program.Process) error {
	config, err := readConnectors(p.Environ)
	if err != nil {
		return err
	}
	return withDatabase(ctx, p, auditorRole, func(db *schema.DB) error { return c.print(ctx, db, config, p.Stdout, p.Stderr) })
}

func (c *grantsCommand) print(ctx context.Context, db *schema.DB, config *kinds.Config, stdout, stderr io.Writer) error {
	instance, err := schema.InstanceNamed(ctx, db, c.Instance)
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
