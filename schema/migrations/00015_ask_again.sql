-- A form may also ask again for what an earlier request asked for.

-- +goose Up

alter table form_drafts drop constraint form_drafts_mode_check;
alter table form_drafts add check (mode in ('person', 'job_title', 'custom', 'extend', 'again'));
comment on column form_drafts.extends_id is 'the request whose grants are to last longer (extend), or are asked for again (again)';
