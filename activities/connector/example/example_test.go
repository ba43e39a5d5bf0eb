package example_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/example"
)

var code = regexp.MustCompile("(?s)```go\n(.*?)```")

func TestExample(t *testing.T) {
	t.Run("documentation shows this connector as it is", func(t *testing.T) {
		source, err := os.ReadFile("example.go")
		require.NoError(t, err)
		document, err := os.ReadFile("../../../docs/connectors.md")
		require.NoError(t, err)
		shown := code.FindStringSubmatch(string(document))
		require.NotNil(t, shown, "docs/connectors.md has no example")
		require.Equal(t, string(source), shown[1], "docs/connectors.md does not show activities/connector/example/example.go as it is")
	})

	t.Run("example grants and revokes", func(t *testing.T) {
		folder := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(folder, "admins"), []byte("bob\n"), 0o600))
		c, err := (&example.Settings{Folder: folder}).Open()
		require.NoError(t, err)
		ann := connector.Assignment{Account: "ann", Object: "admins"}
		for _, held := range []bool{true, true, false, false} {
			require.NoError(t, connector.Ensure(t.Context(), c, ann, held))
			state, err := c.Read(t.Context(), ann)
			require.NoError(t, err)
			require.Equal(t, held, state.Held)
		}
		text, err := os.ReadFile(filepath.Join(folder, "admins"))
		require.NoError(t, err)
		require.Equal(t, "bob\n", string(text))
		require.Equal(
			t,
			connector.ClassGone,
			connector.ClassOf(c.Grant(t.Context(), connector.Assignment{Account: "ann", Object: "none"})),
		)
		require.Equal(
			t,
			connector.ClassRefused,
			connector.ClassOf(c.Grant(t.Context(), connector.Assignment{Account: "ann", Object: "../admins"})),
		)
		_, err = (&example.Settings{Folder: "here"}).Open()
		require.ErrorContains(t, err, "absolute path")
	})
}
