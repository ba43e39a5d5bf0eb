package schema

import (
	"context"
	"database/sql"
	"fmt"
)

// Address is where a person can be reached in Slack, as far as is known.
type Address struct {
	PersonID int64          `db:"person_id"`
	Email    string         `db:"email"`
	TimeZone string         `db:"time_zone"` // the directory's, else the Slack profile's; empty: not known
	UserID   sql.NullString `db:"user_id"`   // bound, named by the directory, or looked up earlier
	Checked  bool           `db:"checked"`   // Slack said within the last hour that there is no such user
}

// AddressOf returns what is known. That Slack has no such user is believed for an hour. As for bindings (see
// PersonOfSlackUser), the directory has the last word: a Slack user that it contradicts gets no messages.
func AddressOf(ctx context.Context, q Queryer, personID int64) (Address, error) {
	var a Address
	err := q.GetContext(ctx, &a, `
		select p.id as person_id, p.email, coalesce(nullif(p.time_zone, ''), s.time_zone, '') as time_zone,
		       coalesce(p.slack_user_id, i.user_id, s.user_id) as user_id,
		       coalesce(s.user_id is null and s.looked_up_at > app_now() - interval '1 hour', false) as checked
		  from people p
		  left join slack_identities i on i.person_id = p.id
		       and not exists (select from people o where o.slack_user_id = i.user_id and o.id <> p.id)
		  left join slack_addresses s on s.person_id = p.id
		       and not exists (select from people o where o.slack_user_id = s.user_id and o.id <> p.id)
		 where p.id = $1`, personID)
	if err != nil {
		return a, fmt.Errorf("find the Slack address of person %d: %w", personID, mapError(err))
	}
	return a, nil
}

// SaveAddress stores what Slack answered, with the time zone of the profile. A null user: there is none.
func SaveAddress(ctx context.Context, q Queryer, personID int64, userID sql.NullString, zone string) error {
	_, err := q.ExecContext(ctx, `
		insert into slack_addresses (person_id, user_id, time_zone) values ($1, $2, $3)
		on conflict (person_id) do update
		   set user_id = excluded.user_id, time_zone = excluded.time_zone, looked_up_at = app_now()`, personID, userID, zone)
	if err != nil {
		return fmt.Errorf("save the Slack address of person %d: %w", personID, err)
	}
	return nil
}
