package schema

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/jmoiron/sqlx"
)

// verifyBatch is how many events or seals one statement reads.
const verifyBatch = 2000

// mostBackdated is how far an event's time may lie before the seal that precedes it: longer than any transaction of this
// program. Anything older was backdated.
const mostBackdated = time.Hour

// Verified is the result of verifying the audit.
type Verified struct {
	Events   int64 // sealed
	Newest   Seal  // its Number is 0 while nothing is sealed
	Unsealed Unsealed
	Wrong    int64 // how many findings were reported
}

// Checkpoint names a seal, as it was kept outside the database.
type Checkpoint struct {
	Number int64
	Hash   []byte
}

// VerifyAudit computes every hash of the audit again, and reports each change, removal, insertion or reordering, naming the
// event or seal. It also reports each of the kept checkpoints that is no longer in the chain: its seal was removed, or
// history was sealed again. It reads one snapshot in batches, and may run while events are written.
func (db *DB) VerifyAudit(ctx context.Context, kept []Checkpoint, report func(finding string)) (Verified, error) {
	v := &verifying{kept: map[int64][]byte{}}
	v.report = func(format string, args ...any) {
		v.Wrong++
		report(fmt.Sprintf(format, args...))
	}
	for _, k := range kept {
		v.kept[k.Number] = k.Hash
	}
	snapshot := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	err := db.InLongTx(ctx, snapshot, func(ctx context.Context, tx *sqlx.Tx) error {
		v.tx = tx
		return v.run(ctx)
	})
	if err != nil {
		return v.Verified, fmt.Errorf("verify the audit: %w", err)
	}
	return v.Verified, nil
}

type verifying struct {
	Verified
	tx     *sqlx.Tx
	kept   map[int64][]byte
	report func(format string, args ...any)
	events []placed // read, and not yet compared with their seal
	read   int64    // the last sequence that was read
	done   bool     // nothing is left to read
	next   int64    // the sequence that must follow
}

// placed is a sequence and its event.
type placed struct {
	Sequence int64  `db:"sequence"`
	EventID  int64  `db:"event_id"`
	Hash     []byte `db:"hash"`
	auditRow
}

func (v *verifying) run(ctx context.Context) error {
	previous := Seal{First: 1, Hash: make([]byte, 32)}
	v.next = 1
	for {
		var seals []Seal
		err := v.tx.SelectContext(ctx, &seals, selectSeal+` where number > $1 order by number limit $2`, previous.Number, verifyBatch)
		if err != nil {
			return err
		}
		for _, seal := range seals {
			if err := v.seal(ctx, previous, seal); err != nil {
				return err
			}
			previous = seal
		}
		if len(seals) < verifyBatch {
			break
		}
	}
	v.Newest = previous
	for number, hash := range v.kept {
		if number > previous.Number {
			v.report("checkpoint %d:%x: the chain ends at seal %d, so its end was cut off", number, hash, previous.Number)
		}
	}
	for { // unsealed events
		p, ok, err := v.event(ctx, math.MaxInt64)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		v.uncovered(p)
	}
	clusters, err := progress(ctx, v.tx)
	if err != nil {
		return err
	}
	if err := v.reportInserted(ctx, clusters); err != nil {
		return err
	}
	if v.Unsealed, err = UnsealedEvents(ctx, v.tx); err != nil {
		return err
	}
	if v.Unsealed.Oldest > UnsealedLate {
		v.report("%d events are not sealed, the oldest for %s: the worker is down, or a transaction has been open for that long",
			v.Unsealed.Events, v.Unsealed.Oldest.Round(time.Second))
	}
	return nil
}

