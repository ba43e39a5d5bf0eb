-- Whether nothing has ended the claim early. Its end date may have passed.
create or replace function is_revocable(claim claims) returns boolean
    language sql immutable as $$ select claim.ended_at is null and claim.revoked_at is null $$;

-- Whether the claim is a reason to hold its assignment: until its end, its revocation or its recorded end. The partial indexes
-- need its first condition.
create or replace function is_live(claim claims, at timestamptz) returns boolean
    language sql immutable as $$ select is_revocable(claim) and (claim.ends_at is null or claim.ends_at > at) $$;

create or replace function is_live(claim claims) returns boolean language sql stable as $$ select is_live(claim, app_now()) $$;

-- Provisioning checks the proof of a claim in Go. This trigger stops what a mistake there would let through.
create or replace function claims_guard() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        -- A concurrent rename ends first: see accounts.sql.
        perform from entitlements where id = new.entitlement_id for key share;
        perform from accounts where id = new.account_id for key share;
        if (select a.instance from accounts a where a.id = new.account_id) is distinct from
           (select e.instance from entitlements e where e.id = new.entitlement_id) then
            raise exception 'account % is not in the target of entitlement %', new.account_id, new.entitlement_id
                using errcode = 'AB011';
        end if;
        if new.source = 'request' and not exists (
            select from request_items i
             where i.id = new.item_id and i.account_id = new.account_id and i.entitlement_id = new.entitlement_id
               and item_outcome(i.id) = 'approve'
               and not exists (select from decisions d
                                where d.item_id = i.id
                                  and (d.terms is distinct from request_terms(i.request_id)
                                       or coalesce(d.ends_at, 'infinity') < coalesce(new.ends_at, 'infinity')))
               and coalesce(new.ends_at, 'infinity') > app_now()
               and not exists (select from stop_orders r where r.item_id = i.id))
        then
            raise exception 'item %: no decision covers this claim', new.item_id using errcode = 'AB011';
        end if;
        return new;
    end if;
    if (new.person_id, new.account_id, new.entitlement_id, new.source,
        new.item_id, new.unexpected_for, new.ends_at, new.created_at)
       is distinct from (old.person_id, old.account_id, old.entitlement_id, old.source,
        old.item_id, old.unexpected_for, old.ends_at, old.created_at)
    or (old.granted_at is not null and new.granted_at is distinct from old.granted_at)
    or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
    or (old.ended_at   is not null and new.ended_at   is distinct from old.ended_at)
    or (old.removed_at is not null and new.removed_at is distinct from old.removed_at)
    then
        raise exception 'claim %: recorded values are never changed', old.id using errcode = 'AB011';
    end if;
    return new;
end $$;
create or replace trigger guard before insert or update on claims for each row execute function claims_guard();

-- Only the directory makes claims without a decision. Unexpected access is a claim, so its item must be approved, or it could
-- grant access without a decision.
create or replace function claims_source() returns trigger language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    if pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    if not pg_has_role(current_user,
                       case when new.source = 'imported' then 'accessbot_directory' else 'accessbot_worker' end, 'usage') then
        raise exception '% may not make claims of source %', current_user, new.source using errcode = '42501';
    end if;
    if not is_now(new.granted_at) or not is_now(new.ended_at) then
        raise exception 'a claim must record the present' using errcode = 'AB011';
    end if;
    -- A due claim is reconciled at once, which would grant it. A claim of a person who left is revoked.
    if new.source = 'imported' and (new.granted_at is null
       or new.due_at is not null and not exists (select from people p where p.id = new.person_id and p.status = 'left'))
    then
        raise exception 'a claim of source % must be for access that exists already', new.source using errcode = 'AB011';
    end if;
    if new.source = 'unexpected' and not exists (
        select from request_items i
         where i.id = new.unexpected_for and i.account_id = new.account_id and i.entitlement_id = new.entitlement_id
           and i.state = 'approved' and item_outcome(i.id) = 'approve')
    then
        raise exception 'no approved item explains this unexpected access' using errcode = 'AB011';
    end if;
    if new.source = 'correction' and (
        not exists (select from entitlements e join applications a on a.id = e.application_id
                     where e.id = new.entitlement_id and a.on_finding = 'correct')
        or exists (select from claims c
                    where c.account_id = new.account_id and c.entitlement_id = new.entitlement_id and c.removed_at is null))
    then
        raise exception 'unexpected access in this application is only reported, or a claim explains it' using errcode = 'AB011';
    end if;
    new.due_at := latest_due(new);
    return new;
end $$;
create or replace trigger source before insert on claims for each row execute function claims_source();

-- The directory ends its own claims, and unexpected access that it now names. It can only make a request's claims due earlier.
create or replace function claims_directory() returns trigger language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    if pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    if new.granted_at is distinct from old.granted_at and not is_now(new.granted_at)
    or new.ended_at   is distinct from old.ended_at   and not is_now(new.ended_at)
    or new.removed_at is distinct from old.removed_at and not is_now(new.removed_at)
    or old.ended_at is not null and new.end_reason is distinct from old.end_reason
    then
        raise exception 'claim %: must record the present, and is never changed afterwards', old.id using errcode = 'AB011';
    end if;
    if not pg_has_role(current_user, 'accessbot_worker', 'usage') then
        if old.source not in ('imported', 'unexpected')
           and ((new.granted_at, new.ended_at, new.end_reason, new.removed_at)
                is distinct from (old.granted_at, old.ended_at, old.end_reason, old.removed_at) or new.due_at is null)
        then
            raise exception '% may not end claims of source %', current_user, old.source using errcode = '42501';
        end if;
        -- Null only by ending the claim now; a time only if access must be removed.
        if new.due_at is distinct from old.due_at and not (
              case when new.due_at is null then old.ended_at is null and new.ended_at is not null
                   else new.ended_at is not null and new.removed_at is null and is_now(new.due_at) end)
        then
            raise exception '% may not move the due time of claim %', current_user, old.id using errcode = '42501';
        end if;
    end if;
    new.due_at := latest_due(new);
    return new;
end $$;
create or replace trigger directory before update on claims for each row execute function claims_directory();

-- The latest time at which a claim is due: the sweep tries again within a day, whatever a target or the worker asks for.
create or replace function latest_due(claim claims) returns timestamptz
    language sql stable set search_path = pg_catalog, public, pg_temp as $$
    select case when claim.ended_at is not null or claim.due_at is null then claim.due_at
                else least(claim.due_at, greatest(app_now(), least(claim.ends_at, claim.revoked_at)) + interval '1 day') end $$;
