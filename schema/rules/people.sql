-- Whether the person works here. Only active people request, decide, own and are asked.
create or replace function is_active(person people) returns boolean
    language sql immutable as $$ select person.status = 'active' and person.gone_at is null $$;

-- Whether the submitter may request for the requester.
create or replace function may_request_for(submitter bigint, requester bigint) returns boolean
    language sql stable set search_path = pg_catalog, public, pg_temp as $$
    select exists (
        select from people s, people r
         where s.id = submitter and r.id = requester and s.id <> r.id
           and is_active(s) and is_active(r)
           and (r.manager_id = s.id or s.administrator))
$$;

-- A change of approvers, or a person who leaves, makes the requests and claims concerned due.
-- A manager's manager can be an approver too, so this reaches two levels down.
create or replace function people_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    with affected as (
        select r.id from access_requests r where r.requester_id = new.id and r.completed_at is null
        union
        select r.id from people p join access_requests r on r.requester_id = p.id
         where p.manager_id = new.id and r.completed_at is null
        union
        select r.id from people m join people p on p.manager_id = m.id join access_requests r on r.requester_id = p.id
         where m.manager_id = new.id and r.completed_at is null
        union
        select a.request_id from approval_candidates c join approvals a on a.id = c.approval_id
         where (c.person_id = new.id or c.for_person_id = new.id) and a.state = 'open'),
    locked as (select r.id from access_requests r where r.id in (select id from affected) order by r.id for update)
    update access_requests r set due_at = app_now() from locked where r.id = locked.id;
    -- An owner who is back may be the one to ask instead of the next approvers.
    perform mark_requests_due(array(
        select entitlement_id from entitlement_owners where person_id = new.id
        union
        select e.id from application_owners o join entitlements e on e.application_id = o.application_id
         where o.person_id = new.id));
    -- After the requests: the order in which reconciling locks them.
    if new.status = 'left' and old.status <> 'left' then
        update claims set due_at = app_now() where person_id = new.id and ended_at is null;
    end if;
    return null;
end $$;
create or replace trigger changed after update of status, manager_id, gone_at, administrator on people for each row
    when ((old.status, old.manager_id, old.gone_at is null, old.administrator)
       is distinct from (new.status, new.manager_id, new.gone_at is null, new.administrator))
    execute function people_changed();

-- Only a table's owner may analyze it, so after an import the planner would use its defaults until autovacuum runs, minutes
-- later. ANALYZE may run in a function, within a transaction (VACUUM may not):
-- https://www.postgresql.org/docs/current/sql-analyze.html. Tables without rows are left alone: to the planner a table that was
-- never analyzed has ten pages at least, and one that was analyzed empty has none (estimate_rel_size in PostgreSQL's plancat.c).
create or replace function analyze_directory() returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    name   text;
    filled boolean;
begin
    foreach name in array array['job_titles', 'people', 'applications', 'application_owners', 'entitlements',
        'entitlement_owners', 'job_title_entitlements', 'accounts', 'claims', 'reasons', 'people_search', 'audit_events'] loop
        execute format('select exists (select from public.%I)', name) into filled;
        if filled then
            execute format('analyze public.%I', name);
        end if;
    end loop;
end $$;
revoke execute on function analyze_directory() from public;
grant execute on function analyze_directory() to accessbot_directory;
