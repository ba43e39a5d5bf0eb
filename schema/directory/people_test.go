package directory_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/directory"
)

func TestPeople(t *testing.T) {
	t.Run("person who is gone keeps access and may return", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		held := c.claims(t)
		without := office().with(t, "people.csv", "cy@example.com,Cy,Analyst,Data,bo@example.com,active\n", "")

		summary := c.imports(t, without)
		assert.Equal(t, []string{"cy@example.com"}, of(t, summary, "people.csv").Names)
		assert.Equal(t, 1, c.count(t, `select count(*) from people where gone_at is not null`))
		assert.Equal(t, held, c.claims(t), "grants.csv still has their access, and only status left revokes it")
		assert.Zero(t, c.count(t, `select count(*) from claims where due_at is not null`))
		assert.False(t, c.imports(t, without).Changed())

		summary = c.imports(t, office())
		assert.Equal(t, 1, of(t, summary, "people.csv").Changed)
		assert.Zero(t, c.count(t, `select count(*) from people where gone_at is not null`))
		assert.Equal(t, 4, c.count(t, `select count(*) from people`))
	})

	t.Run("person who is gone may still be manager, owner and holder", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		summary := c.imports(
			t,
			office().with(t, "people.csv", "bo@example.com,Bo,Head,Data,,active\n", "").
				with(t, "people.csv", "cy@example.com,Cy,Analyst,Data,bo@example.com,active\n", ""),
		)
		assert.Equal(t, 2, of(t, summary, "people.csv").Gone)
		assert.Equal(
			t,
			1,
			c.count(
				t,
				`select count(*) from people p join people m on m.id = p.manager_id where p.email = 'ann@example.com' and m.gone_at is not null`,
			),
		)
	})

	t.Run("holder who is gone has an account in a new target", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		c.exec(t, `update people set gone_at = app_now() where email = 'cy@example.com'`)
		f := office().with(t, "people.csv", "cy@example.com,Cy,Analyst,Data,bo@example.com,active\n", "").
			with(t, "applications.csv", "connector,owners\n", "connector,owners,instance\n").
			with(t, "applications.csv", ",bo@example.com\n", ",bo@example.com,\n").
			with(t, "applications.csv", "wiki,Wiki,postgresql,bo@example.com;di@example.com\n", "wiki,Wiki,postgresql,,\npay,Payroll,postgresql,,SAFE\n").
			plus("entitlements.csv", "pay,clerk,Clerk,role,,low,\n").
			plus("grants.csv", "cy@example.com,pay,clerk\n")
		c.imports(t, f)
		assert.Contains(t, c.claims(t), "cy@example.com pay/clerk imported")
	})

	t.Run("access of a person who left is due at once", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		left := office().with(t, "people.csv", "Cy,Analyst,Data,bo@example.com,active", "Cy,Analyst,Data,bo@example.com,left").
			plus("grants.csv", "cy@example.com,crm,writer\n")
		c.imports(t, left)
		assert.Equal(
			t,
			3,
			c.count(
				t,
				`select count(*) from claims c join people p on p.id = c.person_id where p.email = 'cy@example.com' and c.due_at <= app_now()`,
			),
			"the claims from before, and the one from this import",
		)
		assert.Equal(t, 1, c.count(t, `select count(*) from claims where due_at is null`), "claims of other people are not due")
	})

	t.Run("Slack user ID moves to the person's new address", func(t *testing.T) {
		c := newCompany(t)
		const header = "email,name,job_title,department,manager_email,status,slack_user_id\n"
		c.imports(t, folder{"people.csv": header + "ann@example.com,Ann,,,,active,U0A\nbo@example.com,Bo,,,,active,U0B\n"})
		c.imports(t, folder{"people.csv": header + "ann@new.example.com,Ann,,,,active,U0A\nbo@example.com,Bo,,,,active,U0B\n"})
		assert.Equal(t, "ann@new.example.com", c.text(t, `select email from people where slack_user_id = 'U0A'`))
		c.imports(t, folder{"people.csv": header + "ann@new.example.com,Ann,,,,active,U0B\nbo@example.com,Bo,,,,active,U0A\n"})
		assert.Equal(
			t,
			"bo@example.com",
			c.text(t, `select email from people where slack_user_id = 'U0A'`),
			"two people exchange IDs in one import",
		)
	})

	t.Run("look-alike addresses are different people", func(t *testing.T) {
		c := newCompany(t)
		people := "email,name,job_title,department,manager_email,status\n"
		addresses := []string{
			"priya@example.com",
			"pr\u0130ya@example.com",
			"kenji@example.com",
			"\u212aenji@example.com",
			"sam@example.com",
			"\u017fam@example.com",
		}
		for _, address := range addresses {
			people += address + ",Name,,,,active\n"
		}
		c.imports(t, folder{"people.csv": people})
		var known []string
		require.NoError(t, c.Select(&known, `select email from people order by id`))
		assert.Equal(t, addresses, known)
		assert.False(
			t,
			c.imports(t, folder{"people.csv": strings.ReplaceAll(people, "priya@example.com", "Priya@EXAMPLE.com")}).Changed(),
		)
	})
}

