package schema

import (
	"context"
	"fmt"

	"github.com/lib/pq"
)

// What those who look after applications have on their Home tab besides the messages that say it: what is to be done by
// hand, and drift. Each list answers one page, and how many there are in all.

// TasksFor answers the open tasks that a person may answer: first those that were put to them, each the oldest first.
func TasksFor(ctx context.Context, q Queryer, personID int64, limit, offset int) (tasks []Task, total int, err error) {
	ids, total, err := pageOf(ctx, q, `
		select t.id, count(*) over () as total
		  from tasks t
		  join entitlements e on e.id = t.entitlement_id
		 where t.closed_at is null and `+looksAfter+`
		 order by (select m.id from notices n join slack_messages m on m.notice_id = n.id where n.task_id = t.id and m.person_id = $2) is null, t.id`, personID, limit, offset)
	if err == nil && len(ids) > 0 {
		err = q.SelectContext(ctx, &tasks, selectTask+` where t.id = any($1) order by array_position($1, t.id)`, ids)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("what person %d is to do by hand: %w", personID, err)
	}
	return tasks, total, nil
}

// DriftsFor answers the drift that was reported, is still there, and is of what a person looks after, the newest first.
func DriftsFor(ctx context.Context, q Queryer, personID int64, limit, offset int) (drifts []Drift, total int, err error) {
	ids, total, err := pageOf(ctx, q, `
		select d.id, count(*) over () as total
		  from drifts d
		  join entitlements e on e.id = d.entitlement_id
		  join applications p on p.id = e.application_id and p.gone_at is null -- of those that are gone, nobody looks any more
		 where d.gone_at is null and d.notice_id is not null and `+looksAfter+`
		 order by d.id desc`, personID, limit, offset)
	if err == nil && len(ids) > 0 {
		err = q.SelectContext(ctx, &drifts, selectDrift+` where d.id = any($1) order by d.id desc`, ids)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("the drift of what person %d looks after: %w", personID, err)
	}
	return drifts, total, nil
}

// pageOf answers the IDs of a page, and how many there are on all pages, of a query about the person $2.
func pageOf(ctx context.Context, q Queryer, query string, personID int64, limit, offset int) (ids pq.Int64Array, total int, err error) {
	var page []struct {
		ID    int64 `db:"id"`
		Total int   `db:"total"`
	}
	if err := q.SelectContext(ctx, &page, query+` limit $1 offset $3`, limit, personID, offset); err != nil {
		return nil, 0, err
	}
	for _, p := range page {
		ids, total = append(ids, p.ID), p.Total
	}
	return ids, total, nil
}
