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

-- Rows are numbered and dated by the record.
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
        new.settled_at := null;
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

-- Whom a task may believe: those who look after the access; about their own nobody, if there is anybody else.
-- +goose StatementBegin
create function may_answer(person bigint, entitlement bigint, holder bigint) returns boolean language sql stable
    set search_path = pg_catalog, public, pg_temp
as $$
    select looks_after(person, entitlement) and (person <> holder or person = any (owners_to_ask(entitlement, holder)))
$$;

create or replace function task_answers_check() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    task     tasks;
    requests bigint[];
begin
    select * into task from tasks where id = new.task_id;
    if task is null then
        raise exception 'there is no task %', new.task_id using errcode = 'AB001';
    end if;
    -- Requests, claims, then the task: the order of everybody else who locks them.
    requests := array(select r.id from access_requests r
                       where r.id in (select i.request_id from claims c join request_items i on i.id = c.item_id
                                       where c.account_id = task.account_id and c.entitlement_id = task.entitlement_id and (c.ended_at is null or c.removed_at is null))
                       order by r.id for update);
    perform from claims where account_id = task.account_id and entitlement_id = task.entitlement_id and removed_at is null order by id for update;
    select * into task from tasks where id = new.task_id for update;
    if exists (select from task_answers a where a.task_id = task.id) then
        raise exception 'task % is answered already', task.id using errcode = 'AB002';
    end if;
    if not exists (select from people p where p.id = new.person_id and p.status = 'active' and p.gone_at is null) then
        raise exception 'person % is not active', new.person_id using errcode = 'AB005';
    end if;
    if not may_answer(new.person_id, task.entitlement_id, (select k.person_id from accounts k where k.id = task.account_id)) then
        raise exception 'task % is not for person %', task.id, new.person_id using errcode = 'AB006';
    end if;
    if task.outcome = 'dropped' and not new.done then
        raise exception 'task % is not needed any more', task.id using errcode = 'AB001';
    end if;
    new.answered_at := app_now();
    update tasks set closed_at = coalesce(closed_at, app_now()), outcome = case when new.done then 'done' else 'cannot' end where id = task.id;
    update notices set messages_due_at = app_now() where task_id = task.id;
    update claims set look_at = app_now()
     where account_id = task.account_id and entitlement_id = task.entitlement_id and given_at is null and ended_at is null and look_at is not null;
    update claims set due_at = app_now()
     where id = (select max(id) from claims where account_id = task.account_id and entitlement_id = task.entitlement_id);
    update access_requests set due_at = app_now(), messages_due_at = app_now() where id = any(requests) and settled_at is null;
    return new;
end $$;
-- +goose StatementEnd
