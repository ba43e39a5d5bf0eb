package kinds_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/kinds"
)

func TestEveryKindOpens(t *testing.T) {
	urls := map[string]string{"postgresql": "postgres://login:hunter2@127.0.0.1:1/db"}
	for _, name := range kinds.Names() {
		c, err := kinds.Open(name, urls[name])
		require.NoError(t, err, name)
		require.NoError(t, c.Close())
		kind, ok := kinds.Lookup(name)
		require.True(t, ok)
		require.Positive(t, kind.MaxNameBytes)
	}
}

func TestUnknownKindOrURLIsDenied(t *testing.T) {
	_, err := kinds.Open("oracle", "oracle://login:hunter2@host")
	require.Equal(t, connector.ClassDenied, connector.ClassOf(err))
	require.ErrorContains(t, err, "postgresql")
	require.NotContains(t, err.Error(), "hunter2")

	c, err := kinds.Open("postgresql", "postgres://login:hunter2@host:port/")
	require.Equal(t, connector.ClassDenied, connector.ClassOf(err))
	require.NotContains(t, err.Error(), "hunter2")
	require.Equal(t, connector.Connector(nil), c, "not a typed nil")
}
