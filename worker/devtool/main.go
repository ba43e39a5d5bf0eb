// Devtool holds the parts of temporal-dev.sh that are easier to write in Go than in a shell. It is only for development and
// tests: it trusts every URL.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: devtool COMMAND

  databases -admin URL                                create the development databases and their owners
  instances -database URL                             print the PostgreSQL instances in the directory
  seed-target -database URL -target URL INSTANCE...   create the directory's roles and memberships in a target
  demo                                                play one temporary request, from the form to the end of the access
`

var errUsage = errors.New(usage)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "devtool:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	switch command, args := args[0], args[1:]; command {
	case "databases":
		return runDatabases(ctx, args)
	case "instances":
		return runInstances(ctx, args, out)
	case "seed-target":
		return runSeedTarget(ctx, args, out)
	case "demo":
		return runDemo(ctx, args, out)
	default:
		return fmt.Errorf("there is no command %q\n%w", command, errUsage)
	}
}
