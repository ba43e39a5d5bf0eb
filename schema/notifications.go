package schema

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"
)

// Notice is a notification for the owners of an application or for one person, with one message to each.
type Notice struct {
	ID            int64         `db:"id"`
	Kind          string        `db:"kind"`           // manual_task, finding, reminder or outage
	ApplicationID int64         `db:"application_id"` // 0: for one person
	TaskID        sql.NullInt64 `db:"manual_task_id"`
	Open          bool          `db:"open"` // it still asks for something: new owners get it too
	DueAt         sql.NullTime  `db:"messages_due_at"`
	Readers       pq.Int64Array `db:"readers"` // those who should get it, and those who got it
}

// DueNotifications returns notifications whose messages are due, the longest due first. With a request: only its own.
func DueNotifications(ctx context.Context, q Queryer, requestID int64, limit int) ([]int64, error) {
	var ids []int64
	err := q.SelectContext(ctx, &ids, `
		select id from notifications
		 where messages_due_at <= app_now() and ($1 = 0 or request_id = $1)
		 order by messages_due_at limit $2`, requestID, limit)
	if err != nil {
		return nil, fmt.Errorf("list due notifications: %w", err)
	}
	return ids, nil
}

// NotificationByID returns a notification with its readers.
func NotificationByID(ctx context.Context, q Queryer, id int64) (Notice, error) {
	var n Notice
	err := q.GetContext(ctx, &n, `
		select n.id, n.kind, coalesce(n.application_id, 0) as application_id, n.manual_task_id, n.messages_due_at,
		       coalesce(t.closed_at, n.closed_at) is null as open,
		       array(select unnest(case when n.person_id is not null then array[n.person_id]
		                                when n.kind = 'outage' then notified_owners(n.application_id) || array(
		                                     select p.id from people p
		                                      where p.administrator and is_active(p) order by p.id limit 3)
		                                when t.id is null then notified_owners(n.application_id)
		                                when t.closed_at is null then task_owners(t.entitlement_id, a.person_id) end)
		             union select m.person_id from slack_messages m where m.notification_id = n.id and m.ts <> ''
		             order by 1) as readers
		  from notifications n
		  left join manual_tasks t on t.id = n.manual_task_id
		  left join accounts a on a.id = t.account_id
		 where n.id = $1`, id)
	if err != nil {
		return n, fmt.Errorf("notification %d: %w", id, mapError(err))
	}
	return n, nil
}

// ReserveNotification creates the row of a notification's message before it is sent, or returns the existing one.
func ReserveNotification(ctx context.Context, q Queryer, n Notice, personID int64) (Message, error) {
	var reserved Message
	err := q.GetContext(ctx, &reserved, `
		with m as (
		    insert into slack_messages (notification_id, person_id, kind) values ($1, $2, $3)
		    on conflict (notification_id, person_id) where notification_id is not null do update set about = excluded.about
		    returning *)
		`+strings.Replace(selectMessage, "slack_messages m", "m", 1), n.ID, personID, n.Kind)
	if err != nil {
		return reserved, fmt.Errorf("reserve notification %d for person %d: %w", n.ID, personID, err)
	}
	return reserved, nil
}

// NotificationSynced records that a notification's messages are in sync, unless something changed in the meantime. later says
// when to check for new readers; zero: never.
func NotificationSynced(ctx context.Context, q Queryer, n Notice, later time.Duration) error {
	_, err := q.ExecContext(ctx, `
		update notifications
		   set attempts = 0, messages_due_at = case when $3::float8 > 0 then app_now() + $3::float8 * interval '1 second' end
		 where id = $1 and messages_due_at is not distinct from $2`, n.ID, n.DueAt, later.Seconds())
	if err != nil {
		return fmt.Errorf("sync the messages of notification %d: %w", n.ID, err)
	}
	return nil
}

// PostponeNotification makes a notification's messages due later, after each attempt less often.
func PostponeNotification(ctx context.Context, q Queryer, id int64) error {
	_, err := q.ExecContext(ctx, `
		update notifications set attempts = attempts + 1, messages_due_at = app_now() + backoff(attempts, '30 seconds', '30 minutes')
		 where id = $1 and messages_due_at is not null`, id)
	if err != nil {
		return fmt.Errorf("postpone notification %d: %w", id, err)
	}
	return nil
}
