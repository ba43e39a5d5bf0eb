package kinds

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzConfig reads arbitrary bytes as CONNECTORS_FILE: they are accepted, or refused without showing a secret.
func FuzzConfig(f *testing.F) {
	const hidden = "hunter2-hunter2-hunter2-hunter2-hunter2"
	f.Setenv("FUZZ_SECRET", hidden)
	for _, seed := range []string{
		"POSTGRESQL:\n  connector: postgresql\n  url: env:FUZZ_SECRET\n",
		"HOOK:\n  connector: webhook\n  url: https://example.com/x\n  secret: env:FUZZ_SECRET\n  per_second: 2.5\n  concurrency: 3\n",
		"LDAP:\n  connector: ldap\n  url: ldaps://ldap.example.org\n  bind_dn: cn=a,dc=example,dc=org\n  password: env:FUZZ_SECRET\n  people_base: dc=example,dc=org\n  groups_base: dc=example,dc=org\n",
		"GITHUB:\n  connector: github\n  organization: o\n", "A: &a\n  connector: *a\n", "- x\n", "A:\nA:\n", "{}", "", "\x00", "A:\n  connector: webhook\n  concurrency: .inf\n  per_second: -.inf\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "connectors.yaml")
		require.NoError(t, os.WriteFile(path, text, 0o600))
		c, err := Read(path, os.Getenv)
		if err != nil {
			require.NotContains(t, err.Error(), hidden)
			require.NotEmpty(t, err.Error())
			return
		}
		for name, kind := range c.Instances() {
			require.Regexp(t, instanceName, name)
			_, known := Lookup(kind)
			require.True(t, known, kind)
			require.True(t, c.instances[name].limits.Concurrency >= 1 && c.instances[name].limits.Concurrency <= maxConcurrency)
			require.GreaterOrEqual(t, c.instances[name].limits.PerSecond, 0.0)
		}
	})
}
