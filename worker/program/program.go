// Package program is what both programs share: settings from the environment, commands, logs and health checks.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/caarlos0/env/v11"
)

// Process is what a program is started with. Tests start it with their own.
type Process struct {
	Args           []string
	Environ        Environment
	Stdout, Stderr io.Writer
}

// Log returns the program's log: JSON lines on standard error.
func (p *Process) Log() *slog.Logger { return slog.New(slog.NewJSONHandler(p.Stderr, nil)) }

// Main runs a program until it ends, or is told to stop. After an error it exits with status 1.
func Main(name string, run func(ctx context.Context, p *Process) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &Process{Args: os.Args[1:], Environ: env.ToMap(os.Environ()), Stdout: os.Stdout, Stderr: os.Stderr}
	if err := run(ctx, p); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1) //nolint:gocritic // stop only restores signal handling, and the process ends
	}
}

// Commands is embedded in every program's commands.
type Commands struct {
	Version kong.VersionFlag `help:"Print the version, and what it was built from."`
}

// Execute runs the command in p.Args: the method Run(context.Context, *Process) of a field of commands.
func Execute(ctx context.Context, p *Process, name, description string, commands any) error {
	ended := false
	parser, err := kong.New(commands, kong.Name(name), kong.Description(description), kong.Vars{"version": Version()},
		kong.Writers(p.Stdout, p.Stderr), kong.Exit(func(int) { ended = true }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(p))
	if err != nil {
		return err
	}
	command, err := parser.Parse(p.Args)
	var wrong *kong.ParseError
	switch {
	case ended: // --help or --version
		return nil
	case errors.As(err, &wrong):
		if node := wrong.Context.Selected(); node != nil {
			name = node.FullPath()
		}
		return fmt.Errorf("%w: see %s --help", err, name)
	case err != nil:
		return err
	}
	return command.Run()
}

// Version returns this build's version, commit and Go version.
func Version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	commit := "unknown"
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			commit = setting.Value
		}
	}
	return fmt.Sprintf("%s (commit %s, %s)", build.Main.Version, commit, build.GoVersion)
}
