package postgresql

import (
	"context"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"accessbot/activities/connector"
)

// role is what pg_roles tells about a role.
type role struct {
	Part        string `db:"part"` // account, object, or reach: a role that the object is in, at any depth
	Name        string `db:"rolname"`
	Super       bool   `db:"rolsuper"`
	CreateRole  bool   `db:"rolcreaterole"`
	CreateDB    bool   `db:"rolcreatedb"`
	Replication bool   `db:"rolreplication"`
	BypassRLS   bool   `db:"rolbypassrls"`
	CanLogin    bool   `db:"rolcanlogin"`
	Own         bool   `db:"own"` // what the connector itself is connected as
}

// Names are compared as text: a parameter of type name would be shortened.
const rolesQuery = `
WITH RECURSIVE reach AS (
	SELECT oid, 'object' AS part FROM pg_roles WHERE rolname = $2::text
	UNION
	SELECT m.roleid, 'reach' FROM pg_auth_members m JOIN reach ON m.member = reach.oid
), named AS (
	SELECT oid, 'account' AS part FROM pg_roles WHERE rolname = $1::text
	UNION ALL
	SELECT oid, part FROM reach
)
SELECT part, rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin,
       rolname IN (current_user, session_user) AS own
FROM named JOIN pg_roles USING (oid)`

// roles are the two roles of an assignment (nil: does not exist) and what the
// object is itself a member of.
type roles struct {
	account, object *role
	reach           []role
}

func readRoles(ctx context.Context, q sqlx.QueryerContext, a connector.Assignment) (roles, error) {
	var rows []role
	if err := sqlx.SelectContext(ctx, q, &rows, rolesQuery, a.Account, a.Object); err != nil {
		return roles{}, err
	}
	var r roles
	for _, row := range rows {
		switch row.Part {
		case "account":
			r.account = &row
		case "object":
			r.object = &row
		default:
			r.reach = append(r.reach, row)
		}
	}
	return r, nil
}

// present answers Gone for what does not exist, the object first.
func (r roles) present(a connector.Assignment) error {
	if r.object == nil {
		return &connector.Gone{Part: connector.Object, Name: a.Object}
	}
	if r.account == nil {
		return &connector.Gone{Part: connector.Account, Name: a.Account}
	}
	return nil
}

// mayGrant refuses what would grant more than an ordinary role's privileges, or
// grant them to something other than a person's account.
func (r roles) mayGrant(a connector.Assignment) error {
	if r.object != nil {
		if reason := r.objectRefused(); reason != "" {
			return &connector.Refused{Part: connector.Object, Name: a.Object, Reason: reason}
		}
	}
	if err := r.present(a); err != nil {
		return err
	}
	if a.Object == a.Account || slices.ContainsFunc(r.reach, func(r role) bool { return r.Name == a.Account }) {
		return &connector.Refused{Part: connector.Object, Name: a.Object, Reason: fmt.Sprintf(
			"is the account %q, or a member of it: PostgreSQL has no circular membership", a.Account)}
	}
	if reason := r.accountRefused(); reason != "" {
		return &connector.Refused{Part: connector.Account, Name: a.Account, Reason: reason}
	}
	return nil
}

// mayRevoke refuses less than mayGrant: an object that was made powerful since it
// was granted, or an account that was, or that was disabled (NOLOGIN), must lose
// its access all the more.
func (r roles) mayRevoke(a connector.Assignment) error {
	if err := r.present(a); err != nil {
		return err
	}
	if reason := r.object.untouchable(); reason != "" {
		return &connector.Refused{Part: connector.Object, Name: a.Object, Reason: reason}
	}
	if reason := r.account.untouchable(); reason != "" {
		return &connector.Refused{Part: connector.Account, Name: a.Account, Reason: reason}
	}
	return nil
}

// objectRefused: whoever is in a role may SET ROLE to it, and to every role
// that it is in, and then has their attributes too. None of these is for a form
// to hand out.
func (r roles) objectRefused() string {
	if reason := r.object.powerful(); reason != "" {
		return reason
	}
	for _, through := range r.reach {
		reason := through.powerful()
		if reason == "" {
			reason = reserved(through.Name)
		}
		if reason != "" {
			return fmt.Sprintf("is a member of %q, which %s", through.Name, reason)
		}
	}
	return ""
}

// accountRefused: an account that may change roles or pass by all checks is an
// operator's or a program's, not a person's, and what we revoke from it, it
// could keep or grant itself again. CREATEDB does neither: developers have it.
func (r roles) accountRefused() string {
	switch account := r.account; {
	case account.untouchable() != "":
		return account.untouchable()
	case account.control() != "":
		return account.control()
	case !account.CanLogin:
		return "is not a login role (NOLOGIN)"
	default:
		return ""
	}
}

// untouchable: what is not ours to change in either direction.
func (r role) untouchable() string {
	switch {
	case r.Own:
		return "is the connector's own role"
	case r.Super:
		return "is a superuser"
	default:
		return ""
	}
}

// control: attributes that reach beyond what was granted.
func (r role) control() string {
	switch {
	case r.CreateRole:
		return "may change other roles (CREATEROLE)"
	case r.Replication:
		return "may copy the whole cluster (REPLICATION)"
	case r.BypassRLS:
		return "passes by row security (BYPASSRLS)"
	default:
		return ""
	}
}

func (r role) powerful() string {
	switch {
	case r.untouchable() != "":
		return r.untouchable()
	case r.control() != "":
		return r.control()
	case r.CreateDB:
		return "may create databases (CREATEDB)"
	default:
		return ""
	}
}
