-- States only go forward, whatever is retried, reset or started twice.
create or replace function request_items_forward() returns trigger
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        if new.state <> 'submitted' then
            raise exception 'a new item must be submitted, not %', new.state using errcode = 'AB010';
        end if;
        if (select person_id from accounts where id = new.account_id) is distinct from (select requester_id from access_requests where id = new.request_id) then
            raise exception 'account % is not the requester''s', new.account_id using errcode = 'AB010';
        end if;
        return new;
    end if;
    if (new.request_id, new.entitlement_id, new.account_id) is distinct from (old.request_id, old.entitlement_id, old.account_id) then
        raise exception 'item %: the request, entitlement and account cannot be changed', old.id using errcode = 'AB010';
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
    return new;
end $$;
create or replace trigger forward before insert or update on request_items
    for each row execute function request_items_forward();

-- The rule of an item never changes.
create or replace function request_items_rule() returns trigger
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    raise exception 'item %: the rule that evaluates it cannot be changed', old.id using errcode = 'AB010';
end $$;
create or replace trigger rule before update on request_items
    for each row when (new.rule <> old.rule) execute function request_items_rule();

-- When the item reached its state.
create or replace function request_items_state_at() returns trigger
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    new.state_at := app_now();
    return new;
end $$;
create or replace trigger state_at before update on request_items
    for each row when (new.state <> old.state) execute function request_items_state_at();
