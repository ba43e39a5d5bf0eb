package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"accessbot/schema"
	"accessbot/schema/policy"
)

const policyUsage = `worker policy: who decides about access

  worker policy show           print the policy in force, and since when
  worker policy check FILE     list every mistake in a file; with DATABASE_URL, also people who are not in the directory
  worker policy apply FILE     put a policy in force for what is submitted from now on (as accessbot_directory)
  worker policy explain EMAIL APPLICATION/KEY
                               show who would approve a request, without making one
      --days N                 for N days; without it, permanent
      --reason KEY             with this reason; without it, project
      --file FILE              by that file instead of the policy in force
`

// policyCommand runs an operator's policy command.
func policyCommand(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New(policyUsage)
	}
	command, args := args[0], args[1:]
	if command == "check" && getenv("DATABASE_URL") == "" && getenv("DATABASE_URL_FILE") == "" {
		return checkPolicy(ctx, args, nil, stdout)
	}
	db, err := openDatabase(ctx, getenv, 2)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	switch command {
	case "show":
		return showPolicy(ctx, db, stdout)
	case "check":
		return checkPolicy(ctx, args, db, stdout)
	case "apply":
		return applyPolicy(ctx, args, db, stdout)
	case "explain":
		return explainPolicy(ctx, args, db, stdout, stderr)
	}
	return fmt.Errorf("unknown command policy %q\n\n%s", command, policyUsage)
}

func showPolicy(ctx context.Context, db *schema.DB, stdout io.Writer) error {
	v, _, err := schema.CurrentPolicy(ctx, db)
	if err != nil {
		return err
	}
	applied := v.AppliedAt.UTC().Format("2006-01-02 15:04 MST")
	_, err = fmt.Fprintf(stdout, "# Version %d, applied %s.\n%s", v.Version, applied, v.Source)
	return err
}

func readPolicy(args []string) (file string, source []byte, err error) {
	if len(args) != 1 {
		return "", nil, errors.New("name one file: worker policy check FILE")
	}
	source, err = os.ReadFile(args[0]) //nolint:gosec // the operator names it
	return args[0], source, err
}

func checkPolicy(ctx context.Context, args []string, db *schema.DB, stdout io.Writer) error {
	file, source, err := readPolicy(args)
	if err != nil {
		return err
	}
	p, err := policy.Parse(file, source)
	if err != nil {
		return err
	}
	named := "the people in it were not looked up, because DATABASE_URL is not set"
	if db != nil {
		if err := schema.CheckNamed(ctx, db, p); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		named = "all people in it are in the directory"
	}
	_, err = fmt.Fprintf(stdout, "%s: a policy of %d rules; %s\n", file, len(p.Rules), named)
	return err
}

func applyPolicy(ctx context.Context, args []string, db *schema.DB, stdout io.Writer) error {
	file, source, err := readPolicy(args)
	if err != nil {
		return err
	}
	v, changed, err := db.ApplyPolicy(ctx, file, source)
	switch {
	case err != nil:
		return fmt.Errorf("nothing was applied: %w", err)
	case changed:
		_, err = fmt.Fprintf(stdout, "version %d of the policy is in force for what is submitted from now on\n", v.Version)
	default:
		_, err = fmt.Fprintf(stdout, "version %d of the policy, which is in force, is the same: nothing was changed\n", v.Version)
	}
	return err
}

func explainPolicy(ctx context.Context, args []string, db *schema.DB, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("policy explain", flag.ContinueOnError)
	flags.SetOutput(stderr)
	days := flags.Int("days", 0, "for `N` days; 0: permanent")
	reason := flags.String("reason", "project", "the `KEY` of the reason")
	file := flags.String("file", "", "evaluate by `FILE` instead of the policy in force")
	rest, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	if len(rest) != 2 {
		return errors.New("name a person and an access grant: worker policy explain EMAIL APPLICATION/KEY")
	}
	p, name, err := policyToExplain(ctx, db, *file)
	if err != nil {
		return err
	}
	explained, err := schema.Explain(ctx, db, p, schema.Supposed{
		Email: rest[0], Entitlement: rest[1], Lasts: time.Duration(*days) * 24 * time.Hour, Reason: *reason,
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, explanation(name, explained))
	return err
}

// policyToExplain returns the policy of a file, or the one in force, and its name.
func policyToExplain(ctx context.Context, db *schema.DB, file string) (p *policy.Policy, name string, err error) {
	if file == "" {
		v, p, err := schema.CurrentPolicy(ctx, db)
		return p, fmt.Sprintf("version %d of the policy", v.Version), err
	}
	_, source, err := readPolicy([]string{file})
	if err != nil {
		return nil, "", err
	}
	p, err = policy.Parse(file, source)
	return p, file, err
}

// explanation is the output of policy explain.
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

// parseMixed returns the arguments that are not flags. They can come before or after the flags.
func parseMixed(flags *flag.FlagSet, args []string) (rest []string, err error) {
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if args = flags.Args(); len(args) > 0 {
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	return rest, nil
}
