package directory

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"accessbot/schema"
)

const peopleFile = "people.csv"

var slackUserID = regexp.MustCompile(`^[UW][A-Z0-9]{2,20}$`)

func (im *importing) people() source {
	return source{
		file:     peopleFile,
		required: []string{"email", "name", "job_title", "department", "manager_email", "status"},
		optional: []string{"time_zone", "slack_user_id", "administrator"},
		table:    "import_people",
		columns: []string{"email", "name", "job_title", "department", "manager_email", "status",
			"time_zone", "slack_user_id", "administrator"},
		row: func(s *sheet) []any {
			email, manager := s.required("email", s.email("email")), s.email("manager_email")
			if email == manager && email != "" {
				s.refuse("manager_email", "is the person's own address; people can't be their own manager")
			}
			return []any{
				email, s.required("name", s.text("name")), s.text("job_title"), s.text("department"), manager,
				s.oneOf("status", "active", "suspended", "left"), s.zone("time_zone"), s.slackUserID("slack_user_id"),
				s.boolean("administrator", false),
			}
		},
		check: im.checkPeople,
		apply: im.applyPeople,
	}
}

// slackUserID returns a Slack user ID, or empty; nil if the column is absent.
func (s *sheet) slackUserID(column string) *string {
	if !s.has(column) {
		return nil
	}
	value := s.key(column)
	if value != "" && !slackUserID.MatchString(value) {
		s.refuse(column, strconv.Quote(value)+" is not a Slack user ID such as U024BE7LH")
	}
	return &value
}

func (im *importing) checkPeople(ctx context.Context) error {
	if err := im.refuseDuplicates(ctx, peopleFile, "import_people", "email", "email"); err != nil {
		return err
	}
	// A manager who is gone is accepted: the export is only out of date.
	if err := im.refuse(ctx, `
		select 'people.csv', s.line, 'manager_email', 'no person has the e-mail address ' || s.manager_email
		  from import_people s
		 where s.manager_email <> ''
		   and not exists (select from import_people m where m.email = s.manager_email)
		   and not exists (select from people p where p.email = s.manager_email)`); err != nil {
		return err
	}
	if err := im.refuse(ctx, `
		select 'people.csv', line, 'slack_user_id',
		       format('%s already belongs to %s on line %s', slack_user_id, first_email, first_line)
		  from (select *, first_value(email) over same as first_email, first_value(line) over same as first_line
		          from import_people where slack_user_id <> ''
		        window same as (partition by slack_user_id order by line)) staged
		 where line > first_line`); err != nil {
		return err
	}
	return im.checkManagers(ctx)
}

// checkManagers refuses management loops.
func (im *importing) checkManagers(ctx context.Context) error {
	var people []struct {
		Email   string
		Manager string
		Line    int // 0: not in the file
	}
	if err := im.tx.SelectContext(ctx, &people, `
		select * from (
		    select email, manager_email as manager, line from import_people where manager_email <> ''
		    union all
		    select p.email, m.email, 0 from people p join people m on m.id = p.manager_id
		     where not exists (select from import_people s where s.email = p.email)) known
		 order by line = 0, line`); err != nil {
		return err
	}
	managers, lines := map[string]string{}, map[string]int{}
	for _, p := range people {
		managers[p.Email], lines[p.Email] = p.Manager, p.Line
	}
	seen := map[string]string{} // the person from whom the way up first reached this one
	for _, p := range people {
		if seen[p.Email] != "" {
			continue
		}
		at := p.Email
		for at != "" && seen[at] == "" {
			seen[at] = p.Email
			at = managers[at]
		}
		if at == "" || seen[at] != p.Email {
			continue
		}
		for first := at; lines[at] == 0 && managers[at] != first; {
			at = managers[at] // up to a person in the file, whose line can be named
		}
		loop := []string{at}
		for next := managers[at]; next != at; next = managers[next] {
			loop = append(loop, next)
		}
		im.problems.add(Problem{
			File: peopleFile, Line: lines[at], Column: "manager_email", Reason: "is part of a management loop: " + describeLoop(loop),
		})
	}
	return nil
}

// describeLoop returns "a, whose manager is b, whose manager is a", with at most nine people before the rest is counted.
func describeLoop(loop []string) string {
	if len(loop) < 10 {
		return strings.Join(append(slices.Clone(loop), loop[0]), ", whose manager is ")
	}
	return fmt.Sprintf("%s, and so on through %d others back to %s",
		strings.Join(loop[:9], ", whose manager is "), len(loop)-9, loop[0])
}

