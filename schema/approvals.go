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

// Approval is what an approval is opened with.
type ApprovalMessage struct {
	RequestID     int64
	ApplicationID int64
	PolicyVersion int64
	Items         []int64
	Stage, Stages int
	Answer        policy.Answer
	AskNow        int       // how many of the candidates are asked at once, the first; the others when they are reminded
	Level         int       // how often it was escalated
	Since         time.Time // when this stage was first asked about; zero: now
	RemindAfter   time.Duration
	EscalateAt    time.Time // zero: never
	ExpiresAt     time.Time
}

// OpenApproval puts an approval to the policy's candidates.
func OpenApproval(ctx context.Context, tx *sqlx.Tx, q ApprovalMessage) (id int64, err error) {
	err = tx.GetContext(ctx, &id, `
		insert into approvals (request_id, application_id, policy_version, stage, stages, required_approvals, level, since, remind_after, escalate_at, expires_at)
		values ($1, $2, $3, $4, $5, $6, $7, coalesce($8, app_now()), $9 * interval '1 second', $10, $11) returning id`,
		q.RequestID, q.ApplicationID, q.PolicyVersion, q.Stage, q.Stages, q.Answer.RequiredApprovals, q.Level, instant(q.Since), q.RemindAfter.Seconds(), instant(q.EscalateAt), instant(q.ExpiresAt))
	if err != nil {
		return 0, fmt.Errorf("open an approval of request %d: %w", q.RequestID, err)
	}
	if _, err := tx.ExecContext(ctx, `insert into approval_items (approval_id, item_id) select $1, unnest($2::bigint[])`, id, pq.Array(q.Items)); err != nil {
		return 0, fmt.Errorf("the items of approval %d: %w", id, err)
	}
	if err := addCandidates(ctx, tx, id, 0, q.Answer.Candidates, q.AskNow); err != nil {
		return 0, err
	}
	return id, Audit(ctx, tx, Event{Actor: "worker", Action: ApprovalOpened, RequestID: q.RequestID, ApprovalID: id,
		Details: map[string]any{"stage": q.Stage, "stages": q.Stages, "required_approvals": q.Answer.RequiredApprovals, "candidates": audited(q.Answer.Candidates), "items": q.Items, "policy": q.PolicyVersion}})
}

// addCandidates adds to an approval after so many who are there. Who was asked about all of it in the same stage before,
// by others of the request's approvals, is asked since then: an approval that moves does not begin again for them.
func addCandidates(ctx context.Context, tx *sqlx.Tx, approvalID int64, after int, candidates []policy.Candidate, askNow int) error {
	people, inPlaceOf, bases := make([]int64, len(candidates)), make([]sql.NullInt64, len(candidates)), make([]string, len(candidates))
	for n, c := range candidates {
		people[n], inPlaceOf[n], bases[n] = c.PersonID, sql.NullInt64{Int64: c.InPlaceOf, Valid: c.InPlaceOf != 0}, string(c.Basis)
	}
	_, err := tx.ExecContext(ctx, `
		insert into approval_candidates (approval_id, person_id, for_person_id, basis, position, asked_at)
		select $1, c.person_id, c.for_person_id, c.basis, $5 + c.position, coalesce(before.asked_at, case when c.position <= $6 then app_now() end)
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
		approvalID, pq.Array(people), pq.Array(inPlaceOf), pq.Array(bases), after, askNow)
	if err != nil {
		return fmt.Errorf("the candidates of approval %d: %w", approvalID, err)
	}
	return nil
}

// audited are candidates as the audit tells of them.
func audited(candidates []policy.Candidate) []map[string]any {
	all := make([]map[string]any, len(candidates))
	for n, c := range candidates {
		all[n] = map[string]any{"person": c.PersonID, "basis": c.Basis}
		if c.InPlaceOf != 0 {
			all[n]["on_behalf_of"] = c.InPlaceOf
		}
	}
	return all
}

// instant is a time as the database holds it; zero: null.
func instant(t time.Time) sql.NullTime { return sql.NullTime{Time: t, Valid: !t.IsZero()} }

// Escalate asks others besides, and everybody who was not asked yet. next is when it is escalated again; zero: never.
func Escalate(ctx context.Context, tx *sqlx.Tx, requestID int64, a Approval, others []policy.Candidate, next time.Time) error {
	_, err := tx.ExecContext(ctx, `
		with asked as (update approval_candidates set asked_at = app_now() where approval_id = $1 and asked_at is null)
		update approvals set level = level + 1, escalate_at = $2 where id = $1`, a.ID, instant(next))
	if err != nil {
		return fmt.Errorf("escalate approval %d: %w", a.ID, err)
	}
	if err := addCandidates(ctx, tx, a.ID, len(a.Candidates), others, len(others)); err != nil {
		return err
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: ApprovalEscalated, RequestID: requestID, ApprovalID: a.ID,
		Details: map[string]any{"level": a.Level + 1, "candidates": audited(others)}})
}

// CloseApproval ends an open approval: decided, moved to other candidates, or closed with its items.
func CloseApproval(ctx context.Context, tx *sqlx.Tx, requestID, approvalID int64, state string) error {
	_, err := tx.ExecContext(ctx, `update approvals set state = $2, closed_at = app_now() where id = $1 and state = 'open'`, approvalID, state)
	if err != nil {
		return fmt.Errorf("close approval %d: %w", approvalID, err)
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: ApprovalClosed, RequestID: requestID, ApprovalID: approvalID, Details: map[string]any{"state": state}})
}

// AskTheOthers asks the candidates who were not asked at first.
func AskTheOthers(ctx context.Context, tx *sqlx.Tx, requestID, approvalID int64) error {
	_, err := tx.ExecContext(ctx, `
		with others as (update approval_candidates set asked_at = app_now() where approval_id = $1 and asked_at is null)
		update approvals set reminded_at = app_now() where id = $1`, approvalID)
	if err != nil {
		return fmt.Errorf("ask the other candidates of approval %d: %w", approvalID, err)
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: ApprovalWidened, RequestID: requestID, ApprovalID: approvalID})
}

// SetDue records when the request must next be advanced (zero: never again), and whether it is reconciled. It makes its
// messages due where changed says so.
func SetDue(ctx context.Context, tx *sqlx.Tx, requestID int64, in time.Duration, settled, changed bool) error {
	_, err := tx.ExecContext(ctx, `
		update access_requests
		   set due_at = case when $2::float8 > 0 then app_now() + $2::float8 * interval '1 second' end,
		       signals = 0,
		       completed_at = case when $3 then coalesce(completed_at, app_now()) end,
		       messages_due_at = case when $4 then app_now() else messages_due_at end
		 where id = $1`, requestID, in.Seconds(), settled, changed)
	if err != nil {
		return fmt.Errorf("when request %d is due: %w", requestID, err)
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

// RevokeLeaversClaim records the revocation of a live claim whose holder has left. It answers false where there is none.
func (db *DB) RevokeLeaversClaim(ctx context.Context, claimID int64) (revoked bool, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		var c Claim
		err := tx.GetContext(ctx, &c, selectClaim+` join people p on p.id = c.person_id
			 where c.id = $1 and p.status = 'left' and c.ended_at is null and c.revoked_at is null`, claimID)
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