func TestPeopleChanges(t *testing.T) {
	t.Run("change of who may decide is audited per person", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		event := c.lastEvent(t)
		c.imports(t, office().
			with(t, "people.csv", "manager_email,status\n", "manager_email,status,administrator\n").
			with(t, "people.csv", "bo@example.com,Bo,Head,Data,,active", "bo@example.com,Bo,Head,Data,,active,yes").
			with(t, "people.csv", "Ann,Analyst,Data,bo@example.com,active", "Anna,Analyst,Data,bo@example.com,active,").
			with(t, "people.csv", "Cy,Analyst,Data,bo@example.com,active", "Cy,Analyst,Data,ann@example.com,suspended,").
			with(t, "people.csv", "di@example.com,Di,,,bo@example.com,active", "ed@example.com,Ed,,,,active,yes"))
		id := func(email string) float64 {
			return float64(c.count(t, `select id from people where email = $1`, email))
		}
		state := func(status string, manager any, administrator, gone bool) map[string]any {
			return map[string]any{"status": status, "manager_id": manager, "administrator": administrator, "gone": gone}
		}
		assert.ElementsMatch(t, []map[string]any{
			{"person_id": id("bo@example.com"), "before": state("active", nil, false, false), "after": state("active", nil, true, false)},
			{
				"person_id": id("cy@example.com"),
				"before":    state("active", id("bo@example.com"), false, false),
				"after":     state("suspended", id("ann@example.com"), false, false),
			},
			{"person_id": id("ed@example.com"), "before": nil, "after": state("active", nil, true, false)},
			{
				"person_id": id("di@example.com"),
				"before":    state("active", id("bo@example.com"), false, false),
				"after":     state("active", id("bo@example.com"), false, true),
			},
		}, c.events(t, schema.PersonChanged, event), "Ann's new name is not audited")
	})

	t.Run("change of owners is audited", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, office())
		event := c.lastEvent(t)
		c.imports(t, office().
			with(t, "applications.csv", "bo@example.com;di@example.com", "bo@example.com;ann@example.com").
			with(t, "entitlements.csv", "cy@example.com", "").
			with(t, "entitlements.csv", "wiki,reader,Read", "wiki,reader,Look"))
		id := func(email string) float64 {
			return float64(c.count(t, `select id from people where email = $1`, email))
		}
		assert.Equal(t, []map[string]any{
			{"application_id": float64(c.count(t, `select id from applications where slug = 'wiki'`)),
				"before": []any{id("bo@example.com"), id("di@example.com")}, "after": []any{id("bo@example.com"), id("ann@example.com")}},
			{
				"entitlement_id": float64(c.count(t, `select id from entitlements where key = 'writer'`)),
				"before":         []any{id("cy@example.com")},
				"after":          []any{},
			},
		}, c.events(t, schema.OwnersChanged, event))
		assert.Equal(
			t,
			2,
			c.count(t, `select count(*) from application_owners o join applications a on a.id = o.application_id where slug = 'wiki'`),
		)
		assert.Zero(t, c.count(t, `select count(*) from entitlement_owners`))
	})

	t.Run("open request is due when its approvers change", func(t *testing.T) {
		c := newCompany(t)
		for _, test := range []struct {
			what  string
			files folder
			due   bool
		}{
			{"nothing", office(), false},
			{"the requester's manager", office().with(t, "people.csv", "Ann,Analyst,Data,bo@example.com", "Ann,Analyst,Data,di@example.com"), true},
			{"the owners of the entitlement", office().with(t, "entitlements.csv", "cy@example.com", "cy@example.com;di@example.com"), true},
			{"the owners of the application", office().with(t, "applications.csv", "crm,Customers,postgresql,bo@example.com", "crm,Customers,postgresql,"), true},
			{"the risk", office().with(t, "entitlements.csv", "medium", "high"), true},
			{"the entitlement is retired", office().with(t, "entitlements.csv", "crm,writer,Write,role,\"Change\nanything\",medium,cy@example.com\n", ""), true},
			{"another application's owners", office().with(t, "applications.csv", "bo@example.com;di@example.com", "di@example.com"), false},
			{"another entitlement", office().with(t, "entitlements.csv", "wiki,reader,Read", "wiki,reader,Look"), false},
		} {
			t.Run(test.what, func(t *testing.T) {
				c.imports(t, office())
				open, _ := c.asks(t, "ann@example.com", "crm/writer", 0)
				completed, item := c.asks(t, "di@example.com", "crm/writer", 0)
				c.exec(t, `update request_items set state = 'withdrawn' where id = $1`, item)
				c.exec(t, `update access_requests set completed_at = app_now() where id = $1`, completed)

				c.imports(t, test.files)
				assert.Equal(t, test.due, c.count(t, `select count(*) from access_requests where id = $1 and due_at <= app_now()`, open) == 1)
				assert.Zero(t, c.count(t, `select count(*) from access_requests where id = $1 and due_at is not null`, completed))
			})
		}
	})

	t.Run("only the import may make requests due", func(t *testing.T) {
		c := newCompany(t)
		for _, role := range []string{"accessbot_slackapp", "accessbot_worker", "accessbot_auditor"} {
			_, err := c.As(t, role).Exec(`select mark_requests_due('{1}')`)
			assert.ErrorContains(t, err, "permission denied", role)
		}
	})
}

