package postgresql

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
)

func TestConformance(t *testing.T) {
	harnesses(t, func(t *testing.T, h *harness) { connectortest.Run(t, h) })
}

func TestRoleName(t *testing.T) {
	t.Run("special characters are taken literally", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c := h.connect(t)
			for _, format := range []string{
				"*/@admin", "249043822@*.kubernetes.example", "249043822-*", `*"quoted" 'name'`, `*"; DROP ROLE x; --`,
				`*\back`, "*ünïcödé 名前", " * ", "*%s$1:x?", "*\t\n", "PG_*", "Public*", "current_user*",
				"*" + strings.Repeat("x", MaxNameBytes-12),
			} {
				object, account := h.name(t, format), h.name(t, format)
				h.exec(t, "CREATE ROLE %s", object)
				h.letConnectorGrant(t, object)
				a := connector.Assignment{Account: account, Object: object}
				require.NoError(t, connector.Ensure(t.Context(), c, a, true), "%q", a)
				require.True(t, h.Holds(t, a), "%q", a)
				require.NoError(t, connector.Ensure(t.Context(), c, a, false), "%q", a)
				require.False(t, h.Holds(t, a), "%q", a)
			}
		})
	})

	t.Run("letter case distinguishes roles", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c, lower := h.connect(t), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			upper := connector.Assignment{Account: lower.Account, Object: strings.ToUpper(lower.Object)}
			require.NoError(t, connector.Ensure(t.Context(), c, lower, true))
			_, err := c.Read(t.Context(), upper)
			require.Equal(t, &connector.Gone{Part: connector.Object, Name: upper.Object}, err)
		})
	})

	t.Run("long name is refused, not truncated to another role's", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c, account := h.connect(t), h.Account(t)
			longest := h.name(t, "*"+strings.Repeat("x", MaxNameBytes-12))
			h.exec(t, "CREATE ROLE %s", longest)
			short := connector.Assignment{Account: account, Object: longest}
			h.GrantByHandAsAdmin(t, short)
			long := connector.Assignment{Account: account, Object: longest + "y"}
			for name, call := range map[string]func(context.Context, connector.Assignment) error{
				"grant": c.Grant, "revoke": c.Revoke,
				"read": func(ctx context.Context, a connector.Assignment) error { _, err := c.Read(ctx, a); return err },
			} {
				require.Equal(t, connector.ClassRefused, connector.ClassOf(call(t.Context(), long)), name)
			}
			require.True(t, h.Holds(t, short))
		})
	})
}

func TestMembership(t *testing.T) {
	t.Run("grant is without admin option", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c, a := h.connect(t), connector.Assignment{Account: h.MissingAccount(t), Object: h.Object(t)}
			require.NoError(t, connector.Ensure(t.Context(), c, a, true))
			var options string
			h.get(t, &options, `
			SELECT concat_ws(' ', m->>'admin_option', m->>'inherit_option', m->>'set_option')
			FROM (SELECT to_jsonb(m) AS m FROM pg_auth_members m
				WHERE pg_get_userbyid(roleid) = $1 AND pg_get_userbyid(member) = $2) AS memberships`, a.Object, a.Account)
			if h.version >= 160000 {
				require.Equal(t, "false true true", options)
			} else {
				require.Equal(t, "false", options)
			}
		})
	})

	t.Run("membership through another role is not held", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c, account, outer := h.connect(t), h.Account(t), h.Object(t)
			inner := h.memberOf(t, outer)
			h.letConnectorGrant(t, inner)
			require.NoError(t, connector.Ensure(t.Context(), c, connector.Assignment{Account: account, Object: inner}, true))
			state, err := c.Read(t.Context(), connector.Assignment{Account: account, Object: outer})
			require.NoError(t, err)
			require.Equal(t, connector.State{}, state)
		})
	})

	t.Run("memberships of every grantor are revoked", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c, a, third := h.connect(t), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}, h.role(t, "third", "")
			h.exec(t, "GRANT %s TO %s WITH ADMIN OPTION", a.Object, third)
			h.exec(t, "GRANT %s TO %s", third, h.connectorLogin())
			require.NoError(t, connector.Ensure(t.Context(), c, a, true))
			h.GrantByHand(t, a)
			h.exec(t, "GRANT %s TO %s GRANTED BY %s", a.Object, a.Account, third)
			if h.version >= 160000 {
				require.Len(t, h.grantors(t, a), 3)
			}
			require.NoError(t, connector.Ensure(t.Context(), c, a, false))
			require.Empty(t, h.grantors(t, a))
		})
	})

	t.Run("membership whose grantor is gone is revoked", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			if h.version >= 160000 {
				t.Skip("from version 16 on, a role that granted a membership cannot be dropped before it")
			}
			c, a, former := h.connect(t), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}, h.role(t, "former", "")
			h.exec(t, "GRANT %s TO %s WITH ADMIN OPTION", a.Object, former)
			h.exec(t, "GRANT %s TO %s GRANTED BY %s", a.Object, a.Account, former)
			h.exec(t, "DROP ROLE %s", former)
			require.NoError(t, connector.Ensure(t.Context(), c, a, false))
			require.False(t, h.Holds(t, a))
		})
	})

	t.Run("membership that the account granted itself is revoked", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c, a := h.connect(t), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			h.exec(t, "GRANT %s TO %s WITH ADMIN OPTION GRANTED BY %s", a.Object, a.Account, h.other)
			h.exec(t, "GRANT %s TO %s GRANTED BY %s", a.Object, a.Account, a.Account)
			h.exec(t, "GRANT %s TO %s", a.Account, h.connectorLogin()) // required to revoke as the account
			require.NoError(t, connector.Ensure(t.Context(), c, a, false))
			require.False(t, h.Holds(t, a))
		})
	})

	t.Run("membership from a grantor out of reach is denied", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c, a := h.connect(t), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			h.GrantByHandAsAdmin(t, a)
			err := connector.Ensure(t.Context(), c, a, false)
			if h.login == nil || h.version < 160000 {
				require.NoError(t, err)
				require.False(t, h.Holds(t, a))
				return
			}
			require.Equal(t, connector.ClassDenied, connector.ClassOf(err))
			require.ErrorContains(t, err, "REVOKE "+pq.QuoteIdentifier(a.Object)+" FROM "+pq.QuoteIdentifier(a.Account)+
				" GRANTED BY "+pq.QuoteIdentifier(h.grantors(t, a)[0]))
			require.True(t, h.Holds(t, a))
		})
	})

	t.Run("access that the account granted to others is not revoked with it", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			if h.version < 160000 {
				t.Skip("before version 16, memberships do not depend on each other")
			}
			c, a := h.connect(t), connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			other := connector.Assignment{Account: h.Account(t), Object: a.Object}
			h.exec(t, "GRANT %s TO %s WITH ADMIN OPTION GRANTED BY %s", a.Object, a.Account, h.other)
			h.exec(t, "GRANT %s TO %s GRANTED BY %s", a.Object, other.Account, a.Account)
			err := connector.Ensure(t.Context(), c, a, false)
			require.Equal(t, connector.ClassDenied, connector.ClassOf(err), "%v", err)
			require.ErrorContains(t, err, "CASCADE")
			require.True(t, h.Holds(t, other))
		})
	})
}

