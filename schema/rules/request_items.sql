-- Whether the item can still be decided. Its state may lag behind decisions and orders.
create or replace function awaits_decision(item request_items) returns boolean language sql stable as $$
    select item.state in ('submitted', 'awaiting_approval') and item_outcome(item.id) is null
       and not exists (select from stop_orders o where o.item_id = item.id)
$$;

-- Whether the item can be withdrawn: it is neither stopped nor denied, and has no claim yet, which would be revoked instead.
create or replace function may_be_withdrawn(item request_items) returns boolean language sql stable as $$
    select item.state in ('submitted', 'awaiting_approval', 'approved') and item_outcome(item.id) is distinct from 'deny'
       and not exists (select from stop_orders o where o.item_id = item.id)
       and not exists (select from claims c where c.item_id = item.id)
$$;

-- States only go forward, whatever is retried, reset or started twice.
create or replace function request_items_forward() returns trigger
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        if new.state <> 'submitted' then
            raise exception 'a new item must be submitted, not %', new.state using errcode = 'AB010';
        end if;
        if (select person_id from accounts where id = new.account_id)
           is distinct from (select requester_id from access_requests where id = new.request_id) then
            raise exception 'account % is not the requester''s', new.account_id using errcode = 'AB010';
        end if;
        return new;
    end if;
    if (new.request_id, new.entitlement_id, new.account_id, new.rule)
       is distinct from (old.request_id, old.entitlement_id, old.account_id, old.rule) then
        raise exception 'item %: the request, entitlement, account and rule cannot be changed', old.id using errcode = 'AB010';
    end if;
    if new.state <> old.state and not (case old.state
        when 'submitted'         then new.state in ('awaiting_approval', 'approved', 'denied', 'withdrawn', 'expired')
        when 'awaiting_approval' then new.state in ('approved', 'denied', 'withdrawn', 'expired')
        when 'approved'          then new.state in ('provisioning', 'withdrawn', 'expired', 'failed')
        when 'provisioning'      then new.state in ('active', 'ended', 'revoked', 'failed')
        when 'active'            then new.state in ('ended', 'revoked')
        else false end)
    then
        raise exception 'item % cannot go from % to %', old.id, old.state, new.state using errcode = 'AB010';
    end if;
    if new.state <> old.state then
        new.state_at := app_now();
    end if;
    return new;
end $$;
create or replace trigger forward before insert or update on request_items for each row execute function request_items_forward();
