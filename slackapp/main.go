// Command slackapp is accessbot's Slack app: the Home tab, the request form and the buttons, over HTTP or Socket Mode. It records
// what people request and decide; the worker does the rest.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config, err := configure(os.Getenv)
	if err == nil {
		err = run(ctx, config, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "slackapp:", err)
		os.Exit(1) //nolint:gocritic // stop only restores signals, and the process ends
	}
}
