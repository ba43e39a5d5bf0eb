package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/worker/program"
)

func TestCheck(t *testing.T) {
	t.Run("every target is tested and its answer printed", func(t *testing.T) {
		target := os.Getenv("TEST_TARGET_URL")
		require.NotEmpty(t, target, "run ./temporal-dev.sh test ./worker")
		t.Setenv("A_TARGET", target)
		t.Setenv("A_DEAD_ONE", "postgres://login:hunter2@127.0.0.1:1/db")
		file := filepath.Join(t.TempDir(), "connectors.yaml")
		require.NoError(
			t,
			os.WriteFile(
				file,
				[]byte("HERE:\n  connector: postgresql\n  url: env:A_TARGET\nDEAD:\n  connector: postgresql\n  url: env:A_DEAD_ONE\n"),
				0o600,
			),
		)
		output, err := command(t, program.Environment{"CONNECTORS_FILE": file}, "check")
		require.ErrorContains(t, err, "1 of 2 targets failed")
		require.Contains(t, output, "ok     HERE (postgresql): PostgreSQL 1")
		require.Contains(t, output, "FAILED DEAD (postgresql): the target system is not available")
		require.NotContains(t, output, "hunter2")
	})

	t.Run("missing configuration is reported", func(t *testing.T) {
		_, err := command(t, nil, "check")
		require.ErrorContains(t, err, "nothing to check: set CONNECTORS_FILE")
	})
}