// seal compares one seal with the seal before it and with the events that it covers.
func (v *verifying) seal(ctx context.Context, previous, seal Seal) error {
	if seal.Number != previous.Number+1 {
		v.report("seal %d follows seal %d: those between are gone", seal.Number, previous.Number)
	}
	if !bytes.Equal(seal.Previous, previous.Hash) {
		v.report("seal %d does not continue seal %d: one of the two was changed or exchanged", seal.Number, previous.Number)
	}
	if seal.First != previous.First+previous.Events {
		v.report("seal %d begins at sequence %d, and the one before it ends at %d",
			seal.Number, seal.First, previous.First+previous.Events-1)
	}
	if kept, ok := v.kept[seal.Number]; ok && !bytes.Equal(kept, seal.Hash) {
		v.report("checkpoint %d:%x: seal %d has another hash, so history was sealed again", seal.Number, kept, seal.Number)
	}
	var hashes [][]byte
	for {
		p, ok, err := v.event(ctx, seal.First+seal.Events)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if p.Sequence < seal.First {
			v.uncovered(p)
			continue
		}
		hashes = append(hashes, p.Hash)
		v.Events++
		v.row(p, previous, seal)
	}
	switch {
	case int64(len(hashes)) != seal.Events:
		v.report("seal %d covers %d events, and %d of them are left", seal.Number, seal.Events, len(hashes))
	case !bytes.Equal(seal.Hash, seal.sum(hashes)):
		v.report("seal %d, over events %d to %d of the sequence, was changed, or a hash in audit_sequence was",
			seal.Number, seal.First, seal.First+seal.Events-1)
	}
	return nil
}

func (v *verifying) uncovered(p placed) {
	v.report("event %d, sequence %d, is covered by no seal", p.EventID, p.Sequence)
}

// row compares one event with what was sealed.
func (v *verifying) row(p placed, previous, seal Seal) {
	if !p.ID.Valid {
		v.report("event %d, sequence %d of seal %d, is gone", p.EventID, p.Sequence, seal.Number)
		return
	}
	hash, err := p.hash(p.Sequence)
	if err != nil || !bytes.Equal(hash, p.Hash) {
		v.report("event %d, sequence %d of seal %d, is not what was sealed", p.EventID, p.Sequence, seal.Number)
		return
	}
	if at, ok := p.At.(time.Time); ok && previous.Number > 0 && at.Before(previous.SealedAt.Add(-mostBackdated)) {
		v.report("event %d, sequence %d of seal %d, claims to be of %s, and did not exist when seal %d was made at %s: "+
			"it was backdated", p.EventID, p.Sequence, seal.Number, at.UTC().Format(time.RFC3339), previous.Number,
			previous.SealedAt.UTC().Format(time.RFC3339))
	}
}

// event returns the next event whose sequence is below before. False: there is none.
func (v *verifying) event(ctx context.Context, before int64) (p placed, ok bool, err error) {
	if len(v.events) == 0 && !v.done {
		v.events = nil
		err := v.tx.SelectContext(ctx, &v.events, `
			select p.sequence, p.event_id, p.hash, `+auditColumns+`
			  from (select * from audit_sequence where sequence > $1 order by sequence limit $2) p
			  left join audit_events e on e.id = p.event_id
			 order by p.sequence`, v.read, verifyBatch)
		if err != nil {
			return p, false, err
		}
		v.done = len(v.events) < verifyBatch
	}
	if len(v.events) == 0 || v.events[0].Sequence >= before {
		return p, false, nil
	}
	p, v.events = v.events[0], v.events[1:]
	if p.Sequence != v.next {
		v.report("sequences %d to %d are gone", v.next, p.Sequence-1)
	}
	v.read, v.next = p.Sequence, p.Sequence+1
	return p, true, nil
}

// reportInserted reports events without a seal that sort before sealed ones.
func (v *verifying) reportInserted(ctx context.Context, clusters []sealedUpTo) error {
	rows, err := v.tx.QueryxContext(ctx, `
		select `+auditColumns+`
		  from audit_events e where not exists (select from audit_sequence p where p.event_id = e.id) order by e.id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r auditRow
		if err := rows.StructScan(&r); err != nil {
			return err
		}
		if sealedPast(clusters, r) {
			v.report("event %d is in no seal, and what was written before and after it is: it was inserted later", r.ID.Int64)
		}
	}
	return rows.Err()
}
