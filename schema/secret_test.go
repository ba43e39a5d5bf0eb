package schema_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

func TestSecret(t *testing.T) {
	t.Run("secret is a value or a file", func(t *testing.T) {
		dir := t.TempDir()
		file, empty := filepath.Join(dir, "token"), filepath.Join(dir, "empty")
		require.NoError(t, os.WriteFile(file, []byte("hunter2\n"), 0o600))
		require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
		for _, c := range []struct{ value, file, want, problem string }{
			{"", "", "", ""}, {"swordfish", "", "swordfish", ""}, {"", file, "hunter2", ""},
			{"swordfish", file, "", "are both set"}, {"", empty, "", "is empty"}, {"", filepath.Join(dir, "none"), "", "TOKEN_FILE: open "},
		} {
			got, err := schema.Secret(func(name string) string { return map[string]string{"TOKEN": c.value, "TOKEN_FILE": c.file}[name] }, "TOKEN")
			require.Equal(t, c.want, got)
			if c.problem == "" {
				require.NoError(t, err)
				continue
			}
			require.ErrorContains(t, err, c.problem)
			require.NotContains(t, err.Error(), "swordfish")
			require.NotContains(t, err.Error(), "hunter2")
		}
	})
}
