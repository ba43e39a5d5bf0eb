package schema_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/directory"
	"accessbot/schema/schematest"
)

// office is a database with the sample directory, used as the Slack app.
type office struct {
	*testing.T
	*schematest.Database
	app *schema.DB
}

func newOffice(t *testing.T) office {
	t.Helper()
	t.Parallel()
	d := schematest.New(t)
	_, err := directory.Import(context.Background(), d.As(t, "accessbot_directory"), "directory/sample", directory.Options{})
	require.NoError(t, err)
	return office{t, d, d.As(t, "accessbot_slackapp")}
}

// person finds a person of the sample by their e-mail before the @.
func (o office) person(name string) schema.Person {
	o.Helper()
	p, err := schema.PersonByEmail(context.Background(), o, name+"@example.com")
	require.NoError(o, err)
	return p
}

// entitlement finds the ID of application/key.
func (o office) entitlement(application, key string) int64 {
	o.Helper()
	var id int64
	require.NoError(
		o,
		o.Get(
			&id,
			`select e.id from entitlements e join applications a on a.id = e.application_id where a.slug = $1 and e.key = $2`,
			application,
			key,
		),
	)
	return id
}

// keys returns application/key of entitlements, in their order.
func (o office) keys(ids []int64) []string {
	o.Helper()
	keys := []string{}
	for _, id := range ids {
		var key string
		require.NoError(
			o,
			o.Get(
				&key,
				`select a.slug || '/' || e.key from entitlements e join applications a on a.id = e.application_id where e.id = $1`,
				id,
			),
		)
		keys = append(keys, key)
	}
	return keys
}

// do changes the database as its owner, like another program.
func (o office) do(query string, args ...any) {
	o.Helper()
	_, err := o.Exec(query, args...)
	require.NoError(o, err)
}

// offered returns the keys that a person is offered.
func (o office) offered(who, mode string, likeID int64) []string {
	o.Helper()
	ids, err := schema.Offer{PersonID: o.person(who).ID, Mode: mode, LikeID: likeID}.IDs(context.Background(), o.app)
	require.NoError(o, err)
	return o.keys(ids)
}

func (o office) title(name string) int64 {
	o.Helper()
	var id int64
	require.NoError(o, o.Get(&id, `select id from job_titles where name = $1`, name))
	return id
}
