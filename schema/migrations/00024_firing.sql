-- Trigger functions run as the owner, and a role that may execute one can fire it from a temporary table of its own, so no role
-- may. Nor may a role set when a request was made, or confirm a task about the person's own access.

-- +goose Up

-- +goose StatementBegin
do $$
declare
    f record;
begin
    for f in select p.oid::regprocedure as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname = 'public' and p.prorettype = 'trigger'::regtype loop
        execute format('revoke execute on function %s from public', f.name); -- existing triggers still fire
    end loop;
end $$;
-- +goose StatementEnd

-- The database numbers and dates rows.
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
        new.created_at := app_now(); -- durations are counted from it
        new.due_at := app_now();
        new.messages_due_at := app_now();
        new.completed_at := null;
    end if;
    return new;
end $$;
-- +goose StatementEnd
revoke execute on function access_requests_made() from public;
create trigger made before insert on access_requests for each row execute function access_requests_made();

-- Infinite instants cannot be shown.
alter table access_requests add constraint access_requests_finite check (isfinite(created_at) and (ends_at is null or isfinite(ends_at)));
alter table decisions       add constraint decisions_finite       check (ends_at is null or isfinite(ends_at));
alter table delegations     add constraint delegations_finite     check (isfinite(starts_at) and isfinite(ends_at));

-- Holders may not answer a manual task about their own access, unless there is no one else.
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
