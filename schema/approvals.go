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

// OpenApproval puts a question about items of one application to the policy's candidates. The first of them are asked at
// once, as many as askNow says; the others when they are reminded.
func OpenApproval(ctx context.Context, tx *sqlx.Tx, requestID, applicationID int64, items []int64, answer policy.Answer, askNow int) error {
	var id int64
	err := tx.GetContext(ctx, &id, `
		insert into approvals (request_id, application_id, basis, policy_version) values ($1, $2, $3, $4) returning id`,
		requestID, applicationID, string(answer.Basis), policy.Version)
	if err != nil {
		return fmt.Errorf("open an approval of request %d: %w", requestID, err)
	}
	if _, err := tx.ExecContext(ctx, `insert into approval_items (approval_id, item_id) select $1, unnest($2::bigint[])`, id, pq.Array(items)); err != nil {
		return fmt.Errorf("the items of approval %d: %w", id, err)
	}
	inPlaceOf := make([]sql.NullInt64, len(answer.Candidates))
	for n, candidate := range answer.Candidates {
		inPlaceOf[n].Int64, inPlaceOf[n].Valid = answer.InPlaceOf[candidate]
	}
	_, err = tx.ExecContext(ctx, `
		insert into approval_candidates (approval_id, person_id, for_person_id, position, asked_at)
		select $1, person_id, for_person_id, position, case when position <= $4 then app_now() end
		  from unnest($2::bigint[], $3::bigint[]) with ordinality as c (person_id, for_person_id, position)`,
		id, pq.Array(answer.Candidates), pq.Array(inPlaceOf), askNow)
	if err != nil {
		return fmt.Errorf("the candidates of approval %d: %w", id, err)
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: "asked", RequestID: requestID, ApprovalID: id,
		Details: map[string]any{"basis": answer.Basis, "candidates": answer.Candidates, "in place of": answer.InPlaceOf, "items": items, "policy": policy.Version}})
}

// CloseApproval ends an open approval: decided, moved to other candidates, or closed with its items.
func CloseApproval(ctx context.Context, tx *sqlx.Tx, requestID, approvalID int64, state string) error {
	_, err := tx.ExecContext(ctx, `update approvals set state = $2, closed_at = app_now() where id = $1 and state = 'open'`, approvalID, state)
	if err != nil {
		return fmt.Errorf("close approval %d: %w", approvalID, err)
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: "approval " + state, RequestID: requestID, ApprovalID: approvalID})
}

// AskTheOthers asks the candidates who were not asked at first.
func AskTheOthers(ctx context.Context, tx *sqlx.Tx, requestID, approvalID int64) error {
	_, err := tx.ExecContext(ctx, `
		with others as (update approval_candidates set asked_at = app_now() where approval_id = $1 and asked_at is null)
		update approvals set reminded_at = app_now() where id = $1`, approvalID)
	if err != nil {
		return fmt.Errorf("ask the other candidates of approval %d: %w", approvalID, err)
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: "asked the others", RequestID: requestID, ApprovalID: approvalID})
}

// SetDue records when the request must next be advanced (zero: never again), and whether it is settled. It makes its
// messages due where changed says so.
func SetDue(ctx context.Context, tx *sqlx.Tx, requestID int64, in time.Duration, settled, changed bool) error {
	_, err := tx.ExecContext(ctx, `
		update access_requests
		   set due_at = case when $2::float8 > 0 then app_now() + $2::float8 * interval '1 second' end,
		       settled_at = case when $3 then coalesce(settled_at, app_now()) end,
		       messages_due_at = case when $4 then app_now() else messages_due_at end
		 where id = $1`, requestID, in.Seconds(), settled, changed)
	if err != nil {
		return fmt.Errorf("when request %d is due: %w", requestID, err)
	}
	return nil
}

// ReleaseRequest orders everything of a request back that is waiting or temporary. Kind is Left or Cancelled; Left takes
// the permanent claims too.
func ReleaseRequest(ctx context.Context, tx *sqlx.Tx, requestID int64, kind, reason string) error {
	var released []int64
	err := tx.SelectContext(ctx, &released, `
		insert into releases (item_id, kind, reason)
		select i.id, $2, $3
		  from request_items i
		  left join claims c on c.item_id = i.id
		 where i.request_id = $1
		   and i.state in ('submitted', 'awaiting_approval', 'approved', 'provisioning', 'active')
		   and not exists (select from releases x where x.item_id = i.id)
		   and ($2 = 'left' or i.state not in ('provisioning', 'active') or c.ends_at is not null)
		returning item_id`, requestID, kind, reason)
	if err != nil {
		return fmt.Errorf("release request %d: %w", requestID, refusal(err))
	}
	if len(released) == 0 {
		return nil
	}
	return Audit(ctx, tx, Event{Actor: "worker", Action: "released: " + kind, RequestID: requestID, Details: map[string]any{"items": released, "reason": reason}})
}

// ReleaseLeaversClaim orders a claim back whose holder has left. It answers false if its holder has not, or there is nothing to release.
func (db *DB) ReleaseLeaversClaim(ctx context.Context, claimID int64) (released bool, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		var c Claim
		err := tx.GetContext(ctx, &c, selectClaim+` join people p on p.id = c.person_id
			 where c.id = $1 and p.status = 'left' and c.ended_at is null and c.released_at is null`, claimID)
		if err = refusal(err); err == ErrNotFound { //nolint:errorlint // refusal returns it as it is
			return nil
		} else if err != nil {
			return err
		}
		released = true
		return release(ctx, tx, []Claim{c}, Left, sql.NullInt64{}, "left the company")
	})
	return released, err
}
