-- Who decides on behalf of a person who is away. Only added to: the newest row of a person counts.

-- +goose Up

create table delegations (
    id          bigint generated always as identity primary key,
    person_id   bigint not null references people,
    delegate_id bigint references people, -- null: the delegation has ended
    starts_at   timestamptz not null,
    ends_at     timestamptz not null,
    created_at  timestamptz not null default app_now(),
    check (delegate_id <> person_id),
    check (starts_at < ends_at or delegate_id is null)
);
create index delegations_person on delegations (person_id, id desc);

-- A person's current or future delegation, if there is one.
-- +goose StatementBegin
create function delegation_of(person bigint) returns setof delegations
    language sql stable rows 1 -- no settings, so that it can be inlined
as $$
    select newest.*
      from (select * from delegations d where d.person_id = delegation_of.person order by d.id desc limit 1) newest
     where newest.delegate_id is not null and newest.ends_at > app_now()
$$;
-- +goose StatementEnd

-- A delegation moves open approvals at once.
-- +goose StatementBegin
create function delegations_added() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if not exists (select from people p where p.id = new.person_id and p.status = 'active' and p.gone_at is null) then
        raise exception 'person % is not active', new.person_id using errcode = 'AB005';
    end if;
    if new.delegate_id is not null and not exists (select from people p where p.id = new.delegate_id and p.status = 'active' and p.gone_at is null) then
        raise exception 'person % is not active', new.delegate_id using errcode = 'AB005';
    end if;
    with affected as (
        select a.request_id from approval_candidates c join approvals a on a.id = c.approval_id
         where a.state = 'open' and (c.person_id = new.person_id or c.for_person_id = new.person_id)),
    locked as (select r.id from access_requests r where r.id in (select request_id from affected) order by r.id for update)
    update access_requests r set due_at = app_now() from locked where r.id = locked.id;
    return new;
end $$;
-- +goose StatementEnd
create trigger added before insert on delegations for each row execute function delegations_added();

alter table approval_candidates
    add column for_person_id bigint references people; -- on behalf of; null: no delegate
create index approval_candidates_for on approval_candidates (for_person_id, approval_id desc) where for_person_id is not null;

grant select on delegations to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;
grant insert on delegations to accessbot_slackapp;
