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

// Sealing, and why nothing can slip in between.
//
// Events are numbered when they are written and appear when their transaction commits: number 7 may appear long after
// number 8. A seal over "all numbers so far" would leave 7 between two seals, sealed by neither. To have writers wait for
// the sealer would mean a lock on the path of every transition. So the order of the audit is another one: (xid, id), the
// transaction's ID first. The statement that chooses what to seal has one snapshot, and takes only events whose xid lies
// below that snapshot's xmin. PostgreSQL says of these transactions that each is over: what it committed is visible to this
// very snapshot, and nothing more will come from it. A transaction that begins, or gets its xid, later gets one that is not
// lower than xmin (xids only rise). Hence, once everything below xmin is sealed or about to be, no event can ever appear
// with an xid below it, and the batch may be cut anywhere in the order of (xid, id): what comes next sorts after the last
// event that was sealed. Savepoints do not matter, as pg_current_xact_id is the xid of the transaction as a whole.
//
// The price: a transaction that writes, anywhere in the cluster, and stays open delays sealing until it is over. It blocks
// no one, nothing is lost, and TailOf tells.
//
// An xid means something in its own cluster alone. Events carry their cluster's identifier; those of another cluster came
// with a restored dump, whose transactions are all over here, and are sealed first. Each seal covers events of one cluster.

const (
	sealedATime = 1000 // events a seal, at most
	sealsARound = 200
)

// SealLock is held by whoever seals. Two at once would do no harm: the second could not insert its seal.
const SealLock Lock = "seal the audit"

// SealAudit seals what can be sealed, a transaction a batch, and tells of each new seal. It stops when nothing is left, when
// ctx is done, or after a round's work; what is left is sealed by the next round.
func (db *DB) SealAudit(ctx context.Context, told func(Seal)) error {
	for range sealsARound {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the next round goes on
		}
		seal, err := db.sealNext(ctx)
		if err != nil {
			return fmt.Errorf("seal the audit: %w", err)
		}
		if seal.Position == 0 {
			return nil
		}
		told(seal)
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

// progress answers every cluster that events are from, and how far they are sealed: other clusters first, then this one.
func progress(ctx context.Context, q Queryer) ([]sealedUpTo, error) {
	var clusters []sealedUpTo
	err := q.SelectContext(ctx, &clusters, `
		with recursive clusters as ( -- from each to the next, along the index
		    select min(cluster) as cluster from audit_events
		    union all
		    select (select min(e.cluster) from audit_events e where e.cluster > c.cluster) from clusters c where c.cluster is not null)
		select c.cluster, c.cluster = audit_cluster() as here, coalesce(s.last_xid, '0'::xid8)::text as last_xid, coalesce(s.last_event, 0) as last_event
		  from clusters c
		  left join lateral (select last_xid, last_event from audit_seals s where s.cluster = c.cluster order by s.position desc limit 1) s on true
		 where c.cluster is not null
		 order by here, c.cluster`)
	if err != nil {
		return nil, fmt.Errorf("how far it is sealed: %w", err)
	}
	return clusters, nil
}

const unsealed = `
  from audit_events e
 where e.cluster = $1 and (e.xid, e.id) > ($2::xid8, $3::bigint)`

// sealNext seals one batch. A seal without a position: there was nothing to seal.
func (db *DB) sealNext(ctx context.Context) (seal Seal, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		// Before the events are chosen: if another sealer is faster, ours does not fit on the chain and is refused.
		seal, err = head(ctx, tx)
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
				 order by e.xid, e.id limit $5`, c.Cluster, c.LastXID, c.LastEvent, c.Here, sealedATime)
			if err != nil {
				return fmt.Errorf("what is to be sealed: %w", err)
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
		Position: before.Position + 1, First: before.First + before.Events, Events: int64(len(rows)), FirstEvent: rows[0].ID.Int64,
		LastEvent: last.ID.Int64, Cluster: cluster, LastXID: last.XID.String, Previous: before.Hash,
	}
	var err error
	if seal.SealedAt, err = Now(ctx, tx); err != nil {
		return seal, err
	}
	ids, hashes := make([]int64, len(rows)), make([][]byte, len(rows))
	for n, row := range rows {
		ids[n] = row.ID.Int64
		if hashes[n], err = row.hash(seal.First + int64(n)); err != nil {
			return seal, err
		}
	}
	seal.Hash = seal.sum(hashes)
	_, err = tx.ExecContext(ctx, `
		insert into audit_positions (position, event_id, hash)
		select $1::bigint + n - 1, event_id, hash from unnest($2::bigint[], $3::bytea[]) with ordinality as e (event_id, hash, n)`,
		seal.First, pq.Array(ids), pq.ByteaArray(hashes))
	if err != nil {
		return seal, fmt.Errorf("grant events %d to %d their positions: %w", seal.FirstEvent, seal.LastEvent, err)
	}
	_, err = tx.NamedExecContext(ctx, `
		insert into audit_seals (position, first, events, first_event, last_event, cluster, last_xid, previous, hash, sealed_at)
		values (:position, :first, :events, :first_event, :last_event, :cluster, cast(:last_xid as xid8), :previous, :hash, :sealed_at)`, seal)
	if err != nil {
		return seal, fmt.Errorf("add seal %d: %w", seal.Position, err)
	}
	return seal, nil
}

// head answers the newest seal. Before the first one it answers what that goes on from: no position, no events, zeros.
func head(ctx context.Context, q Queryer) (Seal, error) {
	var s Seal
	err := q.GetContext(ctx, &s, selectSeal+` order by position desc limit 1`)
	if errors.Is(err, sql.ErrNoRows) {
		return Seal{First: 1, Hash: make([]byte, 32)}, nil
	}
	if err != nil {
		return s, fmt.Errorf("the newest seal: %w", err)
	}
	return s, nil
}

// Tail is what is not sealed yet.
type Tail struct {
	Events int64
	Oldest time.Duration // the age of the oldest of them
}

// TailLate is from which age on someone should look why the tail is not sealed: the worker is down, or a transaction
// somewhere in the cluster is open for that long.
const TailLate = 5 * time.Minute

// TailOf answers what is not sealed yet.
func TailOf(ctx context.Context, q Queryer) (Tail, error) {
	var t Tail
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
			select count(*) as events, coalesce(extract(epoch from app_now() - min(e.at)), 0)::float8 as seconds`+unsealed, c.Cluster, c.LastXID, c.LastEvent)
		if err != nil {
			return t, fmt.Errorf("what is not sealed yet: %w", err)
		}
		t.Events += part.Events
		t.Oldest = max(t.Oldest, time.Duration(part.Seconds*float64(time.Second)))
	}
	return t, nil
}

// sealedPast tells whether an event's place lies before what is sealed of its cluster: nothing can come there any more.
func sealedPast(clusters []sealedUpTo, r auditRow) bool {
	n := slices.IndexFunc(clusters, func(c sealedUpTo) bool { return c.Cluster == r.Cluster.Int64 })
	if n < 0 {
		return false
	}
	c := clusters[n]
	if len(r.XID.String) != len(c.LastXID) { // decimal numbers
		return len(r.XID.String) < len(c.LastXID)
	}
	return r.XID.String < c.LastXID || r.XID.String == c.LastXID && r.ID.Int64 <= c.LastEvent
}
