package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"accessbot/activities/connector"
	"accessbot/activities/connector/kinds"
	"accessbot/schema"
)

// checkTimeout limits the check of one target.
const checkTimeout = 20 * time.Second

// check tests the credentials of every instance in CONNECTORS_FILE or the directory, and prints what they can see. It changes
// nothing.
func check(ctx context.Context, getenv func(string) string, stdout io.Writer) error {
	config, err := kinds.Read(getenv("CONNECTORS_FILE"), getenv)
	if err != nil {
		return err
	}
	instances := config.Instances()
	url, err := schema.Secret(getenv, "DATABASE_URL")
	if err != nil {
		return err
	}
	if url != "" {
		db, err := schema.Open(url, 1)
		if err != nil {
			return err
		}
		defer db.Close() // the process ends
		if err := schema.CheckDatabase(ctx, db); err != nil {
			return err
		}
		named, err := schema.Instances(ctx, db)
		if err != nil {
			return err
		}
		for _, i := range named {
			instances[i.Instance] = i.Connector
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
		if _, err := fmt.Fprintf(stdout, "%s%s (%s): %s\n", result, name, instances[name], report); err != nil {
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
