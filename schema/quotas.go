package schema

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// Quota limits the requests of one submitter. Zero: no limit.
type Quota struct {
	Open      int // requests with items that are not decided or not set up yet
	PerMinute int // new requests
}

// OverQuota says that a person has reached a limit: the one that is set.
type OverQuota Quota

func (e *OverQuota) Error() string {
	if e.PerMinute > 0 {
		return fmt.Sprintf("%d requests within a minute", e.PerMinute)
	}
	return fmt.Sprintf("%d open requests", e.Open)
}

// check returns *OverQuota if the person may not make another request now. The caller holds the lock of the person's submissions,
// so that the limit holds across replicas.
func (q Quota) check(ctx context.Context, tx *sqlx.Tx, personID int64) error {
	var has Quota
	err := tx.QueryRowxContext(ctx, `
		select (select count(*)
		          from (select created_at from access_requests
		                 where coalesce(submitted_by, requester_id) = $1 order by id desc limit $2) newest
		         where created_at > app_now() - interval '1 minute'),
		       (select count(*)
		          from (select from access_requests r
		                 where $3 > 0 and coalesce(r.submitted_by, r.requester_id) = $1 and r.completed_at is null
		                   and exists (select from request_items i
		                                where i.request_id = r.id
		                                  and i.state in ('submitted', 'awaiting_approval', 'approved', 'provisioning'))
		                 limit $3) open)`, personID, q.PerMinute, q.Open).Scan(&has.PerMinute, &has.Open)
	switch {
	case err != nil:
		return fmt.Errorf("count the requests of person %d: %w", personID, err)
	case q.PerMinute > 0 && has.PerMinute >= q.PerMinute:
		return &OverQuota{PerMinute: q.PerMinute}
	case q.Open > 0 && has.Open >= q.Open:
		return &OverQuota{Open: q.Open}
	}
	return nil
}
