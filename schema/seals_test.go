package schema_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// write adds n events as the worker.
func write(w *schematest.World, n int) {
	events := make([]schema.Event, n)
	for i := range events {
		events[i] = schema.Event{
			Actor:   "worker",
			Action:  schema.AuditAction(fmt.Sprintf("event %d", i)),
			Details: map[string]any{"n": i, "b": "ü<\"", "a": 1.50},
		}
	}
	if err := schema.Audit(context.Background(), w.Worker, events...); err != nil {
		panic(err)
	}
}

// sealAll seals until nothing is left. Transactions of other tests on this server may delay it.
func sealAll(t testing.TB, w *schematest.World) (seals []schema.Seal) {
	t.Helper()
	require.Eventually(t, func() bool {
		require.NoError(t, w.Worker.SealAudit(context.Background(), func(s schema.Seal) { seals = append(seals, s) }))
		unsealed, err := schema.UnsealedEvents(context.Background(), w.Worker)
		require.NoError(t, err)
		return unsealed.Events == 0
	}, time.Minute, 10*time.Millisecond)
	return seals
}

// findings verifies the audit as the auditor.
func findings(t testing.TB, w *schematest.World, kept ...schema.Checkpoint) (schema.Verified, []string) {
	t.Helper()
	var found []string
	verified, err := w.As(t, "accessbot_auditor").
		VerifyAudit(context.Background(), kept, func(f string) { found = append(found, f) })
	require.NoError(t, err)
	assert.EqualValues(t, len(found), verified.Wrong)
	return verified, found
}

