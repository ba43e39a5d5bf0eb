-- Only our own triggers call our trigger functions: they act as the owner, and whoever may execute one can fire it from a temporary
-- table of theirs. When a request was made and who may be believed about a task is not for a program's role to say, either.

-- +goose Up

-- +goose StatementBegin
do $$
declare
    f record;
begin
    for f in select p.oid::regprocedure as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname = 'public' and p.prorettype = 'trigger'::regtype loop
        execute format('revoke execute on function %s from public', f.name); -- triggers that are there go on firing
    end loop;
end $$;
-- +goose StatementEnd

-- Rows are numbered and dated by the database.
revoke insert on delegations from accessbot_slackapp;
grant insert (person_id, delegate_id, starts_at, ends_at) on delegations to accessbot_slackapp;
revoke insert on policies from accessbot_directory;
grant insert (source) on policies to accessbot_directory;

-- +goose StatementBegin
create function access_requests_made() returns trigger
    language plpgsql
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if not pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        new.created_at := app_now(); -- how long access is for is counted from it
        new.due_at := app_now();
        new.messages_due_at := app_now();
        new.completed_at := null;
    end if;
    return new;
end $$;
-- +goose StatementEnd
revoke execute on function access_requests_made() from public;
create trigger made before insert on access_requests for each row execute function access_requests_made();

-- Infinity is an instant that nothing can show.
alter table access_requests add constraint access_requests_finite check (isfinite(created_at) and (ends_at is null or isfinite(ends_at)));
alter table decisions       add constraint decisions_finite       check (ends_at is null or isfinite(ends_at));
alter table delegations     add constraint delegations_finite     check (isfinite(starts_at) and isfinite(ends_at));

-- About their own access no one is believed, if there is anybody else to ask.
-- +goose StatementBegin
create function manual_task_answers_own() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if exists (select from manual_tasks t join accounts k on k.id = t.account_id
                where t.id = new.manual_task_id and k.person_id = new.person_id and not new.person_id = any (task_owners(t.entitlement_id, k.person_id))) then
        raise exception 'task % is about the access of person %', new.manual_task_id, new.person_id using errcode = 'AB006';
    end if;
    return new;
end $$;
-- +goose StatementEnd
revoke execute on function manual_task_answers_own() from public;
create trigger own before insert on manual_task_answers for each row execute function manual_task_answers_own();
