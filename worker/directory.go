package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"accessbot/activities/connector/kinds"
	"accessbot/schema"
	"accessbot/schema/directory"
	"accessbot/worker/program"
)

// migrateCommand migrates the database.
type migrateCommand struct{}

// Run migrates it. It creates roles too, so it takes a URL and not a pool.
func (*migrateCommand) Run(ctx context.Context, p *program.Process) error {
	return withURL(p, owner, func(url string) error {
		version, err := schema.Migrate(ctx, url)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.Stdout, "The schema is at version %d.\n", version)
		return err
	})
}

// importCommand imports the directory.
type importCommand struct {
	Dir   string    `arg:"" help:"The directory of CSV files."`
	Allow []removal `       help:"Allow N removals of this kind, as a refused import prints; repeatable." sep:"none" placeholder:"KIND=N"`
}

// removal allows up to a number of removals of a kind.
type removal struct {
	kind string
	most int
}

// UnmarshalText parses KIND=N.
func (r *removal) UnmarshalText(text []byte) (err error) {
	kind, number, _ := strings.Cut(string(text), "=")
	r.kind = kind
	if r.most, err = strconv.Atoi(number); err != nil || r.most < 1 {
		return errors.New("use KIND=N as the refused import prints it, such as people-gone=12")
	}
	return nil
}

// Run imports it.
func (c *importCommand) Run(ctx context.Context, p *program.Process) error {
	options := directory.Options{Allow: map[string]int{}, Connectors: map[string]int{}}
	for _, removal := range c.Allow {
		options.Allow[removal.kind] = removal.most
	}
	for _, name := range kinds.Names() {
		kind, _ := kinds.Lookup(name)
		options.Connectors[name] = kind.MaxNameBytes
		if kind.OwnNames {
			options.OwnNames = append(options.OwnNames, name)
		}
	}
	return withDatabase(ctx, p, directoryRole, func(db *schema.DB) error {
		summary, err := directory.Import(ctx, db, c.Dir, options)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.Stdout, summary)
		return err
	})
}
