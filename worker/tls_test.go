package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"

	"accessbot/schema/schematest"
	"accessbot/worker/program"
)

// dial connects to Temporal with the worker's settings and checks its health. log is everything that was logged.
func dial(t *testing.T, settings program.Environment) (log string, err error) {
	t.Helper()
	settings = maps.Clone(settings)
	maps.Copy(
		settings,
		program.Environment{
			"TEMPORAL_CONFIG_FILE": os.DevNull,
			"DATABASE_URL":         "postgres://localhost/accessbot",
			"SLACK_BOT_TOKEN":      "xoxb-1",
		},
	)
	c, err := configure(settings)
	if err != nil {
		return "", err
	}
	var logged bytes.Buffer
	c.Temporal.Logger = tlog.NewStructuredLogger(
		slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	)
	temporal, err := client.DialContext(t.Context(), c.Temporal)
	if err != nil {
		return logged.String(), err
	}
	defer temporal.Close()
	_, err = temporal.CheckHealth(t.Context(), &client.CheckHealthRequest{})
	return logged.String(), err
}

func TestTemporalTLS(t *testing.T) {
	t.Run("only the right authority, name and certificate connect", func(t *testing.T) {
		behind := os.Getenv("TEST_TEMPORAL_ADDRESS")
		require.NotEmpty(t, behind, "run ./temporal-dev.sh test ./worker")
		ours, others := schematest.NewAuthority(t), schematest.NewAuthority(t)
		address := ours.GRPC(behind, "temporal.example.com", ours, nil)
		cert, key := ours.Issue("accessbot")
		foreignCert, foreignKey := others.Issue("accessbot")
		for name, c := range map[string]struct {
			changed map[string]string // settings that differ; "": not set
			refused string
		}{
			"both are valid":             {nil, ""},
			"an unknown authority":       {map[string]string{"TEMPORAL_TLS_SERVER_CA_CERT_PATH": others.File}, "certificate signed by unknown authority"},
			"another name":               {map[string]string{"TEMPORAL_TLS_SERVER_NAME": "other.example.com"}, "certificate is valid for temporal.example.com, not other.example.com"},
			"no certificate":             {map[string]string{"TEMPORAL_TLS_CLIENT_CERT_PATH": "", "TEMPORAL_TLS_CLIENT_KEY_PATH": ""}, "certificate required"},
			"someone else's certificate": {map[string]string{"TEMPORAL_TLS_CLIENT_CERT_PATH": foreignCert, "TEMPORAL_TLS_CLIENT_KEY_PATH": foreignKey}, "unknown certificate authority"},
			"a key that is missing":      {map[string]string{"TEMPORAL_TLS_CLIENT_KEY_PATH": ""}, "TEMPORAL_* settings: invalid TLS config"},
			"a file that is not there":   {map[string]string{"TEMPORAL_TLS_SERVER_CA_CERT_PATH": filepath.Join(t.TempDir(), "none.pem")}, "none.pem: no such file"},
		} {
			t.Run(name, func(t *testing.T) {
				settings := program.Environment{
					"TEMPORAL_ADDRESS":                 address,
					"TEMPORAL_TLS_SERVER_NAME":         "temporal.example.com",
					"TEMPORAL_TLS_SERVER_CA_CERT_PATH": ours.File,
					"TEMPORAL_TLS_CLIENT_CERT_PATH":    cert,
					"TEMPORAL_TLS_CLIENT_KEY_PATH":     key,
				}
				for name, value := range c.changed {
					settings[name] = value
				}
				connect := func() error {
					_, err := dial(t, settings)
					return err
				}
				if c.refused == "" {
					require.NoError(t, connect())
					return
				}
				schematest.Refuses(t, c.refused, connect)
			})
		}
	})

	t.Run("API key is sent and never shown", func(t *testing.T) {
		behind := os.Getenv("TEST_TEMPORAL_ADDRESS")
		require.NotEmpty(t, behind, "run ./temporal-dev.sh test ./worker")
		const key = "eyJ-a-key-of-temporal"
		ours := schematest.NewAuthority(t)
		var calls, accepted atomic.Int32
		address := ours.GRPC(behind, "temporal.example.com", nil, func(metadata http.Header) bool {
			calls.Add(1)
			ok := metadata.Get("Authorization") == "Bearer "+key
			if ok {
				accepted.Add(1)
			}
			return ok
		})
		settings := program.Environment{
			"TEMPORAL_ADDRESS":                 address,
			"TEMPORAL_TLS_SERVER_NAME":         "temporal.example.com",
			"TEMPORAL_TLS_SERVER_CA_CERT_PATH": ours.File,
			"TEMPORAL_API_KEY":                 key,
		}
		log, err := dial(t, settings)
		require.NoError(t, err)
		require.Positive(t, accepted.Load())
		require.Equal(t, calls.Load(), accepted.Load(), "every call sends it")
		require.NotContains(t, log, key)

		settings["TEMPORAL_API_KEY"] = key + "-changed"
		log, err = dial(t, settings)
		require.ErrorContains(t, err, "Unauthorized", "the server's refusal is reported")
		require.NotContains(t, fmt.Sprintf("%s %+v %#v", log, err, err), key)

		settings["TEMPORAL_TLS_SERVER_CA_CERT_PATH"] = filepath.Join(t.TempDir(), "none.pem")
		_, err = dial(t, settings)
		require.ErrorContains(t, err, "none.pem")
		require.NotContains(t, err.Error(), key)
	})
}