func TestAuditSeal(t *testing.T) {
	t.Parallel()
	t.Run("untouched audit is intact", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		write(w, 3)
		sealAll(t, w)
		write(w, 2500)
		seals := sealAll(t, w)
		require.GreaterOrEqual(t, len(seals), 3, "in batches")
		write(w, 2)
		verified, found := findings(t, w, schema.Checkpoint{Number: seals[0].Number, Hash: seals[0].Hash})
		assert.Empty(t, found)
		assert.EqualValues(t, 2503, verified.Events)
		assert.EqualValues(t, 2, verified.Unsealed.Events)
		assert.Equal(t, seals[len(seals)-1].Checkpoint(), verified.Newest.Checkpoint())
		w.Shift(10 * time.Minute)
		_, found = findings(t, w)
		require.Len(t, found, 1)
		assert.Contains(t, found[0], "2 events are not sealed, the oldest for 10m")
	})

	t.Run("tampering by a superuser is found", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			tamper string
			found  []string // each is the beginning of one finding
		}{
			"one byte":            {`update audit_events set action = 'event x' where id = 7`, []string{"event 7, sequence 7"}},
			"one detail":          {`update audit_events set details = details || '{"n": 7}' where id = 7`, []string{"event 7, sequence"}},
			"who":                 {`update audit_events set person_id = 1 where id = 7`, []string{"event 7, sequence"}},
			"when":                {`update audit_events set at = at + interval '1 microsecond' where id = 7`, []string{"event 7, sequence"}},
			"when, for ever":      {`update audit_events set at = 'infinity' where id = 7`, []string{"event 7, sequence"}},
			"a row deleted":       {`delete from audit_events where id = 7`, []string{"event 7, sequence 7 of seal 1, is gone"}},
			"with its sequence":   {`delete from audit_events where id = 7; delete from audit_sequence where event_id = 7`, []string{"sequences 7 to 7 are gone", "seal 1 "}},
			"two rows swapped":    {`update audit_events a set action = b.action, details = b.details from audit_events b where (a.id, b.id) in ((7, 8), (8, 7))`, []string{"event 7, sequence", "event 8, sequence"}},
			"sequences swapped":   {`delete from audit_sequence where event_id in (7, 8); insert into audit_sequence select sequence, 15 - event_id, hash from old_sequence where event_id in (7, 8)`, []string{"event 8, sequence 7", "event 7, sequence 8"}},
			"inserted, old place": {`insert into audit_events (id, actor, action, cluster, xid) overriding system value select 5000, 'worker', 'x', cluster, xid from audit_events where id = 7`, []string{"event 5000 is in no seal"}},
			"a seal changed":      {`update audit_seals set sealed_at = sealed_at + interval '1 second' where number = 2`, []string{"seal 2, over"}},
			"a seal's hash":       {`update audit_seals set hash = previous where number = 2`, []string{"seal 2, over", "seal 3 does not continue seal 2"}},
			"a seal deleted":      {`delete from audit_seals where number = 2`, append([]string{"seal 3 follows seal 1", "seal 3 does not", "seal 3 begins"}, slices.Repeat([]string{"event "}, 10)...)},
			"a row and its hash":  {`update audit_sequence set hash = sha256('x') where event_id = 7; update audit_events set action = 'x' where id = 7`, []string{"event 7, sequence", "seal 1, over"}},
		} {
			t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
				t.Parallel()
				w := schematest.NewWorld(t)
				for range 3 {
					write(w, 10)
					require.Len(t, sealAll(t, w), 1)
				}
				_, found := findings(t, w)
				require.Empty(t, found)
				w.Do(
					`create table old_sequence as select * from audit_sequence; alter table audit_events disable trigger all; alter table audit_sequence disable trigger all; alter table audit_seals disable trigger all`,
				)
				w.Do(c.tamper)
				_, found = findings(t, w)
				require.Len(t, found, len(c.found), "%q", found)
				for n := range found {
					assert.True(t, strings.HasPrefix(found[n], c.found[n]), found[n])
				}
			})
		}
	})

	t.Run("backdated event is found", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		write(w, 5)
		sealAll(t, w)
		w.Do(`insert into audit_events (at, actor, action) values (app_now() - interval '1 year', 'person', 'decision.recorded')`)
		sealAll(t, w)
		_, found := findings(t, w)
		require.Len(t, found, 1)
		assert.Contains(t, found[0], "it was backdated")
	})

	t.Run("kept checkpoint shows what the chain cannot", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		write(w, 5)
		sealAll(t, w)
		write(w, 5)
		seals := sealAll(t, w)
		kept := schema.Checkpoint{Number: seals[0].Number, Hash: seals[0].Hash}
		_, found := findings(t, w, kept)
		require.Empty(t, found)
		w.Do(
			`set session_replication_role = replica; delete from audit_seals where number = 2; delete from audit_sequence where sequence > 5; delete from audit_events where id > 5; set session_replication_role = origin`,
		)
		_, found = findings(t, w)
		require.Empty(t, found, "the shorter chain is intact")
		_, found = findings(t, w, kept)
		require.Len(t, found, 1)
		assert.Equal(
			t,
			fmt.Sprintf("checkpoint 2:%s: the chain ends at seal 1, so its end was cut off", hex.EncodeToString(kept.Hash)),
			found[0],
		)
		write(w, 5)
		sealAll(t, w) // a different second seal
		_, found = findings(t, w)
		require.Empty(t, found)
		_, found = findings(t, w, kept)
		require.Len(t, found, 1)
		assert.Contains(t, found[0], "history was sealed again")
	})

	t.Run("slow transactions fall between no seals", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		ctx := context.Background()
		var rounds, seals, events atomic.Int64
		stop := make(chan struct{})
		var sealing, writing sync.WaitGroup
		for range 2 { // as if the lock did not hold
			sealing.Go(func() {
				for {
					_ = w.Worker.SealAudit(ctx, func(schema.Seal) { seals.Add(1) }) // one of two is refused
					rounds.Add(1)
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		const writers, transactions = 6, 15
		for n := range writers {
			writing.Go(func() {
				for done := 0; done < transactions || seals.Load() < 3 && done < 100*transactions; done++ {
					tx, err := w.Worker.BeginTxx(ctx, nil)
					if !assert.NoError(t, err) {
						return
					}
					assert.NoError(t, schema.Audit(ctx, tx, schema.Event{Actor: "worker", Action: "first"}))
					for seen, hold := rounds.Load(), int64(n); rounds.Load() < seen+hold; { // others commit and are sealed in the meantime
						_, err := tx.Exec(`select`)
						assert.NoError(t, err)
					}
					assert.NoError(t, schema.Audit(ctx, tx, schema.Event{Actor: "worker", Action: "second"}))
					assert.NoError(t, tx.Commit())
					events.Add(2)
				}
			})
		}
		writing.Wait()
		close(stop)
		sealing.Wait()
		sealAll(t, w)
		verified, found := findings(t, w)
		assert.Empty(t, found)
		assert.Equal(t, events.Load(), verified.Events)
		assert.Greater(t, verified.Newest.Number, int64(1))
		assert.True(
			t,
			schematest.Value[bool](
				w,
				`select exists (select from audit_sequence a join audit_sequence b on b.sequence = a.sequence + 1 where b.event_id < a.event_id)`,
			),
			"some were sealed in another order than they were numbered, or this test shows nothing",
		)
	})

	t.Run("events of a restored dump are sealed first", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		write(w, 3)
		w.Do(
			`alter table audit_events disable trigger all; update audit_events set cluster = 1, xid = '9000000000000000000'; alter table audit_events enable trigger all`,
		)
		write(w, 2)
		seals := sealAll(t, w)
		require.Len(t, seals, 2)
		assert.EqualValues(t, 1, seals[0].Cluster)
		verified, found := findings(t, w)
		assert.Empty(t, found)
		assert.EqualValues(t, 5, verified.Events)
	})

	t.Run("audit and seals cannot be changed by any role", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		write(w, 1)
		sealAll(t, w)
		for _, role := range []string{"accessbot_worker", "accessbot_slackapp", "accessbot_directory", "accessbot_auditor", ""} {
			db, refused := w.DB, "never changed"
			if role != "" {
				db, refused = w.As(t, role), "permission denied"
			}
			for _, table := range []string{"audit_events", "audit_sequence", "audit_seals"} {
				for _, statement := range []string{`delete from ` + table, `truncate ` + table, map[string]string{
					"audit_events": `update audit_events set action = 'x'`, "audit_sequence": `update audit_sequence set hash = sha256('x')`, "audit_seals": `update audit_seals set events = 2`}[table]} {
					_, err := db.Exec(statement)
					assert.ErrorContains(t, err, refused, "%s: %s", role, statement)
				}
			}
			if role == "" {
				continue
			}
			for _, statement := range []string{
				`insert into audit_events (actor, action, at) values ('worker', 'x', now())`,
				`insert into audit_events (actor, action, xid) values ('worker', 'x', '3')`,
				`insert into audit_events (actor, action, cluster) values ('worker', 'x', 3)`,
				`insert into audit_events (actor, action, written_by) values ('worker', 'x', 'accessbot_slackapp')`,
				`insert into audit_events (id, actor, action) overriding system value values (77, 'worker', 'x')`,
			} {
				_, err := db.Exec(statement)
				assert.ErrorContains(t, err, "permission denied", "%s: %s", role, statement)
			}
			if role != "accessbot_worker" {
				_, err := db.Exec(`insert into audit_sequence values (99, 99, sha256('x'))`)
				assert.ErrorContains(t, err, "permission denied", role)
			}
		}
		assert.Equal(t, "accessbot_worker", schematest.Value[string](w, `select written_by from audit_events`))
	})
}

func BenchmarkSealAHundredThousandEvents(b *testing.B) {
	w := schematest.NewWorld(b)
	for b.Loop() {
		b.StopTimer()
		w.Do(
			`insert into audit_events (actor, action, details) select 'worker', 'access.granted', '{"assignment": "ann on crm/reader in CRM"}' from generate_series(1, 100000)`,
		)
		b.StartTimer()
		sealAll(b, w)
	}
}
