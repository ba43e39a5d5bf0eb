package kinds_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
	"accessbot/activities/connector/kinds"
	"accessbot/activities/connector/throttle"
)

func noEnv(string) string { return "" }

// read reads text as a configuration file.
func read(t *testing.T, text string) (*kinds.Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "connectors.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return kinds.Read(file, noEnv)
}

func TestConfiguration(t *testing.T) {
	t.Run("every kind has a name limit and a concurrency", func(t *testing.T) {
		require.NotEmpty(t, kinds.Names())
		for _, name := range kinds.Names() {
			kind, ok := kinds.Lookup(name)
			require.True(t, ok, name)
			require.Positive(t, kind.MaxNameBytes, name)
			require.Positive(t, kind.Limits.Concurrency, name)
		}
	})

	t.Run("instance opens as configured", func(t *testing.T) {
		t.Setenv("CRM_URL", "postgres://login:hunter2@127.0.0.1:1/db")
		config, err := read(t, "CRM:\n  connector: postgresql\n  url: env:CRM_URL\n  concurrency: 2\n  per_second: 0.5\n")
		require.NoError(t, err)
		c, limits, err := config.Open("postgresql", "CRM")
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.Equal(t, connector.Limits{Concurrency: 2, PerSecond: 0.5}, limits)
		require.Equal(t, map[string]string{"CRM": "postgresql"}, config.Instances())
	})

	t.Run("URL alone is enough for a PostgreSQL target", func(t *testing.T) {
		config, err := kinds.Read("", func(name string) string {
			return map[string]string{"TARGET_CRM_URL": "postgres://login:hunter2@127.0.0.1:1/db"}[name]
		})
		require.NoError(t, err)
		c, limits, err := config.Open("postgresql", "CRM")
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.Equal(t, 4, limits.Concurrency)
	})

	t.Run("target that is not configured is denied", func(t *testing.T) {
		config, err := kinds.Read("", func(name string) string {
			return map[string]string{"TARGET_BAD_URL": "postgres://login:hunter2@host:port/"}[name]
		})
		require.NoError(t, err)
		for kind, says := range map[[2]string]string{
			{"postgresql", "CRM"}: "set TARGET_CRM_URL",
			{"oracle", "CRM"}:     "use one of: ",
			{"postgresql", "BAD"}: "postgres://USER:PASSWORD",
		} {
			c, _, err := config.Open(kind[0], kind[1])
			require.Equal(t, connector.ClassDenied, connector.ClassOf(err))
			require.ErrorContains(t, err, says)
			require.NotContains(t, err.Error(), "hunter2")
			require.Equal(t, connector.Connector(nil), c, "not a typed nil")
		}
	})

	t.Run("instance whose kind differs from the directory is denied", func(t *testing.T) {
		t.Setenv("CRM_URL", "postgres://login@127.0.0.1:1/db")
		config, err := read(t, "CRM:\n  connector: postgresql\n  url: env:CRM_URL\n")
		require.NoError(t, err)
		_, _, err = config.Open("ldap", "CRM")
		require.Equal(t, connector.ClassDenied, connector.ClassOf(err))
		require.ErrorContains(t, err, "CRM is a postgresql in ")
	})

	t.Run("every mistake is named with its line", func(t *testing.T) {
		t.Setenv("CRM_URL", "postgres://login:hunter2@127.0.0.1:1/db")
		_, err := read(t, `CRM:
  connector: postgresql
  url: env:CRM_URL
  colour: blue
WIKI:
  connector: postgresql
  url: postgres://login:hunter2@wiki/db
HR:
  connector: oracle
crm:
  connector: postgresql
LOUD:
  connector: postgresql
  url: env:CRM_URL
  concurrency: 1000
EMPTY:
FAST:
  connector: postgresql
  url: env:CRM_URL
  per_second: quick
GONE:
  connector: postgresql
  url: env:NO_SUCH_VARIABLE
NONE:
  connector: postgresql
CRM:
  connector: postgresql
  url: env:CRM_URL
`)
		for _, says := range []string{
			`connectors.yaml:4: CRM: unknown setting "colour"; the settings of postgresql are connector, concurrency, per_second, url`,
			`connectors.yaml:7: WIKI: url: write env:NAME or file:PATH here, not the secret`,
			`connectors.yaml:9: HR: connector: there is no connector "oracle", use one of: `,
			`connectors.yaml:10: crm: an instance's name is upper-case letters, digits and underscores`,
			`connectors.yaml:13: LOUD: concurrency: 1000 is not 1 to 16`,
			`connectors.yaml:16: EMPTY: expected settings, such as`,
			"connectors.yaml:18: FAST: line 20: cannot unmarshal !!str `quick` into float64",
			`connectors.yaml:23: GONE: url: the environment variable NO_SUCH_VARIABLE is not set`,
			`connectors.yaml:25: NONE: set the target's URL to postgres://USER:PASSWORD@HOST:PORT/DATABASE`,
		} {
			require.ErrorContains(t, err, says)
		}
		require.NotContains(t, err.Error(), "hunter2")
	})

	t.Run("file that is not a configuration is refused with an example", func(t *testing.T) {
		_, err := read(t, "- a\n- list\n")
		require.ErrorContains(t, err, "connector: postgresql")
		_, err = read(t, "A: [\n")
		require.ErrorContains(t, err, "connectors.yaml")
		_, err = kinds.Read("/no/such/file", noEnv)
		require.ErrorContains(t, err, "CONNECTORS_FILE")
		config, err := read(t, "# nothing yet\n")
		require.NoError(t, err)
		require.Empty(t, config.Instances())
	})

	t.Run("GitHub and webhook instances are configured", func(t *testing.T) {
		t.Setenv("GITHUB_TOKEN", "ghp_hunter2")
		t.Setenv("LICENCES_SECRET", "hunter2hunter2hunter2hunter2hunter2")
		config, err := read(t, `GITHUB:
  connector: github
  organization: acme
  token: env:GITHUB_TOKEN
  accounts: id
  invitations: refuse
LICENCES:
  connector: webhook
  url: https://licences.example.com/accessbot
  secret: env:LICENCES_SECRET
  lists: true
`)
		require.NoError(t, err)
		c, limits, err := config.Open("github", "GITHUB")
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.Equal(t, connector.Limits{Concurrency: 1, PerSecond: 1}, limits, "a second between changes")
		c, _, err = config.Open("webhook", "LICENCES")
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.Implements(t, (*connector.Lister)(nil), c)

		hub, _ := kinds.Lookup("github")
		require.True(t, hub.OwnNames)
		web, _ := kinds.Lookup("webhook")
		require.False(t, web.OwnNames)

		_, err = read(
			t,
			"GITHUB:\n  connector: github\n  organization: acme\nLICENCES:\n  connector: webhook\n  url: http://licences.example.com\n",
		)
		require.ErrorContains(t, err, "connectors.yaml:2: GITHUB: set token to the token of an owner")
		require.ErrorContains(t, err, "connectors.yaml:5: LICENCES: set url to an https address")
	})
}

