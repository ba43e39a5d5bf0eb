package program_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/worker/program"
)

func TestSecret(t *testing.T) {
	t.Run("secret is a value or a file", func(t *testing.T) {
		dir := t.TempDir()
		file, empty := filepath.Join(dir, "token"), filepath.Join(dir, "empty")
		require.NoError(t, os.WriteFile(file, []byte("hunter2\n"), 0o600))
		require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
		for _, c := range []struct{ value, file, want, problem string }{
			{"", "", "", ""}, {"swordfish", "", "swordfish", ""}, {"", file, "hunter2", ""},
			{"swordfish", file, "", "TOKEN: TOKEN_FILE is set too: remove one of them"}, {"", empty, "", "is empty"}, {"", filepath.Join(dir, "none"), "", "TOKEN_FILE: open "},
		} {
			got, err := program.Environment{"TOKEN": c.value, "TOKEN_FILE": c.file}.Secret("TOKEN")
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

	t.Run("secret is not printed", func(t *testing.T) {
		var log bytes.Buffer
		settings := struct{ Token program.Secret }{"hunter2"}
		slog.New(slog.NewJSONHandler(&log, nil)).Info("started", "token", settings.Token, "settings", settings)
		slog.New(slog.NewTextHandler(&log, nil)).Info("started", "token", settings.Token, "settings", settings)
		fmt.Fprintf(&log, "%v %+v %#v %s %q", settings, settings, settings, settings.Token, settings.Token)
		require.NotContains(t, log.String(), "hunter2")
		require.Equal(t, "hunter2", settings.Token.Reveal())
	})
}
