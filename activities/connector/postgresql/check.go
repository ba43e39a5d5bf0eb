package postgresql

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"accessbot/activities/connector"
)

// Check reports the server, the login, and the roles that it can grant.
func (c *Connector) Check(ctx context.Context) (string, error) {
	var seen struct {
		Version   string `db:"version"`
		Login     string `db:"login"`
		Creates   bool   `db:"creates"`
		Super     bool   `db:"super"`
		Objects   int    `db:"objects"`
		Grantable int    `db:"grantable"` // by this login
	}
	err := c.call(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		// Before version 16, a role with CREATEROLE can grant every ordinary role.
		return tx.GetContext(ctx, &seen, `
			WITH me AS (SELECT oid, rolcreaterole, rolsuper FROM pg_roles WHERE rolname = current_user)
			SELECT current_setting('server_version') AS version, current_user AS login, me.rolcreaterole AS creates, me.rolsuper AS super,
			       count(o.oid) AS objects,
			       count(o.oid) FILTER (WHERE me.rolsuper
			                  OR current_setting('server_version_num')::int < 160000 AND me.rolcreaterole
			                  OR pg_has_role(me.oid, o.oid, 'MEMBER WITH ADMIN OPTION')) AS grantable
			  FROM me LEFT JOIN pg_roles o
			    ON NOT o.rolcanlogin AND NOT o.rolsuper AND NOT o.rolcreaterole AND o.rolname NOT LIKE 'pg\_%' AND o.rolname NOT LIKE 'accessbot\_%'
			 GROUP BY 1, 2, 3, 4`)
	})
	switch {
	case err != nil:
		return "", err
	case !seen.Creates && !seen.Super:
		return "", &connector.Denied{Fix: fmt.Sprintf("let login %q create accounts: ALTER ROLE ... CREATEROLE", seen.Login)}
	}
	report := fmt.Sprintf(
		"PostgreSQL %s as %s: %d grantable roles, %d of them by this login, which can create accounts",
		seen.Version,
		seen.Login,
		seen.Objects,
		seen.Grantable,
	)
	if seen.Super {
		report += " (a superuser: use a separate login with CREATEROLE instead)"
	}
	return report, nil
}
