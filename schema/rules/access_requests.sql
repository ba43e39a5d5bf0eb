-- The requester, and the submitter if there is one. Neither decides about the request, and both may withdraw it.
create or replace function requesters(request access_requests) returns bigint[]
    language sql immutable as $$ select array_remove(array[request.requester_id, request.submitted_by], null) $$;

create or replace function asked_for(request access_requests, person bigint) returns boolean
    language sql immutable as $$ select person = any (requesters(request)) $$;

-- Everything that an approver is shown and that provisioning relies on, as one hash. It changes when a request's row, its items,
-- or the object of an entitlement changes after it was shown.
create or replace function request_terms(request bigint) returns text
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select encode(sha256(convert_to((jsonb_build_array(
               r.id, r.requester_id, extract(epoch from r.ends_at), r.reason_key, r.note,
               (select jsonb_agg(jsonb_build_array(i.id, i.entitlement_id, i.account_id, a.instance, a.account,
                                                   e.instance, e.target, e.risk) order by i.id)
                  from public.request_items i
                  join public.accounts a on a.id = i.account_id
                  join public.entitlements e on e.id = i.entitlement_id
                 where i.request_id = r.id))
               || case when r.submitted_by is null then '[]' else jsonb_build_array(r.submitted_by) end)::text, 'UTF8')), 'hex')
      from public.access_requests r
     where r.id = request
$$;

-- The Slack app reads a request under its lock before it records a decision, but has no right to lock the row.
create or replace function lock_request(request bigint) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
    as $$ select from access_requests where id = request for update $$;
-- A role that can lock a request can block it.
revoke execute on function lock_request(bigint) from public;
grant execute on function lock_request(bigint) to accessbot_slackapp, accessbot_worker;

-- If owners, risk or object changed, or the entitlement was retired, open requests find their approvers and sync their messages
-- again: the import calls this, which has no rights on requests, and people_changed. Answers how many requests became due.
create or replace function mark_requests_due(entitlements bigint[]) returns bigint
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    with locked as (
        select r.id from access_requests r
         where r.id in (select i.request_id from request_items i
                         where i.entitlement_id = any (mark_requests_due.entitlements)
                           and i.state in ('submitted', 'awaiting_approval', 'approved', 'provisioning'))
         order by r.id for update),
    due as (
        update access_requests r set due_at = app_now(), messages_due_at = app_now()
          from locked where r.id = locked.id returning 1)
    select count(*) from due
$$;
revoke execute on function mark_requests_due(bigint[]) from public;
grant execute on function mark_requests_due(bigint[]) to accessbot_directory;

create or replace function access_requests_check() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.submitted_by is not null and not may_request_for(new.submitted_by, new.requester_id) then
        raise exception 'person % may not request for person %', new.submitted_by, new.requester_id using errcode = 'AB006';
    end if;
    return new;
end $$;
create or replace trigger checked before insert on access_requests for each row execute function access_requests_check();

-- A request must be evaluated by the version in force: an older one may approve what is no longer allowed.
create or replace function access_requests_policy() returns trigger
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.policy_version is distinct from (select max(version) from policies)
       and not pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        raise exception 'policy version % is no longer in force', new.policy_version using errcode = 'AB010';
    end if;
    return new;
end $$;
create or replace trigger policy before insert on access_requests for each row execute function access_requests_policy();
