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

// verifyATime is how many events, or seals, are looked at in one go.
const verifyATime = 2000

// cameLate is how far an event's time may lie before the seal that was there before it: longer than any transaction of this
// program. What claims to be older was put into the past.
const cameLate = time.Hour

// Verified is what verifying the audit came to.
type Verified struct {
	Events int64 // sealed
	Head   Seal  // its Position is 0 while nothing is sealed
	Tail   Tail
	Wrong  int64 // findings that were told
}

// KeptHead is the head of the chain as it was kept elsewhere.
type KeptHead struct {
	Position int64
	Hash     []byte
}

// VerifyAudit computes every hash of the audit again, and tells of each change, removal, insertion or reordering, naming the
// event or the seal. With kept it also tells if a head that was kept elsewhere is not in the chain any more: its tail was
// cut off, or its history sealed again. It reads one snapshot, in batches, whatever goes on meanwhile.
func (db *DB) VerifyAudit(ctx context.Context, kept []KeptHead, tell func(finding string)) (Verified, error) {
	v := &verifying{kept: map[int64][]byte{}}
	v.tell = func(format string, args ...any) {
		v.Wrong++
		tell(fmt.Sprintf(format, args...))
	}
	for _, k := range kept {
		v.kept[k.Position] = k.Hash
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
	tell   func(format string, args ...any)
	events []placed // read, and not yet compared with their seal
	read   int64    // the last position that was read
	done   bool     // no positions are left to read
	next   int64    // the position that is due
}

// placed is a position of the audit, and the event that stands there.
type placed struct {
	Position int64  `db:"position"`
	EventID  int64  `db:"event_id"`
	Hash     []byte `db:"hash"`
	auditRow
}

func (v *verifying) run(ctx context.Context) error {
	previous := Seal{First: 1, Hash: make([]byte, 32)}
	v.next = 1
	for {
		var seals []Seal
		if err := v.tx.SelectContext(ctx, &seals, selectSeal+` where position > $1 order by position limit $2`, previous.Position, verifyATime); err != nil {
			return err
		}
		for _, seal := range seals {
			if err := v.seal(ctx, previous, seal); err != nil {
				return err
			}
			previous = seal
		}
		if len(seals) < verifyATime {
			break
		}
	}
	v.Head = previous
	for position, hash := range v.kept {
		if position > previous.Position {
			v.tell("head %d:%x was kept elsewhere, and the chain ends at seal %d: its tail was cut off", position, hash, previous.Position)
		}
	}
	for { // what no seal covers
		p, ok, err := v.event(ctx, math.MaxInt64)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		v.uncovered(p)
	}
	if err := v.strangers(ctx); err != nil {
		return err
	}
	tail, err := TailOf(ctx, v.tx)
	if err != nil {
		return err
	}
	v.Tail = tail
	if v.Tail.Oldest > TailLate {
		v.tell("the tail: %d events are not sealed, the oldest for %s: is the worker down, or a transaction open for that long?", v.Tail.Events, v.Tail.Oldest.Round(time.Second))
	}
	return nil
}

// seal compares one seal with the seal before it and with the events that it covers.
func (v *verifying) seal(ctx context.Context, previous, seal Seal) error {
	if seal.Position != previous.Position+1 {
		v.tell("seal %d follows seal %d: those between are gone", seal.Position, previous.Position)
	}
	if !bytes.Equal(seal.Previous, previous.Hash) {
		v.tell("seal %d does not continue seal %d: one of the two was changed or exchanged", seal.Position, previous.Position)
	}
	if seal.First != previous.First+previous.Events {
		v.tell("seal %d begins at position %d, and the one before it ends at %d", seal.Position, seal.First, previous.First+previous.Events-1)
	}
	if kept, ok := v.kept[seal.Position]; ok && !bytes.Equal(kept, seal.Hash) {
		v.tell("seal %d is not the one whose head %d:%x was kept elsewhere: history was sealed again", seal.Position, seal.Position, kept)
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
		if p.Position < seal.First {
			v.uncovered(p)
			continue
		}
		hashes = append(hashes, p.Hash)
		v.Events++
		v.row(p, previous, seal)
	}
	switch {
	case int64(len(hashes)) != seal.Events:
		v.tell("seal %d covers %d events, and %d of their positions are left", seal.Position, seal.Events, len(hashes))
	case !bytes.Equal(seal.Hash, seal.sum(hashes)):
		v.tell("seal %d, over positions %d to %d, is not what was sealed: it, or a hash in audit_positions, was changed", seal.Position, seal.First, seal.First+seal.Events-1)
	}
	return nil
}

func (v *verifying) uncovered(p placed) {
	v.tell("event %d stands at position %d, which no seal covers", p.EventID, p.Position)
}

// row compares one event with what was sealed at its position.
func (v *verifying) row(p placed, previous, seal Seal) {
	if !p.ID.Valid {
		v.tell("event %d, at position %d of seal %d, is gone", p.EventID, p.Position, seal.Position)
		return
	}
	hash, err := p.hash(p.Position)
	if err != nil || !bytes.Equal(hash, p.Hash) {
		v.tell("event %d, at position %d of seal %d, is not what was sealed there", p.EventID, p.Position, seal.Position)
		return
	}
	if at, ok := p.At.(time.Time); ok && previous.Position > 0 && at.Before(previous.SealedAt.Add(-cameLate)) {
		v.tell("event %d, at position %d of seal %d, claims to be of %s, and was not there when seal %d was made at %s: it was put into the past",
			p.EventID, p.Position, seal.Position, at.UTC().Format(time.RFC3339), previous.Position, previous.SealedAt.UTC().Format(time.RFC3339))
	}
}

// event answers what stands at the next position before another one. False: nothing does.
func (v *verifying) event(ctx context.Context, before int64) (p placed, ok bool, err error) {
	if len(v.events) == 0 && !v.done {
		v.events = nil
		err := v.tx.SelectContext(ctx, &v.events, `
			select p.position, p.event_id, p.hash, `+auditColumns+`
			  from (select * from audit_positions where position > $1 order by position limit $2) p
			  left join audit_events e on e.id = p.event_id
			 order by p.position`, v.read, verifyATime)
		if err != nil {
			return p, false, err
		}
		v.done = len(v.events) < verifyATime
	}
	if len(v.events) == 0 || v.events[0].Position >= before {
		return p, false, nil
	}
	p, v.events = v.events[0], v.events[1:]
	if p.Position != v.next {
		v.tell("positions %d to %d are gone", v.next, p.Position-1)
	}
	v.read, v.next = p.Position, p.Position+1
	return p, true, nil
}

// strangers tells of events that are in no seal though everything around them is.
func (v *verifying) strangers(ctx context.Context) error {
	clusters, err := progress(ctx, v.tx)
	if err != nil {
		return err
	}
	rows, err := v.tx.QueryxContext(ctx, `select `+auditColumns+` from audit_events e where not exists (select from audit_positions p where p.event_id = e.id) order by e.id`)
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
			v.tell("event %d is in no seal, though all that was written before and after it is: it was inserted later", r.ID.Int64)
		}
	}
	return rows.Err()
}
