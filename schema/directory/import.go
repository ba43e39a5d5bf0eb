// Package directory imports the directory from CSV files: people, applications, entitlements, and the access held today.
//
// Each file is parsed as a stream and copied into a temporary table. Set-based statements check it against the other files and
// the database, and apply it, all in one transaction. One problem refuses the whole import. An import never changes a target.
package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema"
)

// Options of an import.
type Options struct {
	// Allow is how many rows an import may lose, by kind of loss (see losses). Without it, an import that loses more than 5 %
	// and more than 5 of a kind is refused.
	Allow map[string]int
	// Connectors are the known connectors, each with the longest name of an account or object, in bytes (0: no limit).
	// Nil means postgresql and manual.
	Connectors map[string]int
	// OwnNames are the connectors whose accounts are not named after e-mail addresses. A person without a row in accounts.csv
	// has no account there.
	OwnNames []string
}

// importLock is the advisory lock that lets one import run at a time.
const importLock = 0x61636469

// deadlockRetries is how often an import is retried after a deadlock with a decision or revocation.
const deadlockRetries = 3

// importing is one attempt at one import, within its transaction.
type importing struct {
	tx       *sqlx.Tx
	dir      string
	opts     Options
	written  map[string]time.Time // modification times of the files that are present
	rows     map[string]int       // number of rows copied, by file
	places   map[string]place     // of applications, by slug: from the database, then from the file
	problems problems
	summary  Summary
	retired  pq.Int64Array // entitlements that this import marks as gone
}

// source is one file of the directory: how to parse, check and apply it. Checks run once all files are parsed.
type source struct {
	file     string
	required []string // columns
	optional []string
	table    string               // the temporary table for its rows
	columns  []string             // of that table
	row      func(s *sheet) []any // values for those columns, from the current row
	check    func(ctx context.Context) error
	apply    func(ctx context.Context) error
}

// sources lists the files in the order in which they are parsed and applied: later ones refer to earlier ones.
func (im *importing) sources() []source {
	return []source{im.people(), im.applications(), im.entitlements(), im.accounts(), im.grants(), im.jobTitles(), im.reasons()}
}

// Import applies the CSV files in dir to the database in one transaction, as the role accessbot_directory or the owner. If the
// files have problems it returns *Refused and changes nothing. An absent file leaves its table alone. A row that is missing
// from a file is marked as gone. Concurrent imports wait for each other.
func Import(ctx context.Context, db *schema.DB, dir string, opts Options) (Summary, error) {
	if opts.Connectors == nil {
		opts.Connectors = map[string]int{"postgresql": 63, "manual": 255}
	}
	var summary Summary
	for attempt := 0; ; attempt++ {
		im := &importing{dir: dir, opts: opts, written: map[string]time.Time{}, rows: map[string]int{}}
		err := db.InLongTx(ctx, nil, func(ctx context.Context, tx *sqlx.Tx) error {
			im.tx = tx
			return im.run(ctx)
		})
		if err == nil {
			summary = im.summary
			break
		}
		var e *pq.Error
		if errors.As(err, &e) && e.Code == "40P01" && attempt < deadlockRetries {
			continue
		}
		return Summary{}, fmt.Errorf("import %s: %w", dir, err)
	}
	if summary.Changed() {
		// In a transaction of its own, so that ANALYZE's locks are not held during the import. If it fails, the import is still
		// committed, and queries may be slower until autovacuum runs.
		err := db.InLongTx(ctx, nil, func(ctx context.Context, tx *sqlx.Tx) error {
			_, err := tx.ExecContext(ctx, `select analyze_directory()`)
			return err
		})
		if err != nil {
			summary.Notes = append(summary.Notes, "table statistics were not updated: "+err.Error())
		}
	}
	return summary, nil
}

func (im *importing) run(ctx context.Context) error {
	sources := im.sources()
	if err := im.find(sources); err != nil {
		return err
	}
	if _, err := im.tx.ExecContext(ctx, `select pg_advisory_xact_lock($1)`, importLock); err != nil {
		return fmt.Errorf("wait for another import to end: %w", err)
	}
	if _, err := im.tx.ExecContext(ctx, temporaryTables); err != nil {
		return fmt.Errorf("create temporary tables (the role needs TEMPORARY on the database): %w", err)
	}
	if err := im.readPlaces(ctx); err != nil {
		return err
	}
	for _, s := range sources {
		if im.has(s.file) {
			if err := im.stage(ctx, s); err != nil {
				return err
			}
		}
	}
	// References are checked only if every row could be read: a missing row would make rows in other files look wrong.
	if err := im.problems.refused(); err != nil {
		return err
	}
	for _, s := range sources {
		if im.has(s.file) {
			if err := s.check(ctx); err != nil {
				return fmt.Errorf("check %s: %w", s.file, err)
			}
		}
	}
	if err := im.checkObjects(ctx); err != nil {
		return fmt.Errorf("check objects: %w", err)
	}
	if err := im.guard(ctx); err != nil {
		return err
	}
	if err := im.problems.refused(); err != nil {
		return err
	}
	if err := im.apply(ctx, sources); err != nil {
		return err
	}
	if err := im.problems.refused(); err != nil {
		return err
	}
	if err := schema.WriteSearchKeys(ctx, im.tx); err != nil {
		return err
	}
	return im.record(ctx)
}

