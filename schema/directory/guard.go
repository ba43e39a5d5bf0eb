package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// loss is one way in which an import removes access or authority. Each kind is counted separately, so that a large kind can't
// hide a small one. Changes of names, departments, job titles, time zones, risk and limits of days are not counted. Moving an
// account or object that is still used for access is always refused.
type loss struct {
	kind   string // the key in Options.Allow
	file   string // the file that causes it
	effect string // completes "would ...", with the number lost and the total
	rows   bool   // it counts missing rows, so a file without rows loses everything
	query  string // returns the number lost and the total
}

// losses are all kinds of loss. A person, owner, manager or administrator who is inactive before or after the import is
// counted as inactive and not again as removed.
var losses = []loss{
	{"people-gone", peopleFile, "mark %d of %d people as gone", true,
		`select count(*) filter (where not here), count(*) from person where was_here`},
	{"people-left", peopleFile, "set %d of %d people to left", false,
		`select count(*) filter (where status = 'left'), count(*) from person where was_status <> 'left' and (was_here or here)`},
	{"people-suspended", peopleFile, "set %d of %d active people to suspended", false,
		`select count(*) filter (where here and status = 'suspended'), count(*) from person where was_active`},
	{"administrators", peopleFile, "remove %d of %d administrators", false,
		`select count(*) filter (where not (active and administrator)), count(*) from person where was_active and was_administrator`},
	{"managers", peopleFile, "remove the manager of %d of %d people", false, `
		select count(*) filter (where p.staged and p.status <> 'left' and p.manager_email <> m.email and m.active), count(*)
		  from person p join person m on m.id = p.was_manager_id
		 where p.was_here and m.was_active`},
	{"managers-inactive", peopleFile, "make %d of %d managers inactive", false, `
		select count(*) filter (where not m.active), count(*) from person m
		 where m.was_active and exists (select from people p where p.manager_id = m.id and p.gone_at is null)`},
	{"owners-inactive", peopleFile, "make %d of %d owners of applications or access grants inactive", false, `
		select count(*) filter (where not o.active), count(*) from person o
		 where o.was_active and (exists (select from application_owners a where a.person_id = o.id)
		                      or exists (select from entitlement_owners e where e.person_id = o.id))`},
	// A binding that slack_user_id contradicts is ignored, see schema.PersonOfSlackUser.
	{"slack-users", peopleFile, "remove the Slack user of %d of %d people", false, `
		select count(*) filter (where p.staged and (
		           coalesce(nullif(p.slack_user_id, ''), i.user_id) is distinct from coalesce(p.was_slack_user_id, i.user_id)
		           or other.email is not null)), count(*)
		  from person p
		  left join slack_identities i on i.person_id = p.id
		  left join import_people other on other.slack_user_id = i.user_id and other.email <> p.email
		 where p.was_here and coalesce(p.was_slack_user_id, i.user_id) is not null`},
	{"applications-gone", applicationsFile, "mark %d of %d applications as gone", true, `
		select count(*) filter (where f.applications and s.slug is null), count(*)
		  from applications a cross join files f left join import_applications s on s.slug = a.slug
		 where a.gone_at is null`},
	{"application-owners", applicationsFile, "remove %d of %d owners of applications", false, `
		select count(*) filter (where p.email <> all (s.owners) and p.active), count(*)
		  from application_owners o join person p on p.id = o.person_id join applications a on a.id = o.application_id
		  left join import_applications s on s.slug = a.slug
		 where a.gone_at is null and p.was_active`},
	{"applications-correct", applicationsFile, "turn on the correction of findings in %d of %d applications", false, `
		select count(*) filter (where s.on_finding = 'correct'), count(*)
		  from applications a left join import_applications s on s.slug = a.slug
		 where a.gone_at is null and a.on_finding <> 'correct'`},
	{"entitlements-gone", entitlementsFile, "mark %d of %d entitlements as gone", true, `
		select count(*) filter (where f.entitlements and s.key is null or f.applications and sa.slug is null), count(*)
		  from entitlements e cross join files f join applications a on a.id = e.application_id
		  left join import_entitlements s on s.application = a.slug and s.key = e.key
		  left join import_applications sa on sa.slug = a.slug
		 where e.gone_at is null`},
	{"entitlement-owners", entitlementsFile, "remove %d of %d owners of entitlements", false, `
		select count(*) filter (where p.email <> all (s.owners) and p.active), count(*)
		  from entitlement_owners o join person p on p.id = o.person_id
		  join entitlements e on e.id = o.entitlement_id join applications a on a.id = e.application_id
		  left join import_entitlements s on s.application = a.slug and s.key = e.key
		 where e.gone_at is null and p.was_active`},
	{"entitlements-unrequestable", entitlementsFile, "make %d of %d requestable entitlements not requestable", false, `
		select count(*) filter (where not s.requestable), count(*)
		  from entitlements e join applications a on a.id = e.application_id
		  left join import_entitlements s on s.application = a.slug and s.key = e.key
		 where e.gone_at is null and e.requestable`},
	{"accounts-changed", accountsFile, "rename %d of %d accounts", false,
		`select count(*) filter (where change = 'changed'), count(*) from import_accounts where id is not null`},
	// Rows that are gone from accounts.csv change nothing, but a file without rows is a failed export.
	{"accounts-gone", accountsFile, "leave out %d of %d accounts with names of their own", true, `
		select case when f.accounts and not exists (select from import_accounts) then count(*) else 0 end, count(*)
		  from accounts a join people p on p.id = a.person_id cross join files f
		 where p.gone_at is null and a.account <> p.email
		 group by f.accounts`},
	{"grants-gone", grantsFile, "end %d of %d imported claims", true, `
		select count(*) filter (where f.grants and g.email is null), count(*)
		  from claims c
		 cross join files f
		  join people p on p.id = c.person_id
		  join entitlements e on e.id = c.entitlement_id
		  join applications a on a.id = e.application_id
		  left join import_grants g on g.email = p.email and g.application = a.slug and g.key = e.key
		 where c.source = 'imported' and c.ended_at is null`},
	// An imported claim of a person who has left is due at once, so even a first import revokes that access.
	{"grants-left", grantsFile, "import %d of %d grants of people who have left and revoke them at once", false, `
		select count(*) filter (where coalesce(s.status, p.status) = 'left' and not exists (
		           select from claims c where c.person_id = p.id and c.entitlement_id = e.id and c.removed_at is null)), count(*)
		  from import_grants g
		  left join import_people s on s.email = g.email
		  left join people p on p.email = g.email
		  left join applications a on a.slug = g.application
		  left join entitlements e on e.application_id = a.id and e.key = g.key`},
	{"job-titles-gone", jobTitlesFile, "remove %d of %d access grants from the sets of job titles", true, `
		select count(*) filter (where f.job_titles and s.key is null), count(*)
		  from job_title_entitlements j
		 cross join files f
		  join job_titles t on t.id = j.job_title_id
		  join entitlements e on e.id = j.entitlement_id
		  join applications a on a.id = e.application_id
		  left join import_job_titles s on s.job_title = t.name and s.application = a.slug and s.key = e.key`},
	{"reasons-gone", reasonsFile, "mark %d of %d reasons as gone", false, `
		select count(*) filter (where f.reasons and s.key is null), count(*)
		  from reasons r cross join files f left join import_reasons s on s.key = r.key
		 where r.gone_at is null`},
}

