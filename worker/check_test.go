package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	t.Run("every target is tested and its answer printed", func(t *testing.T) {
		target := os.Getenv("TEST_TARGET_URL")
		require.NotEmpty(t, target, "run ./temporal-dev.sh test ./worker")
		t.Setenv("A_TARGET", target)
		t.Setenv("A_DEAD_ONE", "postgres://login:hunter2@127.0.0.1:1/db")
		file := filepath.Join(t.TempDir(), "connectors.yaml")
		require.NoError(t, os.WriteFile(file, []byte("HERE:\n  connector: postgresql\n  url: env:A_TARGET\nDEAD:\n  connector: postgresql\n  url: env:A_DEAD_ONE\n"), 0o600))
		var out bytes.Buffer
		err := check(t.Context(), environmentOf(map[string]string{"CONNECTORS_FILE": file}), &out)
		require.ErrorContains(t, err, "1 of 2 targets failed")
		require.Contains(t, out.String(), "ok     HERE (postgresql): PostgreSQL 1")
		require.Contains(t, out.String(), "FAILED DEAD (postgresql): the target system is not available")
		require.NotContains(t, out.String(), "hunter2")
	})

	t.Run("missing configuration is reported", func(t *testing.T) {
		require.ErrorContains(t, check(t.Context(), environmentOf(nil), &bytes.Buffer{}), "CONNECTORS_FILE")
	})
}

func environmentOf(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}
