package main

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"accessbot/schema"
	"accessbot/schema/words"
	"accessbot/worker/program"
)

// verifyCommand verifies the audit. It only reads.
type verifyCommand struct {
	Checkpoint string `placeholder:"SEQUENCE:HASH" help:"Also check that this checkpoint is in the chain, or those in this file."`
}

// Run verifies it.
func (c *verifyCommand) Run(ctx context.Context, p *program.Process) error {
	checkpoints, err := readCheckpoints(c.Checkpoint)
	if err != nil {
		return err
	}
	return withDatabase(ctx, p, auditorRole, func(db *schema.DB) error { return verifyAudit(ctx, db, checkpoints, p.Stdout) })
}

func verifyAudit(ctx context.Context, db *schema.DB, checkpoints []schema.Checkpoint, stdout io.Writer) error {
	v, err := db.VerifyAudit(ctx, checkpoints, func(finding string) { fmt.Fprintln(stdout, "WRONG  "+finding) })
	if err != nil {
		return err
	}
	if v.Newest.Number == 0 {
		fmt.Fprintln(stdout, "No events are sealed yet.")
	} else {
		fmt.Fprintf(
			stdout,
			"Sealed events: %d\nCheckpoint: %s, sealed at %s. Keep it outside the database.\n",
			v.Events,
			v.Newest.Checkpoint(),
			v.Newest.SealedAt.UTC().Format(time.RFC3339),
		)
	}
	if v.Unsealed.Events > 0 {
		fmt.Fprintf(stdout, "Unsealed events: %d. The oldest is %s old.\n", v.Unsealed.Events, v.Unsealed.Oldest.Round(time.Second))
	}
	if v.Wrong > 0 {
		return fmt.Errorf("problems found in the audit: %d", v.Wrong)
	}
	_, err = fmt.Fprintln(stdout, "The audit is intact.")
	return err
}

// readCheckpoints parses one checkpoint, or reads a file with one per line.
func readCheckpoints(text string) (checkpoints []schema.Checkpoint, err error) {
	if text == "" {
		return nil, nil
	}
	lines := []string{text}
	if _, err := parseCheckpoint(text); err != nil {
		content, fileErr := os.ReadFile(text) //nolint:gosec // the operator's own file
		if fileErr != nil {
			return nil, fmt.Errorf("--checkpoint: %w, and reading it as a file failed: %w", err, fileErr)
		}
		lines = strings.Split(string(content), "\n")
	}
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		checkpoint, err := parseCheckpoint(line)
		if err != nil {
			return nil, fmt.Errorf("--checkpoint, line %d: %w", i+1, err)
		}
		checkpoints = append(checkpoints, checkpoint)
	}
	return checkpoints, nil
}

func parseCheckpoint(text string) (schema.Checkpoint, error) {
	sequence, hash, _ := strings.Cut(strings.TrimSpace(text), ":")
	n, err := strconv.ParseInt(sequence, 10, 64)
	sum, hexErr := hex.DecodeString(hash)
	if err != nil || hexErr != nil || n < 1 || len(sum) != 32 {
		return schema.Checkpoint{}, fmt.Errorf("%q is not SEQUENCE:HASH, as verify prints it", text)
	}
	return schema.Checkpoint{Number: n, Hash: sum}, nil
}

// exportCommand exports all requested items. It only reads.
type exportCommand struct {
	Format string  `enum:"csv,json" default:"csv" placeholder:"csv|json" help:"csv by default, or json with one object per line."`
	From   instant `                              placeholder:"DATE"     help:"Only items submitted at or after this date (UTC) or time (RFC 3339)."`
	To     instant `                              placeholder:"DATE"     help:"Only items submitted before this date or time."`
}

// Run exports them.
func (c *exportCommand) Run(ctx context.Context, p *program.Process) error {
	return withDatabase(ctx, p, auditorRole, func(db *schema.DB) error { return c.export(ctx, db, p.Stdout, p.Stderr) })
}

