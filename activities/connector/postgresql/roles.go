package postgresql

import (
	"context"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"accessbot/activities/connector"
)

// role is a role in pg_roles.
type role struct {
	Part        string `db:"part"` // account, object, or reach: a role that the object is a member of, at any depth
	Name        string `db:"rolname"`
	Super       bool   `db:"rolsuper"`
	CreateRole  bool   `db:"rolcreaterole"`
	CreateDB    bool   `db:"rolcreatedb"`
	Replication bool   `db:"rolreplication"`
	BypassRLS   bool   `db:"rolbypassrls"`
	CanLogin    bool   `db:"rolcanlogin"`
	Own         bool   `db:"own"` // the connector's own role
}

// Names are compared as text: a parameter of type name would be truncated.
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

// roles are the two roles of an assignment (nil: does not exist) and the roles that the object is a member of.
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

// requireBoth returns *connector.Gone if the object or the account does not exist. It checks the object first.
func (r roles) requireBoth(a connector.Assignment) error {
	if r.object == nil {
		return &connector.Gone{Part: connector.Object, Name: a.Object}
	}
	if r.account == nil {
		return &connector.Gone{Part: connector.Account, Name: a.Account}
	}
	return nil
}

// mayGrant refuses to grant more than the privileges of an ordinary role, or to grant them to a role that is not a person's
// account.
func (r roles) mayGrant(a connector.Assignment) error {
	if r.object != nil {
		if reason := r.objectRefused(); reason != "" {
			return &connector.Refused{Part: connector.Object, Name: a.Object, Reason: reason}
		}
	}
	if err := r.requireBoth(a); err != nil {
		return err
	}
	if a.Object == a.Account || slices.ContainsFunc(r.reach, func(r role) bool { return r.Name == a.Account }) {
		return &connector.Refused{Part: connector.Object, Name: a.Object, Reason: fmt.Sprintf(
			"is the account %q, or a member of it: PostgreSQL allows no circular membership", a.Account)}
	}
	if reason := r.accountRefused(); reason != "" {
		return &connector.Refused{Part: connector.Account, Name: a.Account, Reason: reason}
	}
	return nil
}

// mayRevoke refuses less than mayGrant: an object or account that became powerful since the grant, or an account that was
// disabled (NOLOGIN), must still lose its access.
func (r roles) mayRevoke(a connector.Assignment) error {
	if err := r.requireBoth(a); err != nil {
		return err
	}
	if reason := r.object.protected(); reason != "" {
		return &connector.Refused{Part: connector.Object, Name: a.Object, Reason: reason}
	}
	if reason := r.account.protected(); reason != "" {
		return &connector.Refused{Part: connector.Account, Name: a.Account, Reason: reason}
	}
	return nil
}

// objectRefused returns why an object is never granted. A member of a role can SET ROLE to it and to all roles that it is a
// member of, and then has their attributes, which must not be granted through a form.
func (r roles) objectRefused() string {
	if reason := r.object.powerfulObject(); reason != "" {
		return reason
	}
	for _, through := range r.reach {
		reason := through.powerfulObject()
		if reason == "" {
			reason = reserved(through.Name)
		}
		if reason != "" {
			return fmt.Sprintf("is a member of %q, which %s", through.Name, reason)
		}
	}
	return ""
}

// accountRefused returns why an account is never granted anything. An account that can change roles or bypass checks belongs to
// an operator or a program, and could grant itself again what we revoke. CREATEDB allows neither, and developers have it.
func (r roles) accountRefused() string {
	switch account := r.account; {
	case account.protected() != "":
		return account.protected()
	case account.powerfulAccount() != "":
		return account.powerfulAccount()
	case !account.CanLogin:
		return "is not a login role (NOLOGIN)"
	default:
		return ""
	}
}

// protected returns why a role is never changed, neither granted nor revoked.
func (r role) protected() string {
	switch {
	case r.Own:
		return "is the connector's own role"
	case r.Super:
		return "is a superuser"
	default:
		return ""
	}
}

// powerfulAccount returns the attribute that gives an account more power than its memberships.
func (r role) powerfulAccount() string {
	switch {
	case r.CreateRole:
		return "can change other roles (CREATEROLE)"
	case r.Replication:
		return "can copy the whole cluster (REPLICATION)"
	case r.BypassRLS:
		return "bypasses row security (BYPASSRLS)"
	default:
		return ""
	}
}

// powerfulObject returns why a role would give its members more power than an ordinary role.
func (r role) powerfulObject() string {
	switch {
	case r.protected() != "":
		return r.protected()
	case r.powerfulAccount() != "":
		return r.powerfulAccount()
	case r.CreateDB:
		return "can create databases (CREATEDB)"
	default:
		return ""
	}
}
