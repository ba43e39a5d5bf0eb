package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"accessbot/activities/connector"
	"accessbot/activities/connector/kinds"
	"accessbot/schema"
	"accessbot/worker/program"
)

// checkTimeout limits the check of one target.
const checkTimeout = 20 * time.Second

// checkCommand tests the credentials of every instance in CONNECTORS_FILE or the directory, and prints what they can see. It
// changes nothing.
type checkCommand struct{}

// Run tests them. The directory's targets are tested if there is a DATABASE_URL.
func (*checkCommand) Run(ctx context.Context, p *program.Process) error {
	config, err := readConnectors(p.Environ)
	if err != nil {
		return err
	}
	instances := config.Instances()
	if p.Environ.Has("DATABASE_URL") {
		err := withDatabase(ctx, p, auditorRole, func(db *schema.DB) error {
			named, err := schema.Instances(ctx, db)
			for _, i := range named {
				instances[i.Instance] = i.Connector
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(instances) == 0 {
		return errors.New("nothing to check: set CONNECTORS_FILE, or DATABASE_URL for the directory's targets")
	}
	failed := 0
	for _, name := range slices.Sorted(maps.Keys(instances)) {
		report, err := checkOne(ctx, config, instances[name], name)
		result := "ok     "
		if err != nil {
			failed++
			result, report = "FAILED ", err.Error()
		}
		if _, err := fmt.Fprintf(p.Stdout, "%s%s (%s): %s\n", result, name, instances[name], report); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d targets failed", failed, len(instances))
	}
	return nil
}

func checkOne(ctx context.Context, config *kinds.Config, kind, name string) (string, error) {
	c, _, err := config.Open(kind, name)
	if err != nil {
		return "", err
	}
	defer c.Close() // nothing was changed
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return connector.Check(ctx, c)
}