func (c *exportCommand) export(ctx context.Context, db *schema.DB, stdout, stderr io.Writer) error {
	var write func(schema.AuditedItem) error
	flush := func() error { return nil }
	if c.Format == "json" {
		encoder := json.NewEncoder(stdout)
		write = func(item schema.AuditedItem) error { return encoder.Encode(item) }
	} else {
		out := csv.NewWriter(stdout)
		flush = func() error { out.Flush(); return out.Error() }
		if err := out.Write(auditHeader); err != nil {
			return err
		}
		write = func(item schema.AuditedItem) error {
			cells := auditCells(item)
			for i := range cells {
				cells[i] = escapeFormula(cells[i])
			}
			return out.Write(cells)
		}
	}
	items, missing := 0, 0
	err := db.ExportItems(ctx, c.From.Time, c.To.Time, func(item schema.AuditedItem) error {
		items++
		if item.State == "missing" || item.Audit == "missing" {
			missing++
		}
		return write(item)
	})
	if err = errors.Join(err, flush()); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Exported items: %d\n", items)
	if missing > 0 {
		return fmt.Errorf("items missing from the database (column state) or from the audit (column audit): %d", missing)
	}
	return nil
}

// instant is a date, which is its start in UTC, or a time. Zero: none.
type instant struct{ time.Time }

// UnmarshalText parses it.
func (i *instant) UnmarshalText(text []byte) (err error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if i.Time, err = time.Parse(layout, string(text)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%q: use a date such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z", text)
}

// auditHeader names the columns of auditCells.
var auditHeader = []string{
	"number",
	"sequence",
	"audit",
	"request",
	"item",
	"state",
	"submitted_at",
	"requester",
	"submitted_by",
	"submitted_for",
	"application",
	"entitlement",
	"account",
	"risk",
	"reason",
	"note",
	"asked_until",
	"outcomes",
	"decided_by",
	"basis",
	"policy_version",
	"decided_at",
	"decision_reasons",
	"granted_until",
	"decided_before_granted",
	"granted_at",
	"due_end",
	"real_end",
	"lateness_seconds",
	"end_reason",
	"kept_for_another_reason",
	"unexpected_before",
	"stop_kind",
	"stopped_by",
	"stop_reason",
	"problem",
	"problem_text",
}

func auditCells(item schema.AuditedItem) []string {
	decisions := func(cell func(schema.AuditedDecision) string) string {
		cells := make([]string, len(item.Decisions))
		for i, d := range item.Decisions {
			cells[i] = cell(d)
		}
		return strings.Join(cells, "; ")
	}
	lateness := ""
	if item.LatenessSeconds != nil {
		lateness = strconv.FormatFloat(*item.LatenessSeconds, 'f', 0, 64)
	}
	decidedBefore := ""
	if item.DecidedBeforeGranted != nil {
		decidedBefore = yesNo(*item.DecidedBeforeGranted)
	}
	return []string{
		number(
			item.Number,
		),
		number(item.Sequence),
		item.Audit,
		number(item.Request),
		strconv.FormatInt(item.Item, 10),
		item.State,
		utc(item.SubmittedAt),
		item.Requester,
		item.SubmittedBy,
		item.SubmittedFor,
		item.Application,
		item.Entitlement,
		item.Account,
		item.Risk,
		item.Reason,
		item.Note,
		utc(item.AskedUntil),
		decisions(func(d schema.AuditedDecision) string { return d.Outcome }),
		decisions(func(d schema.AuditedDecision) string { return d.By }),
		decisions(func(d schema.AuditedDecision) string { return d.Basis }),
		decisions(func(d schema.AuditedDecision) string { return strconv.FormatInt(d.PolicyVersion, 10) }),
		decisions(func(d schema.AuditedDecision) string { return utc(&d.DecidedAt) }),
		decisions(func(d schema.AuditedDecision) string { return d.Reason }),
		decisions(func(d schema.AuditedDecision) string { return utc(d.Until) }),
		decidedBefore,
		utc(item.GrantedAt),
		utc(item.DueEnd),
		utc(item.RealEnd),
		lateness,
		item.EndReason,
		yesNo(item.KeptForAnother),
		yesNo(item.UnexpectedBefore),
		item.StopKind,
		item.StoppedBy,
		item.StopReason,
		string(item.Problem),
		words.ProblemForAudit(schema.Problem{Code: item.Problem, Details: item.ProblemDetails}, item.Application, item.Requester),
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

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// escapeFormula puts a ' before a cell that a spreadsheet would read as a formula, and before one that starts with '. Removing
// one ' restores the value.
func escapeFormula(cell string) string {
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
