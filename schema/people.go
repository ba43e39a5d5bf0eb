package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"accessbot/schema/email"
	"accessbot/schema/policy"
)

// Person is an employee in the directory.
type Person struct {
	ID            int64          `db:"id"`
	Email         string         `db:"email"`
	Name          string         `db:"name"`
	JobTitle      string         `db:"job_title"` // empty: none
	JobTitleID    sql.NullInt64  `db:"job_title_id"`
	Department    string         `db:"department"`
	ManagerID     sql.NullInt64  `db:"manager_id"`
	ManagerName   string         `db:"manager_name"` // empty: none
	Status        string         `db:"status"`       // active, suspended or left
	Active        bool           `db:"active"`       // they may request and decide
	TimeZone      string         `db:"time_zone"`    // IANA name; empty: not known
	SlackUserID   sql.NullString `db:"slack_user_id"`
	Administrator bool           `db:"administrator"`
}

const selectPerson = `
select p.id, p.email, p.name, coalesce(t.name, '') as job_title, p.job_title_id, p.department, p.manager_id,
       coalesce(m.name, '') as manager_name, p.status, is_active(p) as active, p.time_zone,
       p.slack_user_id, p.administrator
  from people p
  left join job_titles t on t.id = p.job_title_id
  left join people m on m.id = p.manager_id`

// PersonByID returns ErrNotFound if there is none.
func PersonByID(ctx context.Context, q Queryer, id int64) (Person, error) {
	var p Person
	err := q.GetContext(ctx, &p, selectPerson+` where p.id = $1`, id)
	return p, mapError(err)
}

// PersonByEmail ignores the case of ASCII letters. It returns ErrNotFound if there is none.
func PersonByEmail(ctx context.Context, q Queryer, address string) (Person, error) {
	var p Person
	err := q.GetContext(ctx, &p, selectPerson+` where p.email = $1`, email.Lower(address))
	return p, mapError(err)
}

// ErrAddressInUse says that another person in the directory has the e-mail address.
var ErrAddressInUse = errors.New("another person in the directory has this e-mail address")

// RenamePerson changes a person's e-mail address, by which the next import finds them. They keep their access, requests, accounts
// and Slack user. It returns ErrNotFound or ErrAddressInUse.
func (db *DB) RenamePerson(ctx context.Context, from, to string) error {
	if n, r := email.Invisible(to); n > 0 {
		return fmt.Errorf("rename %s: the new address contains %U, which is invisible, as character %d", from, r, n)
	}
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		var id int64
		err := tx.GetContext(ctx, &id, `update people set email = $2 where email = $1 returning id`, email.Lower(from), email.Lower(to))
		var refused *pq.Error
		switch {
		case errors.As(err, &refused) && refused.Code == pqerror.UniqueViolation:
			return fmt.Errorf("%s: %w", to, ErrAddressInUse)
		case err != nil:
			return fmt.Errorf("rename %s: %w", from, mapError(err))
		}
		if err := WriteSearchKeys(ctx, tx, id); err != nil {
			return err
		}
		return Audit(ctx, tx, Event{Actor: "import", PersonID: id, Action: EmailChanged, Alert: true,
			Details: map[string]any{"from": from, "to": to}})
	})
}

// Office is the roles of a person, other than employee.
type Office struct {
	LooksAfter bool `db:"may_administer"` // owns something, or is an administrator
	Manages    bool `db:"manages"`        // has reports
	IsDelegate bool `db:"is_delegate"`    // has a current or future delegation
	Named      bool `db:"-"`              // in the current policy
}

// OfficeOf returns a person's roles.
func OfficeOf(ctx context.Context, q Queryer, person Person) (o Office, err error) {
	err = q.GetContext(ctx, &o, `
		select exists (select from people where id = $1 and administrator)
		    or exists (select from entitlement_owners where person_id = $1)
		    or exists (select from application_owners where person_id = $1) as may_administer,
		       exists (select from people where manager_id = $1) as manages,
		       exists (select from delegations d cross join lateral delegation_of(d.person_id) holds
		                where d.delegate_id = $1 and holds.delegate_id = $1) as is_delegate`, person.ID)
	if err != nil {
		return o, fmt.Errorf("read the roles of person %d: %w", person.ID, err)
	}
	_, current, err := CurrentPolicy(ctx, q)
	if err != nil {
		return o, fmt.Errorf("check whether the policy names person %d: %w", person.ID, err)
	}
	o.Named = slices.Contains(current.Named(), policy.Source(person.Email))
	return o, nil
}
