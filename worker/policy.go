package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"accessbot/schema"
	"accessbot/schema/policy"
	"accessbot/worker/program"
)

// showPolicyCommand prints the policy in force.
type showPolicyCommand struct{}

// Run prints it.
func (*showPolicyCommand) Run(ctx context.Context, p *program.Process) error {
	return withDatabase(ctx, p, directoryRole, func(db *schema.DB) error {
		v, _, err := schema.CurrentPolicy(ctx, db)
		if err != nil {
			return err
		}
		applied := v.AppliedAt.UTC().Format("2006-01-02 15:04 MST")
		_, err = fmt.Fprintf(p.Stdout, "# Version %d, applied %s.\n%s", v.Version, applied, v.Source)
		return err
	})
}

// checkPolicyCommand lists the mistakes in a policy file.
type checkPolicyCommand struct {
	File string `arg:"" help:"The policy file."`
}

// Run lists them. People are only looked up if there is a DATABASE_URL.
func (c *checkPolicyCommand) Run(ctx context.Context, p *program.Process) error {
	parsed, err := parsePolicy(c.File)
	if err != nil {
		return err
	}
	report := func(people string) error {
		_, err := fmt.Fprintf(p.Stdout, "%s: a policy of %d rules; %s\n", c.File, len(parsed.Rules), people)
		return err
	}
	if !p.Environ.Has("DATABASE_URL") {
		return report("the people in it were not looked up, because DATABASE_URL is not set")
	}
	return withDatabase(ctx, p, directoryRole, func(db *schema.DB) error {
		if err := schema.CheckNamed(ctx, db, parsed); err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
		return report("all people in it are in the directory")
	})
}

func parsePolicy(file string) (*policy.Policy, error) {
	source, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	return policy.Parse(file, source)
}

// applyPolicyCommand puts a policy in force.
type applyPolicyCommand struct {
	File string `arg:"" help:"The policy file."`
}

// Run puts it in force, unless it is already.
func (c *applyPolicyCommand) Run(ctx context.Context, p *program.Process) error {
	source, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	return withDatabase(ctx, p, directoryRole, func(db *schema.DB) error {
		v, changed, err := db.ApplyPolicy(ctx, c.File, source)
		switch {
		case err != nil:
			return fmt.Errorf("nothing was applied: %w", err)
		case changed:
			_, err = fmt.Fprintf(p.Stdout, "version %d of the policy is in force for what is submitted from now on\n", v.Version)
		default:
			_, err = fmt.Fprintf(p.Stdout, "version %d of the policy, which is in force, is the same: nothing was changed\n", v.Version)
		}
		return err
	})
}

// explainPolicyCommand shows who would approve a request.
type explainPolicyCommand struct {
	Email  string `arg:"" help:"The requester."`
	Grant  string `arg:"" help:"The access grant."                                     name:"application/key"`
	Days   int    `       help:"For N days; without it, permanent."                                           placeholder:"N"`
	Reason string `       help:"The reason, project by default."                                              placeholder:"KEY" default:"project"`
	File   string `       help:"Evaluate by this file instead of the policy in force."`
}

// Run shows it.
func (c *explainPolicyCommand) Run(ctx context.Context, p *program.Process) error {
	return withDatabase(ctx, p, directoryRole, func(db *schema.DB) error {
		parsed, name, err := c.policy(ctx, db)
		if err != nil {
			return err
		}
		explained, err := schema.Explain(ctx, db, parsed, schema.Supposed{
			Email: c.Email, Entitlement: c.Grant, Lasts: time.Duration(c.Days) * 24 * time.Hour, Reason: c.Reason,
		})
		if err != nil {
			return err
		}
		_, err = io.WriteString(p.Stdout, explanation(name, explained))
		return err
	})
}

// policy returns the policy of the file, or the one in force, and its name.
func (c *explainPolicyCommand) policy(ctx context.Context, db *schema.DB) (parsed *policy.Policy, name string, err error) {
	if c.File != "" {
		parsed, err = parsePolicy(c.File)
		return parsed, c.File, err
	}
	v, parsed, err := schema.CurrentPolicy(ctx, db)
	return parsed, fmt.Sprintf("version %d of the policy", v.Version), err
}

// explanation returns the output of policy explain.
func explanation(name string, e schema.Explained) string {
	var b strings.Builder
	fmt.Fprintf(&b, "By %s, rule %d (%s) applies", name, e.Number, e.Rule.Name)
	if e.Rule.Condition != "" {
		fmt.Fprintf(&b, ": %s", strings.Join(strings.Fields(e.Rule.Condition), " "))
	}
	b.WriteString("\n")
	switch {
	case e.Rule.Approve:
		b.WriteString("Approved without an approver.\n")
	case e.Rule.Deny != "":
		fmt.Fprintf(&b, "Denied: %s\n", e.Rule.Deny)
	}
	for _, limit := range e.Limits {
		fmt.Fprintf(&b, "Limit: %s\n", limit)
	}
	for i, stage := range e.Stages {
		fmt.Fprintf(&b, "Stage %d of %d, required approvals: %d\n", i+1, len(e.Stages), stage.RequiredApprovals)
		if len(stage.Levels[0]) == 0 {
			b.WriteString("  no approver is available\n")
		}
		for level, people := range stage.Levels {
			for _, person := range people {
				fmt.Fprintf(&b, "  %s (%s)", person.Name, person.Basis)
				if person.OnBehalfOf != "" {
					fmt.Fprintf(&b, ", on behalf of %s, who is away", person.OnBehalfOf)
				}
				if level > 0 {
					fmt.Fprintf(&b, ", from escalation level %d", level)
				}
				b.WriteString("\n")
			}
		}
		for _, person := range stage.Excluded {
			fmt.Fprintf(&b, "  not %s (%s): %s\n", person.Name, person.Basis, person.Why)
		}
	}
	if len(e.Stages) > 0 {
		fmt.Fprintf(&b, "Reminded after %s, escalated after %s, expired after %s\n",
			daysAndHours(e.Rule.RemindAfter), daysAndHours(e.Rule.EscalateAfter), daysAndHours(e.Rule.ExpireAfter))
	}
	return b.String()
}

// daysAndHours formats a duration as policies do.
func daysAndHours(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d > day && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
}
