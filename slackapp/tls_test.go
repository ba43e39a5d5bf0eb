package main

import (
	"net/http"
	"os"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"accessbot/schema/schematest"
	"accessbot/worker/program"
)

func TestTemporalTLS(t *testing.T) {
	// worker/tls_test.go tests what is refused and the errors. The settings are the same.
	t.Run("certificate and API key connect, a missing certificate is refused", func(t *testing.T) {
		behind := os.Getenv("TEST_TEMPORAL_ADDRESS")
		require.NotEmpty(t, behind, "run ./temporal-dev.sh test ./slackapp")
		ours := schematest.NewAuthority(t)
		cert, key := ours.Issue("accessbot")
		var accepted atomic.Int32
		address := ours.GRPC(behind, "temporal.example.com", ours, func(metadata http.Header) bool {
			if metadata.Get("Authorization") != "Bearer a-key" {
				return false
			}
			accepted.Add(1)
			return true
		})
		settings := program.Environment{
			"DATABASE_URL": "postgres://localhost/accessbot", "SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "secret",
			"TEMPORAL_CONFIG_FILE":             os.DevNull,
			"TEMPORAL_ADDRESS":                 address,
			"TEMPORAL_API_KEY":                 "a-key",
			"TEMPORAL_TLS_SERVER_NAME":         "temporal.example.com",
			"TEMPORAL_TLS_SERVER_CA_CERT_PATH": ours.File,
			"TEMPORAL_TLS_CLIENT_CERT_PATH":    cert,
			"TEMPORAL_TLS_CLIENT_KEY_PATH":     key,
		}
		connect := func() error {
			c, err := configure(settings)
			require.NoError(t, err)
			temporal, err := client.DialContext(t.Context(), c.Temporal)
			if err != nil {
				return err
			}
			defer temporal.Close()
			_, err = temporal.CheckHealth(t.Context(), &client.CheckHealthRequest{})
			return err
		}
		require.NoError(t, connect())
		require.Positive(t, accepted.Load())

		delete(settings, "TEMPORAL_TLS_CLIENT_CERT_PATH")
		delete(settings, "TEMPORAL_TLS_CLIENT_KEY_PATH")
		schematest.Refuses(t, "certificate required", connect)
	})
}