// beforeAndAfter defines what the queries of losses read in addition to the tables: the files that are present, and people
// before and after the import.
const beforeAndAfter = `
with files as (
    select $1::boolean as people, $2::boolean as applications, $3::boolean as entitlements, $4::boolean as accounts,
           $5::boolean as grants, $6::boolean as job_titles, $7::boolean as reasons),
merged as (
    select p.id, p.email, s.email is not null as staged,
           p.gone_at is null as was_here, s.email is not null or p.gone_at is null and not f.people as here,
           p.status as was_status, coalesce(s.status, p.status) as status,
           p.administrator as was_administrator, coalesce(s.administrator, p.administrator) as administrator,
           p.manager_id as was_manager_id, s.manager_email,
           p.slack_user_id as was_slack_user_id, coalesce(s.slack_user_id, p.slack_user_id) as slack_user_id
      from people p cross join files f left join import_people s on s.email = p.email),
person as (
    select *, was_here and was_status = 'active' as was_active, here and status = 'active' as active from merged)
`

// guard refuses an import that would remove more than 5 %, and more than 5, of any kind of access or authority, unless
// Options.Allow lets it: a truncated or garbled export must not remove everyone's access. A file without rows is always
// refused if the database has such rows.
func (im *importing) guard(ctx context.Context) error {
	counted := make([]string, len(losses))
	kinds := make([]string, len(losses))
	for i, l := range losses {
		kinds[i] = l.kind
		counted[i] = fmt.Sprintf("select '%s' as kind, lost, total from (%s) counted (lost, total)", l.kind, l.query)
	}
	for kind := range im.opts.Allow {
		if !slices.Contains(kinds, kind) {
			return fmt.Errorf("--allow %s: there is no such kind of loss; use one of: %s", kind, strings.Join(kinds, ", "))
		}
	}
	var found []struct {
		Kind        string
		Lost, Total int
	}
	if err := im.tx.SelectContext(ctx, &found, beforeAndAfter+strings.Join(counted, "\nunion all\n"),
		im.has(peopleFile), im.has(applicationsFile), im.has(entitlementsFile), im.has(accountsFile),
		im.has(grantsFile), im.has(jobTitlesFile), im.has(reasonsFile)); err != nil {
		return fmt.Errorf("count losses: %w", err)
	}
	for _, n := range found {
		l := losses[slices.Index(kinds, n.Kind)]
		empty := l.rows && im.has(l.file) && im.rows[l.file] == 0
		many := n.Lost > 5 && n.Lost*100 > n.Total*5
		if n.Lost <= im.opts.Allow[l.kind] || !many && !empty {
			continue
		}
		if l.file == entitlementsFile && !im.has(entitlementsFile) {
			l.file = applicationsFile // an application takes its entitlements with it
		}
		reason := fmt.Sprintf("would "+l.effect, n.Lost, n.Total)
		if empty {
			reason = "has no rows: it " + reason
		}
		im.problems.add(Problem{File: l.file, Reason: fmt.Sprintf("%s. If the file is complete and correct, use --allow %s=%d",
			reason, l.kind, n.Lost)})
	}
	return nil
}
