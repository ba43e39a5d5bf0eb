package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema/email"
)

// SlackID is a user of our workspace. A user ID is only valid within its enterprise.
type SlackID struct {
	EnterpriseID string `db:"enterprise_id"` // empty: none
	TeamID       string `db:"team_id"`
	UserID       string `db:"user_id"`
}

// SlackUser is what Slack says about a user (users.info).
type SlackUser struct {
	SlackID
	Email          string // empty: none
	EmailConfirmed bool
	Member         bool // a full member of our workspace: no guest, external user or bot, and not deactivated
	TimeZone       string
}

// Why a Slack user has no person.
var (
	ErrNotBound       = errors.New("this Slack user is not bound to a person yet")
	ErrNotMember      = errors.New("not a full member of the workspace")
	ErrNotInDirectory = errors.New("not in the directory")
	ErrNoEmail        = errors.New("Slack shows no e-mail address for this user")
	ErrNotConfirmed   = errors.New("the Slack user's e-mail address is not confirmed")
	ErrOtherAccount   = errors.New("the person is another Slack user")
	ErrBoundBefore    = errors.New("the directory names this Slack user, and the person is bound to another")
	ErrNotASCII       = errors.New("the e-mail address in Slack is not ASCII, so it is not matched")
	ErrNotNamed       = errors.New("the directory does not name this Slack user, and matching by e-mail is off")
)

// PersonOfSlackUser returns the person that a Slack user is bound to, or ErrNotBound. A binding does not count if the directory
// names another user for the person, or another person for the user.
func PersonOfSlackUser(ctx context.Context, q Queryer, id SlackID) (Person, error) {
	var p Person
	err := q.GetContext(ctx, &p, selectPerson+`
		  join slack_identities s on s.person_id = p.id
		 where s.enterprise_id = $1 and s.team_id = $2 and s.user_id = $3
		   and coalesce(p.slack_user_id, s.user_id) = s.user_id
		   and not exists (select from people o where o.slack_user_id = s.user_id and o.id <> p.id)`,
		id.EnterpriseID, id.TeamID, id.UserID)
	if err = mapError(err); errors.Is(err, ErrNotFound) {
		return p, fmt.Errorf("user %s: %w", id.UserID, ErrNotBound)
	}
	return p, err
}

// BindSlackUser binds a Slack user to a person: to the one whom the directory names by this user ID, else, if byEmail, to the one
// with the confirmed e-mail of the Slack profile. It returns ErrNotMember, ErrNoEmail, ErrNotConfirmed, ErrNotInDirectory,
// ErrNotNamed, ErrNotASCII for an address that can look like another, or ErrOtherAccount if that person is bound to another Slack
// user or the directory names another. The last two are audited as alerts. A bound user stays bound when their e-mail changes.
func (db *DB) BindSlackUser(ctx context.Context, u SlackUser, byEmail bool) (Person, error) {
	if !u.Member {
		return Person{}, fmt.Errorf("user %s: %w", u.UserID, ErrNotMember)
	}
	details := map[string]any{"enterprise": u.EnterpriseID, "team": u.TeamID, "user": u.UserID}
	var person Person
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		var basis string
		var err error
		if person, basis, err = personFor(ctx, tx, u, byEmail); err != nil {
			return err
		}
		bound, err := tx.ExecContext(ctx, `
			insert into slack_identities (enterprise_id, team_id, user_id, person_id, basis) values ($1, $2, $3, $4, $5)
			    on conflict do nothing`, u.EnterpriseID, u.TeamID, u.UserID, person.ID, basis)
		if err != nil {
			return fmt.Errorf("bind Slack user %s: %w", u.UserID, err)
		}
		n, err := bound.RowsAffected()
		if err != nil {
			return err
		}
		if n == 0 { // bound at the same moment, or the person is bound to another Slack user
			already, err := PersonOfSlackUser(ctx, tx, u.SlackID)
			if errors.Is(err, ErrNotBound) && basis == "directory" {
				return fmt.Errorf("user %s and person %d: %w: %w", u.UserID, person.ID, ErrBoundBefore, ErrOtherAccount)
			}
			if errors.Is(err, ErrNotBound) {
				return fmt.Errorf("user %s and person %d: %w", u.UserID, person.ID, ErrOtherAccount)
			}
			person = already
			return err
		}
		details["basis"] = basis
		return Audit(ctx, tx, Event{Actor: "slackapp", PersonID: person.ID, Action: BindingCreated, Details: details})
	})
	if errors.Is(err, ErrNotASCII) {
		details["reason"], details["address"] = "address_not_ascii", strconv.QuoteToASCII(u.Email)
		auditErr := Audit(ctx, db, Event{Actor: "slackapp", Action: BindingRefused, Alert: true, Details: details})
		return Person{}, errors.Join(err, auditErr)
	}
	if errors.Is(err, ErrOtherAccount) {
		details["reason"] = "person_is_other_user"
		auditErr := Audit(ctx, db, Event{Actor: "slackapp", PersonID: person.ID, Action: BindingRefused, Alert: true, Details: details})
		return Person{}, errors.Join(err, auditErr)
	}
	return person, err
}

