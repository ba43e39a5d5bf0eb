package directory

import (
	"context"
	"fmt"
)

// guard refuses an import that would mark more than 5 % (and more than 5) of what there is as gone, beyond what
// Options.AllowGone allows: an export that was cut short must not take everyone's access.
func (im *importing) guard(ctx context.Context) error {
	people, applications, entitlements, grants := im.has(peopleFile), im.has(applicationsFile), im.has(entitlementsFile), im.has(grantsFile)
	entitlementsGoneBy := entitlementsFile
	if !entitlements {
		entitlementsGoneBy = applicationsFile // an application takes its entitlements with it
	}
	for _, kind := range []struct {
		file, effect, query string
		args                []any
	}{
		{peopleFile, "mark %d of %d people as gone", `
			select count(*) filter (where $1 and s.email is null) as gone, count(*) as total
			  from people p left join import_people s on s.email = p.email
			 where p.gone_at is null`, []any{people}},
		{applicationsFile, "mark %d of %d applications as gone", `
			select count(*) filter (where $1 and s.slug is null) as gone, count(*) as total
			  from applications a left join import_applications s on s.slug = a.slug
			 where a.gone_at is null`, []any{applications}},
		{entitlementsGoneBy, "mark %d of %d entitlements as gone", `
			select count(*) filter (where $1 and s.key is null or $2 and sa.slug is null) as gone, count(*) as total
			  from entitlements e
			  join applications a on a.id = e.application_id
			  left join import_entitlements s on s.application = a.slug and s.key = e.key
			  left join import_applications sa on sa.slug = a.slug
			 where e.gone_at is null`, []any{entitlements, applications}},
		{grantsFile, "end %d of %d imported claims", `
			select count(*) filter (where $1 and g.email is null) as gone, count(*) as total
			  from claims c
			  join people p on p.id = c.person_id
			  join entitlements e on e.id = c.entitlement_id
			  join applications a on a.id = e.application_id
			  left join import_grants g on g.email = p.email and g.application = a.slug and g.key = e.key
			 where c.source = 'imported' and c.ended_at is null`, []any{grants}},
	} {
		var count struct{ Gone, Total int }
		if err := im.tx.GetContext(ctx, &count, kind.query, kind.args...); err != nil {
			return fmt.Errorf("count what %s leaves out: %w", kind.file, err)
		}
		if count.Gone > 5 && count.Gone*100 > count.Total*5 && count.Gone > im.opts.AllowGone {
			im.problems.add(Problem{File: kind.file, Reason: fmt.Sprintf("would "+kind.effect+
				": is the file complete? If so, allow it with --allow-gone %d", count.Gone, count.Total, count.Gone)})
		}
	}
	return nil
}
