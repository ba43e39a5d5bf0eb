package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Found is one result: a person, a job title or an application.
type Found struct {
	ID       int64  `db:"id"`
	Name     string `db:"name"`
	Email    string `db:"email"`     // of a person
	JobTitle string `db:"job_title"` // of a person; empty: none
}

// SearchPeople finds at most limit active people other than personID: by the beginnings of words of their name in any order, or
// of their e-mail address before the @; a whole address finds its person. Whole names and words come first, then beginnings of
// the name, then beginnings of its other words, then addresses, each sorted by name. If nothing is typed, people with the same
// manager come first.
func SearchPeople(ctx context.Context, q Queryer, personID int64, typed string, limit int) ([]Found, error) {
	return searchPeople(ctx, q, personID, false, typed, limit)
}

// SearchReports is SearchPeople among a manager's reports.
func SearchReports(ctx context.Context, q Queryer, personID int64, typed string, limit int) ([]Found, error) {
	return searchPeople(ctx, q, personID, true, typed, limit)
}

func searchPeople(ctx context.Context, q Queryer, personID int64, reports bool, typed string, limit int) ([]Found, error) {
	query, args := peopleQuery(personID, reports, typed, limit)
	if query == "" {
		return nil, nil
	}
	var found []Found
	if err := q.SelectContext(ctx, &found, query, args...); err != nil {
		return nil, fmt.Errorf("search people: %w", err)
	}
	return found, nil
}

// peopleQuery is empty if nothing can be found.
func peopleQuery(personID int64, reports bool, typed string, limit int) (query string, args []any) {
	s := peopleSearch{args: []any{personID, limit}}
	if reports {
		// There are few, so each is looked up by ID.
		s.among = ` and s.person_id = any (array(select m.id from people m where m.manager_id = $1))`
	}
	words := typedWords(typed)
	local, _, isAddress := strings.Cut(typed, "@")
	switch {
	case typed == "" && reports:
		s.hits(&s.first, 0, s.begins(placeName), `s.key, s.name`)
	case typed == "":
		s.first = append(s.first, `(select s.person_id, s.name, 0 as rank
		    from people me join people t on t.manager_id = me.manager_id
		    join people_search s on s.person_id = t.id and `+s.begins(placeName)+`
		   where me.id = $1 order by s.name limit $2 + 1)`)
		s.hits(&s.first, 1, s.begins(placeName), `s.key, s.name`)
	case len(words) == 0:
		return "", nil // no name has only punctuation
	case isAddress:
		words = typedWords(local)
		if len(words) == 0 {
			return "", nil
		}
		address := strings.ToLower(strings.TrimSpace(typed))
		s.hits(&s.first, 0, s.is(placeAddress+wholeName(words))+` and exists (select from people x
		    where x.id = s.person_id and left(x.email, `+s.arg(utf8.RuneCountInString(address))+`) = `+s.arg(address)+`)`, `s.name`)
	default:
		s.byWords(words)
	}
	if len(s.more) == 0 {
		s.more = []string{`(select person_id, name, rank from first where false)`}
	}
	return `
		with first as materialized (
		  ` + strings.Join(s.first, `
		  union all
		  `) + `),
		more as (
		  ` + strings.Join(s.more, `
		  union all
		  `) + `)
		select p.id, p.name, p.email, coalesce(t.name, '') as job_title
		  from (select person_id, min(rank) as rank, min(name) as name from (table first union all table more) hits
		         group by person_id order by 2, 3, 1 limit $2 + 1) f
		  join people p on p.id = f.person_id and is_active(p) and p.id <> $1
		  left join job_titles t on t.id = p.job_title_id
		 order by f.rank, f.name, p.id
		 limit $2`, s.args
}

// peopleSearch builds a query over people_search (see migration 27). $1 is the person who searches, $2 the limit. Each part is
// ranked and limited to more than $2, because it may contain that person, and others by several keys.
type peopleSearch struct {
	args  []any
	among string
	first []string // in the order of an index, for any number of rows
	more  []string // only if first finds too few
}

