package schema_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

func (o office) found(who, typed string) []string {
	o.Helper()
	hits, err := schema.SearchPeople(context.Background(), o.app, o.person(who).ID, typed, 100)
	require.NoError(o, err)
	names := []string{}
	for _, f := range hits {
		names = append(names, f.Name)
	}
	return names
}

func TestPeopleAreFoundByNameAndEMail(t *testing.T) {
	o := newOffice(t)
	require.Equal(t, []string{"Priya Nair"}, o.found("alice", "PR"), "two characters: the beginning")
	require.NotContains(t, o.found("alice", "na"), "Priya Nair")
	require.Equal(t, []string{"Priya Nair"}, o.found("alice", "nair"))
	require.Equal(t, []string{"Priya Nair"}, o.found("alice", "priya@example"))
	require.Equal(t, []string{"Zoë Laurent"}, o.found("alice", "Zoë"))
	require.Empty(t, o.found("alice", "%"))
	require.Empty(t, o.found("alice", "___"))
	require.NotContains(t, o.found("alice", "ali"), "Alice Martin", "nobody is like themselves")
	require.Empty(t, o.found("alice", "viktor"), "suspended")
	require.Empty(t, o.found("alice", "eve@example"), "left")
}

func TestNothingTypedShowsTheOwnTeamFirst(t *testing.T) {
	o := newOffice(t)
	all := o.found("alice", "")
	var team int
	require.NoError(t, o.Get(&team, `select count(*) from people where manager_id = $1 and id <> $2 and status = 'active'`, o.person("bob").ID, o.person("alice").ID))
	require.Contains(t, all[:team], "Priya Nair")
	require.NotContains(t, all[:team], "Bob Fischer")
	require.Contains(t, all[team:], "Bob Fischer")
	var active int
	require.NoError(t, o.Get(&active, `select count(*) from people where status = 'active'`))
	require.Len(t, all, active-1)
}

func TestASearchAnswersNoMoreThanAskedFor(t *testing.T) {
	o := newOffice(t)
	o.do(`insert into people (email, name, status) select 'many' || n || '@example.com', 'Many ' || n, 'active' from generate_series(1, 500) n`)
	for _, typed := range []string{"", "ma", "many"} {
		require.Len(t, o.found("alice", typed), 100, typed)
	}
}

func TestApplicationsToFilterByAreThoseOfTheOffer(t *testing.T) {
	o := newOffice(t)
	d := o.opened("V1", "alice", "priya")
	names := func(typed string) []string {
		found, err := d.SearchApplications(context.Background(), o.app, typed, 99)
		require.NoError(t, err)
		all := []string{}
		for _, f := range found {
			all = append(all, f.Name)
		}
		return all
	}
	require.Equal(t, []string{"Customer Records", "Dashboards", "Data Warehouse", "Production", "Source Code"}, names(""))
	require.Equal(t, []string{"Dashboards", "Data Warehouse"}, names("da"))
	require.Equal(t, []string{"Data Warehouse"}, names("house"))
	d.Mode = schema.Custom
	require.Contains(t, names(""), "Ledger")
}

func TestSearchesUseTheirIndexes(t *testing.T) {
	o := newOffice(t)
	o.do(`insert into people (email, name, status) select md5(n::text) || '@example.com', md5((-n)::text), 'active' from generate_series(1, 20000) n`)
	o.do(`vacuum analyze people`)
	for _, typed := range []string{"", "ab", "abcde"} {
		query, args := schema.PeopleQuery(o.person("alice").ID, typed, 100)
		var plan string
		require.NoError(t, o.app.Get(&plan, `explain (format json) `+query, args...))
		require.NotContains(t, scans(plan), "people", "%q:\n%s", typed, plan)
	}
}
