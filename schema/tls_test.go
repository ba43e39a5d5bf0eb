package schema_test

import (
	"net/url"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

func TestDatabaseTLS(t *testing.T) {
	// The parameters of DATABASE_URL are all that TLS needs.
	t.Run("settings of the URL decide what is accepted and refused", func(t *testing.T) {
		ours, others := schematest.NewAuthority(t), schematest.NewAuthority(t)
		cert, key := ours.Issue("accessbot")
		foreignCert, foreignKey := others.Issue("accessbot")
		target := schematest.ServerURL(t).String()
		full := func(more ...string) url.Values {
			settings := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {ours.File}}
			for n := 0; n < len(more); n += 2 {
				settings.Set(more[n], more[n+1])
			}
			return settings
		}
		for name, c := range map[string]struct {
			as       string // the server's certificate
			clients  *schematest.Authority
			settings url.Values
			refused  string
		}{
			"the server is who it should be":     {"localhost", nil, full(), ""},
			"and we are, too":                    {"localhost", ours, full("sslcert", cert, "sslkey", key), ""},
			"no TLS":                             {"localhost", nil, url.Values{"sslmode": {"disable"}}, "no encryption"},
			"an authority that we do not know":   {"localhost", nil, full("sslrootcert", others.File), "certificate signed by unknown authority"},
			"no certificate":                     {"localhost", ours, full(), "certificate required"},
			"someone else's certificate":         {"localhost", ours, full("sslcert", foreignCert, "sslkey", foreignKey), "unknown certificate authority"},
			"a file that is not there":           {"localhost", nil, full("sslrootcert", filepath.Join(t.TempDir(), "none.pem")), "none.pem"},
			"the certificate of another machine": {"db.example.com", nil, full(), "certificate is valid for db.example.com, not localhost"},
		} {
			t.Run(name, func(t *testing.T) {
				through := ours.PostgreSQL(target, c.as, c.clients, c.settings)
				db, err := schema.Open(through, 1)
				if err == nil {
					defer db.Close()
					var one int
					err = db.GetContext(t.Context(), &one, `select 1`)
				}
				if c.refused == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, c.refused)
			})
		}
	})
}
