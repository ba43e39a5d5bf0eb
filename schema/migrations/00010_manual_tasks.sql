-- Manual tasks in systems without an interface, and notifications for owners.

-- +goose Up

-- A manual task: grant or revoke one assignment by hand.
create table manual_tasks (
    id             bigint generated always as identity primary key,
    account_id     bigint  not null references accounts,
    entitlement_id bigint  not null references entitlements,
    held           boolean not null,           -- grant it; false: revoke it
    opened_at      timestamptz not null default app_now(),
    closed_at      timestamptz,
    outcome        text check (outcome in ('done', 'cannot', 'dropped')), -- dropped: no longer needed
    check ((closed_at is null) = (outcome is null))
);
create unique index manual_tasks_one_open on manual_tasks (account_id, entitlement_id) where closed_at is null;
create index manual_tasks_assignment on manual_tasks (account_id, entitlement_id, id);

-- Who said that a task is done, or cannot be done. A dropped task may have been done, and its answer counts too.
create table manual_task_answers (
    id          bigint generated always as identity primary key,
    manual_task_id     bigint not null unique references manual_tasks,
    person_id   bigint not null references people,
    done        boolean not null,
    reason      text   not null default '' check (length(reason) <= 3000),
    answered_at timestamptz not null default app_now(),
    check (done or reason <> '')
);

-- Notifications for the owners of an application, one message to each.
create table notifications (
    id              bigint generated always as identity primary key,
    kind            text   not null check (kind in ('manual_task', 'finding')),
    application_id  bigint not null references applications,
    manual_task_id         bigint unique references manual_tasks,
    request_id      bigint references access_requests, -- of a request: its run sends the messages
    opened_at       timestamptz not null default app_now(),
    messages_due_at timestamptz default app_now(),     -- null: they are in sync
    attempts        integer not null default 0,        -- to send them, since they became due
    check ((kind = 'manual_task') = (manual_task_id is not null))
);
create index notifications_due     on notifications (messages_due_at) where messages_due_at is not null;
create index notifications_request on notifications (request_id) where messages_due_at is not null;

alter table slack_messages
    alter column request_id drop not null,
    add column notification_id bigint references notifications,
    drop constraint slack_messages_kind_check,
    add constraint slack_messages_kind_check check (kind in ('card', 'approval', 'outcome', 'ending_soon', 'ended', 'report', 'manual_task', 'finding')),
    add constraint slack_messages_of check ((request_id is null) <> (notification_id is null));
create unique index slack_messages_notification on slack_messages (notification_id, person_id) where notification_id is not null;

-- Who gets a manual task: up to three of the entitlement's owners, then the application's owners, else administrators.
-- The holder is only asked if there is no one else.
-- +goose StatementBegin
create function task_owners(entitlement bigint, about bigint) returns bigint[] language sql stable as $$
    with active as (
        select w.person_id, min(w.tier) as tier
          from (select o.person_id, 1 as tier from entitlement_owners o where o.entitlement_id = entitlement
                union all
                select o.person_id, 2 from application_owners o join entitlements e on e.application_id = o.application_id where e.id = entitlement
                union all
                select p.id, 3 from people p where p.administrator) w
          join people p on p.id = w.person_id and p.status = 'active' and p.gone_at is null
         group by w.person_id),
    others as (select * from active where person_id is distinct from about)
    select coalesce(nullif(array(select person_id from others where tier < 3 order by tier, person_id limit 3), '{}'),
                    nullif(array(select person_id from others order by person_id limit 3), '{}'),
                    array(select person_id from active order by tier, person_id limit 3))
$$;

