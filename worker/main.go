// Command worker runs what accessbot does by itself: the workflows, their activities, and the sweep. Its sub-commands are
// an operator's: they migrate the schema and import the directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"accessbot/activities/connector/kinds"
	"accessbot/schema"
	"accessbot/schema/directory"
)

const usage = `worker: what accessbot does by itself

  worker               run workflows, activities and the sweep
  worker migrate       bring the database at DATABASE_URL to this program's schema (as its owner)
  worker import DIR    read the directory from the CSV files in DIR (as accessbot_directory)
      --allow KIND=N   though it removes N of that kind of access or authority (a refused import names both)
  worker policy ...    who decides about access: show, check FILE, apply FILE, explain EMAIL APPLICATION/KEY
  worker unbind EMAIL...
                       undo which Slack users these people are; --all: everybody (as accessbot_directory)
  worker rename OLD NEW
                       give a person another e-mail address, before people.csv does (as accessbot_directory)
  worker grants INSTANCE
                       print what a target shows, in the form of grants.csv, changing nothing
  worker audit verify  compute every hash of the audit again and report what is wrong (as accessbot_auditor)
      --checkpoint C   also check that this checkpoint, NUMBER:HASH or a file with one a line, is still in the chain
  worker audit export  every item that was asked for, for auditors
      --format F       csv, or json: one object a line
      --from D --to D  submitted from this date or instant on, and before that one
  worker check         try every target's credentials and say what they see, changing nothing
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1) //nolint:gocritic // stop only gives signals back, and the process ends
	}
}

// run is the whole program: everything from outside is handed to it.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	command := "run"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "run":
		config, err := configure(getenv)
		if err != nil {
			return err
		}
		return serve(ctx, config, slog.New(slog.NewJSONHandler(stderr, nil)))
	case "migrate":
		return migrate(ctx, getenv, stdout)
	case "import":
		return importDirectory(ctx, args, getenv, stdout, stderr)
	case "policy":
		return policyCommand(ctx, args, getenv, stdout, stderr)
	case "unbind":
		return unbind(ctx, args, getenv, stdout)
	case "rename":
		return rename(ctx, args, getenv, stdout)
	case "grants":
		return printGrants(ctx, args, getenv, stdout, stderr)
	case "audit":
		return audit(ctx, args, getenv, stdout, stderr)
	case "check":
		return check(ctx, getenv, stdout)
	case "help", "-h", "--help":
		_, err := io.WriteString(stdout, usage)
		return err
	default:
		return fmt.Errorf("there is no command %q\n\n%s", command, usage)
	}
}

func migrate(ctx context.Context, getenv func(string) string, stdout io.Writer) error {
	url, err := schema.Secret(getenv, "DATABASE_URL")
	if err != nil {
		return err
	}
	version, err := schema.Migrate(ctx, url)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "the schema is at version %d\n", version)
	return err
}

func importDirectory(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("import", flag.ContinueOnError)
	flags.SetOutput(stderr)
	allow := map[string]int{}
	flags.Func("allow", "remove up to N of that `KIND=N` of access or authority, though that is unusually many", func(text string) error {
		kind, number, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return errors.New("use KIND=N as the refused import names it, such as people-gone=12")
		}
		allow[kind] = n
		return nil
	})
	dirs, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	if len(dirs) != 1 {
		return errors.New("import needs one directory of CSV files: worker import DIR [--allow KIND=N ...]")
	}
	db, err := openRecord(getenv, 2)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	connectors, ownNames := map[string]int{}, []string{}
	for _, name := range kinds.Names() {
		kind, _ := kinds.Lookup(name)
		connectors[name] = kind.MaxNameBytes
		if kind.OwnNames {
			ownNames = append(ownNames, name)
		}
	}
	summary, err := directory.Import(ctx, db, dirs[0], directory.Options{Allow: allow, Connectors: connectors, OwnNames: ownNames})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, summary)
	return err
}
