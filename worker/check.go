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

// checkFor is how long one target may take.
const checkFor = 20 * time.Second

// check tries the credentials of every instance that the file configures or the directory names, and says what they see.
// It changes nothing.
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
		named, err := schema.Instances(ctx, db)
		if err != nil {
			return err
		}
		for _, i := range named {
			instances[i.Instance] = i.Connector
		}
	}
	if len(instances) == 0 {
		return errors.New("there is nothing to check: set CONNECTORS_FILE, or DATABASE_URL for the targets that the directory names")
	}
	failed := 0
	for _, name := range slices.Sorted(maps.Keys(instances)) {
		report, err := checkOne(ctx, config, instances[name], name)
		mark := "ok     "
		if err != nil {
			failed++
			mark, report = "FAILED ", err.Error()
		}
		if _, err := fmt.Fprintf(stdout, "%s%s (%s): %s\n", mark, name, instances[name], report); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d targets cannot be used", failed, len(instances))
	}
	return nil
}

func checkOne(ctx context.Context, config *kinds.Config, kind, name string) (string, error) {
	c, _, err := config.Open(kind, name)
	if err != nil {
		return "", err
	}
	defer c.Close() // it was only to look
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	return connector.Check(ctx, c)
}
