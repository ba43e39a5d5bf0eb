package directory

import (
	"context"
	"fmt"

	"github.com/lib/pq"

	"accessbot/schema"
)

const entitlementsFile = "entitlements.csv"

func (im *importing) entitlements() source {
	return source{
		file:     entitlementsFile,
		required: []string{"application", "key", "name", "kind", "description", "risk", "owners"},
		optional: []string{"requestable", "max_days", "target"},
		table:    "import_entitlements",
		columns: []string{"application", "key", "name", "kind", "description", "risk", "owners", "requestable", "max_days", "target",
			"target_given"},
		row: func(s *sheet) []any {
			application, key := s.required("application", s.key("application")), s.required("key", s.key("key"))
			connector := im.places[application].connector
			longest := im.opts.Connectors[connector]
			target := s.key("target")
			switch {
			case target == "":
				target = shorten(application+"/"+key, longest)
			case longest > 0 && len(target) > longest:
				s.refuse("target", fmt.Sprintf("is %d bytes long; the limit in %s is %d", len(target), connector, longest))
			}
			return []any{
				application, key, s.required("name", s.text("name")), s.required("kind", s.text("kind")),
				s.raw("description", maxDescription), s.oneOf("risk", "low", "medium", "high"),
				pq.StringArray(s.emails("owners")), s.boolean("requestable", true), s.days("max_days"),
				target, s.has("target"),
			}
		},
		check: im.checkEntitlements,
		apply: im.applyEntitlements,
	}
}

func (im *importing) checkEntitlements(ctx context.Context) error {
	if err := im.refuseDuplicates(ctx, entitlementsFile, "import_entitlements", "key", "application", "key"); err != nil {
		return err
	}
	if err := im.refuseUnknownOwners(ctx, entitlementsFile, "import_entitlements"); err != nil {
		return err
	}
	return im.refuse(ctx, `
		select 'entitlements.csv', s.line, 'application', 'there is no application ' || s.application
		  from import_entitlements s
		 where not exists (select from import_applications a where a.slug = s.application)
		   and not exists (select from applications a where a.slug = s.application and a.gone_at is null and not $1)`,
		im.has(applicationsFile))
}

func (im *importing) applyEntitlements(ctx context.Context) error {
	for _, statement := range []string{
		resolveOwners("import_entitlements"),

		`update import_entitlements s set application_id = a.id from applications a where a.slug = s.application`,

		`update import_entitlements s
		    set id = e.id, owner_ids_before = coalesce(o.ids, '{}'),
		        requestable = coalesce(s.requestable, e.requestable),
		        max_days = coalesce(s.max_days, e.max_days),
		        change = case when (e.name, e.kind, e.description, e.risk, e.requestable,
		                            e.max_days, e.gone_at is null, coalesce(o.ids, '{}'))
		           is distinct from (s.name, s.kind, s.description, s.risk, coalesce(s.requestable, e.requestable),
		                             nullif(coalesce(s.max_days, e.max_days), 0), true, s.owner_ids)
		                   or exists (select from import_objects m where m.id = e.id and m.moves)
		                 then 'changed' else 'unchanged' end
		   from entitlements e
		   left join (select entitlement_id, array_agg(person_id order by person_id) as ids
		                from entitlement_owners group by entitlement_id) o
		     on o.entitlement_id = e.id
		  where e.application_id = s.application_id and e.key = s.key`,

		`update entitlements e
		    set name = s.name, kind = s.kind, description = s.description, risk = s.risk, requestable = s.requestable,
		        max_days = nullif(s.max_days, 0), gone_at = null
		   from import_entitlements s where e.id = s.id and s.change = 'changed'`,

		`insert into entitlements (application_id, instance, key, name, kind, description, risk, requestable, max_days, target)
		 select s.application_id, a.instance, s.key, s.name, s.kind, s.description, s.risk, coalesce(s.requestable, true),
		        nullif(s.max_days, 0), s.target
		   from import_entitlements s join applications a on a.id = s.application_id
		  where s.change = 'added'
		  order by s.line`,

		`update import_entitlements s set id = e.id from entitlements e
		  where s.id is null and e.application_id = s.application_id and e.key = s.key`,

		`delete from entitlement_owners o using import_entitlements s
		  where o.entitlement_id = s.id and s.change = 'changed' and o.person_id <> all (s.owner_ids)`,

		`insert into entitlement_owners (entitlement_id, person_id)
		 select s.id, unnest(s.owner_ids) from import_entitlements s where s.change <> 'unchanged'
		 on conflict do nothing`,

		`insert into audit_events (actor, action, details)
		 select 'import', '` + string(schema.OwnersChanged) + `',
		        jsonb_build_object('entitlement_id', id, 'before', owner_ids_before, 'after', owner_ids)
		   from import_entitlements where change = 'changed' and owner_ids <> owner_ids_before order by line`,
	} {
		if err := im.exec(ctx, statement); err != nil {
			return err
		}
	}
	gone, err := im.retire(ctx, `not exists (select from import_entitlements s where s.id = e.id)`)
	if err != nil {
		return err
	}
	return im.summarize(ctx, entitlementsFile, "import_entitlements", len(gone), gone)
}

// retireWithApplications marks the entitlements of gone applications as gone, so that they can no longer be requested. An
// import that has entitlements.csv has done so from that file already.
func (im *importing) retireWithApplications(ctx context.Context) error {
	gone, err := im.retire(ctx, `e.application_id in (select id from applications where gone_at is not null)`)
	if err != nil || len(gone) == 0 {
		return err
	}
	return im.summarize(ctx, entitlementsFile, "import_entitlements", len(gone), gone)
}

// retire marks entitlements as gone and returns their names, "application/key".
func (im *importing) retire(ctx context.Context, which string) ([]string, error) {
	var gone []struct {
		ID   int64
		Name string
	}
	err := im.tx.SelectContext(ctx, &gone, `
		with gone as (
		    update entitlements e set gone_at = app_now() where e.gone_at is null and `+which+`
		    returning e.id, e.application_id, e.key)
		select gone.id, a.slug || '/' || gone.key as name from gone join applications a on a.id = gone.application_id order by name`)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range gone {
		im.retired = append(im.retired, e.ID)
		names = append(names, e.Name)
	}
	return names, nil
}
