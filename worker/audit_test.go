package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/worker/program"
)

// auditor runs worker audit with the auditor's role, and returns its output.
func (o office) auditor(args ...string) (string, error) {
	o.t.Helper()
	return command(o.t, program.Environment{"DATABASE_URL": o.RoleURL("accessbot_auditor")}, append([]string{"audit"}, args...)...)
}

func TestAudit(t *testing.T) {
	t.Run("database URL is read from a file too", func(t *testing.T) {
		o := newOffice(t)
		for role, args := range map[string][]string{"accessbot_auditor": {"audit", "verify"}, "accessbot_directory": {"policy", "show"}} {
			file := filepath.Join(t.TempDir(), "url")
			require.NoError(t, os.WriteFile(file, []byte(o.RoleURL(role)+"\n"), 0o600))
			_, err := command(t, program.Environment{"DATABASE_URL_FILE": file}, args...)
			require.NoError(t, err, args)
		}
	})

	t.Run("verification accepts a logged checkpoint and reports tampering", func(t *testing.T) {
		o := newOffice(t)
		var log bytes.Buffer
		o.sweep.log = slog.New(slog.NewJSONHandler(&log, nil))
		output, err := o.auditor("verify")
		require.NoError(t, err)
		require.Contains(t, output, "No events are sealed yet.")
		o.submitted(o.granted(o.ann, time.Hour, o.crm))
		o.sealed()
		var line struct{ Msg, Checkpoint string }
		require.NoError(t, json.Unmarshal(log.Bytes()[:bytes.IndexByte(log.Bytes(), '\n')], &line))
		require.Equal(t, "audit sealed", line.Msg)
		output, err = o.auditor("verify", "--checkpoint", line.Checkpoint)
		require.NoError(t, err, output)
		assert.Contains(
			t,
			output,
			"Checkpoint: "+schematest.Value[string](
				o.World,
				`select number || ':' || encode(hash, 'hex') from audit_seals order by number desc limit 1`,
			)+", sealed at",
		)
		assert.Contains(t, output, "The audit is intact.")

		file := filepath.Join(t.TempDir(), "checkpoints")
		require.NoError(t, os.WriteFile(file, []byte(line.Checkpoint+"\n\n9:"+strings.Repeat("ab", 32)+"\n"), 0o600))
		output, err = o.auditor("verify", "--checkpoint", file)
		require.ErrorContains(t, err, "problems found in the audit: 1")
		assert.Contains(t, output, "WRONG  checkpoint 9:abab")
		_, err = o.auditor("verify", "--checkpoint", "no checkpoint")
		require.ErrorContains(t, err, "is not SEQUENCE:HASH")
		_, err = o.auditor("verify", "more")
		require.ErrorContains(t, err, "unexpected argument more")

		o.Do(
			`set session_replication_role = replica; update audit_events set details = details || '{"x": 1}' where action = 'access.granted'; set session_replication_role = origin`,
		)
		output, err = o.auditor("verify")
		require.ErrorContains(t, err, "problems found in the audit: 1")
		assert.Contains(
			t,
			output,
			"WRONG  event "+schematest.Value[string](
				o.World,
				`select id::text from audit_events where action = 'access.granted'`,
			)+", sequence",
		)
	})

	t.Run("export numbers every item without gaps and reports missing ones", func(t *testing.T) {
		o := newOffice(t)
		o.targets["WIKI"].held[connector.Assignment{Account: "ann", Object: "wiki/admin"}] = true // existed before the claim
		o.Do(`update reasons set label = '=cmd|''/c calc''!A1' where key = 'project'`)
		first := o.granted(o.ann, time.Hour, o.crm)
		o.submitted(first)
		o.submitted(o.granted(o.ann, 0, o.wiki))
		o.sealed()
		o.Shift(time.Hour + 10*time.Minute)
		o.once()
		waiting := o.Request(o.owen, 0, o.crm)
		o.submitted(waiting)
		unaudited := o.Request(o.owen, 0, o.wiki)

		text, err := o.auditor("export", "--format", "json")
		require.ErrorContains(t, err, ": 1", "one that is not in the audit")
		var items []schema.AuditedItem
		for line := range strings.Lines(text) {
			var item schema.AuditedItem
			require.NoError(t, json.Unmarshal([]byte(line), &item))
			items = append(items, item)
		}
		require.Len(t, items, 4)
		crm, wiki := items[0], items[1]
		assert.EqualValues(t, 1, *crm.Number)
		assert.EqualValues(t, 2, *wiki.Number)
		assert.Equal(t, []string{"sealed", "ended", "ann@example.com", "ann@example.com", "crm", "admin", "ann"},
			[]string{crm.Audit, crm.State, crm.Requester, crm.SubmittedFor, crm.Application, crm.Entitlement, crm.Account})
		require.Len(t, crm.Decisions, 1)
		assert.Equal(
			t,
			[]string{"owen@example.com", "entitlement owner", "approve"},
			[]string{crm.Decisions[0].By, crm.Decisions[0].Basis, crm.Decisions[0].Outcome},
		)
		assert.EqualValues(t, 1, crm.Decisions[0].PolicyVersion)
		assert.True(t, *crm.DecidedBeforeGranted)
		assert.True(t, crm.GrantedAt.Before(*crm.DueEnd) && crm.DueEnd.Equal(*crm.AskedUntil) && crm.RealEnd.After(*crm.DueEnd))
		assert.InDelta(t, 600, *crm.LatenessSeconds, 60)
		assert.False(t, crm.UnexpectedBefore)
		assert.True(t, wiki.UnexpectedBefore)
		assert.Nil(t, wiki.DueEnd)
		assert.Nil(t, wiki.LatenessSeconds)
		assert.Equal(t, "not sealed yet", items[2].Audit)
		assert.Nil(t, items[2].Number)
		assert.Equal(t, unaudited.Items[0], items[3].Item)
		assert.Equal(t, "missing", items[3].Audit)

		o.submitted(unaudited)
		tx := o.MustBegin() // bypasses the triggers: a second stage, and a lost item
		tx.MustExec(`set local session_replication_role = replica`)
		tx.MustExec(`insert into decisions (item_id, stage, stages, decided_by, approval_id, outcome, basis, policy_version, terms)
		select item_id, 2, 2, $2, approval_id, 'approve', 'administrator', 1, terms from decisions where item_id = $1`, first.Items[0], o.ann)
		tx.MustExec(`delete from request_items where id = $1`, waiting.Items[0])
		require.NoError(t, tx.Commit())
		o.sealed()
		text, err = o.auditor("export")
		require.ErrorContains(t, err, ": 1", "one that is not in the database")
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 5)
		cell := func(row int, name string) string {
			for i, column := range rows[0] {
				if column == name {
					return rows[row][i]
				}
			}
			t.Fatal(name)
			return ""
		}
		for row := 1; row <= 4; row++ {
			assert.Equal(t, string(rune('0'+row)), cell(row, "number"))
		}
		assert.Equal(t, "missing", cell(3, "state"))
		assert.Equal(t, "'=cmd|'/c calc'!A1", cell(1, "reason"))
		assert.Equal(
			t,
			[]string{"approve; approve", "owen@example.com; ann@example.com", "no", "no"},
			[]string{cell(1, "outcomes"), cell(1, "decided_by"), cell(1, "decided_before_granted"), cell(1, "unexpected_before")},
		)

		text, err = o.auditor("export", "--from", o.Now().Add(-30*time.Minute).UTC().Format(time.RFC3339), "--to", "2999-01-01")
		require.Error(t, err)
		assert.Contains(t, text, "\n3,", "numbers do not depend on the exported part")
		assert.NotContains(t, text, "\n1,")
		_, err = o.auditor("export", "--format", "xml")
		require.ErrorContains(t, err, `--format must be one of "csv","json"`)
		_, err = o.auditor("export", "--from", "yesterday")
		require.ErrorContains(t, err, "--from")
	})

	t.Run("auditor's role writes nothing", func(t *testing.T) {
		o := newOffice(t)
		auditor := o.As(t, "accessbot_auditor")
		var tables []string
		require.NoError(
			t,
			o.Select(&tables, `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`),
		)
		require.Greater(t, len(tables), 20)
		for _, table := range tables {
			for _, right := range []string{"insert", "update", "delete", "truncate"} {
				var may bool
				require.NoError(
					t,
					auditor.Get(
						&may,
						`select has_table_privilege($1, $2) or $2 in ('insert', 'update') and has_any_column_privilege($1, $2)`,
						pq.QuoteIdentifier(table),
						right,
					),
				)
				assert.False(t, may, "%s %s", right, table)
			}
		}
	})

	t.Run("cell that looks like a formula is escaped", func(t *testing.T) {
		for _, cell := range []string{"", "a", "1", "=1+1", "+1", "-1", "@x", "\t=1", "\r", "\n", "'=1", "''", " =1", "＝1", "a=1", "é"} {
			escaped := escapeFormula(cell)
			assert.Equal(t, cell, strings.TrimPrefix(escaped, "'"), "removing one ' restores the value")
			if strings.TrimLeft(cell, " ") != "" && strings.ContainsAny(firstRune(strings.TrimLeft(cell, " ")), "=+-@\t\r\n＝") {
				assert.True(t, strings.HasPrefix(escaped, "'"), "%q", cell)
			}
		}
		assert.Equal(t, "''=1", escapeFormula("'=1"))
	})

	t.Run("signal by the sweep is audited", func(t *testing.T) {
		o := newOffice(t)
		asked := o.Request(o.ann, 0, o.crm)
		o.Shift(time.Minute)
		o.once()
		assert.Equal(
			t,
			asked.ID,
			schematest.Value[int64](o.World, `select request_id from audit_events where actor = 'sweep' and action = 'run.signalled'`),
		)
	})
}

// submitted audits the submission of a request, as Submit does.
func (o office) submitted(asked schematest.Asked) {
	o.t.Helper()
	require.NoError(
		o.t,
		schema.Audit(
			context.Background(),
			o.SlackApp,
			schema.Event{
				Actor:     "person",
				Action:    schema.RequestSubmitted,
				RequestID: asked.ID,
				Details:   map[string]any{"items": asked.Items},
			},
		),
	)
}

// sealed seals until no event is unsealed. Transactions of other tests on the same server can delay it.
func (o office) sealed() {
	o.t.Helper()
	require.Eventually(o.t, func() bool {
		require.NoError(o.t, o.sweep.seal(context.Background()))
		unsealed, err := schema.UnsealedEvents(context.Background(), o.Worker)
		require.NoError(o.t, err)
		return unsealed.Events == 0
	}, time.Minute, 10*time.Millisecond)
}
