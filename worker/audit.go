package main

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

const auditUsage = "audit needs what to do: worker audit verify [--checkpoint NUMBER:HASH | --checkpoint FILE], or worker audit export [--format csv|json] [--from DATE] [--to DATE]"

// audit is for auditors: it only reads, and accessbot_auditor may do all of it.
func audit(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New(auditUsage)
	}
	flags := flag.NewFlagSet("audit "+args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	var do func(db *schema.DB) error
	switch args[0] {
	case "verify":
		kept := flags.String("checkpoint", "", "a checkpoint that was kept elsewhere, as `NUMBER:HASH`, or a file with one a line")
		do = func(db *schema.DB) error { return verifyAudit(ctx, db, *kept, stdout) }
	case "export":
		format := flags.String("format", "csv", "`csv` or json: one object a line")
		from := flags.String("from", "", "submitted on this `DATE` (UTC) or at this instant (RFC 3339), or later")
		to := flags.String("to", "", "submitted before this `DATE` or instant")
		do = func(db *schema.DB) error { return exportAudit(ctx, db, *format, *from, *to, stdout, stderr) }
	default:
		return errors.New(auditUsage)
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errors.New(auditUsage)
	}
	db, err := openRecord(getenv, 2)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	return do(db)
}

func verifyAudit(ctx context.Context, db *schema.DB, kept string, stdout io.Writer) error {
	checkpoints, err := readCheckpoints(kept)
	if err != nil {
		return err
	}
	v, err := db.VerifyAudit(ctx, checkpoints, func(finding string) { fmt.Fprintln(stdout, "WRONG  "+finding) })
	if err != nil {
		return err
	}
	if v.Newest.Number == 0 {
		fmt.Fprintln(stdout, "nothing is sealed yet")
	} else {
		fmt.Fprintf(stdout, "%d events are sealed\ncheckpoint %s, sealed at %s: keep it elsewhere\n",
			v.Events, v.Newest.Checkpoint(), v.Newest.SealedAt.UTC().Format(time.RFC3339))
	}
	if v.Unsealed.Events > 0 {
		fmt.Fprintf(stdout, "%d events are not sealed yet, the oldest for %s\n", v.Unsealed.Events, v.Unsealed.Oldest.Round(time.Second))
	}
	if v.Wrong > 0 {
		return fmt.Errorf("%d things are wrong with the audit", v.Wrong)
	}
	_, err = fmt.Fprintln(stdout, "the audit is intact")
	return err
}

// readCheckpoints reads one checkpoint, or a file with one a line.
func readCheckpoints(text string) (checkpoints []schema.Checkpoint, err error) {
	if text == "" {
		return nil, nil
	}
	lines := []string{text}
	if _, err := parseCheckpoint(text); err != nil {
		content, fileErr := os.ReadFile(text) //nolint:gosec // the operator names it
		if fileErr != nil {
			return nil, fmt.Errorf("--checkpoint: %w, and no file either: %w", err, fileErr)
		}
		lines = strings.Split(string(content), "\n")
	}
	for n, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		checkpoint, err := parseCheckpoint(line)
		if err != nil {
			return nil, fmt.Errorf("--checkpoint, line %d: %w", n+1, err)
		}
		checkpoints = append(checkpoints, checkpoint)
	}
	return checkpoints, nil
}

func parseCheckpoint(text string) (schema.Checkpoint, error) {
	number, hash, _ := strings.Cut(strings.TrimSpace(text), ":")
	n, err := strconv.ParseInt(number, 10, 64)
	sum, hexErr := hex.DecodeString(hash)
	if err != nil || hexErr != nil || n < 1 || len(sum) != 32 {
		return schema.Checkpoint{}, fmt.Errorf("%q is not NUMBER:HASH, as verify prints it", text)
	}
	return schema.Checkpoint{Number: n, Hash: sum}, nil
}

