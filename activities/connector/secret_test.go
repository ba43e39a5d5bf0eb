package connector_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

func TestSecret(t *testing.T) {
	t.Run("secret is read from an environment variable or a file", func(t *testing.T) {
		t.Setenv("A_SECRET", "s3cret")
		file := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(file, []byte("from a file\n"), 0o600))
		var s connector.Secret
		require.NoError(t, s.UnmarshalText([]byte("env:A_SECRET")))
		require.Equal(t, "s3cret", s.Reveal())
		require.NoError(t, s.UnmarshalText([]byte("file:"+file)))
		require.Equal(t, "from a file", s.Reveal())
	})

	t.Run("missing secret names its source and is not repeated", func(t *testing.T) {
		empty := filepath.Join(t.TempDir(), "empty")
		require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
		var s connector.Secret
		require.ErrorContains(t, s.UnmarshalText([]byte("env:NO_SUCH_SECRET")), "NO_SUCH_SECRET is not set")
		require.ErrorContains(t, s.UnmarshalText([]byte("file:/no/such/file")), "/no/such/file")
		require.ErrorContains(t, s.UnmarshalText([]byte("file:"+empty)), "is empty")
		for _, itself := range []string{"hunter2", "env:", "file:", "https://user:hunter2@host"} {
			err := s.UnmarshalText([]byte(itself))
			require.ErrorContains(t, err, "env:NAME or file:PATH")
			require.NotContains(t, err.Error(), "hunter2", "the text may be the secret")
		}
	})

	t.Run("secret never prints", func(t *testing.T) {
		settings := struct{ Token connector.Secret }{connector.NewSecret("hunter2")}
		asJSON, err := json.Marshal(settings)
		require.NoError(t, err)
		for _, text := range []string{fmt.Sprint(settings), fmt.Sprintf("%+v", settings), fmt.Sprintf("%#v", settings), fmt.Sprintf("%s %q", settings.Token, settings.Token), settings.Token.LogValue().String(), string(asJSON)} {
			require.NotContains(t, text, "hunter2")
			require.Contains(t, text, "(secret)")
		}
	})
}
