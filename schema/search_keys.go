package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// The source of a key is its first character.
const (
	placeName    = "0" // the whole name
	placeWord    = "1" // a word of the name
	placeAddress = "2" // the e-mail address before the @, whole and word by word
)

// personKeys returns the keys by which a person is found, the name by which they are sorted, and all words of the name.
func personKeys(name, email string) (keys []string, sortedBy, allWords string) {
	words := foldedWords(name)
	sortedBy, allWords = wholeName(words), searchText(name)
	for _, spelling := range [][]string{words, foldedWords(spelledOut.Replace(name))} {
		keys = append(keys, placeName+wholeName(spelling))
		for _, word := range slices.Concat(spelling, joined(spelling)) {
			for _, key := range wordKeys(word) {
				keys = append(keys, placeWord+key)
			}
		}
	}
	local, _, _ := strings.Cut(email, "@")
	words = foldedWords(local)
	keys = append(keys, placeAddress+wholeName(words))
	for _, word := range words {
		for _, key := range wordKeys(word) {
			keys = append(keys, placeAddress+key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), sortedBy, allWords
}

// searchText returns the text in which a name is searched: its words, each after a space.
func searchText(texts ...string) string {
	var keys []string
	for _, text := range texts {
		for _, spelling := range [][]string{foldedWords(text), foldedWords(spelledOut.Replace(text))} {
			for _, word := range slices.Concat(spelling, joined(spelling)) {
				for _, key := range wordKeys(word) {
					if !slices.Contains(keys, key) {
						keys = append(keys, key)
					}
				}
			}
		}
	}
	return " " + strings.Join(keys, " ")
}

// WriteSearchKeys updates the search keys of people: the given ones, or all together with job titles, applications and
// entitlements. It needs the role accessbot_directory. Imports call it; after any other change to names, call it too.
func WriteSearchKeys(ctx context.Context, tx *sqlx.Tx, personIDs ...int64) error {
	if err := writePersonKeys(ctx, tx, personIDs); err != nil {
		return fmt.Errorf("write the search keys of people: %w", err)
	}
	if len(personIDs) > 0 {
		return nil
	}
	for _, table := range []struct{ name, other string }{{"job_titles", "''"}, {"applications", "''"}, {"entitlements", "key"}} {
		if err := writeSearchTexts(ctx, tx, table.name, table.other); err != nil {
			return fmt.Errorf("write the search texts of %s: %w", table.name, err)
		}
	}
	return nil
}

func writePersonKeys(ctx context.Context, tx *sqlx.Tx, personIDs []int64) error {
	var people []struct {
		ID    int64
		Name  string
		Email string
	}
	all, of := len(personIDs) == 0, pq.Array(personIDs)
	err := tx.SelectContext(ctx, &people, `
		select id, name, email from people where is_active(people) and ($1 or id = any($2)) order by id`, all, of)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		create temporary table if not exists wanted_keys (
		    person_id bigint, key text collate "C", name text collate "C", words text) on commit drop;
		truncate wanted_keys`); err != nil {
		return err
	}
	copying, err := tx.PrepareContext(ctx, `copy wanted_keys (person_id, key, name, words) from stdin`)
	if err != nil {
		return err
	}
	defer copying.Close()
	for _, p := range people {
		keys, name, all := personKeys(p.Name, p.Email)
		for _, key := range keys {
			words := ""
			if strings.HasPrefix(key, placeWord) {
				words = all
			}
			if _, err := copying.ExecContext(ctx, p.ID, key, name, words); err != nil {
				return err
			}
		}
	}
	if _, err := copying.ExecContext(ctx); err != nil {
		return err
	}
	if err := copying.Close(); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `analyze wanted_keys`); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		delete from people_search s
		 where ($1 or s.person_id = any($2))
		   and not exists (select from wanted_keys w where w.person_id = s.person_id and w.key = s.key)`, all, of); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		insert into people_search (person_id, key, name, words)
		select person_id, key, name, words from wanted_keys w
		 where not exists (select from people_search s
		                    where s.person_id = w.person_id and s.key = w.key and s.name = w.name and s.words = w.words)
		on conflict (person_id, key) do update set name = excluded.name, words = excluded.words`)
	return err
}

func writeSearchTexts(ctx context.Context, tx *sqlx.Tx, table, other string) error {
	var rows []struct {
		ID     int64
		Name   string
		Other  string
		Search string
	}
	if err := tx.SelectContext(ctx, &rows, `select id, name, `+other+` as other, search from `+table+` order by id`); err != nil {
		return err
	}
	var ids []int64
	var texts []string
	for _, row := range rows {
		if want := searchText(row.Name, row.Other); want != row.Search {
			ids, texts = append(ids, row.ID), append(texts, want)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
		update `+table+` t set search = n.search from unnest($1::bigint[], $2::text[]) n (id, search) where t.id = n.id`,
		pq.Array(ids), pq.Array(texts))
	return err
}
