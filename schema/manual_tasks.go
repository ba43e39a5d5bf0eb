package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// ManualTask is what is known about an assignment that owners grant and revoke by hand.
type ManualTask struct {
	Held    bool           `db:"held"`      // by the last answer; without one, by the directory
	Open    sql.NullBool   `db:"open_held"` // what the open task asks for; null: no open task
	Cannot  string         `db:"cannot"`    // why an owner declined what is needed now
	Asked   pq.StringArray `db:"asked"`     // names of the owners who are asked
	Account int64          `db:"account_id"`
	Object  int64          `db:"entitlement_id"`
}

// askAgain is how long a declined revocation is not asked for again.
const askAgain = 24 * time.Hour

// ManualTaskOf reads it by the target's names. A declined grant counts for the claims that existed at that time.
func ManualTaskOf(ctx context.Context, q Queryer, instance, account, object string) (ManualTask, error) {
	var t ManualTask
	err := q.GetContext(ctx, &t, `
		select a.id as account_id, e.id as entitlement_id,
		       coalesce((select t.held from manual_tasks t join manual_task_answers x on x.manual_task_id = t.id
		                  where t.account_id = a.id and t.entitlement_id = e.id and x.done order by x.id desc limit 1),
		                exists (select from claims c where c.account_id = a.id and c.entitlement_id = e.id and c.source <> 'request'
		                           and c.granted_at is not null and c.removed_at is null)) as held,
		       (select t.held from manual_tasks t
		         where t.account_id = a.id and t.entitlement_id = e.id and t.closed_at is null) as open_held,
		       coalesce((select x.reason from manual_tasks t join manual_task_answers x on x.manual_task_id = t.id
		                  where t.account_id = a.id and t.entitlement_id = e.id and not x.done
		                    and t.id = (select max(l.id) from manual_tasks l where l.account_id = a.id and l.entitlement_id = e.id)
		                    and case when t.held
		                             then x.answered_at >= (
		                                  select max(c.created_at) from claims c
		                                   where c.account_id = a.id and c.entitlement_id = e.id and c.ended_at is null)
		                             else x.answered_at > app_now() - $4 * interval '1 second' end), '') as cannot,
		       array(select p.name from people p where p.id = any(task_owners(e.id, a.person_id)) order by p.name) as asked
		  from accounts a
		  join entitlements e on e.instance = a.instance and e.target = $3
		 where a.instance = $1 and a.account = $2`, instance, account, object, askAgain.Seconds())
	if err != nil {
		return t, fmt.Errorf("read the manual task of %s on %s in %s: %w", account, object, instance, mapError(err))
	}
	return t, nil
}

