package schema_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

func TestOffers(t *testing.T) {
	t.Run("access like a person is what they hold and the requester lacks", func(t *testing.T) {
		o := newOffice(t)
		require.ElementsMatch(
			t,
			[]string{
				"crm/reader",
				"dashboards/editor",
				"source/data-pipelines",
				"warehouse/marketing-marts",
				"warehouse/sandbox",
				"production/logs-reader",
			},
			o.offered("alice", schema.LikePerson, o.person("priya").ID),
		)
	})

	t.Run("access that is retired, not requestable, held or ended is not offered", func(t *testing.T) {
		o := newOffice(t)
		alice, priya := o.person("alice").ID, o.person("priya").ID
		editor := o.entitlement("dashboards", "editor")
		offers := func() bool {
			return strings.Contains(strings.Join(o.offered("alice", schema.LikePerson, priya), " "), "dashboards/editor")
		}
		require.True(t, offers())
		for _, c := range []struct{ what, do, undo string }{
			{"it is not requestable", `update entitlements set requestable = false where id = $1`, `update entitlements set requestable = true where id = $1`},
			{"it is retired", `update entitlements set gone_at = app_now() where id = $1`, `update entitlements set gone_at = null where id = $1`},
			{"its application is gone", `update applications set gone_at = app_now() where id = (select application_id from entitlements where id = $1)`,
				`update applications set gone_at = null where id = (select application_id from entitlements where id = $1)`},
			{"she has it by now", `insert into claims (person_id, account_id, entitlement_id, source) select s.person_id, s.id, $1, 'imported' from accounts s join people p on p.id = s.person_id where p.email = 'alice@example.com' and s.instance = 'POSTGRESQL'`,
				`update claims set ended_at = app_now() where entitlement_id = $1 and person_id = (select id from people where email = 'alice@example.com')`},
		} {
			o.do(c.do, editor)
			require.False(t, offers(), c.what)
			o.do(c.undo, editor)
			require.True(t, offers(), "not: "+c.what)
		}
		// A claim whose end has passed is not live, even if it is not ended yet. Nor is a revoked one.
		o.do(
			`insert into claims (person_id, account_id, entitlement_id, source, ends_at, due_at) select $2, s.id, $1, 'imported', app_now() - interval '1 second', app_now() from accounts s where s.person_id = $2 and s.instance = 'POSTGRESQL'`,
			editor,
			alice,
		)
		require.True(t, offers())
		// Ended access of the other person is not offered.
		o.do(`update claims set revoked_at = app_now(), due_at = app_now() where entitlement_id = $1 and person_id = $2`, editor, priya)
		require.False(t, offers())
	})

	t.Run("missing account is named and nothing is offered", func(t *testing.T) {
		o := newOffice(t)
		alice := o.person("alice").ID
		offer := schema.Offer{PersonID: alice, Mode: schema.LikePerson, LikeID: o.person("priya").ID}
		without, err := offer.WithoutAccount(context.Background(), o.app)
		require.NoError(t, err)
		require.Empty(t, without)
		o.do(`update accounts set instance = 'ELSEWHERE' where person_id = $1 and instance = 'POSTGRESQL'`, alice)
		require.Empty(t, o.offered("alice", schema.LikePerson, offer.LikeID))
		without, err = offer.WithoutAccount(context.Background(), o.app)
		require.NoError(t, err)
		require.Len(t, without, 5)
	})

	t.Run("job title stands for its configured set", func(t *testing.T) {
		o := newOffice(t)
		title := o.title("Data Engineer")
		var configured int
		require.NoError(t, o.Get(&configured, `select count(*) from job_title_entitlements where job_title_id = $1`, title))
		got := o.offered("ingrid", schema.LikeJobTitle, title)
		require.NotEmpty(t, got)
		require.LessOrEqual(t, len(got), configured)
		for _, key := range got {
			var in bool
			slug, k, _ := strings.Cut(key, "/")
			require.NoError(
				t,
				o.Get(
					&in,
					`select exists (select from job_title_entitlements where job_title_id = $1 and entitlement_id = $2)`,
					title,
					o.entitlement(slug, k),
				),
			)
			require.True(t, in, key)
		}
	})

	t.Run("job title without a set stands for what half of its holders have", func(t *testing.T) {
		o := newOffice(t)
		title := o.title("Data Analyst") // alice, priya, kenji, zoe
		alice := o.person("alice").ID
		offer := schema.Offer{PersonID: alice, Mode: schema.LikeJobTitle, LikeID: title}
		ids, err := offer.IDs(context.Background(), o.app)
		require.NoError(t, err)
		require.NotEmpty(t, ids)
		grants, err := offer.Grants(context.Background(), o.app, ids)
		require.NoError(t, err)
		for _, id := range ids {
			require.Equal(t, 3, grants[id].Holders, "her own holdings do not count")
			require.GreaterOrEqual(t, grants[id].HeldBy, 2)
		}
		// One of three holders is not half.
		holders := func(key string) int {
			var n int
			slug, k, _ := strings.Cut(key, "/")
			require.NoError(t, o.Get(&n, `select count(distinct c.person_id) from claims c join people p on p.id = c.person_id
			where p.job_title_id = $1 and p.id <> $2 and c.entitlement_id = $3 and c.ended_at is null`, title, alice, o.entitlement(slug, k)))
			return n
		}
		offered := strings.Join(o.keys(ids), " ")
		for _, key := range o.offered("alice", schema.LikePerson, o.person("priya").ID) {
			require.Equal(t, holders(key) >= 2, strings.Contains(offered, key), key)
		}
	})

	t.Run("job title without other holders offers nothing", func(t *testing.T) {
		o := newOffice(t)
		require.Empty(t, o.offered("sam", schema.LikeJobTitle, o.title("Site Reliability Lead")))
		// One holder is not two.
		require.Empty(t, o.offered("alice", schema.LikeJobTitle, o.title("Site Reliability Lead")))
	})

	t.Run("custom offers everything requestable that is not held", func(t *testing.T) {
		o := newOffice(t)
		got := strings.Join(o.offered("alice", schema.Custom, 0), " ")
		require.NotContains(t, got, "production/robots", "it is not requestable")
		require.NotContains(t, got, "warehouse/reader", "she has it")
		require.Contains(t, got, "warehouse/admin")
		total, err := schema.Offer{PersonID: o.person("alice").ID, Mode: schema.Custom}.Total(context.Background(), o.app)
		require.NoError(t, err)
		require.Equal(t, len(strings.Fields(got)), total)
	})

	// Every click in a form runs these queries, so each must use indexes.
	t.Run("queries use the indexes of claims", func(t *testing.T) {
		o := newOffice(t)
		o.do(
			`insert into people (email, name, status, job_title_id) select 'p' || n || '@example.com', 'Person ' || n, 'active', (select id from job_titles order by id limit 1) + n % 5 from generate_series(1, 1000) n`,
		)
		o.do(
			`insert into accounts (person_id, instance, account) select id, 'POSTGRESQL', email from people where email like 'p%@example.com' on conflict do nothing`,
		)
		o.do(
			`insert into entitlements (application_id, instance, key, name, kind, risk, target) select a.id, a.instance, 'k' || n, 'Grant ' || n, 'role', 'low', a.slug || '/k' || n from generate_series(1, 500) n, applications a where a.instance = 'POSTGRESQL'`,
		)
		o.do(`insert into claims (person_id, account_id, entitlement_id, source)
	      select s.person_id, s.id, e.id, 'imported' from accounts s
	        join lateral (select id from entitlements where key like 'k%' order by md5(key || s.id) limit 20) e on true
	       where s.account like 'p%@example.com' and s.instance = 'POSTGRESQL' on conflict do nothing`)
		o.do(`analyze`)
		me, them := o.person("p1").ID, o.person("p2").ID
		for name, offer := range map[string]schema.Offer{
			"like a person":    {PersonID: me, Mode: schema.LikePerson, LikeID: them},
			"like a job title": {PersonID: me, Mode: schema.LikeJobTitle, LikeID: o.title("Accountant")},
			"custom":           {PersonID: me, Mode: schema.Custom},
		} {
			ids, err := offer.IDs(context.Background(), o.app)
			require.NoError(t, err)
			plan := o.explain(offer)
			require.NotContains(t, scans(plan), "claims", "%s reads all claims:\n%s", name, plan)
			t.Logf("%s: %d offered", name, len(ids))
		}
	})
}

// explain returns the plan of a query as JSON.
func (o office) explain(offer schema.Offer) string {
	o.Helper()
	var plan string
	require.NoError(o, o.app.Get(&plan, `explain (format json) `+schema.OfferQuery(offer), offer.PersonID, offer.LikeID))
	return plan
}

// scans returns the tables that a plan scans sequentially.
func scans(plan string) []string {
	var parsed any
	if err := json.Unmarshal([]byte(plan), &parsed); err != nil {
		panic(fmt.Sprintf("a plan that is no JSON: %v", err))
	}
	var tables []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if v["Node Type"] == "Seq Scan" {
				tables = append(tables, fmt.Sprint(v["Relation Name"]))
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(parsed)
	return tables
}
