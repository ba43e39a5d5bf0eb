package schema

import (
	"context"
	"fmt"
	"time"

	"github.com/lib/pq"
)

// DueClaim is a claim whose assignment is due to be reconciled.
type DueClaim struct {
	ID         int64 `db:"id"`
	HolderLeft bool  `db:"holder_left"` // and the claim is not revoked yet
	Attempts   int   `db:"attempts"`
	Assignment
}

// DueTargets returns the targets with due claims, by name.
func DueTargets(ctx context.Context, q Queryer) ([]string, error) {
	var instances []string
	err := q.SelectContext(ctx, &instances, `
		select t.instance from (select distinct instance from applications) t
		 where exists (select from claims c
		                 join entitlements e on e.id = c.entitlement_id and e.instance = t.instance where c.due_at <= app_now())
		 order by 1`)
	if err != nil {
		return nil, fmt.Errorf("list targets with due claims: %w", err)
	}
	return instances, nil
}

// DueClaims returns due claims, the longest due first, at most perTarget of each target. With targets, only theirs.
func DueClaims(ctx context.Context, q Queryer, perTarget int, targets ...string) ([]DueClaim, error) {
	var claims []DueClaim
	err := q.SelectContext(ctx, &claims, `
		select c.id, c.attempts, h.status = 'left' and is_revocable(c) as holder_left,
		       c.account_id, c.entitlement_id, c.person_id, p.connector, e.instance, a.account, e.target as object
		  from (select distinct instance from applications where $2::text[] is null or instance = any($2)) t
		 cross join lateral (
		       select c.* from claims c
		         join entitlements e on e.id = c.entitlement_id and e.instance = t.instance
		        where c.due_at <= app_now()
		        order by c.due_at limit $1) c
		  join people h on h.id = c.person_id
		  join accounts a on a.id = c.account_id
		  join entitlements e on e.id = c.entitlement_id
		  join applications p on p.id = e.application_id
		 order by c.due_at`, perTarget, pq.Array(targets))
	if err != nil {
		return nil, fmt.Errorf("list due claims: %w", err)
	}
	return claims, nil
}

// PostponeClaim makes a claim that could not be reconciled due later: not before atLeast, which the target asked for, and after
// each attempt less often. A claim that was reconciled in the meantime does not become due.
func PostponeClaim(ctx context.Context, q Queryer, claimID int64, atLeast time.Duration) error {
	_, err := q.ExecContext(ctx, `
		update claims
		   set due_at = app_now() + greatest($2 * interval '1 second', backoff(attempts, '1 minute', '30 minutes')),
		       attempts = attempts + 1
		 where id = $1 and due_at <= app_now()`, claimID, atLeast.Seconds())
	if err != nil {
		return fmt.Errorf("postpone claim %d: %w", claimID, err)
	}
	return nil
}

// RecordAttempt makes a live claim due only after its end.
func RecordAttempt(ctx context.Context, q Queryer, claimID int64) error {
	_, err := q.ExecContext(ctx, `
		update claims set due_at = ends_at + $2 * interval '1 second', attempts = 0
		 where id = $1 and due_at <= app_now() and is_live(claims)`, claimID, sweepAfter.Seconds())
	if err != nil {
		return fmt.Errorf("record the attempt for claim %d: %w", claimID, err)
	}
	return nil
}

// DueRequests returns requests whose run is late, gone or was never started. Each becomes due again after postpone, and then less
// often, up to most, while its run loads no steps: every signal adds an event to the run's history.
func DueRequests(ctx context.Context, q Queryer, grace, postpone, most time.Duration, limit int) ([]int64, error) {
	var ids []int64
	err := q.SelectContext(ctx, &ids, `
		update access_requests
		   set due_at = app_now() + backoff(signals, $2 * interval '1 second', $4 * interval '1 second'), signals = signals + 1
		 where id in (select id from access_requests where due_at <= app_now() - $1 * interval '1 second'
		               order by due_at limit $3 for update skip locked)
		returning id`, grace.Seconds(), postpone.Seconds(), limit, most.Seconds())
	if err != nil {
		return nil, fmt.Errorf("list due requests: %w", err)
	}
	return ids, nil
}

// DueMessages returns requests whose messages are due to be synced, the longest due first.
func DueMessages(ctx context.Context, q Queryer, grace time.Duration, limit int) ([]int64, error) {
	var ids []int64
	err := q.SelectContext(ctx, &ids, `
		select id from access_requests where messages_due_at <= app_now() - $1 * interval '1 second'
		 order by messages_due_at limit $2`, grace.Seconds(), limit)
	if err != nil {
		return nil, fmt.Errorf("list due messages: %w", err)
	}
	return ids, nil
}

// PostponeMessages makes messages that could not be sent due later. What became due within grace stays due.
func PostponeMessages(ctx context.Context, q Queryer, requestID int64, grace, in time.Duration) error {
	_, err := q.ExecContext(ctx, `
		update access_requests set messages_due_at = app_now() + $2 * interval '1 second'
		 where id = $1 and messages_due_at <= app_now() - $3 * interval '1 second'`, requestID, in.Seconds(), grace.Seconds())
	return err
}

// DeleteStale deletes form drafts and event IDs that are a day old.
func DeleteStale(ctx context.Context, q Queryer) error {
	for _, statement := range []string{
		`delete from form_drafts where created_at < app_now() - interval '1 day'`,
		`delete from slack_events where received_at < app_now() - interval '1 day'`,
	} {
		if _, err := q.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("delete stale rows: %w", err)
		}
	}
	return nil
}

// SweepFinished records that a sweep finished.
func SweepFinished(ctx context.Context, q Queryer) error {
	_, err := q.ExecContext(ctx, `update sweeps set finished_at = app_now()`)
	return err
}

// TimeSinceSweep returns how long ago the last sweep finished. False: never.
func TimeSinceSweep(ctx context.Context, q Queryer) (since time.Duration, ok bool, err error) {
	var seconds *float64
	err = q.GetContext(ctx, &seconds, `select extract(epoch from app_now() - finished_at)::float8 from sweeps`)
	if err != nil || seconds == nil {
		return 0, false, err
	}
	return time.Duration(*seconds * float64(time.Second)), true, nil
}