func personFor(ctx context.Context, tx *sqlx.Tx, u SlackUser, byEmail bool) (Person, string, error) {
	var p Person
	err := mapError(tx.GetContext(ctx, &p, selectPerson+` where p.slack_user_id = $1`, u.UserID))
	if err == nil {
		return p, "directory", nil
	}
	if !errors.Is(err, ErrNotFound) {
		return Person{}, "", err
	}
	if !byEmail {
		return Person{}, "", fmt.Errorf("user %s: %w", u.UserID, ErrNotNamed)
	}
	// Before the directory is read: only a user with a confirmed address may learn whether it is in there.
	switch {
	case u.Email == "":
		return Person{}, "", fmt.Errorf("user %s: %w", u.UserID, ErrNoEmail)
	case !u.EmailConfirmed:
		return Person{}, "", fmt.Errorf("user %s: %w", u.UserID, ErrNotConfirmed)
	}
	if !email.IsASCII(u.Email) {
		return Person{}, "", fmt.Errorf("user %s: %w", u.UserID, ErrNotASCII)
	}
	p, err = PersonByEmail(ctx, tx, u.Email)
	switch {
	case errors.Is(err, ErrNotFound):
		return Person{}, "", fmt.Errorf("user %s: %w", u.UserID, ErrNotInDirectory)
	case err != nil:
		return Person{}, "", err
	case p.SlackUserID.Valid: // the directory names another user
		return p, "", fmt.Errorf("user %s and person %d: %w", u.UserID, p.ID, ErrOtherAccount)
	}
	return p, "confirmed e-mail", nil
}

// LookAtSlackEmail compares a bound user's Slack e-mail with the directory. The binding stays. A Slack e-mail of another person,
// or one that differs from the e-mail by which the user was bound, is audited as an alert once a day.
func LookAtSlackEmail(ctx context.Context, q Queryer, p Person, u SlackUser) error {
	if u.Email == "" {
		return nil // hidden, or none: not another person's
	}
	_, err := q.ExecContext(ctx, `
		insert into audit_events (actor, person_id, action, alert, details)
		select 'slackapp', $1, '`+string(BindingContradicted)+`', true,
		       jsonb_build_object('team', $2::text, 'user', $3::text, 
		                          'email_of_person_id', (select o.id from people o where o.email = $4))
		  from slack_identities s
		 where s.enterprise_id = $6 and s.team_id = $2 and s.user_id = $3 and s.person_id = $1
		   and $4 <> $5
		   and (s.basis = 'confirmed e-mail' or exists (select from people o where o.email = $4))
		   and not exists (select from audit_events a
		                    where a.alert and a.person_id = $1 and a.action = '`+string(BindingContradicted)+`'
		                      and a.details ->> 'user' = $3 and a.at > app_now() - interval '1 day')`,
		p.ID, u.TeamID, u.UserID, email.Lower(u.Email), p.Email, u.EnterpriseID)
	if err != nil {
		return fmt.Errorf("compare the Slack e-mail of person %d: %w", p.ID, err)
	}
	return nil
}

// Unbind removes the bindings of the people with these e-mail addresses, or all bindings if there are none, and returns how many.
// A user's next contact binds them again. It returns ErrNotFound, and removes nothing, if one of them is not bound. Each is
// audited as an alert: until then, another Slack user with that e-mail could be bound.
func (db *DB) Unbind(ctx context.Context, emails ...string) (n int, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		var unbound []string
		err := tx.SelectContext(ctx, &unbound, `
			with undone as (
			    delete from slack_identities s using people p
			     where p.id = s.person_id and (p.email = any($1) or coalesce(cardinality($1::text[]), 0) = 0)
			    returning s.*, p.email),
			recorded as (
			    insert into audit_events (actor, person_id, action, alert, details)
			    select 'import', person_id, '`+string(BindingRemoved)+`', true,
			           jsonb_build_object('enterprise', enterprise_id, 'team', team_id, 'user', user_id,
			                              'basis', basis, 'bound_at', bound_at)
			      from undone)
			select email from undone`, pq.Array(emails))
		if err != nil {
			return fmt.Errorf("remove bindings: %w", err)
		}
		for _, address := range emails {
			if !slices.Contains(unbound, address) {
				return fmt.Errorf("%s is bound to no Slack user: %w", address, ErrNotFound)
			}
		}
		n = len(unbound)
		return nil
	})
	return n, err
}

// NewEvent records an event of Slack and reports whether it is new: Slack delivers events more than once.
func NewEvent(ctx context.Context, q Queryer, eventID string) (bool, error) {
	inserted, err := q.ExecContext(ctx, `insert into slack_events (event_id) values ($1) on conflict do nothing`, eventID)
	if err != nil {
		return false, fmt.Errorf("record event %s: %w", eventID, err)
	}
	n, err := inserted.RowsAffected()
	return n == 1, err
}
