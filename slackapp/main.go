// Command slackapp is accessbot's Slack app: the Home tab, the request form and the buttons, over HTTP or Socket Mode. It records
// what people request and decide; the worker does the rest.
package main

import (
	"context"

	"accessbot/worker/program"
)

// command is what the program does; it has no other commands.
type command struct{ program.Commands }

func main() { program.Main("slackapp", start) }

// start is the whole program.
func start(ctx context.Context, p *program.Process) error {
	const description = "Runs accessbot's Slack app (as accessbot_slackapp). It has no commands; settings are environment variables."
	return program.Execute(ctx, p, "slackapp", description, &command{})
}

// Run runs the app until ctx is done.
func (*command) Run(ctx context.Context, p *program.Process) error {
	config, err := configure(p.Environ)
	if err != nil {
		return err
	}
	return run(ctx, config, p.Log())
}