func (im *importing) apply(ctx context.Context, sources []source) error {
	if err := im.clearObjectNames(ctx); err != nil {
		return err
	}
	for _, s := range sources {
		if im.has(s.file) {
			if err := s.apply(ctx); err != nil {
				return fmt.Errorf("apply %s: %w", s.file, err)
			}
		}
		if s.file != entitlementsFile {
			continue
		}
		if err := im.nameObjects(ctx); err != nil {
			return err
		}
		if err := im.retireWithApplications(ctx); err != nil {
			return fmt.Errorf("retire the entitlements of applications that are gone: %w", err)
		}
		// Requests before claims: Reconcile locks in this order too.
		if err := im.markRequestsDue(ctx); err != nil {
			return err
		}
		// Before grants, which need an account for each person and target.
		if err := im.createAccounts(ctx); err != nil {
			return err
		}
	}
	return nil
}

// find looks for the files, and notes unknown CSV files so that a misspelt name is noticed.
func (im *importing) find(sources []source) error {
	entries, err := os.ReadDir(im.dir)
	if err != nil {
		return fmt.Errorf("read the folder: %w", err)
	}
	var names []string
	for _, s := range sources {
		names = append(names, s.file)
	}
	for _, entry := range entries {
		switch {
		case slices.Contains(names, entry.Name()):
			info, err := os.Stat(filepath.Join(im.dir, entry.Name()))
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s is a broken link", entry.Name())
			} else if err != nil {
				return err
			}
			im.written[entry.Name()] = info.ModTime()
		case strings.HasSuffix(strings.ToLower(entry.Name()), ".csv"):
			im.summary.Notes = append(im.summary.Notes, entry.Name()+" was not read; the files are "+strings.Join(names, ", "))
		}
	}
	if len(im.written) == 0 {
		return fmt.Errorf("the folder has none of %s", strings.Join(names, ", "))
	}
	return nil
}

func (im *importing) has(file string) bool {
	_, ok := im.written[file]
	return ok
}

// stage copies a file into its temporary table, without rows that have a problem.
func (im *importing) stage(ctx context.Context, src source) error {
	file, err := os.Open(filepath.Join(im.dir, src.file))
	if err != nil {
		return err
	}
	defer file.Close()
	copying, err := im.tx.PrepareContext(ctx, "copy "+src.table+" (line, "+strings.Join(src.columns, ", ")+") from stdin")
	if err != nil {
		return fmt.Errorf("copy %s: %w", src.file, err)
	}
	defer copying.Close()
	s := newSheet(src.file, file, src.required, src.optional, &im.problems)
	for s.next() {
		values := src.row(s)
		if s.bad {
			continue
		}
		if _, err := copying.ExecContext(ctx, append([]any{s.line}, values...)...); err != nil {
			return fmt.Errorf("copy %s, line %d: %w", src.file, s.line, err)
		}
		im.rows[src.file]++
	}
	if s.err != nil {
		return fmt.Errorf("read %s: %w", src.file, s.err)
	}
	if _, err := copying.ExecContext(ctx); err != nil {
		return fmt.Errorf("copy %s: %w", src.file, err)
	}
	if err := copying.Close(); err != nil {
		return fmt.Errorf("copy %s: %w", src.file, err)
	}
	return im.exec(ctx, `analyze `+src.table)
}

func (im *importing) exec(ctx context.Context, query string, args ...any) error {
	_, err := im.tx.ExecContext(ctx, query, args...)
	return err
}

// refuse adds the problems that a query returns as file, line, column and reason.
func (im *importing) refuse(ctx context.Context, query string, args ...any) error {
	var found []struct {
		Problem
		Total int
	}
	err := im.tx.SelectContext(ctx, &found, fmt.Sprintf(
		`select file, line, "column", reason, count(*) over () as total
		   from (%s) problem (file, line, "column", reason) order by line, reason limit %d`, query, maxProblems), args...)
	if err != nil {
		return err
	}
	for _, f := range found {
		im.problems.add(f.Problem)
	}
	if len(found) > 0 {
		im.problems.more += found[0].Total - len(found)
	}
	return nil
}

// refuseDuplicates adds a problem for each row that repeats the key of an earlier row.
func (im *importing) refuseDuplicates(ctx context.Context, file, table, column string, key ...string) error {
	columns := strings.Join(key, ", ")
	return im.refuse(ctx, fmt.Sprintf(
		`select '%s', line, '%s', format('%%s is already on line %%s', concat_ws(' ', %s), earlier)
		   from (select *, min(line) over (partition by %s) as earlier from %s) staged
		  where line > earlier`, file, column, columns, columns, table))
}

// markRequestsDue makes open requests for changed entitlements due, so that their approvers and messages are updated.
func (im *importing) markRequestsDue(ctx context.Context) error {
	err := im.exec(ctx, `
		select mark_requests_due(array(
		         select id from import_entitlements where change = 'changed'
		         union select e.id from entitlements e join import_applications a on a.id = e.application_id where a.change = 'changed'
		         union select unnest($1::bigint[])))`, im.retired)
	if err != nil {
		return fmt.Errorf("mark requests for changed entitlements as due: %w", err)
	}
	return nil
}

// record appends the summary to the audit.
func (im *importing) record(ctx context.Context) error {
	details, err := json.Marshal(im.summary)
	if err != nil {
		return err
	}
	if err := im.exec(ctx, `
		insert into audit_events (actor, action, details) values ('import', $1, $2)`, schema.DirectoryImported, details); err != nil {
		return fmt.Errorf("record the import: %w", err)
	}
	return nil
}
