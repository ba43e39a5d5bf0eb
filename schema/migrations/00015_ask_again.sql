-- A form may also repeat an earlier request.

-- +goose Up

alter table form_drafts drop constraint form_drafts_mode_check;
alter table form_drafts add check (mode in ('person', 'job_title', 'custom', 'extend', 'again'));
comment on column form_drafts.extends_id is 'the request that is extended (extend) or repeated (again)';
