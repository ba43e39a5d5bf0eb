package schema

import (
	"context"
	"database/sql"
	"fmt"
)

// JobChange is what someone has from an earlier job title, as a notification lists it to its reader.
type JobChange struct {
	PersonID   int64
	PersonName string
	OldTitle   string
	NewTitle   string          // the present one; empty: none
	Theirs     bool            // the reader is their manager, or an administrator
	Open       int             // how many the reader can revoke still
	Total      int             // that are listed
	Lines      []JobChangeLine // the first of them, what is open first, then by application and name
}

// JobChangeLine is one reason why someone has access that an earlier job title granted.
type JobChangeLine struct {
	AccessLine                    // leaving: or gone
	Open           bool           `db:"open"`    // the reader can revoke it
	Needed         bool           `db:"needed"`  // the present job title grants it after all
	Release        sql.NullString `db:"release"` // kind of its release; null: none
	ReleasedBy     sql.NullInt64  `db:"released_by"`
	ReleasedByName sql.NullString `db:"released_by_name"`
}

// JobChangesOf answers what a notification of job changes lists: for each person and earlier job title at most limit lines.
func JobChangesOf(ctx context.Context, q Queryer, notificationID int64, limit int) ([]JobChange, error) {
	var rows []struct {
		JobChangeLine
		PersonID   int64  `db:"person_id"`
		PersonName string `db:"person_name"`
		OldTitle   string `db:"old_title"`
		NewTitle   string `db:"new_title"`
		Theirs     bool   `db:"theirs"`
		OpenInAll  int    `db:"open_in_all"`
		First      bool   `db:"first"` // of its person and earlier title
	}
	err := q.SelectContext(ctx, &rows, `
		with listed as (
		  select p.id as person_id, p.name as person_name, o.name as old_title, coalesce(t.name, '') as new_title,
		         reader.administrator or p.manager_id is not distinct from reader.id as theirs,
		         c.id as claim_id, a.name as application_name, e.name, c.source, i.request_id, c.ends_at, r.ends_on, r.time_zone, c.granted_at,
		         c.ended_at is not null or c.revoked_at is not null or coalesce(c.ends_at <= app_now(), false) as leaving,
		         not j.needed and (reader.administrator or p.manager_id is not distinct from reader.id) and `+live("c")+` as open,
		         j.needed, l.kind as release, l.person_id as released_by, l.name as released_by_name
		    from notifications n
		    join people reader on reader.id = n.person_id
		    join job_change_claims j on j.notification_id = n.id
		    join job_titles o on o.id = j.old_job_title_id
		    join claims c on c.id = j.claim_id
		    join people p on p.id = c.person_id
		    join entitlements e on e.id = c.entitlement_id
		    join applications a on a.id = e.application_id
		    left join job_titles t on t.id = p.job_title_id
		    left join request_items i on i.id = c.item_id
		    left join access_requests r on r.id = i.request_id
		    left join lateral (select x.kind, x.person_id, by.name
		                         from (select kind, person_id from stop_orders where item_id = c.item_id union all
		                               select kind, person_id from stop_orders where claim_id = c.id) x
		                         left join people by on by.id = x.person_id) l on true
		   where n.id = $1),
		numbered as (
		  select *, count(*) over same as total, count(*) filter (where open) over same as open_in_all,
		         row_number() over (same order by not open, lower(application_name), lower(name), claim_id) as n
		    from listed
		  window same as (partition by person_id, old_title))
		select person_id, person_name, old_title, new_title, theirs, claim_id, application_name, name, source, request_id, ends_at, ends_on, time_zone, granted_at, leaving,
		       open, needed, release, released_by, released_by_name, total, open_in_all, n = 1 as first
		  from numbered where n <= $2
		 order by lower(person_name), person_id, old_title, n`, notificationID, limit)
	if err != nil {
		return nil, fmt.Errorf("the job changes of notification %d: %w", notificationID, err)
	}
	var changes []JobChange
	for _, r := range rows {
		if r.First {
			changes = append(changes, JobChange{PersonID: r.PersonID, PersonName: r.PersonName, OldTitle: r.OldTitle, NewTitle: r.NewTitle,
				Theirs: r.Theirs, Open: r.OpenInAll, Total: r.Total})
		}
		c := &changes[len(changes)-1]
		c.Lines = append(c.Lines, r.JobChangeLine)
	}
	return changes, nil
}

// JobChangesUnread lists what a notification does to the administrators: its reader is not in Slack.
func JobChangesUnread(ctx context.Context, q Queryer, notificationID int64) error {
	if _, err := q.ExecContext(ctx, `select job_change_unread($1)`, notificationID); err != nil {
		return fmt.Errorf("list notification %d to the administrators: %w", notificationID, err)
	}
	return nil
}

// listedToManager: the claim c is what an earlier job title granted, the person $2 was told so, and they are the holder's manager still.
const listedToManager = `listed_to($2, c.id)`