-- Who gets an application's notifications: up to three of its owners, else administrators.
create function notified_owners(application bigint) returns bigint[] language sql stable as $$
    with owners as (
        select p.id from application_owners o join people p on p.id = o.person_id and p.status = 'active' and p.gone_at is null
         where o.application_id = application order by p.id limit 3)
    select coalesce(nullif(array(select id from owners), '{}'),
                    array(select p.id from people p where p.administrator and p.status = 'active' and p.gone_at is null order by p.id limit 3))
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function may_administer(person bigint, entitlement bigint) returns boolean language sql stable as $$
    select exists (select from people p where p.id = person and p.status = 'active' and p.gone_at is null and (p.administrator
        or exists (select from entitlement_owners o where o.person_id = person and o.entitlement_id = entitlement)
        or exists (select from application_owners o join entitlements e on e.application_id = o.application_id where o.person_id = person and e.id = entitlement)))
$$;
-- +goose StatementEnd

-- An answer closes its task and makes the assignment due.
-- +goose StatementBegin
create function manual_task_answers_check() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    task     manual_tasks;
    requests bigint[];
begin
    select * into task from manual_tasks where id = new.manual_task_id;
    if task is null then
        raise exception 'there is no task %', new.manual_task_id using errcode = 'AB001';
    end if;
    -- Requests, claims, then the task: the order of every transaction that locks them.
    requests := array(select r.id from access_requests r
                       where r.id in (select i.request_id from claims c join request_items i on i.id = c.item_id
                                       where c.account_id = task.account_id and c.entitlement_id = task.entitlement_id and (c.ended_at is null or c.removed_at is null))
                       order by r.id for update);
    perform from claims where account_id = task.account_id and entitlement_id = task.entitlement_id and removed_at is null order by id for update;
    select * into task from manual_tasks where id = new.manual_task_id for update;
    if exists (select from manual_task_answers a where a.manual_task_id = task.id) then
        raise exception 'task % is already answered', task.id using errcode = 'AB002';
    end if;
    if not exists (select from people p where p.id = new.person_id and p.status = 'active' and p.gone_at is null) then
        raise exception 'person % is not active', new.person_id using errcode = 'AB005';
    end if;
    if not may_administer(new.person_id, task.entitlement_id) then
        raise exception 'task % is not for person %', task.id, new.person_id using errcode = 'AB006';
    end if;
    if task.outcome = 'dropped' and not new.done then
        raise exception 'task % is no longer needed', task.id using errcode = 'AB001';
    end if;
    new.answered_at := app_now();
    update manual_tasks set closed_at = coalesce(closed_at, app_now()), outcome = case when new.done then 'done' else 'cannot' end where id = task.id;
    update notifications set messages_due_at = app_now() where manual_task_id = task.id;
    update claims set check_at = app_now()
     where account_id = task.account_id and entitlement_id = task.entitlement_id and granted_at is null and ended_at is null and check_at is not null;
    update claims set due_at = app_now()
     where id = (select max(id) from claims where account_id = task.account_id and entitlement_id = task.entitlement_id);
    update access_requests set due_at = app_now(), messages_due_at = app_now() where id = any(requests) and completed_at is null;
    return new;
end $$;
-- +goose StatementEnd
create trigger checked before insert on manual_task_answers for each row execute function manual_task_answers_check();

grant select on manual_tasks, manual_task_answers, notifications to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;
grant insert on manual_task_answers to accessbot_slackapp;
grant insert on manual_tasks, notifications to accessbot_worker;
grant update (closed_at, outcome) on manual_tasks to accessbot_worker;
grant update (messages_due_at, attempts) on notifications to accessbot_worker;
revoke update, delete, truncate on manual_task_answers from public;

-- An answered task stays answered.
-- +goose StatementBegin
create function manual_tasks_guard() returns trigger language plpgsql as $$
begin
    if (new.account_id, new.entitlement_id, new.held, new.opened_at) is distinct from (old.account_id, old.entitlement_id, old.held, old.opened_at)
    or (old.outcome in ('done', 'cannot') and (new.outcome, new.closed_at) is distinct from (old.outcome, old.closed_at))
    or (new.outcome in ('done', 'cannot') and old.outcome is distinct from new.outcome
        and not pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage'))
    then
        raise exception 'task %: recorded values are never changed, and only an answer closes it', old.id using errcode = 'AB011';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger guard before update on manual_tasks for each row execute function manual_tasks_guard();