// The optional interfaces of a connector must be visible to type assertions when it is opened as the program does.
func TestCapabilities(t *testing.T) {
	t.Setenv("PG", "postgres://login@127.0.0.1:1/db")
	t.Setenv("SECRET", "0123456789abcdef0123456789abcdef")
	for _, test := range []struct {
		kind, settings string
		want           connectortest.Capabilities
	}{
		{"postgresql", "url: env:PG", connectortest.Capabilities{CreatesAccounts: true, Checks: true, Lists: true}},
		{"ldap", "url: ldaps://ldap.example.org\n  bind_dn: uid=bot\n  password: env:SECRET\n  people_base: ou=people\n  groups_base: ou=groups",
			connectortest.Capabilities{Checks: true, Lists: true}},
		{"github", "organization: acme\n  token: env:SECRET", connectortest.Capabilities{Checks: true, Lists: true}},
		{"scim", "url: https://scim.example.org\n  token: env:SECRET", connectortest.Capabilities{Checks: true, Lists: true}},
		{"scim", "url: https://scim.example.org\n  token: env:SECRET\n  creates_accounts: true",
			connectortest.Capabilities{CreatesAccounts: true, Checks: true, Lists: true}},
		{"webhook", "url: https://hook.example.org\n  secret: env:SECRET", connectortest.Capabilities{CreatesAccounts: true, Checks: true}},
		{"webhook", "url: https://hook.example.org\n  secret: env:SECRET\n  lists: true",
			connectortest.Capabilities{CreatesAccounts: true, Checks: true, Lists: true}},
		{"manual", "concurrency: 1", connectortest.Capabilities{Checks: true}},
	} {
		t.Run("program sees every optional interface of "+test.kind, func(t *testing.T) {
			config, err := read(t, "X:\n  connector: "+test.kind+"\n  "+test.settings+"\n")
			require.NoError(t, err)
			c, limits, err := config.Open(test.kind, "X")
			require.NoError(t, err)
			target := throttle.New(c, limits)
			defer func() { require.NoError(t, target.Close()) }()
			require.Equal(t, test.want, connectortest.CapabilitiesOf(target.Connector()))
			acquired, done, err := target.Acquire(t.Context())
			require.NoError(t, err)
			defer done(nil)
			require.Equal(t, test.want, connectortest.CapabilitiesOf(acquired))
		})
	}
}