func exportAudit(ctx context.Context, db *schema.DB, format, from, to string, stdout, stderr io.Writer) error {
	since, err := instant("--from", from)
	if err != nil {
		return err
	}
	before, err := instant("--to", to)
	if err != nil {
		return err
	}
	var write func(schema.AuditedItem) error
	flush := func() error { return nil }
	switch format {
	case "json":
		encoder := json.NewEncoder(stdout)
		write = func(i schema.AuditedItem) error { return encoder.Encode(i) }
	case "csv":
		out := csv.NewWriter(stdout)
		flush = func() error { out.Flush(); return out.Error() }
		if err := out.Write(auditHeader); err != nil {
			return err
		}
		write = func(i schema.AuditedItem) error {
			cells := auditCells(i)
			for n := range cells {
				cells[n] = harmless(cells[n])
			}
			return out.Write(cells)
		}
	default:
		return fmt.Errorf("--format %q: it is csv or json", format)
	}
	items, missing := 0, 0
	err = db.ExportItems(ctx, since, before, func(i schema.AuditedItem) error {
		items++
		if i.State == "missing" || i.Audit == "missing" {
			missing++
		}
		return write(i)
	})
	if err = errors.Join(err, flush()); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d items\n", items)
	if missing > 0 {
		return fmt.Errorf("%d items are missing, from the database (state) or from the audit (audit)", missing)
	}
	return nil
}

func instant(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q: it is a date such as 2026-01-31, or an instant such as 2026-01-31T12:00:00Z", name, text)
}

// auditHeader names the columns of auditCells.
var auditHeader = []string{
	"number", "sequence", "audit", "request", "item", "state", "submitted_at", "requester", "submitted_by", "submitted_for", "application", "entitlement", "account", "risk",
	"reason", "note", "asked_until", "verdicts", "decided_by", "basis", "policy_version", "decided_at", "decision_reasons", "granted_until", "decided_before_granted", "granted_at",
	"due_end", "real_end", "lateness_seconds", "end_reason", "kept_for_another_reason", "unexpected_before", "stop_kind", "stopped_by", "stop_reason", "problem", "problem_text",
}

func auditCells(i schema.AuditedItem) []string {
	of := func(f func(schema.AuditedDecision) string) string {
		values := make([]string, len(i.Decisions))
		for n, d := range i.Decisions {
			values[n] = f(d)
		}
		return strings.Join(values, "; ")
	}
	lateness := ""
	if i.LatenessSeconds != nil {
		lateness = strconv.FormatFloat(*i.LatenessSeconds, 'f', 0, 64)
	}
	before := ""
	if i.DecidedBeforeGranted != nil {
		before = yes(*i.DecidedBeforeGranted)
	}
	return []string{
		number(i.Number), number(i.Sequence), i.Audit, number(i.Request), strconv.FormatInt(i.Item, 10), i.State, utc(i.SubmittedAt), i.Requester, i.SubmittedBy, i.SubmittedFor,
		i.Application, i.Entitlement, i.Account, i.Risk, i.Reason, i.Note, utc(i.AskedUntil),
		of(func(d schema.AuditedDecision) string { return d.Verdict }),
		of(func(d schema.AuditedDecision) string { return d.By }),
		of(func(d schema.AuditedDecision) string { return d.Basis }),
		of(func(d schema.AuditedDecision) string { return strconv.FormatInt(d.PolicyVersion, 10) }),
		of(func(d schema.AuditedDecision) string { return utc(&d.DecidedAt) }),
		of(func(d schema.AuditedDecision) string { return d.Reason }),
		of(func(d schema.AuditedDecision) string { return utc(d.Until) }),
		before, utc(i.GrantedAt), utc(i.DueEnd), utc(i.RealEnd), lateness, i.EndReason, yes(i.KeptForAnother), yes(i.UnexpectedBefore),
		i.StopKind, i.StoppedBy, i.StopReason, string(i.Problem), views.ProblemForAudit(schema.Problem{Code: i.Problem, Details: i.ProblemDetails}, i.Application, i.Requester),
	}
}

func number(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

func utc(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// harmless keeps a spreadsheet from taking a cell for a formula, and loses nothing: a cell that begins with ' has one more of
// them than its value.
func harmless(cell string) string {
	rest := strings.TrimLeft(cell, " \u00a0")
	if rest != "" && strings.ContainsAny(firstRune(rest), "=+-@\t\r\n'＝＋－＠") {
		return "'" + cell
	}
	return cell
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}