func TestJobTitles(t *testing.T) {
	t.Run("sets of job titles are replaced", func(t *testing.T) {
		c := newCompany(t)
		sets := func() string {
			return c.text(t, `
			select coalesce(string_agg(t.name || ' ' || a.slug || '/' || e.key, ', ' order by t.name, a.slug, e.key), '')
			  from job_title_entitlements s join job_titles t on t.id = s.job_title_id join entitlements e on e.id = s.entitlement_id join applications a on a.id = e.application_id`)
		}
		const header = "job_title,application,key\n"
		c.imports(t, office().plus("job_titles.csv", header+"Analyst,crm,reader\nAnalyst,wiki,reader\nPilot,crm,reader\n"))
		assert.Equal(t, "Analyst crm/reader, Analyst wiki/reader, Pilot crm/reader", sets())
		summary := c.imports(t, folder{"job_titles.csv": header + "Analyst,crm,writer\nAnalyst,wiki,reader\n"})
		assert.Equal(
			t,
			directory.FileSummary{File: "job_titles.csv", Added: 1, Gone: 2, Unchanged: 1},
			of(t, summary, "job_titles.csv"),
		)
		assert.Equal(t, "Analyst crm/writer, Analyst wiki/reader", sets())
		c.imports(t, office())
		assert.Equal(t, "Analyst crm/writer, Analyst wiki/reader", sets(), "an absent file leaves them")
		assert.Equal(t, 1, c.count(t, `select count(*) from job_titles where name = 'Pilot'`), "the title itself stays")
	})

	t.Run("change of job title is audited and changes no access", func(t *testing.T) {
		c := newCompany(t)
		titles := func() string {
			return c.text(t, `
			select coalesce(string_agg(p.email || ': ' || coalesce(details->>'before', '-') || ', ' || coalesce(details->>'after', '-'), '; ' order by a.id), '')
			  from audit_events a join people p on p.id = (details->>'person_id')::bigint
			 where a.action = 'job_title.changed' and a.actor = 'import' and a.written_by = 'accessbot_directory'`)
		}
		claims := func() string {
			return c.text(t, `select string_agg(format('%s %s', id, ended_at is null), ', ' order by id) from claims`)
		}
		standard := office()
		standard["job_titles.csv"] = "job_title,application,key\nAnalyst,crm,reader\nAnalyst,wiki,reader\n"
		c.imports(t, standard)
		held := claims()
		titled := standard.with(t, "people.csv", "Di,,,bo", "Di,Analyst,,bo")
		c.imports(t, titled)
		assert.Equal(t, "di@example.com: -, Analyst", titles())
		moved := titled.with(t, "people.csv", "Cy,Analyst,Data,bo@example.com", "Cy,Head,Data,di@example.com").
			plus("job_titles.csv", "Head,wiki,reader\n")
		c.imports(t, moved)
		c.imports(t, moved)
		assert.Equal(t, "di@example.com: -, Analyst; cy@example.com: Analyst, Head", titles())
		assert.Equal(t, held, claims())
		c.imports(t, moved.with(t, "people.csv", "Cy,Head,Data,di@example.com,active", "Cy,,Data,bo@example.com,left"))
		assert.Equal(t, "di@example.com: -, Analyst; cy@example.com: Analyst, Head; cy@example.com: Head, -", titles())
	})
}

func TestReasons(t *testing.T) {
	t.Run("reasons have the file's order and retired ones are kept", func(t *testing.T) {
		c := newCompany(t)
		reasons := func() string {
			return c.text(
				t,
				`select string_agg(key || ':' || label || ':' || note_required, ' ' order by position) from reasons where gone_at is null`,
			)
		}
		summary := c.imports(t, folder{"reasons.csv": "key,label,note_required\nother,Other,yes\nproject,Work,no\nmove,Move,\n"})
		assert.Equal(t, "other:Other:true project:Work:false move:Move:false", reasons())
		f := of(t, summary, "reasons.csv")
		assert.Equal(t, []int{1, 2, 4}, []int{f.Added, f.Changed, f.Gone})
		require.Equal(t, 7, c.count(t, `select count(*) from reasons`), "requests refer to them")
		c.imports(t, folder{"reasons.csv": "key,label,note_required\naudit,Audit,no\n"})
		assert.Equal(t, "audit:Audit:false", reasons())
	})
}
