// Command worker runs the workflows, their activities, and the sweep. Its other commands are for operators and auditors.
package main

import (
	"context"
	"fmt"

	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/worker/program"
)

// commands are the worker's commands. Each has a method Run.
type commands struct {
	program.Commands

	Run     runCommand     `cmd:"" default:"1" help:"Run workflows, activities and the sweep; the default (as accessbot_worker)."`
	Migrate migrateCommand `cmd:""             help:"Migrate the database to this program's schema (as its owner)."`
	Import  importCommand  `cmd:""             help:"Import the directory from CSV files (as accessbot_directory)."`
	Policy  struct {
		Show    showPolicyCommand    `cmd:"" help:"Print the policy in force, and since when (as accessbot_directory)."`
		Check   checkPolicyCommand   `cmd:"" help:"List mistakes in a file, and unknown people (as accessbot_directory)."`
		Apply   applyPolicyCommand   `cmd:"" help:"Put a policy in force for new requests (as accessbot_directory)."`
		Explain explainPolicyCommand `cmd:"" help:"Show who would approve a request, without making one (as accessbot_directory)."`
	} `cmd:""             help:"Manage the policy: who decides about access."`
	Unbind unbindCommand `cmd:""             help:"Unbind people from their Slack users (as accessbot_directory)."`
	Rename renameCommand `cmd:""             help:"Change a person's e-mail address before people.csv does (as accessbot_directory)."`
	Grants grantsCommand `cmd:""             help:"Print a target's access like grants.csv (as accessbot_auditor)."`
	Audit  struct {
		Verify verifyCommand `cmd:"" help:"Verify the audit's hashes and print what is wrong (as accessbot_auditor)."`
		Export exportCommand `cmd:"" help:"Print all requested items, for auditors (as accessbot_auditor)."`
	} `cmd:""             help:"Verify or export the audit."`
	Check checkCommand `cmd:""             help:"Test every target's credentials and print what they can see (as accessbot_auditor)."`
}

func main() { program.Main("worker", run) }

// run is the whole program.
func run(ctx context.Context, p *program.Process) error {
	return program.Execute(ctx, p, "worker", "Runs accessbot's workflows, activities and sweep, or a command.", &commands{})
}

// runCommand is the worker itself.
type runCommand struct{}

// Run runs it until ctx is done.
func (*runCommand) Run(ctx context.Context, p *program.Process) error {
	config, err := configure(p.Environ)
	if err != nil {
		return err
	}
	return serve(ctx, config, p.Log())
}

// Roles of commands.
const (
	owner         = "the database's owner"
	workerRole    = "accessbot_worker"
	directoryRole = "accessbot_directory"
	auditorRole   = "accessbot_auditor"
)

// withURL runs f with DATABASE_URL. If PostgreSQL refuses it, the error names the role that it needs.
func withURL(p *program.Process, role string, f func(url string) error) error {
	var settings program.Database
	if err := program.Load(p.Environ, &settings); err != nil {
		return fmt.Errorf("%w, as %s", err, role)
	}
	err := f(settings.DatabaseURL.Reveal())
	if connector.ClassOf(err) == connector.ClassDenied { // by a target, which may be a PostgreSQL server too
		return err
	}
	return schema.NeedsRole(err, role)
}

// withDatabase is withURL for what uses a pool of connections.
func withDatabase(ctx context.Context, p *program.Process, role string, f func(*schema.DB) error) error {
	return withURL(p, role, func(url string) error {
		db, err := schema.Open(url, 2)
		if err != nil {
			return err
		}
		defer db.Close() // the process ends
		if err := schema.CheckDatabase(ctx, db); err != nil {
			return err
		}
		return f(db)
	})
}
