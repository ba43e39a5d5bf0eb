package schema

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// NewApproval is an approval to open.
type NewApproval struct {
	RequestID     int64
	ApplicationID int64
	PolicyVersion int64
	Items         []int64
	Stage, Stages int
	Answer        policy.Answer
	AskNow        int       // how many candidates are asked now; the others are asked when these are reminded
	Level         int       // escalation level
	Since         time.Time // when an approver of this stage was first asked; zero: now
	RemindAfter   time.Duration
	EscalateAt    time.Time // zero: never
	ExpiresAt     time.Time
}

// OpenApproval opens an approval with its items and candidates.
func OpenApproval(ctx context.Context, tx *sqlx.Tx, a NewApproval) (id int64, err error) {
	err = tx.GetContext(ctx, &id, `
		insert into approvals (request_id, application_id, policy_version, stage, stages, required_approvals, level, since,
		                       remind_after, escalate_at, expires_at)
		values ($1, $2, $3, $4, $5, $6, $7, coalesce($8, app_now()), $9 * interval '1 second', $10, $11) returning id`,
		a.RequestID, a.ApplicationID, a.PolicyVersion, a.Stage, a.Stages, a.Answer.RequiredApprovals, a.Level, instant(a.Since),
		a.RemindAfter.Seconds(), instant(a.EscalateAt), instant(a.ExpiresAt))
	if err != nil {
		return 0, fmt.Errorf("open an approval of request %d: %w", a.RequestID, err)
	}
	_, err = tx.ExecContext(ctx, `
		insert into approval_items (approval_id, item_id) select $1, unnest($2::bigint[])`, id, pq.Array(a.Items))
	if err != nil {
		return 0, fmt.Errorf("record the items of approval %d: %w", id, err)
	}
	if err := addCandidates(ctx, tx, id, 0, a.Answer.Candidates, a.AskNow); err != nil {
		return 0, err
	}
	return id, Audit(ctx, tx, Event{Actor: "worker", Action: ApprovalOpened, RequestID: a.RequestID, ApprovalID: id,
		Details: map[string]any{"stage": a.Stage, "stages": a.Stages, "required_approvals": a.Answer.RequiredApprovals,
			"candidates": audited(a.Answer.Candidates), "items": a.Items, "policy": a.PolicyVersion}})
}

// addCandidates adds candidates to an approval, after the existing ones. A candidate who was asked about all of its items before,
// in the same stage by other approvals of the request, keeps that time: a moved approval does not start again for them.
func addCandidates(
	ctx context.Context, tx *sqlx.Tx, approvalID int64, existing int, candidates []policy.Candidate, askNow int,
) error {
	people, bases := make([]int64, len(candidates)), make([]string, len(candidates))
	onBehalfOf := make([]sql.NullInt64, len(candidates))
	for i, c := range candidates {
		people[i], bases[i] = c.PersonID, string(c.Basis)
		onBehalfOf[i] = sql.NullInt64{Int64: c.OnBehalfOf, Valid: c.OnBehalfOf != 0}
	}
	_, err := tx.ExecContext(ctx, `
		insert into approval_candidates (approval_id, person_id, for_person_id, basis, position, asked_at)
		select $1, c.person_id, c.for_person_id, c.basis, $5 + c.position,
		       coalesce(before.asked_at, case when c.position <= $6 then app_now() end)
		  from unnest($2::bigint[], $3::bigint[], $4::text[]) with ordinality as c (person_id, for_person_id, basis, position)
		 cross join lateral (
		       select case when count(*) = count(first.asked_at) then max(first.asked_at) end as asked_at
		         from approvals a
		         join approval_items i on i.approval_id = a.id
		        cross join lateral (
		              select min(was.asked_at) as asked_at
		                from approval_items same
		                join approvals earlier on earlier.id = same.approval_id and earlier.stage = a.stage
		                join approval_candidates was on was.approval_id = earlier.id and was.person_id = c.person_id
		               where same.item_id = i.item_id) first
		        where a.id = $1) before`,
		approvalID, pq.Array(people), pq.Array(onBehalfOf), pq.Array(bases), existing, askNow)
	if err != nil {
		return fmt.Errorf("record the candidates of approval %d: %w", approvalID, err)
	}
	return nil
}

// audited returns candidates in the audit's form.
func audited(candidates []policy.Candidate) []map[string]any {
	all := make([]map[string]any, len(candidates))
	for i, c := range candidates {
		all[i] = map[string]any{"person": c.PersonID, "basis": c.Basis}
		if c.OnBehalfOf != 0 {
			all[i]["on_behalf_of"] = c.OnBehalfOf
		}
	}
	return all
}

// instant returns a time as the database holds it; zero: null.
func instant(t time.Time) sql.NullTime { return sql.NullTime{Time: t, Valid: !t.IsZero()} }