func TestAccount(t *testing.T) {
	t.Run("created account may only log in", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c, account := h.connect(t), h.MissingAccount(t)
			require.NoError(t, c.CreateAccount(t.Context(), account))
			var attributes string
			h.get(t, &attributes, `
			SELECT concat_ws(' ', rolcanlogin, rolinherit, rolsuper, rolcreaterole, rolcreatedb, rolreplication,
				rolbypassrls, rolpassword IS NULL, rolvaliduntil IS NULL)
			FROM pg_authid WHERE rolname::text = $1`, account)
			require.Equal(t, "t t f f f f f t t", attributes)
			for _, name := range []string{"pg_mine", "accessbot_" + account, "public", "", strings.Repeat("x", 64)} {
				require.Equal(t, connector.ClassRefused, connector.ClassOf(c.CreateAccount(t.Context(), name)), name)
			}
		})
	})

	t.Run("account may have createdb", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			a := connector.Assignment{Account: h.role(t, "developer", "LOGIN CREATEDB"), Object: h.Object(t)}
			require.NoError(t, connector.Ensure(t.Context(), h.connect(t), a, true))
		})
	})
}

func TestProtectedRole(t *testing.T) {
	t.Run("role that became dangerous is still revoked", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c := h.connect(t)
			for _, change := range []struct{ role, to string }{
				{"account", "NOLOGIN"}, {"account", "CREATEROLE"}, {"account", "REPLICATION"},
				{"object", "CREATEDB"}, {"object", "CREATEROLE"}, {"object", "BYPASSRLS"}, {"object", "LOGIN"},
			} {
				a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
				require.NoError(t, connector.Ensure(t.Context(), c, a, true))
				h.exec(t, "ALTER ROLE %s "+change.to, map[string]string{"account": a.Account, "object": a.Object}[change.role])
				require.NoError(t, connector.Ensure(t.Context(), c, a, false), "%v", change)
				require.False(t, h.Holds(t, a), "%v", change)
			}
		})
	})

	t.Run("superusers and reserved roles are not changed", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c, account, object := h.connect(t), h.Account(t), h.Object(t)
			superuser := h.role(t, "boss", "LOGIN SUPERUSER")
			for _, a := range []connector.Assignment{
				{Account: superuser, Object: object},
				{Account: account, Object: superuser},
				{Account: account, Object: "pg_monitor"},
				{Account: account, Object: h.connectorLogin()},
			} {
				h.GrantByHandAsAdmin(t, a)
				require.Equal(t, connector.ClassRefused, connector.ClassOf(connector.Ensure(t.Context(), c, a, false)), "%s", a)
				require.True(t, h.Holds(t, a), "%s", a)
			}
		})
	})

	t.Run("list leaves out protected roles", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			c, account, object := h.connect(t), h.Account(t), h.Object(t)
			superuser, group := h.role(t, "boss", "LOGIN SUPERUSER"), h.role(t, "group", "")
			ours := connector.Assignment{Account: account, Object: object}
			for _, a := range []connector.Assignment{
				ours, {Account: superuser, Object: object}, {Account: account, Object: superuser}, {Account: group, Object: object},
				{Account: account, Object: "pg_monitor"}, {Account: account, Object: h.connectorLogin()},
			} {
				h.GrantByHandAsAdmin(t, a)
			}
			var listed []connector.Assignment
			require.NoError(t, c.List(t.Context(), func(a connector.Assignment) error {
				if a.Account == account || a.Object == object {
					listed = append(listed, a)
				}
				require.NotEqual(t, h.connectorLogin(), a.Account)
				return nil
			}))
			require.Equal(t, []connector.Assignment{ours}, listed)
		})
	})
}

