package schema

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Searches over names: from three characters on anywhere (trigrams need three), below that from the beginning.

// substring tells whether what was typed is searched for anywhere.
func substring(typed string) bool { return utf8.RuneCountInString(typed) >= 3 }

// likePattern is the LIKE pattern for what was typed, its own wildcards taken literally.
func likePattern(typed string) string {
	pattern := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(typed) + "%"
	if substring(typed) {
		return "%" + pattern
	}
	return pattern
}

// Found is one hit: a person or a job title.
type Found struct {
	ID       int64  `db:"id"`
	Name     string `db:"name"`
	Email    string `db:"email"`     // of a person
	JobTitle string `db:"job_title"` // of a person; empty: none
}

// SearchPeople finds active people other than the one who asks. Nothing typed: those with the same manager first. At most limit.
func SearchPeople(ctx context.Context, q Queryer, personID int64, typed string, limit int) ([]Found, error) {
	query, args := peopleQuery(personID, typed, limit)
	var found []Found
	if err := q.SelectContext(ctx, &found, query, args...); err != nil {
		return nil, fmt.Errorf("search people: %w", err)
	}
	return found, nil
}

func peopleQuery(personID int64, typed string, limit int) (query string, args []any) {
	const active = `p.status = 'active' and p.gone_at is null and p.id <> $1`
	var hits string
	args = []any{personID, limit}
	switch {
	case typed == "":
		hits = `
		(select p.id, 0 as rank from people p join people me on me.id = $1 and me.manager_id = p.manager_id where ` + active + ` limit $2)
		union all
		(select p.id, 1 from people p where ` + active + ` order by lower(p.name) collate "C" limit $2)`
	case substring(typed):
		// Bounded before it is ranked: more than 200 hits need another letter.
		hits = `
		(select p.id, case when lower(p.name) like lower($3) then 0 when lower(p.name) like '% ' || lower($3) then 1 else 2 end as rank
		   from people p where ` + active + ` and lower(p.name || ' ' || p.email) like lower($4) limit 200)`
		pattern := likePattern(typed)
		args = append(args, strings.TrimPrefix(pattern, "%"), pattern)
	default:
		hits = `
		(select p.id, 0 as rank from people p where ` + active + ` and lower(p.name) collate "C" like lower($3)
		  order by lower(p.name) collate "C" limit $2)`
		args = append(args, likePattern(typed))
	}
	return `
		select p.id, p.name, p.email, coalesce(t.name, '') as job_title
		  from (select id, min(rank) as rank from (` + hits + `) hits group by id) f
		  join people p on p.id = f.id
		  left join job_titles t on t.id = p.job_title_id
		 order by f.rank, lower(p.name) collate "C", p.id
		 limit $2`, args
}

// SearchReports finds the active people whom a person manages, by the beginning of a name or from three characters anywhere. At most limit.
func SearchReports(ctx context.Context, q Queryer, personID int64, typed string, limit int) ([]Found, error) {
	var found []Found
	err := q.SelectContext(ctx, &found, `
		select p.id, p.name, p.email, coalesce(t.name, '') as job_title
		  from people p
		  left join job_titles t on t.id = p.job_title_id
		 where p.manager_id = $1 and p.status = 'active' and p.gone_at is null and lower(p.name || ' ' || p.email) like lower($2)
		 order by lower(p.name) collate "C", p.id
		 limit $3`, personID, likePattern(typed), limit)
	if err != nil {
		return nil, fmt.Errorf("search whom person %d manages: %w", personID, err)
	}
	return found, nil
}

// SearchJobTitles finds job titles, at most limit.
func SearchJobTitles(ctx context.Context, q Queryer, typed string, limit int) ([]Found, error) {
	condition := `lower(t.name) collate "C" like lower($1)`
	if substring(typed) {
		condition = `lower(t.name) like lower($1)`
	}
	var found []Found
	err := q.SelectContext(ctx, &found, `
		select t.id, t.name, '' as email, '' as job_title
		  from (select t.id, t.name from job_titles t where `+condition+` order by lower(t.name) collate "C" limit 200) t
		 order by lower(t.name) not like lower($2), lower(t.name) collate "C", t.id
		 limit $3`, likePattern(typed), strings.TrimPrefix(likePattern(typed), "%"), limit)
	if err != nil {
		return nil, fmt.Errorf("search job titles: %w", err)
	}
	return found, nil
}

// SearchApplications finds the applications that the draft's offer has grants of, at most limit.
func (d *Draft) SearchApplications(ctx context.Context, q Queryer, typed string, limit int) ([]Found, error) {
	offered := `e.id = any($4)`
	if d.Mode == Custom {
		offered = `e.requestable and e.gone_at is null and $4::bigint[] is not null`
	}
	var found []Found
	err := q.SelectContext(ctx, &found, `
		select a.id, a.name, '' as email, '' as job_title
		  from applications a
		 where a.gone_at is null and lower(a.name) like lower($1)
		   and exists (select from entitlements e where e.application_id = a.id and `+offered+`)
		 order by lower(a.name) not like lower($2), lower(a.name) collate "C", a.id
		 limit $3`, likePattern(typed), strings.TrimPrefix(likePattern(typed), "%"), limit, d.Offered)
	if err != nil {
		return nil, fmt.Errorf("search applications: %w", err)
	}
	return found, nil
}
