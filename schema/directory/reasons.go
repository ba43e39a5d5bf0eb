package directory

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"
)

const reasonsFile = "reasons.csv"

var reasonKeyForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

func (im *importing) reasons() source {
	position := 0
	return source{
		file:     reasonsFile,
		required: []string{"key", "label", "note_required"},
		table:    "import_reasons",
		columns:  []string{"key", "label", "note_required", "position"},
		row: func(s *sheet) []any {
			key, label := s.required("key", s.key("key")), s.required("label", s.text("label"))
			if key != "" && !reasonKeyForm.MatchString(key) {
				s.refuse("key", strconv.Quote(key)+" may only contain lower-case letters, digits, hyphens and underscores")
			}
			if n := utf8.RuneCountInString(label); n > maxLabel {
				s.refuse("label", fmt.Sprintf("is %d characters long; the limit is %d", n, maxLabel))
			}
			position++
			return []any{key, label, s.boolean("note_required", false), position}
		},
		check: im.checkReasons,
		apply: im.applyReasons,
	}
}

func (im *importing) checkReasons(ctx context.Context) error {
	if err := im.refuseDuplicates(ctx, reasonsFile, "import_reasons", "key", "key"); err != nil {
		return err
	}
	return im.refuse(ctx, `
		select 'reasons.csv', 0, '', 'has no rows: a request needs a reason to choose'
		 where not exists (select from import_reasons)`)
}

func (im *importing) applyReasons(ctx context.Context) error {
	for _, statement := range []string{
		`update import_reasons s
		    set change = case when (r.label, r.note_required, r.position, r.gone_at is null)
		           is distinct from (s.label, s.note_required, s.position, true)
		                 then 'changed' else 'unchanged' end
		   from reasons r where r.key = s.key`,

		`update reasons r set label = s.label, note_required = s.note_required, position = s.position, gone_at = null
		   from import_reasons s where r.key = s.key and s.change = 'changed'`,

		`insert into reasons (key, label, note_required, position)
		 select key, label, note_required, position from import_reasons where change = 'added' order by line`,
	} {
		if err := im.exec(ctx, statement); err != nil {
			return err
		}
	}
	var gone []string
	if err := im.tx.SelectContext(ctx, &gone, `
		with gone as (
		    update reasons r set gone_at = app_now()
		     where r.gone_at is null and not exists (select from import_reasons s where s.key = r.key)
		    returning r.key)
		select key from gone order by key`); err != nil {
		return err
	}
	return im.summarize(ctx, reasonsFile, "import_reasons", len(gone), gone)
}
