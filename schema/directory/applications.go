package directory

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lib/pq"

	"accessbot/schema"
)

const applicationsFile = "applications.csv"

var (
	slugForm     = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)
	instanceForm = regexp.MustCompile(`^[A-Z0-9][A-Z0-9_]*$`)
)

// place says where an application's access is: the kind of target system, and which one of that kind.
type place struct {
	connector string
	instance  string
}

// defaultInstance returns POSTGRESQL for the connector postgresql.
func defaultInstance(connector string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, strings.ToUpper(connector))
}

func (im *importing) applications() source {
	return source{
		file:     applicationsFile,
		required: []string{"slug", "name", "connector", "owners"},
		optional: []string{"instance", "on_finding"},
		table:    "import_applications",
		columns:  []string{"slug", "name", "connector", "instance", "owners", "on_finding"},
		row: func(s *sheet) []any {
			slug := s.required("slug", s.key("slug"))
			if slug != "" && !slugForm.MatchString(slug) {
				s.refuse("slug", strconv.Quote(slug)+" may only contain lower-case letters, digits, dots, hyphens and underscores")
			}
			connector := s.required("connector", s.key("connector"))
			if _, known := im.opts.Connectors[connector]; connector != "" && !known {
				s.refuse("connector", fmt.Sprintf("there is no connector %q; use one of: %s",
					connector, strings.Join(slices.Sorted(maps.Keys(im.opts.Connectors)), ", ")))
			}
			// Without the column an application stays where it is, unless it moves to another kind of system.
			instance := s.key("instance")
			if before, ok := im.places[slug]; ok && !s.has("instance") && before.connector == connector {
				instance = before.instance
			}
			if instance == "" {
				instance = defaultInstance(connector)
			}
			if !instanceForm.MatchString(instance) && !s.bad {
				s.refuse("instance", strconv.Quote(instance)+" may only contain upper-case letters, digits and underscores")
			}
			im.places[slug] = place{connector, instance}
			return []any{slug, s.required("name", s.text("name")), connector, instance, pq.StringArray(s.emails("owners")), s.onFinding()}
		},
		check: im.checkApplications,
		apply: im.applyApplications,
	}
}

// onFinding returns what happens with unexpected and missing access; nil if the column is absent, which keeps the setting.
func (s *sheet) onFinding() *string {
	if !s.has("on_finding") {
		return nil
	}
	setting := s.key("on_finding")
	if setting == "" {
		setting = "report"
	}
	if setting != "report" && setting != "correct" {
		s.refuse("on_finding", strconv.Quote(setting)+" is neither report nor correct")
	}
	return &setting
}

// readPlaces reads where the applications in the database are: a file may refer to one, or leave its instance out.
func (im *importing) readPlaces(ctx context.Context) error {
	var applications []struct{ Slug, Connector, Instance string }
	if err := im.tx.SelectContext(ctx, &applications, `select slug, connector, instance from applications`); err != nil {
		return fmt.Errorf("read the applications: %w", err)
	}
	im.places = map[string]place{}
	for _, a := range applications {
		im.places[a.Slug] = place{a.Connector, a.Instance}
	}
	return nil
}

func (im *importing) checkApplications(ctx context.Context) error {
	if err := im.refuseDuplicates(ctx, applicationsFile, "import_applications", "slug", "slug"); err != nil {
		return err
	}
	if err := im.refuseUnknownOwners(ctx, applicationsFile, "import_applications"); err != nil {
		return err
	}
	return im.refuse(ctx, `
		select 'applications.csv', s.line, 'instance',
		       format('%s already uses the connector %s, for %s; one instance is one target system',
		              s.instance, min(o.connector), min(o.slug))
		  from import_applications s
		  join (select slug, instance, connector from import_applications
		        union all
		        select slug, instance, connector from applications a
		         where not exists (select from import_applications i where i.slug = a.slug)) o
		    on o.instance = s.instance and o.connector <> s.connector
		 group by s.line, s.instance`)
}

func (im *importing) refuseUnknownOwners(ctx context.Context, file, table string) error {
	return im.refuse(ctx, fmt.Sprintf(`
		select '%s', s.line, 'owners', 'no person has the e-mail address ' || owner
		  from %s s cross join unnest(s.owners) owner
		 where not exists (select from import_people p where p.email = owner)
		   and not exists (select from people p where p.email = owner)`, file, table))
}

// resolveOwners returns the statement that turns a table's owner addresses into sorted IDs of people.
func resolveOwners(table string) string {
	return fmt.Sprintf(`
		update %[1]s s set owner_ids = o.ids
		  from (select s.line, array_agg(p.id order by p.id) as ids
		          from %[1]s s cross join unnest(s.owners) owner join people p on p.email = owner
		         group by s.line) o
		 where o.line = s.line`, table)
}

func (im *importing) applyApplications(ctx context.Context) error {
	for _, statement := range []string{
		resolveOwners("import_applications"),

		`update import_applications s
		    set id = a.id, owner_ids_before = o.ids,
		        change = case when (a.name, a.connector, a.instance, a.on_finding, a.gone_at is null, o.ids)
		           is distinct from (s.name, s.connector, s.instance, coalesce(s.on_finding, a.on_finding), true, s.owner_ids)
		                 then 'changed' else 'unchanged' end
		   from applications a,
		        lateral (select array(select o.person_id from application_owners o where o.application_id = a.id order by 1) as ids) o
		  where a.slug = s.slug`,

		`update applications a
		    set name = s.name, connector = s.connector, instance = s.instance,
		        on_finding = coalesce(s.on_finding, a.on_finding), gone_at = null
		   from import_applications s where a.id = s.id and s.change = 'changed'`,

		`insert into applications (slug, name, connector, instance, on_finding)
		 select slug, name, connector, instance, coalesce(on_finding, 'report')
		   from import_applications where change = 'added' order by line`,

		`update import_applications s set id = a.id from applications a where a.slug = s.slug and s.id is null`,

		`delete from application_owners o using import_applications s
		  where o.application_id = s.id and s.change = 'changed' and o.person_id <> all (s.owner_ids)`,

		`insert into application_owners (application_id, person_id)
		 select s.id, unnest(s.owner_ids) from import_applications s where s.change <> 'unchanged'
		 on conflict do nothing`,

		`insert into audit_events (actor, action, details)
		 select 'import', '` + string(schema.OwnersChanged) + `',
		        jsonb_build_object('application_id', id, 'before', owner_ids_before, 'after', owner_ids)
		   from import_applications where change = 'changed' and owner_ids <> owner_ids_before order by line`,
	} {
		if err := im.exec(ctx, statement); err != nil {
			return err
		}
	}
	var gone []string
	if err := im.tx.SelectContext(ctx, &gone, `
		with gone as (
		    update applications a set gone_at = app_now()
		     where a.gone_at is null and not exists (select from import_applications s where s.slug = a.slug)
		    returning a.slug)
		select slug from gone order by slug`); err != nil {
		return err
	}
	return im.summarize(ctx, applicationsFile, "import_applications", len(gone), gone)
}
