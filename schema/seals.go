package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Why no event can end up between two seals:
//
// An event gets its ID when it is written and becomes visible when its transaction commits, so ID 7 may appear long after
// ID 8. A seal over all IDs so far would miss 7, and a lock would make every transition wait for the sealer. The audit is
// therefore ordered by (xid, id). The statement that selects what to seal has one snapshot, and takes only events whose xid
// is below the snapshot's xmin: all of those transactions are over, and what they committed is visible. Later transactions
// get xids that are not below xmin. So nothing can appear any more before the last event that was sealed, and a batch may
// end anywhere in that order. Savepoints do not matter: pg_current_xact_id is the xid of the whole transaction.
//
// The price: a writing transaction that stays open, anywhere in the cluster, delays sealing. It blocks no one, and
// UnsealedEvents reports it.
//
// An xid is only valid in its own cluster. Events of another cluster came with a restored dump, so their transactions are
// over, and they are sealed first. Each seal covers events of one cluster.

const (
	eventsPerSeal = 1000 // at most
	sealsARound   = 200
)

// SealLock saves double work. Two sealers would do no harm: the second could not insert its seal.
const SealLock Lock = "seal the audit"

// SealAudit seals what can be sealed, one transaction per batch, and reports each new seal. It stops when nothing is left,
// when ctx is done, or after sealsARound seals; the next round seals the rest.
func (db *DB) SealAudit(ctx context.Context, report func(Seal)) error {
	for range sealsARound {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the next round continues
		}
		seal, err := db.sealNext(ctx)
		if err != nil {
			return fmt.Errorf("seal the audit: %w", err)
		}
		if seal.Number == 0 {
			return nil
		}
		report(seal)
	}
	return nil
}

// sealedUpTo is how far a cluster's events are sealed.
type sealedUpTo struct {
	Cluster   int64  `db:"cluster"`
	Here      bool   `db:"here"`
	LastXID   string `db:"last_xid"`
	LastEvent int64  `db:"last_event"`
}

// progress returns every cluster that events are from, and how far they are sealed: other clusters first, then this one.
func progress(ctx context.Context, q Queryer) ([]sealedUpTo, error) {
	var clusters []sealedUpTo
	err := q.SelectContext(ctx, &clusters, `
		with recursive clusters as ( -- from each to the next, along the index
		    select min(cluster) as cluster from audit_events
		    union all
		    select (select min(e.cluster) from audit_events e where e.cluster > c.cluster) from clusters c where c.cluster is not null)
		select c.cluster, c.cluster = audit_cluster() as here, coalesce(s.last_xid, '0'::xid8)::text as last_xid,
		       coalesce(s.last_event, 0) as last_event
		  from clusters c
		  left join lateral (
		       select last_xid, last_event from audit_seals s where s.cluster = c.cluster order by s.number desc limit 1) s on true
		 where c.cluster is not null
		 order by here, c.cluster`)
	if err != nil {
		return nil, fmt.Errorf("find how far each cluster is sealed: %w", err)
	}
	return clusters, nil
}

const unsealed = `
  from audit_events e
 where e.cluster = $1 and (e.xid, e.id) > ($2::xid8, $3::bigint)`

// sealNext seals one batch. The zero Seal: there was nothing to seal.
func (db *DB) sealNext(ctx context.Context) (seal Seal, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		// Read before the events are selected: if another sealer is faster, this seal no longer continues the chain.
		seal, err = newestSeal(ctx, tx)
		if err != nil {
			return err
		}
		clusters, err := progress(ctx, tx)
		if err != nil {
			return err
		}
		before := seal
		seal = Seal{}
		for _, c := range clusters { // one, or two after a restore
			var rows []auditRow
			err := tx.SelectContext(ctx, &rows, `select `+auditColumns+unsealed+`
				   and (not $4 or e.xid < pg_snapshot_xmin(pg_current_snapshot()))
				 order by e.xid, e.id limit $5`, c.Cluster, c.LastXID, c.LastEvent, c.Here, eventsPerSeal)
			if err != nil {
				return fmt.Errorf("select events to seal: %w", err)
			}
			if len(rows) > 0 {
				seal, err = sealRows(ctx, tx, before, c.Cluster, rows)
				return err
			}
		}
		return nil
	})
	return seal, err
}

