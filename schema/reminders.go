package schema

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Reminded counts the reminders of a candidate since they were asked. Every reminder counts, because it lists everything that
// waits for its reader.
type Reminded struct {
	ApprovalID int64        `db:"approval_id"`
	PersonID   int64        `db:"person_id"`
	Name       string       `db:"name"`
	TimeZone   string       `db:"time_zone"` // empty: not known
	AskedAt    time.Time    `db:"asked_at"`
	Times      int          `db:"times"`   // how often since they were asked
	Since      sql.NullTime `db:"since"`   // the last of these
	LastAt     sql.NullTime `db:"last_at"` // the last reminder at all, for at least a day; null: none
}

// RemindersOf returns it for the asked candidates of a request's open approvals. People who are away are not reminded.
func RemindersOf(ctx context.Context, q Queryer, requestID int64) ([]Reminded, error) {
	var reminded []Reminded
	err := q.SelectContext(ctx, &reminded, `
		select c.approval_id, c.person_id, p.name, coalesce(nullif(p.time_zone, ''), s.time_zone, '') as time_zone, c.asked_at,
		       n.times, n.since, n.last_at
		  from approvals a
		  join approval_candidates c on c.approval_id = a.id and c.asked_at is not null
		  join people p on p.id = c.person_id
		  left join slack_addresses s on s.person_id = c.person_id
		  cross join lateral (
		       select count(*) filter (where n.opened_at >= c.asked_at) as times,
		              max(n.opened_at) filter (where n.opened_at >= c.asked_at) as since, max(n.opened_at) as last_at
		         from notifications n
		        where n.kind = 'reminder' and n.person_id = c.person_id
		          and n.opened_at >= least(c.asked_at, app_now() - interval '1 day')) n
		 where a.request_id = $1 and a.state = 'open' and `+isThere+`
		 order by c.approval_id, c.position`, requestID)
	if err != nil {
		return nil, fmt.Errorf("count the reminders of request %d: %w", requestID, err)
	}
	return reminded, nil
}

// isThere: person p is active, and not away with an active delegate.
const isThere = `is_active(p)
		   and not exists (select from delegation_of(p.id) d join people by on by.id = d.delegate_id
		                    where d.starts_at <= app_now() and is_active(by))`

// Remind opens a reminder for each of the people who had none within the time apart, and returns who they are. A reminder lists
// everything that waits for its reader.
func Remind(
	ctx context.Context, tx *sqlx.Tx, requestID int64, people []int64, apart time.Duration,
) (reminded []int64, err error) {
	// Locked by person, in one order: requests that are due together must neither remind twice nor deadlock.
	_, err = tx.ExecContext(ctx, `
		select pg_advisory_xact_lock(hashtextextended('remind:' || id, 0))
		  from (select unnest($1::bigint[]) as id order by 1) people`, pq.Array(people))
	if err != nil {
		return nil, fmt.Errorf("remind of request %d: %w", requestID, err)
	}
	err = tx.SelectContext(ctx, &reminded, `
		insert into notifications (kind, person_id, request_id)
		select 'reminder', id, $1 from unnest($2::bigint[]) people (id)
		 where not exists (select from notifications n
		                    where n.kind = 'reminder' and n.person_id = people.id
		                      and n.opened_at > app_now() - $3 * interval '1 second')
		returning person_id`, requestID, pq.Array(people), apart.Seconds())
	if err != nil {
		return nil, fmt.Errorf("remind of request %d: %w", requestID, err)
	}
	if len(reminded) == 0 {
		return nil, nil
	}
	return reminded, Audit(ctx, tx, Event{Actor: "worker", Action: ReminderSent, RequestID: requestID,
		Details: map[string]any{"people": reminded}})
}

// WaitingToRemind returns the approvals that wait for a person who was asked, the oldest first; none if they are away.
func WaitingToRemind(ctx context.Context, q Queryer, personID int64, limit int) (lines []WaitingLine, total int, err error) {
	var there bool
	err = q.GetContext(ctx, &there, `select exists (select from people p where p.id = $1 and `+isThere+`)`, personID)
	if err != nil {
		return nil, 0, fmt.Errorf("check whether person %d is away: %w", personID, err)
	}
	if !there {
		return nil, 0, nil
	}
	return waitingFor(ctx, q, personID, true, limit, 0)
}