// Escalate asks more candidates, and the existing ones who were not asked yet. next is when it is escalated again; zero: never.
func Escalate(ctx context.Context, tx *sqlx.Tx, requestID int64, a Approval, added []policy.Candidate, next time.Time) error {
	_, err := tx.ExecContext(ctx, `
		with asked as (update approval_candidates set asked_at = app_now() where approval_id = $1 and asked_at is null)
		update approvals set level = level + 1, escalate_at = $2 where id = $1`, a.ID, instant(next))
	if err != nil {
		return fmt.Errorf("escalate approval %d: %w", a.ID, err)
	}
	if err := addCandidates(ctx, tx, a.ID, len(a.Candidates), added, len(added)); err != nil {
		return err
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: ApprovalEscalated, RequestID: requestID, ApprovalID: a.ID,
		Details: map[string]any{"level": a.Level + 1, "candidates": audited(added)}})
}

// CloseApproval ends an open approval. state is decided, moved (to other candidates) or closed (with its items).
func CloseApproval(ctx context.Context, tx *sqlx.Tx, requestID, approvalID int64, state string) error {
	_, err := tx.ExecContext(ctx, `
		update approvals set state = $2, closed_at = app_now() where id = $1 and state = 'open'`, approvalID, state)
	if err != nil {
		return fmt.Errorf("close approval %d: %w", approvalID, err)
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: ApprovalClosed, RequestID: requestID, ApprovalID: approvalID,
		Details: map[string]any{"state": state}})
}

// AskRemaining asks the candidates of an approval who were not asked yet.
func AskRemaining(ctx context.Context, tx *sqlx.Tx, requestID, approvalID int64) error {
	_, err := tx.ExecContext(ctx, `
		with others as (update approval_candidates set asked_at = app_now() where approval_id = $1 and asked_at is null)
		update approvals set reminded_at = app_now() where id = $1`, approvalID)
	if err != nil {
		return fmt.Errorf("ask the other candidates of approval %d: %w", approvalID, err)
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: ApprovalWidened, RequestID: requestID, ApprovalID: approvalID})
}

// SetDue records when a request must be advanced next (zero: never), and whether it is complete. If it has changed, its messages
// become due.
func SetDue(ctx context.Context, tx *sqlx.Tx, requestID int64, in time.Duration, complete, changed bool) error {
	_, err := tx.ExecContext(ctx, `
		update access_requests
		   set due_at = case when $2::float8 > 0 then app_now() + $2::float8 * interval '1 second' end,
		       signals = 0,
		       completed_at = case when $3 then coalesce(completed_at, app_now()) end,
		       messages_due_at = case when $4 then app_now() else messages_due_at end
		 where id = $1`, requestID, in.Seconds(), complete, changed)
	if err != nil {
		return fmt.Errorf("record when request %d is due: %w", requestID, err)
	}
	return nil
}

// StopRequest withdraws every item of a request that has no claim yet, and revokes its temporary claims; KindPersonLeft revokes
// the permanent ones too. Kind is KindPersonLeft or KindWorkflowCancelled.
func StopRequest(ctx context.Context, tx *sqlx.Tx, requestID int64, kind, reason string) error {
	var stopped []struct {
		ItemID  int64 `db:"item_id"`
		Claimed bool  `db:"claimed"`
	}
	err := tx.SelectContext(ctx, &stopped, `
		insert into stop_orders (item_id, kind, reason)
		select i.id, $2, $3
		  from request_items i
		  left join claims c on c.item_id = i.id
		 where i.request_id = $1
		   and i.state in ('submitted', 'awaiting_approval', 'approved', 'provisioning', 'active')
		   and not exists (select from stop_orders x where x.item_id = i.id)
		   and ($2 = 'person_left' or i.state not in ('provisioning', 'active') or c.ends_at is not null)
		returning item_id, exists (select from claims c where c.item_id = stop_orders.item_id) as claimed`, requestID, kind, reason)
	if err != nil {
		return fmt.Errorf("stop request %d: %w", requestID, mapError(err))
	}
	var withdrawn, revoked []int64
	for _, item := range stopped {
		if item.Claimed {
			revoked = append(revoked, item.ItemID)
		} else {
			withdrawn = append(withdrawn, item.ItemID)
		}
	}
	var events []Event
	if len(withdrawn) > 0 {
		events = append(events, Event{Actor: "worker", Action: WithdrawalRecorded, RequestID: requestID,
			Details: map[string]any{"kind": kind, "items": withdrawn, "reason": reason}})
	}
	if len(revoked) > 0 {
		events = append(events, Event{Actor: "worker", Action: RevocationRecorded, RequestID: requestID,
			Details: map[string]any{"kind": kind, "items": revoked, "reason": reason}})
	}
	return Audit(ctx, tx, events...)
}

// RevokeLeaversClaim records the revocation of a live claim whose holder has left. It returns false if there is none.
func (db *DB) RevokeLeaversClaim(ctx context.Context, claimID int64) (revoked bool, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		var c Claim
		err := tx.GetContext(ctx, &c, selectClaim+` join people p on p.id = c.person_id
			 where c.id = $1 and p.status = 'left' and is_revocable(c)`, claimID)
		if err = mapError(err); err == ErrNotFound { //nolint:errorlint // mapError returns it as it is
			return nil
		} else if err != nil {
			return err
		}
		revoked = true
		return recordRevocation(ctx, tx, c, KindPersonLeft, sql.NullInt64{}, "left the company")
	})
	return revoked, err
}