func sealRows(ctx context.Context, tx *sqlx.Tx, before Seal, cluster int64, rows []auditRow) (Seal, error) {
	last := rows[len(rows)-1]
	seal := Seal{
		Number: before.Number + 1, First: before.First + before.Events, Events: int64(len(rows)), FirstEvent: rows[0].ID.Int64,
		LastEvent: last.ID.Int64, Cluster: cluster, LastXID: last.XID.String, Previous: before.Hash,
	}
	var err error
	if seal.SealedAt, err = Now(ctx, tx); err != nil {
		return seal, err
	}
	ids, hashes := make([]int64, len(rows)), make([][]byte, len(rows))
	for i, row := range rows {
		ids[i] = row.ID.Int64
		if hashes[i], err = row.hash(seal.First + int64(i)); err != nil {
			return seal, err
		}
	}
	seal.Hash = seal.sum(hashes)
	_, err = tx.ExecContext(ctx, `
		insert into audit_sequence (sequence, event_id, hash)
		select $1::bigint + n - 1, event_id, hash from unnest($2::bigint[], $3::bytea[]) with ordinality as e (event_id, hash, n)`,
		seal.First, pq.Array(ids), pq.ByteaArray(hashes))
	if err != nil {
		return seal, fmt.Errorf("number events %d to %d: %w", seal.FirstEvent, seal.LastEvent, err)
	}
	_, err = tx.NamedExecContext(ctx, `
		insert into audit_seals (number, first, events, first_event, last_event, cluster, last_xid, previous, hash, sealed_at)
		values (:number, :first, :events, :first_event, :last_event, :cluster, cast(:last_xid as xid8),
		        :previous, :hash, :sealed_at)`, seal)
	if err != nil {
		return seal, fmt.Errorf("add seal %d: %w", seal.Number, err)
	}
	return seal, nil
}

// newestSeal returns the seal that the next one continues; before the first, number 0 with a hash of zeros.
func newestSeal(ctx context.Context, q Queryer) (Seal, error) {
	var s Seal
	err := q.GetContext(ctx, &s, selectSeal+` order by number desc limit 1`)
	if errors.Is(err, sql.ErrNoRows) {
		return Seal{First: 1, Hash: make([]byte, 32)}, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the newest seal: %w", err)
	}
	return s, nil
}

// Unsealed are the events without a sequence.
type Unsealed struct {
	Events int64
	Oldest time.Duration // the age of the oldest of them
}

// UnsealedLate is the age of unsealed events from which on they are reported: the worker is down, or a transaction somewhere
// in the cluster has been open for that long.
const UnsealedLate = 5 * time.Minute

// UnsealedEvents counts the events that are not sealed yet.
func UnsealedEvents(ctx context.Context, q Queryer) (Unsealed, error) {
	var t Unsealed
	clusters, err := progress(ctx, q)
	if err != nil {
		return t, err
	}
	for _, c := range clusters {
		var part struct {
			Events  int64   `db:"events"`
			Seconds float64 `db:"seconds"`
		}
		err := q.GetContext(ctx, &part, `
			select count(*) as events, coalesce(extract(epoch from app_now() - min(e.at)), 0)::float8 as seconds`+unsealed,
			c.Cluster, c.LastXID, c.LastEvent)
		if err != nil {
			return t, fmt.Errorf("count unsealed events: %w", err)
		}
		t.Events += part.Events
		t.Oldest = max(t.Oldest, time.Duration(part.Seconds*float64(time.Second)))
	}
	return t, nil
}

// sealedPast reports whether an event sorts before the last sealed one of its cluster, where nothing can appear any more.
func sealedPast(clusters []sealedUpTo, r auditRow) bool {
	i := slices.IndexFunc(clusters, func(c sealedUpTo) bool { return c.Cluster == r.Cluster.Int64 })
	if i < 0 {
		return false
	}
	c := clusters[i]
	if len(r.XID.String) != len(c.LastXID) { // decimal numbers
		return len(r.XID.String) < len(c.LastXID)
	}
	return r.XID.String < c.LastXID || r.XID.String == c.LastXID && r.ID.Int64 <= c.LastEvent
}
