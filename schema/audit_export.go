package schema

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// AuditedItem is one row of the export. docs/audit.md explains each field.
type AuditedItem struct {
	Number               *int64            `json:"number"                  db:"number"`   // from 1 without gaps; null: not sealed yet, or not in the audit
	Sequence             *int64            `json:"sequence"                db:"sequence"` // of the submission
	Audit                string            `json:"audit"                   db:"audit"`    // sealed, not sealed yet, or missing
	Request              *int64            `json:"request"                 db:"request"`
	Item                 int64             `json:"item"                    db:"item"`
	State                string            `json:"state"                   db:"state"` // "missing": only the audit has it
	SubmittedAt          *time.Time        `json:"submitted_at"            db:"submitted_at"`
	Requester            string            `json:"requester"               db:"requester"`     // e-mail
	SubmittedBy          string            `json:"submitted_by"            db:"submitted_by"`  // e-mail of the submitter; empty: the requester
	SubmittedFor         string            `json:"submitted_for"           db:"submitted_for"` // e-mail of the account's holder
	Application          string            `json:"application"             db:"application"`   // slug
	Entitlement          string            `json:"entitlement"             db:"entitlement"`   // key
	Account              string            `json:"account"                 db:"account"`
	Risk                 string            `json:"risk"                    db:"risk"`
	Reason               string            `json:"reason"                  db:"reason"`
	Note                 string            `json:"note"                    db:"note"`
	AskedUntil           *time.Time        `json:"asked_until"             db:"asked_until"` // null: permanently
	Decisions            []AuditedDecision `json:"decisions"               db:"-"`           // in their order
	DecidedBeforeGranted *bool             `json:"decided_before_granted"  db:"decided_before_granted"`
	GrantedAt            *time.Time        `json:"granted_at"              db:"granted_at"`
	DueEnd               *time.Time        `json:"due_end"                 db:"due_end"`
	RealEnd              *time.Time        `json:"real_end"                db:"real_end"`
	LatenessSeconds      *float64          `json:"lateness_seconds"        db:"lateness_seconds"`
	EndReason            string            `json:"end_reason"              db:"end_reason"`
	KeptForAnother       bool              `json:"kept_for_another_reason" db:"kept_for_another"`
	UnexpectedBefore     bool              `json:"unexpected_before"       db:"unexpected_before"`
	StopKind             string            `json:"stop_kind"               db:"stop_kind"`
	StoppedBy            string            `json:"stopped_by"              db:"stopped_by"` // e-mail; empty: no one pressed anything
	StopReason           string            `json:"stop_reason"             db:"stop_reason"`
	Problem              ProblemCode       `json:"problem"                 db:"problem"`
	ProblemDetails       ProblemDetails    `json:"problem_details"         db:"problem_details"`
}

// AuditedDecision is one of an item's decisions.
type AuditedDecision struct {
	Stage         int        `json:"stage"`
	Outcome       string     `json:"outcome"` // approve or deny
	By            string     `json:"by"`      // e-mail; empty: a rule of the policy
	Basis         string     `json:"basis"`
	PolicyVersion int64      `json:"policy_version"`
	Reason        string     `json:"reason"`
	Until         *time.Time `json:"until"` // the end that was granted; null: permanent
	DecidedAt     time.Time  `json:"decided_at"`
}

