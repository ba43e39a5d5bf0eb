package directory

import "context"

const jobTitlesFile = "job_titles.csv"

func (im *importing) jobTitles() source {
	return source{
		file:     jobTitlesFile,
		required: []string{"job_title", "application", "key"},
		table:    "import_job_titles",
		columns:  []string{"job_title", "application", "key"},
		row: func(s *sheet) []any {
			return []any{
				s.required("job_title", s.text("job_title")), s.required("application", s.key("application")),
				s.required("key", s.key("key")),
			}
		},
		check: im.checkJobTitles,
		apply: im.applyJobTitles,
	}
}

func (im *importing) checkJobTitles(ctx context.Context) error {
	if err := im.refuseDuplicates(ctx, jobTitlesFile, "import_job_titles", "key", "job_title", "application", "key"); err != nil {
		return err
	}
	return im.refuse(ctx, `
		select 'job_titles.csv', j.line, 'key', format('there is no entitlement %s in application %s', j.key, j.application)
		  from import_job_titles j
		 where not exists (select from import_entitlements s where s.application = j.application and s.key = j.key)
		   and not exists (select from entitlements e join applications a on a.id = e.application_id
		                    where a.slug = j.application and e.key = j.key and e.gone_at is null and not $1)`, im.has(entitlementsFile))
}

// applyJobTitles replaces the configured sets. A title that is not in the file has none; what its holders have counts instead.
func (im *importing) applyJobTitles(ctx context.Context) error {
	for _, statement := range []string{
		`insert into job_titles (name)
		 select distinct job_title from import_job_titles j
		  where not exists (select from job_titles t where t.name = j.job_title)`,

		`update import_job_titles j set job_title_id = t.id, entitlement_id = e.id
		   from job_titles t, applications a, entitlements e
		  where t.name = j.job_title and a.slug = j.application and e.application_id = a.id and e.key = j.key`,
	} {
		if err := im.exec(ctx, statement); err != nil {
			return err
		}
	}
	f := FileSummary{File: jobTitlesFile}
	if err := im.tx.QueryRowxContext(ctx, `
		with gone as (
		    delete from job_title_entitlements s
		     where not exists (select from import_job_titles j
		                        where j.job_title_id = s.job_title_id and j.entitlement_id = s.entitlement_id)
		    returning 1),
		added as (
		    insert into job_title_entitlements (job_title_id, entitlement_id)
		    select job_title_id, entitlement_id from import_job_titles order by line
		    on conflict do nothing
		    returning 1)
		select (select count(*) from added), (select count(*) from gone),
		       (select count(*) from import_job_titles) - (select count(*) from added)`,
	).Scan(&f.Added, &f.Gone, &f.Unchanged); err != nil {
		return err
	}
	im.summary.Files = append(im.summary.Files, f)
	return nil
}
