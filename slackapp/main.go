// Command slackapp is what people see of accessbot: the Home tab, the request form and the buttons in Slack, over HTTP or
// Socket Mode. It records what they ask for and decide; the worker does the rest.
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
		os.Exit(1) //nolint:gocritic // stop only gives signals back, and the process ends
	}
}
