// Command worker runs the workflows, their activities, and the sweep. Its subcommands are for operators and auditors.
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

const usage = `Usage: worker [command]

  worker               Run workflows, activities and the sweep.
  worker migrate       Migrate the database at DATABASE_URL to this program's schema (as its owner).
  worker import DIR    Import the directory from the CSV files in DIR (as accessbot_directory).
      --allow KIND=N   Allow up to N removals of this kind. A refused import prints both.
  worker policy ...    Manage the policy: show, check FILE, apply FILE, explain EMAIL APPLICATION/KEY.
  worker unbind EMAIL...
                       Unbind these people from their Slack users, or everyone with --all (as accessbot_directory).
  worker rename OLD NEW
                       Change a person's e-mail address before people.csv does (as accessbot_directory).
  worker grants INSTANCE
                       Print a target's access in the format of grants.csv. Changes nothing.
  worker audit verify  Verify the audit's hashes and print what is wrong (as accessbot_auditor).
      --checkpoint C   Also check that this checkpoint (SEQUENCE:HASH) is in the chain. C can be a file with one per line.
  worker audit export  Print all requested items, for auditors (as accessbot_auditor).
      --format F       csv (default), or json with one object per line.
      --from D --to D  Only items submitted at or after --from, and before --to. D is a date or a time.
  worker check         Test every target's credentials and print what they can see. Changes nothing.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1) //nolint:gocritic // stop only restores signal handling, and the process ends
	}
}

// run is the whole program. Tests call it with their own arguments, environment and output.
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
		return fmt.Errorf("unknown command %q\n\n%s", command, usage)
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
	_, err = fmt.Fprintf(stdout, "The schema is at version %d.\n", version)
	return err
}

func importDirectory(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("import", flag.ContinueOnError)
	flags.SetOutput(stderr)
	allow := map[string]int{}
	flags.Func("allow", "allow up to N removals of this kind, as `KIND=N`", func(text string) error {
		kind, number, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return errors.New("use KIND=N as the refused import prints it, such as people-gone=12")
		}
		allow[kind] = n
		return nil
	})
	dirs, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	if len(dirs) != 1 {
		return errors.New("usage: worker import DIR [--allow KIND=N ...]")
	}
	db, err := openDatabase(ctx, getenv, 2)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	maxNameBytes, ownNames := map[string]int{}, []string{}
	for _, name := range kinds.Names() {
		kind, _ := kinds.Lookup(name)
		maxNameBytes[name] = kind.MaxNameBytes
		if kind.OwnNames {
			ownNames = append(ownNames, name)
		}
	}
	options := directory.Options{Allow: allow, Connectors: maxNameBytes, OwnNames: ownNames}
	summary, err := directory.Import(ctx, db, dirs[0], options)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, summary)
	return err
}