func TestConnection(t *testing.T) {
	t.Run("missing privilege is denied with the statement that helps", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			login := url.UserPassword(h.role(t, "powerless", "LOGIN PASSWORD 'hunter2'"), "hunter2")
			c := h.open(t, h.Addr(), login)
			defer c.Close()
			a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			for text, err := range map[string]error{
				"GRANT " + pq.QuoteIdentifier(a.Object) + " TO " + pq.QuoteIdentifier(login.Username()) + " WITH ADMIN OPTION": c.Grant(t.Context(), a),
				"CREATEROLE": c.CreateAccount(t.Context(), h.MissingAccount(t)),
			} {
				require.Equal(t, connector.ClassDenied, connector.ClassOf(err), "%v", err)
				require.ErrorContains(t, err, text)
				require.NotContains(t, err.Error(), "hunter2")
			}
		})
	})

	t.Run("bad URL is denied without repeating it", func(t *testing.T) {
		for _, target := range []string{
			"", "hunter2", "host=localhost password=hunter2", "mysql://u:hunter2@host/db", "postgres://u:hunter2/x@host/db",
			"postgres://u:%zzhunter2@host/db", "postgres://u:hunter2@host:port/db", "postgres://u:hunter2@host/db?sslmode=perhaps",
		} {
			_, err := Open(target)
			require.Equal(t, connector.ClassDenied, connector.ClassOf(err), "%q", target)
			require.NotContains(t, err.Error(), "hunter2")
		}
	})

	t.Run("bad configuration is denied", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			for _, parameters := range [][]string{{"dbname", "no such database"}, {"sslmode", "require"}} {
				c := h.connect(t, parameters...)
				_, err := c.Read(t.Context(), connector.Assignment{Account: "a", Object: "o"})
				require.Equal(t, connector.ClassDenied, connector.ClassOf(err), "%v: %v", parameters, err)
			}
		})
	})

	t.Run("timeouts are set unless the URL sets others", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			timeouts := func(c *Connector) (text string) {
				require.NoError(t, c.pool.Get(&text, `SELECT concat_ws(' ', current_setting('statement_timeout'),
				current_setting('idle_in_transaction_session_timeout'), current_setting('application_name'))`))
				return text
			}
			require.Equal(t, "10s 15s accessbot", timeouts(h.connect(t)))
			require.Equal(t, "3s 15s mine", timeouts(h.connect(t, "statement_timeout", "3000", "application_name", "mine")))

			c, err := Open("postgres://somewhere/")
			require.NoError(t, err)
			require.Equal(t, 15*time.Second, c.bound)
			require.NoError(t, c.Close())
		})
	})

	t.Run("busy target is unavailable and gets few connections", func(t *testing.T) {
		harnesses(t, func(t *testing.T, h *harness) {
			a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
			c := h.connect(t, "statement_timeout", "500")
			c.bound = time.Minute // the server cancels each statement
			lock, err := h.admin.Beginx()
			require.NoError(t, err)
			defer lock.Rollback() //nolint:errcheck // the test has checked what matters
			// An uncommitted grant blocks only the same grant.
			_, err = lock.Exec("GRANT " + pq.QuoteIdentifier(a.Object) + " TO " + pq.QuoteIdentifier(a.Account))
			require.NoError(t, err)

			results := make(chan error)
			for range 12 {
				go func() { results <- c.Grant(t.Context(), a) }()
			}
			require.Eventually(t, func() bool {
				stats := c.pool.Stats()
				return stats.InUse == 4 && stats.WaitCount >= 8
			}, c.bound, 5*time.Millisecond)
			for range 12 {
				err := <-results
				require.Equal(t, connector.ClassUnavailable, connector.ClassOf(err))
				require.NotNil(t, pq.As(err, pqerror.QueryCanceled), "%v", err)
			}
		})
	})
}

// GrantByHandAsAdmin grants as the superuser. From version 16 on, only a superuser can revoke such grants.
func (h *harness) GrantByHandAsAdmin(t *testing.T, a connector.Assignment) {
	t.Helper()
	h.exec(t, "GRANT %s TO %s", a.Object, a.Account)
}