func (s *peopleSearch) byWords(words []string) {
	whole := wholeName(words)
	s.hits(&s.first, 0, s.is(placeName+whole), `s.name`)
	if len(words) == 1 {
		s.hits(&s.first, 1, s.is(placeWord+words[0]), `s.name`)
	}
	s.hits(&s.first, 2, s.begins(placeName+whole), `s.key, s.name`)

	// The longest word is in the fewest names, which are filtered by the other words.
	longest := slices.MaxFunc(words, func(a, b string) int { return utf8.RuneCountInString(a) - utf8.RuneCountInString(b) })
	others := ``
	for _, word := range words {
		if word != longest {
			others += ` and s.words like ` + s.arg("% "+word+"%")
		}
	}
	const needed = `(select count(distinct person_id) from first) <= $2 and `
	s.hits(&s.more, 3, needed+s.begins(placeWord+longest)+others, `s.name`)
	// Many addresses may begin alike: the first ones by address.
	s.hits(&s.more, 4, needed+s.begins(placeAddress+whole), `s.key, s.name`)
}

// hits adds a part with its order. A person has few keys that begin alike.
func (s *peopleSearch) hits(part *[]string, rank int, where, order string) {
	*part = append(*part, fmt.Sprintf(`(select s.person_id, s.name, %d as rank from people_search s where %s%s
		    order by %s, s.person_id limit 4 * ($2 + 1))`, rank, where, s.among, order))
}

func (s *peopleSearch) arg(value any) string {
	s.args = append(s.args, value)
	return fmt.Sprintf(`$%d`, len(s.args))
}

func (s *peopleSearch) is(key string) string { return `s.key = ` + s.arg(key) }

// begins returns the condition that a key begins with this, as a range of the index. No key contains U+10FFFF.
func (s *peopleSearch) begins(key string) string {
	return `s.key >= ` + s.arg(key) + ` and s.key < ` + s.arg(key+"\U0010FFFF")
}

// narrowing returns the condition that every typed word is in a search text: words of three characters or more anywhere
// (trigrams need three), shorter ones at the beginning of a word. Its arguments continue args.
func narrowing(column, typed string, args []any) (string, []any) {
	words := typedWords(typed)
	if len(words) == 0 && typed != "" {
		return `false`, args // no search text has only punctuation
	}
	where := `true`
	for _, word := range words {
		pattern := "%" + word + "%"
		if utf8.RuneCountInString(word) < 3 {
			pattern = "% " + word + "%"
		}
		args = append(args, pattern)
		where += fmt.Sprintf(` and %s like $%d`, column, len(args))
	}
	return where, args
}

// SearchJobTitles finds job titles, at most limit.
func SearchJobTitles(ctx context.Context, q Queryer, typed string, limit int) ([]Found, error) {
	where, args := narrowing("t.search", typed, []any{beginning(typed), limit})
	var found []Found
	err := q.SelectContext(ctx, &found, `
		select t.id, t.name, '' as email, '' as job_title
		  from job_titles t
		 where `+where+`
		 order by t.search not like $1, lower(t.name) collate "C", t.id
		 limit $2`, args...)
	if err != nil {
		return nil, fmt.Errorf("search job titles: %w", err)
	}
	return found, nil
}

// beginning returns the pattern of the search texts that begin with what was typed.
func beginning(typed string) string { return " " + strings.Join(typedWords(typed), " ") + "%" }

// SearchApplications finds applications in the draft's offer, at most limit.
func (d *Draft) SearchApplications(ctx context.Context, q Queryer, typed string, limit int) ([]Found, error) {
	offered := `e.id = any($3)`
	if d.Mode == Custom {
		offered = `e.requestable and e.gone_at is null and $3::bigint[] is not null`
	}
	where, args := narrowing("a.search", typed, []any{beginning(typed), limit, d.Offered})
	var found []Found
	err := q.SelectContext(ctx, &found, `
		select a.id, a.name, '' as email, '' as job_title
		  from applications a
		 where a.gone_at is null and `+where+`
		   and exists (select from entitlements e where e.application_id = a.id and `+offered+`)
		 order by a.search not like $1, lower(a.name) collate "C", a.id
		 limit $2`, args...)
	if err != nil {
		return nil, fmt.Errorf("search applications: %w", err)
	}
	return found, nil
}