// OpenTask opens a manual task, and closes the one that is open.
func (db *DB) OpenTask(ctx context.Context, assignment ManualTask, held bool) error {
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := closeTask(ctx, tx, assignment); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			with task as (
			    insert into manual_tasks (account_id, entitlement_id, held) values ($1, $2, $3)
			    on conflict do nothing returning id)
			insert into notifications (kind, application_id, manual_task_id, request_id)
			select 'manual_task', e.application_id, task.id,
			       (select i.request_id from claims c join request_items i on i.id = c.item_id
			         where c.account_id = $1 and c.entitlement_id = $2 order by c.id desc limit 1)
			  from task join entitlements e on e.id = $2`, assignment.Account, assignment.Object, held)
		if err != nil {
			return fmt.Errorf("open a manual task: %w", mapError(err))
		}
		return Audit(ctx, tx, Event{Actor: "worker", Action: ManualTaskOpened,
			Details: map[string]any{"account": assignment.Account, "entitlement": assignment.Object, "to_grant": held}})
	})
}

// DropTask closes the open task: it is no longer needed.
func (db *DB) DropTask(ctx context.Context, assignment ManualTask) error {
	return db.InTx(ctx, func(tx *sqlx.Tx) error { return closeTask(ctx, tx, assignment) })
}

func closeTask(ctx context.Context, tx *sqlx.Tx, assignment ManualTask) error {
	_, err := tx.ExecContext(ctx, `
		with dropped as (
		    update manual_tasks set closed_at = app_now(), outcome = 'dropped'
		     where account_id = $1 and entitlement_id = $2 and closed_at is null returning id),
		audited as (
		    insert into audit_events (actor, action, details)
		    select 'worker', '`+string(ManualTaskDropped)+`', 
		           jsonb_build_object('task', id, 'account', $1::bigint, 'entitlement', $2::bigint) from dropped)
		update notifications set messages_due_at = app_now() where manual_task_id in (select id from dropped)`,
		assignment.Account, assignment.Object)
	if err != nil {
		return fmt.Errorf("drop a manual task: %w", err)
	}
	return nil
}

// TaskAnswer is an owner's answer to a manual task.
type TaskAnswer struct {
	TaskID   int64
	PersonID int64
	Done     bool
	Reason   string // required unless it is done
}

// AnswerTask records an answer, and returns the task's request (0: none). It returns ErrDecided if another owner was first,
// ErrNotOpen if the task is no longer needed, ErrNotAllowed or ErrNotActive.
func (db *DB) AnswerTask(ctx context.Context, a TaskAnswer) (requestID int64, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `
			insert into manual_task_answers (manual_task_id, person_id, done, reason) values ($1, $2, $3, $4)`,
			a.TaskID, a.PersonID, a.Done, a.Reason)
		if err != nil {
			return fmt.Errorf("answer task %d: %w", a.TaskID, mapError(err))
		}
		err = tx.GetContext(ctx, &requestID, `select coalesce(request_id, 0) from notifications where manual_task_id = $1`, a.TaskID)
		if err != nil {
			return fmt.Errorf("find the notification of task %d: %w", a.TaskID, err)
		}
		action := ManualTaskDone
		if !a.Done {
			action = ManualTaskDeclined
		}
		return Audit(ctx, tx, Event{Actor: "person", PersonID: a.PersonID, Action: action, Alert: !a.Done,
			RequestID: requestID, Details: map[string]any{"task": a.TaskID, "reason": a.Reason}})
	})
	if err == nil || !isRefused(err) {
		return requestID, err
	}
	auditErr := Audit(ctx, db, Event{Actor: "slackapp", PersonID: a.PersonID, Action: ManualTaskRefused, Alert: true,
		Details: map[string]any{"task": a.TaskID, "why": err.Error()}})
	return requestID, errors.Join(err, auditErr)
}

// Task is a manual task as it is shown to owners.
type Task struct {
	ID              int64          `db:"id"`
	Held            bool           `db:"held"` // grant it; false: revoke it
	OpenedAt        time.Time      `db:"opened_at"`
	ClosedAt        sql.NullTime   `db:"closed_at"`
	Outcome         string         `db:"outcome"` // done, cannot or dropped; empty: open
	Reason          string         `db:"reason"`
	AnsweredBy      sql.NullInt64  `db:"answered_by"`
	AnsweredName    string         `db:"answered_name"`
	AnsweredAt      sql.NullTime   `db:"answered_at"`
	PersonID        int64          `db:"person_id"` // the holder
	PersonName      string         `db:"person_name"`
	PersonEmail     string         `db:"person_email"`
	Account         string         `db:"account"`
	ApplicationName string         `db:"application_name"`
	EntitlementName string         `db:"entitlement_name"`
	Kind            string         `db:"kind"`
	Object          string         `db:"object"`
	RequestID       sql.NullInt64  `db:"request_id"`
	EndsAt          sql.NullTime   `db:"ends_at"` // of the latest claim
	ApprovedBy      sql.NullString `db:"approved_by"`
}

const selectTask = `
		select t.id, t.held, t.opened_at, t.closed_at, coalesce(t.outcome, '') as outcome, coalesce(x.reason, '') as reason,
		       x.person_id as answered_by, coalesce(w.name, '') as answered_name, x.answered_at,
		       h.id as person_id, h.name as person_name, h.email as person_email, a.account, p.name as application_name,
		       e.name as entitlement_name, e.kind, e.target as object, n.request_id, l.ends_at, l.approved_by
		  from manual_tasks t
		  join accounts a on a.id = t.account_id
		  join people h on h.id = a.person_id
		  join entitlements e on e.id = t.entitlement_id
		  join applications p on p.id = e.application_id
		  join notifications n on n.manual_task_id = t.id
		  left join manual_task_answers x on x.manual_task_id = t.id
		  left join people w on w.id = x.person_id
		  left join lateral (
		       select c.ends_at,
		              (select string_agg(distinct d.name, ', ')
		                 from decisions y join people d on d.id = y.decided_by where y.item_id = c.item_id) as approved_by
		         from claims c
		        where c.account_id = t.account_id and c.entitlement_id = t.entitlement_id order by c.id desc limit 1) l on true`

// TaskByID returns ErrNotFound if there is none.
func TaskByID(ctx context.Context, q Queryer, id int64) (Task, error) {
	var t Task
	err := q.GetContext(ctx, &t, selectTask+` where t.id = $1`, id)
	if err != nil {
		return t, fmt.Errorf("task %d: %w", id, mapError(err))
	}
	return t, nil
}

// TasksFor returns the open manual tasks that a person may answer: first those they got a message about, each oldest first.
func TasksFor(ctx context.Context, q Queryer, personID int64, limit, offset int) (tasks []Task, total int, err error) {
	ids, total, err := pageOf(ctx, q, `
		select t.id, count(*) over () as total
		  from manual_tasks t
		  join entitlements e on e.id = t.entitlement_id
		 where t.closed_at is null and `+looksAfter+`
		   and ($2 <> (select k.person_id from accounts k where k.id = t.account_id) or $2 = any (task_owners(t.entitlement_id, $2)))
		 order by (select m.id from notifications n join slack_messages m on m.notification_id = n.id
		            where n.manual_task_id = t.id and m.person_id = $2) is null, t.id`, personID, limit, offset)
	if err == nil && len(ids) > 0 {
		err = q.SelectContext(ctx, &tasks, selectTask+` where t.id = any($1) order by array_position($1, t.id)`, ids)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("list the manual tasks of person %d: %w", personID, err)
	}
	return tasks, total, nil
}
