package postgresql

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
)

// harness is a PostgreSQL server, which it uses as a superuser, with the connector's login.
type harness struct {
	admin    *sqlx.DB
	adminURL *url.URL
	version  int
	login    *url.Userinfo // nil: the superuser's
	other    string        // the role that grants by hand; the login has its privileges
}

var _ connectortest.Harness = (*harness)(nil)

// harnesses runs a test on each server, with the connector as the superuser and, as in production, as a role with CREATEROLE.
func harnesses(t *testing.T, test func(t *testing.T, h *harness)) {
	t.Helper()
	for _, server := range []struct {
		variable string
		optional bool
	}{{"TEST_TARGET_URL", false}, {"TEST_TARGET_URL_16", true}} {
		t.Run(server.variable, func(t *testing.T) {
			target := os.Getenv(server.variable)
			if target == "" && server.optional {
				t.Skipf("set %s to a superuser's URL of PostgreSQL 16 or later to run these tests there too", server.variable)
			}
			require.NotEmpty(t, target, "run ./temporal-dev.sh test, or set %s", server.variable)
			for _, superuser := range []bool{true, false} {
				t.Run(map[bool]string{true: "superuser", false: "createrole"}[superuser], func(t *testing.T) {
					test(t, newHarness(t, target, superuser))
				})
			}
		})
	}
}

func newHarness(t *testing.T, target string, superuser bool) *harness {
	t.Helper()
	parsed, err := url.Parse(target)
	require.NoError(t, err)
	h := &harness{admin: sqlx.MustOpen("postgres", target), adminURL: parsed}
	h.admin.SetMaxOpenConns(4)
	t.Cleanup(func() { require.NoError(t, h.admin.Close()) })
	require.NoError(t, h.admin.Get(&h.version, "SELECT current_setting('server_version_num')::int"))
	h.other = h.role(t, "other", "")
	if !superuser {
		password := rand.Text()
		login := h.role(t, "login", "LOGIN CREATEROLE PASSWORD "+pq.QuoteLiteral(password))
		h.login = url.UserPassword(login, password)
		h.exec(t, "GRANT %s TO %s", h.other, login)
	}
	return h
}

func (h *harness) exec(t *testing.T, format string, roles ...any) {
	t.Helper()
	for i, role := range roles {
		roles[i] = pq.QuoteIdentifier(role.(string))
	}
	_, err := h.admin.Exec(fmt.Sprintf(format, roles...))
	require.NoError(t, err)
}

func (h *harness) get(t *testing.T, dest any, query string, args ...any) {
	t.Helper()
	require.NoError(t, h.admin.Get(dest, query, args...))
}

// name returns a unique name. A role of that name is dropped at the end of the test, no matter who created it.
func (h *harness) name(t *testing.T, format string) string {
	t.Helper()
	name := strings.Replace(format, "*", strings.ToLower(rand.Text()[:12]), 1)
	dropAtEnd(t, h, name)
	return name
}

// rolesToDrop are the roles to drop at the end of each test, in one statement: from version 16 on, a role that granted something
// cannot be dropped alone.
var (
	rolesToDropMu sync.Mutex
	rolesToDrop   = map[*testing.T][]string{}
)

func dropAtEnd(t *testing.T, h *harness, name string) {
	t.Helper()
	rolesToDropMu.Lock()
	defer rolesToDropMu.Unlock()
	if rolesToDrop[t] == nil {
		t.Cleanup(func() {
			rolesToDropMu.Lock()
			names := rolesToDrop[t]
			delete(rolesToDrop, t)
			rolesToDropMu.Unlock()
			var quoted []string
			for _, name := range names {
				quoted = append(quoted, pq.QuoteIdentifier(name))
			}
			_, err := h.admin.Exec("DROP ROLE IF EXISTS " + strings.Join(quoted, ", "))
			require.NoError(t, err)
		})
	}
	rolesToDrop[t] = append(rolesToDrop[t], name)
}