func (im *importing) applyPeople(ctx context.Context) error {
	for _, statement := range []string{
		`insert into job_titles (name)
		 select distinct job_title from import_people s
		  where job_title <> '' and not exists (select from job_titles t where t.name = s.job_title)`,

		`update import_people s
		    set id = p.id,
		        time_zone = coalesce(s.time_zone, p.time_zone),
		        slack_user_id = coalesce(s.slack_user_id, p.slack_user_id, ''),
		        administrator = coalesce(s.administrator, p.administrator),
		        change = case when (p.name, coalesce(t.name, ''), p.department, coalesce(m.email, ''), p.status, p.time_zone,
		                            coalesce(p.slack_user_id, ''), p.administrator, p.gone_at is null)
		           is distinct from (s.name, s.job_title, s.department, s.manager_email, s.status, coalesce(s.time_zone, p.time_zone),
		                             coalesce(s.slack_user_id, p.slack_user_id, ''), coalesce(s.administrator, p.administrator), true)
		                 then 'changed' else 'unchanged' end
		   from people p left join job_titles t on t.id = p.job_title_id left join people m on m.id = p.manager_id
		  where p.email = s.email`,

		`insert into people (email, name, job_title_id, department, status, time_zone, slack_user_id, administrator)
		 select s.email, s.name, t.id, s.department, s.status, coalesce(s.time_zone, ''), nullif(s.slack_user_id, ''),
		        coalesce(s.administrator, false)
		   from import_people s left join job_titles t on t.name = s.job_title
		  where s.change = 'added'
		  order by s.line`,

		// These changes decide who may decide and whose access ends, so each has an event of its own.
		`insert into audit_events (actor, action, details)
		 select 'import', '` + string(schema.PersonChanged) + `', jsonb_build_object('person_id', p.id,
		            'before', case when s.change = 'changed' then
		                jsonb_build_object('status', p.status, 'manager_id', p.manager_id, 'administrator', p.administrator,
		                                   'gone', p.gone_at is not null) end,
		            'after', jsonb_build_object('status', s.status, 'manager_id', m.id,
		                                        'administrator', coalesce(s.administrator, false), 'gone', false))
		   from import_people s join people p on p.email = s.email left join people m on m.email = s.manager_email
		  where s.change = 'changed'
		        and (p.status, p.manager_id, p.administrator, p.gone_at is null)
		            is distinct from (s.status, m.id, s.administrator, true)
		     or s.change = 'added' and s.administrator
		  order by s.line`,

		`insert into audit_events (actor, action, details)
		 select 'import', '` + string(schema.JobTitleChanged) + `',
		        jsonb_build_object('person_id', p.id, 'before', t.name, 'after', nullif(s.job_title, ''))
		   from import_people s join people p on p.id = s.id left join job_titles t on t.id = p.job_title_id
		  where s.change = 'changed' and coalesce(t.name, '') <> s.job_title
		  order by s.line`,

		// New people get their managers here, now that all of them have a row.
		`update people p
		    set name = s.name, job_title_id = t.id, department = s.department, manager_id = m.id, status = s.status,
		        time_zone = coalesce(s.time_zone, ''), slack_user_id = nullif(s.slack_user_id, ''),
		        administrator = coalesce(s.administrator, false), gone_at = null
		   from import_people s left join job_titles t on t.name = s.job_title left join people m on m.email = s.manager_email
		  where p.email = s.email and (s.change = 'changed' or s.change = 'added' and s.manager_email <> '')`,
	} {
		if err := im.exec(ctx, statement); err != nil {
			return err
		}
	}
	// People who are gone give up their Slack user ID: it may return with another e-mail address.
	var gone []string
	if err := im.tx.SelectContext(ctx, &gone, `
		with gone as (
		    update people p set gone_at = app_now(), slack_user_id = null
		     where p.gone_at is null and not exists (select from import_people s where s.email = p.email)
		    returning p.id, p.email, p.status, p.manager_id, p.administrator),
		recorded as (
		    insert into audit_events (actor, action, details)
		    select 'import', '`+string(schema.PersonChanged)+`', jsonb_build_object('person_id', id,
		               'before', jsonb_build_object('status', status, 'manager_id', manager_id,
		                                            'administrator', administrator, 'gone', false),
		               'after', jsonb_build_object('status', status, 'manager_id', manager_id,
		                                           'administrator', administrator, 'gone', true))
		      from gone)
		select email from gone order by email`); err != nil {
		return err
	}
	return im.summarize(ctx, peopleFile, "import_people", len(gone), gone)
}
