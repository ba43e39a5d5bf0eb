package schema

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// auditRow is a row of audit_events, with every column.
type auditRow struct {
	ID         sql.NullInt64  `db:"id"` // null: the event is gone
	At         any            `db:"at"` // a time.Time, or what PostgreSQL calls infinite
	WrittenBy  sql.NullString `db:"written_by"`
	Actor      sql.NullString `db:"actor"`
	PersonID   sql.NullInt64  `db:"person_id"`
	Action     sql.NullString `db:"action"`
	Alert      sql.NullBool   `db:"alert"`
	RequestID  sql.NullInt64  `db:"request_id"`
	ItemID     sql.NullInt64  `db:"item_id"`
	ClaimID    sql.NullInt64  `db:"claim_id"`
	ApprovalID sql.NullInt64  `db:"approval_id"`
	Details    sql.NullString `db:"details"`
	Cluster    sql.NullInt64  `db:"cluster"`
	XID        sql.NullString `db:"xid"`
}

const auditColumns = `e.id, e.at, e.written_by, e.actor, e.person_id, e.action, e.alert, e.request_id, e.item_id, e.claim_id,
	e.approval_id, e.details, e.cluster, e.xid::text as xid`

// hash is over the event's sequence and fields as canonical bytes. Go makes these bytes, so that a change to the database
// cannot change what verifying means: a label, then each field in this order as its length (four bytes, big-endian;
// 0xffffffff and nothing more: null) and its text. Numbers are decimal, times are microseconds since 1970 in UTC, booleans
// are "true" or "false", and details is JSON with sorted keys, without spaces, with numbers as they were written.
func (r auditRow) hash(sequence int64) ([]byte, error) {
	details, err := canonicalJSON(r.Details)
	if err != nil {
		return nil, fmt.Errorf("the details of event %d: %w", r.ID.Int64, err)
	}
	c := &canonical{}
	c.text("accessbot audit event 1")
	c.number(sequence)
	c.nullNumber(r.ID)
	switch at := r.At.(type) {
	case time.Time:
		c.number(at.UnixMicro())
	case []byte:
		c.text(string(at))
	default:
		c.null()
	}
	c.nullText(r.WrittenBy)
	c.nullText(r.Actor)
	c.nullNumber(r.PersonID)
	c.nullText(r.Action)
	c.nullText(sql.NullString{String: strconv.FormatBool(r.Alert.Bool), Valid: r.Alert.Valid})
	c.nullNumber(r.RequestID)
	c.nullNumber(r.ItemID)
	c.nullNumber(r.ClaimID)
	c.nullNumber(r.ApprovalID)
	c.nullText(details)
	c.nullNumber(r.Cluster)
	c.nullText(r.XID)
	return c.sum(), nil
}

// Seal is one link of the chain: it covers a batch of events and the seal before it.
type Seal struct {
	Number     int64     `db:"number"` // from 1
	First      int64     `db:"first"`  // sequence of the first event that it covers
	Events     int64     `db:"events"` // how many it covers
	FirstEvent int64     `db:"first_event"`
	LastEvent  int64     `db:"last_event"`
	Cluster    int64     `db:"cluster"`
	LastXID    string    `db:"last_xid"`
	Previous   []byte    `db:"previous"` // the hash of the seal before; of the first: zeros
	Hash       []byte    `db:"hash"`
	SealedAt   time.Time `db:"sealed_at"`
}

const selectSeal = `
select number, first, events, first_event, last_event, cluster, last_xid::text as last_xid, previous, hash, sealed_at
  from audit_seals`

// Checkpoint returns the seal's number and hash, to be kept outside the database.
func (s Seal) Checkpoint() string { return fmt.Sprintf("%d:%x", s.Number, s.Hash) }

// sum returns the seal's hash: over its fields, in the form that auditRow.hash explains, then the hashes of its events in order.
func (s Seal) sum(events [][]byte) []byte {
	c := &canonical{}
	c.text("accessbot audit seal 1")
	for _, n := range []int64{s.Number, s.First, s.Events, s.FirstEvent, s.LastEvent, s.Cluster} {
		c.number(n)
	}
	c.text(s.LastXID)
	c.number(s.SealedAt.UnixMicro())
	c.text(string(s.Previous))
	for _, hash := range events {
		c.text(string(hash))
	}
	return c.sum()
}

// canonical collects fields with their lengths, so that no two lists of fields give the same bytes.
type canonical struct{ bytes.Buffer }

func (c *canonical) text(s string) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(s))) //nolint:gosec // PostgreSQL's values end at a gigabyte
	c.Write(length[:])
	c.WriteString(s)
}

func (c *canonical) null()          { c.WriteString("\xff\xff\xff\xff") }
func (c *canonical) number(n int64) { c.text(strconv.FormatInt(n, 10)) }

func (c *canonical) nullText(s sql.NullString) {
	if !s.Valid {
		c.null()
		return
	}
	c.text(s.String)
}

func (c *canonical) nullNumber(n sql.NullInt64) {
	c.nullText(sql.NullString{String: strconv.FormatInt(n.Int64, 10), Valid: n.Valid})
}

func (c *canonical) sum() []byte {
	sum := sha256.Sum256(c.Bytes())
	return sum[:]
}

func canonicalJSON(text sql.NullString) (sql.NullString, error) {
	if !text.Valid {
		return text, nil
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text.String)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return text, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value) // keys of maps are sorted
	return sql.NullString{String: string(bytes.TrimSuffix(out.Bytes(), []byte("\n"))), Valid: true}, err
}