// role creates a role with the given attributes.
func (h *harness) role(t *testing.T, word, attributes string) string {
	t.Helper()
	name := h.name(t, word+"-*")
	h.exec(t, "CREATE ROLE %s "+attributes, name)
	return name
}

// connectorLogin returns the connector's user.
func (h *harness) connectorLogin() string {
	if h.login == nil {
		return h.adminURL.User.Username()
	}
	return h.login.Username()
}

func (h *harness) open(t *testing.T, addr string, user *url.Userinfo, parameters ...string) *Connector {
	t.Helper()
	target := *h.adminURL
	target.Host = addr
	if user != nil {
		target.User = user
	}
	query := target.Query()
	query.Set("connect_timeout", "2")
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	if database := query.Get("dbname"); database != "" {
		target.Path = "/" + database
	}
	target.RawQuery = query.Encode()
	c, err := Open(target.String())
	require.NoError(t, err)
	c.bound = h.CallTimeout()
	c.pageSize = 3
	return c
}

// connect opens a connector for a test of this package.
func (h *harness) connect(t *testing.T, parameters ...string) *Connector {
	t.Helper()
	c := h.open(t, h.Addr(), h.login, parameters...)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func (h *harness) Addr() string { return h.adminURL.Host }

func (h *harness) Capabilities() connectortest.Capabilities {
	return connectortest.Capabilities{CreatesAccounts: true, Checks: true, Lists: true}
}

func (h *harness) Open(t *testing.T, addr string) connector.Connector {
	t.Helper()
	return h.open(t, addr, h.login)
}

func (h *harness) OpenWithBadCredentials(t *testing.T) (connector.Connector, string) {
	t.Helper()
	return h.open(t, h.Addr(), url.UserPassword("unknown", "hunter2")), "hunter2"
}

func (h *harness) CallTimeout() time.Duration { return 3 * time.Second }

func (h *harness) ChangeMarker() string { return "COMMIT" }

func (h *harness) Account(t *testing.T) string {
	t.Helper()
	name := h.MissingAccount(t)
	h.exec(t, "CREATE ROLE %s LOGIN", name)
	return name
}

func (h *harness) Object(t *testing.T) string {
	t.Helper()
	name := h.MissingObject(t)
	h.exec(t, "CREATE ROLE %s", name)
	h.letConnectorGrant(t, name)
	h.exec(t, "GRANT %s TO %s WITH ADMIN OPTION", name, h.other)
	return name
}

// letConnectorGrant gives the connector the ADMIN option on a role, as an operator must.
func (h *harness) letConnectorGrant(t *testing.T, object string) {
	t.Helper()
	if h.login != nil && h.version >= 160000 {
		h.exec(t, "GRANT %s TO %s WITH ADMIN OPTION", object, h.login.Username())
	}
}

func (h *harness) MissingAccount(t *testing.T) string {
	t.Helper()
	return h.name(t, "*@kubernetes.example")
}

func (h *harness) MissingObject(t *testing.T) string {
	t.Helper()
	return h.name(t, "kubernetes-*/@admin")
}

func (h *harness) Exists(t *testing.T, name string) bool {
	t.Helper()
	if !possible(name) {
		return false
	}
	var exists bool
	h.get(t, &exists, "SELECT EXISTS (SELECT FROM pg_authid WHERE rolname::text = $1)", name)
	return exists
}

func (h *harness) Holds(t *testing.T, a connector.Assignment) bool {
	t.Helper()
	return possible(a.Account) && possible(a.Object) && len(h.grantors(t, a)) > 0
}

// possible reports whether this can be the name of a role.
func possible(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsRune(name, 0)
}

// grantors returns the roles that granted the membership.
func (h *harness) grantors(t *testing.T, a connector.Assignment) []string {
	t.Helper()
	var grantors []string
	require.NoError(t, h.admin.Select(&grantors, `
		SELECT pg_get_userbyid(m.grantor) FROM pg_auth_members m
		JOIN pg_authid object ON object.oid = m.roleid
		JOIN pg_authid account ON account.oid = m.member
		WHERE object.rolname::text = $1 AND account.rolname::text = $2 ORDER BY 1`, a.Object, a.Account))
	return grantors
}

func (h *harness) GrantByHand(t *testing.T, a connector.Assignment) {
	t.Helper()
	h.exec(t, "GRANT %s TO %s GRANTED BY %s", a.Object, a.Account, h.other)
}

func (h *harness) RevokeByHand(t *testing.T, a connector.Assignment) {
	t.Helper()
	for _, grantor := range h.grantors(t, a) {
		h.exec(t, "REVOKE %s FROM %s GRANTED BY %s", a.Object, a.Account, grantor)
	}
}

func (h *harness) Refused(t *testing.T) map[string]connector.Assignment {
	t.Helper()
	account, object := h.Account(t), h.Object(t)
	refused := map[string]connector.Assignment{
		"a predefined role as object":                 {Account: account, Object: "pg_read_all_data"},
		"a predefined role as account":                {Account: "pg_monitor", Object: object},
		"this program's own role as object":           {Account: account, Object: h.name(t, "accessbot_*")},
		"this program's own role as account":          {Account: h.name(t, "accessbot_*"), Object: object},
		"the connector's login as object":             {Account: account, Object: h.connectorLogin()},
		"the connector's login as account":            {Account: h.connectorLogin(), Object: object},
		"public as object":                            {Account: account, Object: "public"},
		"public as account":                           {Account: "public", Object: object},
		"none as object":                              {Account: account, Object: "none"},
		"none as account":                             {Account: "none", Object: object},
		"an empty name as object":                     {Account: account, Object: ""},
		"an empty name as account":                    {Account: "", Object: object},
		"a name with NUL as object":                   {Account: account, Object: object + "\x00"},
		"a name with NUL as account":                  {Account: account + "\x00", Object: object},
		"a name that is not UTF-8":                    {Account: account + "\xff", Object: object},
		"a name that is too long as object":           {Account: account, Object: strings.Repeat("é", 32)},
		"a name that is too long as account":          {Account: strings.Repeat("é", 32), Object: object},
		"an account that cannot log in":               {Account: h.role(t, "group", ""), Object: object},
		"an account that is the object":               {Account: account, Object: account},
		"a member of a predefined role as object":     {Account: account, Object: h.memberOf(t, "pg_read_all_data")},
		"a member of the connector's login as object": {Account: account, Object: h.memberOf(t, h.connectorLogin())},
		"a dangerous object, for a missing account":   {Account: h.MissingAccount(t), Object: h.role(t, "boss", "CREATEROLE")},
	}
	for _, attribute := range []string{"SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"} {
		powerful := h.role(t, "boss", attribute)
		h.letConnectorGrant(t, powerful)
		refused[attribute+" as object"] = connector.Assignment{Account: account, Object: powerful}
		refused[attribute+" through the object"] = connector.Assignment{Account: account, Object: h.memberOf(t, powerful)}
		refused[attribute+" through two roles"] = connector.Assignment{Account: account, Object: h.memberOf(t, h.memberOf(t, powerful))}
	}
	for _, attribute := range []string{"SUPERUSER", "CREATEROLE", "REPLICATION", "BYPASSRLS"} {
		refused[attribute+" as account"] = connector.Assignment{Account: h.role(t, "boss", "LOGIN "+attribute), Object: object}
	}
	member := h.Object(t) // the account is a member of it
	h.exec(t, "GRANT %s TO %s", account, member)
	refused["a member of the account as object"] = connector.Assignment{Account: account, Object: member}
	return refused
}

// memberOf creates an object that is a member of a role.
func (h *harness) memberOf(t *testing.T, role string) string {
	t.Helper()
	object := h.role(t, "object", "")
	h.exec(t, "GRANT %s TO %s", role, object)
	return object
}
