-- A person's current or future delegation, if there is one.
create or replace function delegation_of(person bigint) returns setof delegations language sql stable rows 1 as $$
    select newest.*
      from (select * from delegations d where d.person_id = delegation_of.person order by d.id desc limit 1) newest
     where newest.delegate_id is not null and newest.ends_at > app_now()
$$;

-- The requests whose open approvals may move when a person's delegation starts or ends: those with the person as a candidate, or
-- with a candidate whose chain of delegates includes the person.
create or replace function requests_routed_through(person bigint) returns setof bigint
    language sql stable rows 10 set search_path = pg_catalog, public, pg_temp as $$
    with recursive through (person_id) as (
        select requests_routed_through.person
        union
        select d.person_id
          from through t
          join delegations d on d.delegate_id = t.person_id
         cross join lateral delegation_of(d.person_id) holds
         where holds.delegate_id = t.person_id)
    select distinct a.request_id
      from through t
     cross join lateral (select c.approval_id from approval_candidates c where c.person_id = t.person_id
                         union all
                         select c.approval_id from approval_candidates c where c.for_person_id = t.person_id) c
      join approvals a on a.id = c.approval_id and a.state = 'open'
$$;

-- A delegation moves open approvals at once.
create or replace function delegations_added() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not exists (select from people p where p.id = new.person_id and is_active(p)) then
        raise exception 'person % is not active', new.person_id using errcode = 'AB005';
    end if;
    if new.delegate_id is not null and not exists (select from people p where p.id = new.delegate_id and is_active(p)) then
        raise exception 'person % is not active', new.delegate_id using errcode = 'AB005';
    end if;
    with locked as (
        select r.id from access_requests r
         where r.id in (select id from requests_routed_through(new.person_id) id) order by r.id for update)
    update access_requests r set due_at = app_now() from locked where r.id = locked.id;
    return new;
end $$;
create or replace trigger added before insert on delegations for each row execute function delegations_added();
