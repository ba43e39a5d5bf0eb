-- Requester and submitter withdraw, holders remove their own access, owners and administrators revoke it. SQLSTATEs as in
-- decisions.sql.
create or replace function stop_orders_check() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    item  request_items;
    claim claims;
begin
    if new.item_id is not null then
        perform from access_requests where id = (select request_id from request_items where id = new.item_id) for update;
        select * into item from request_items where id = new.item_id;
        select * into claim from claims where item_id = new.item_id;
        if item is null or item.state in ('ended', 'revoked', 'denied', 'withdrawn', 'expired', 'failed') then
            raise exception 'item % is %', new.item_id, coalesce(item.state, 'unknown') using errcode = 'AB001';
        end if;
        if new.kind = 'withdrawn' and claim.id is not null then
            raise exception 'item % has a claim: revoke it instead', item.id using errcode = 'AB009';
        end if;
        if new.kind in ('removed_by_holder', 'revoked') and claim.id is null then
            raise exception 'item % has no claim: withdraw it instead', item.id using errcode = 'AB009';
        end if;
        if new.kind in ('withdrawn', 'removed_by_holder') and not exists (
            select from access_requests r where r.id = item.request_id
               and case when new.kind = 'withdrawn' then asked_for(r, new.person_id) else r.requester_id = new.person_id end) then
            raise exception 'item % was requested by someone else', item.id using errcode = 'AB006';
        end if;
        if new.kind = 'withdrawn' and not may_be_withdrawn(item) then
            raise exception 'item % cannot be withdrawn', item.id using errcode = 'AB001';
        end if;
    else
        select * into claim from claims where id = new.claim_id for update;
        if claim.id is null or claim.ended_at is not null then
            raise exception 'claim % is not live', new.claim_id using errcode = 'AB001';
        end if;
        if claim.item_id is not null then
            raise exception 'claim % belongs to item %: revoke by item', claim.id, claim.item_id using errcode = 'AB009';
        end if;
        if new.kind = 'withdrawn' or (new.kind = 'removed_by_holder' and claim.person_id <> new.person_id) then
            raise exception 'claim % is not for person % to remove', claim.id, new.person_id using errcode = 'AB006';
        end if;
    end if;
    if new.person_id is not null and not exists (select from people p where p.id = new.person_id and is_active(p)) then
        raise exception 'person % is not active', new.person_id using errcode = 'AB005';
    end if;
    if new.kind = 'revoked' and not may_administer(new.person_id, claim.entitlement_id) then
        raise exception 'claim % is not for person % to revoke', claim.id, new.person_id using errcode = 'AB006';
    end if;
    new.ordered_at := app_now();
    if claim.id is not null then
        update claims set revoked_at = app_now(), due_at = least(due_at, app_now() + interval '2 minutes')
         where id = claim.id and is_revocable(claims);
    end if;
    if item.id is not null then
        update access_requests set due_at = app_now(), messages_due_at = app_now() where id = item.request_id;
    end if;
    return new;
end $$;
create or replace trigger checked before insert on stop_orders for each row execute function stop_orders_check();

-- People withdraw and revoke in Slack; orders for people who left and cancelled runs are the worker's.
create or replace function stop_orders_kind() returns trigger language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    program constant text := case when new.kind in ('person_left', 'workflow_cancelled') then 'accessbot_worker'
                                  else 'accessbot_slackapp' end;
begin
    if not pg_has_role(current_user, program, 'usage') then
        raise exception 'only % records orders of kind %', program, new.kind using errcode = '42501';
    end if;
    return new;
end $$;
create or replace trigger kind before insert on stop_orders for each row execute function stop_orders_kind();
