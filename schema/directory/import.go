// Package directory imports the directory from CSV files: who works here, which systems there are, what can be held in
// them and who holds it today.
//
// A file is parsed as a stream, copied into a temporary table, checked against the others and the database by set-based
// queries, and applied by set-based statements, all in one transaction. What is wrong is refused as a whole, and then
// nothing changes. Nothing here ever touches a target system.
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
	// Allow is how much of what carries access or authority may be removed, by kind of loss (see losses), beyond the guard
	// against a file that was cut short: more than 5 % and more than 5.
	Allow map[string]int
	// Connectors are the kinds of target system that there is a connector for, each with the longest name of an
	// account or object there, in bytes (0: no limit). Nil means postgresql alone.
	Connectors map[string]int
	// OwnNames are those of them whose accounts have names of their own, unlike any e-mail: there a person without a
	// row in accounts.csv has no account.
	OwnNames []string
}

// importLock is the advisory lock that lets one import run at a time.
const importLock = 0x61636469

// deadlockRetries is how often an import is tried again that met a decision or a release in each other's way.
const deadlockRetries = 3

// importing is one attempt at one import, within its transaction.
type importing struct {
	tx       *sqlx.Tx
	dir      string
	opts     Options
	written  map[string]time.Time // when each file that is there was last written
	rows     map[string]int       // of each file that was staged
	places   map[string]place     // of applications, by slug: the database's, then the file's
	problems problems
	summary  Summary
	// retired are the entitlements that this import marks gone.
	retired pq.Int64Array
}

// source is one file of the directory: what to parse, what to check once all files are parsed, and what to write.
type source struct {
	file     string
	required []string
	optional []string
	table    string   // the temporary table that its rows are copied into
	columns  []string // of that table, as row answers them
	row      func(s *sheet) []any
	check    func(ctx context.Context) error
	apply    func(ctx context.Context) error
}

// sources lists the files in the order in which they are parsed and written: a later one refers to earlier ones.
func (im *importing) sources() []source {
	return []source{im.people(), im.applications(), im.entitlements(), im.accounts(), im.grants(), im.jobTitles(), im.reasons()}
}

// Import brings the database to what the CSV files in dir say, in one transaction, as the role accessbot_directory (or
// the owner). It answers *Refused when the files are wrong, and then nothing was changed. A file that is absent leaves
// its table alone; what is missing from a file that is there is marked gone. Imports wait for each other.
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
		// In a transaction of its own, so that no lock of ANALYZE's is held while files are written. If it fails the import is
		// committed all the same: only later queries are slower until autovacuum comes by.
		err := db.InLongTx(ctx, nil, func(ctx context.Context, tx *sqlx.Tx) error {
			_, err := tx.ExecContext(ctx, `select analyze_directory()`)
			return err
		})
		if err != nil {
			summary.Notes = append(summary.Notes, "the tables' statistics were not renewed: "+err.Error())
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
		return fmt.Errorf("make temporary tables (the role needs TEMPORARY on the database): %w", err)
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
	// A row that could not be read makes rows elsewhere look wrong: so what refers to what comes after.
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
		return fmt.Errorf("check the names of objects: %w", err)
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
	if err := im.unnameObjects(ctx); err != nil {
		return err
	}
	for _, s := range sources {
		if im.has(s.file) {
			if err := s.apply(ctx); err != nil {
				return fmt.Errorf("write %s: %w", s.file, err)
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
		// Before any claim is touched: reconciling locks in this order too.
		if err := im.wake(ctx); err != nil {
			return err
		}
		// Grants need an account a person and target, and either may be new.
		if err := im.makeAccounts(ctx); err != nil {
			return err
		}
	}
	return nil
}

// find notes which files are there, and which CSV files no one reads: a misspelt name must not pass unseen.
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
				return fmt.Errorf("%s points nowhere", entry.Name())
			} else if err != nil {
				return err
			}
			im.written[entry.Name()] = info.ModTime()
		case strings.HasSuffix(strings.ToLower(entry.Name()), ".csv"):
			im.summary.Notes = append(im.summary.Notes, entry.Name()+" was not read: it is none of "+strings.Join(names, ", "))
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

// stage copies a file into its temporary table. Rows with a problem stay out: they are refused in any case.
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

// refuse notes the problems that a query finds. It answers file, line, column and reason.
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

// refuseDuplicates notes every second row of a key, with the line of the first.
func (im *importing) refuseDuplicates(ctx context.Context, file, table, column string, key ...string) error {
	columns := strings.Join(key, ", ")
	return im.refuse(ctx, fmt.Sprintf(
		`select '%s', line, '%s', format('%%s is on line %%s already', concat_ws(' ', %s), earlier)
		   from (select *, min(line) over (partition by %s) as earlier from %s) staged
		  where line > earlier`, file, column, columns, columns, table))
}

// wake makes open requests look again at whom to ask and what to show, where their entitlement has changed.
func (im *importing) wake(ctx context.Context) error {
	err := im.exec(ctx, `
		select mark_requests_due(array(
		         select id from import_entitlements where change = 'changed'
		         union select e.id from entitlements e join import_applications a on a.id = e.application_id where a.change = 'changed'
		         union select unnest($1::bigint[])))`, im.retired)
	if err != nil {
		return fmt.Errorf("wake the requests of changed entitlements: %w", err)
	}
	return nil
}

// record appends the summary to the audit.
func (im *importing) record(ctx context.Context) error {
	details, err := json.Marshal(im.summary)
	if err != nil {
		return err
	}
	if err := im.exec(ctx, `insert into audit_events (actor, action, details) values ('import', $1, $2)`, schema.DirectoryImported, details); err != nil {
		return fmt.Errorf("record the import: %w", err)
	}
	return nil
}