// A full join, so that an item that only the audit or only the database has is exported too. Numbers are counted over the
// whole audit, whatever part is exported: they never change, as the sequence does not.
const auditedItems = `
with submitted as (
    select p.sequence, e.request_id, x.item_id, e.at,
           case when p.sequence is not null then row_number() over (order by p.sequence, x.n) end as number
      from audit_events e
      left join audit_sequence p on p.event_id = e.id
     cross join lateral (
           select item_id::bigint, n
             from jsonb_array_elements_text(e.details -> 'items') with ordinality as listed (item_id, n)
            where jsonb_typeof(e.details -> 'items') = 'array'
           union all -- from before the items were listed
           select i.id, row_number() over (order by i.id)
             from request_items i
            where i.request_id = e.request_id and jsonb_typeof(e.details -> 'items') = 'number') x
     where e.action = '` + string(RequestSubmitted) + `')
select s.number, s.sequence, coalesce(s.request_id, i.request_id) as request, coalesce(s.item_id, i.id) as item,
       case when s.sequence is not null then 'sealed'
            when s.item_id is not null then 'not sealed yet' else 'missing' end as audit,
       coalesce(i.state, 'missing') as state, coalesce(s.at, r.created_at) as submitted_at,
       coalesce(q.email, '') as requester, coalesce(y.email, '') as submitted_by, coalesce(h.email, '') as submitted_for,
       coalesce(a.slug, '') as application, coalesce(n.key, '') as entitlement,
       coalesce(k.account, '') as account, coalesce(n.risk, '') as risk, coalesce(w.label, '') as reason,
       coalesce(r.note, '') as note, r.ends_at as asked_until,
       d.decisions, c.granted_at,
       case when c.granted_at is not null then d.approved and d.last <= c.granted_at end as decided_before_granted,
       o.due_end, c.removed_at as real_end,
       case when o.due_end <= app_now()
            then extract(epoch from coalesce(c.removed_at, c.ended_at, app_now()) - o.due_end)::float8 end as lateness_seconds,
       coalesce(c.end_reason, '') as end_reason,
       coalesce(c.ended_at is not null and c.removed_at is null and c.due_at is null, false) as kept_for_another,
       f.id is not null as unexpected_before,
       coalesce(x.kind, '') as stop_kind, coalesce(b.email, '') as stopped_by, coalesce(x.reason, '') as stop_reason,
       coalesce(i.problem, '') as problem,
       coalesce(i.problem_details, '{}') as problem_details
  from submitted s
  full join request_items i on i.id = s.item_id
  left join access_requests r on r.id = i.request_id
  left join people q on q.id = r.requester_id
  left join people y on y.id = r.submitted_by
  left join reasons w on w.key = r.reason_key
  left join accounts k on k.id = i.account_id
  left join people h on h.id = k.person_id
  left join entitlements n on n.id = i.entitlement_id
  left join applications a on a.id = n.application_id
  left join claims c on c.item_id = i.id
  left join claims f on f.unexpected_for = i.id
  left join stop_orders x on x.item_id = i.id
  left join people b on b.id = x.person_id
  left join lateral (select least(c.revoked_at, c.ends_at, c.ended_at) as due_end) o on true
  left join lateral (
       select json_agg(json_build_object('stage', d.stage, 'outcome', d.outcome, 'by', coalesce(p.email, ''), 'basis', d.basis,
                                         'policy_version', d.policy_version, 'reason', d.reason, 'until', d.ends_at,
                                         'decided_at', d.decided_at) order by d.stage, d.decided_at, d.id)::text as decisions,
              bool_and(d.outcome = 'approve') as approved, max(d.decided_at) as last
         from decisions d left join people p on p.id = d.decided_by where d.item_id = i.id) d on true
 where ($1::timestamptz is null or coalesce(s.at, r.created_at) >= $1)
   and ($2::timestamptz is null or coalesce(s.at, r.created_at) < $2)
 order by s.number nulls last, item`

// ExportItems calls write with every item that was submitted from an instant on and before another (zero: no bound), in the
// order of the audit.
func (db *DB) ExportItems(ctx context.Context, from, to time.Time, write func(AuditedItem) error) error {
	err := db.InLongTx(ctx, &sql.TxOptions{ReadOnly: true}, func(ctx context.Context, tx *sqlx.Tx) error {
		return exportItems(ctx, tx, from, to, write)
	})
	if err != nil {
		return fmt.Errorf("export the audit: %w", err)
	}
	return nil
}

func exportItems(ctx context.Context, tx *sqlx.Tx, from, to time.Time, write func(AuditedItem) error) error {
	bound := func(t time.Time) sql.NullTime { return sql.NullTime{Time: t, Valid: !t.IsZero()} }
	rows, err := tx.QueryxContext(ctx, auditedItems, bound(from), bound(to))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var row struct {
			AuditedItem
			Decisions sql.NullString `db:"decisions"`
		}
		if err := rows.StructScan(&row); err != nil {
			return err
		}
		item := row.AuditedItem
		item.Decisions = []AuditedDecision{}
		if row.Decisions.Valid {
			if err := json.Unmarshal([]byte(row.Decisions.String), &item.Decisions); err != nil {
				return fmt.Errorf("read the decisions of item %d: %w", item.Item, err)
			}
		}
		if err := write(item); err != nil {
			return err
		}
	}
	return rows.Err()
}
