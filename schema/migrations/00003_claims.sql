-- Claims: why a person should hold an entitlement. An assignment (account, entitlement) should be held while any claim on it
-- is live.

-- +goose Up

create table claims (
    id             bigint generated always as identity primary key,
    person_id      bigint not null references people,
    account_id     bigint not null,
    entitlement_id bigint not null references entitlements,
    source         text   not null check (source in ('request', 'imported', 'unexpected')),
    item_id        bigint unique references request_items,
    unexpected_for      bigint unique references request_items, -- of source unexpected: the item that was being provisioned
    ends_at        timestamptz,          -- null: no end date
    created_at     timestamptz not null default app_now(),
    granted_at       timestamptz,          -- the target showed the access
    revoked_at    timestamptz,          -- a revocation was ordered: set by the trigger on stop_orders
    ended_at       timestamptz,          -- null: live until its end or revocation
    end_reason     text not null default '',
    removed_at     timestamptz,          -- the target showed no access after this claim's end
    due_at         timestamptz,          -- when the sweep reconciles its assignment; null: never
    attempts       integer not null default 0, -- by the sweep, since it became due
    alerted_at     timestamptz,          -- when its overdue removal was alerted
    foreign key (account_id, person_id) references accounts (id, person_id),
    check ((source = 'request') = (item_id is not null)),
    check (unexpected_for is null or source = 'unexpected'),
    check (removed_at is null or ended_at is not null)
);
-- Claims overlap, so neither index is unique. A query must repeat the condition for an index-only scan.
create index claims_held_by    on claims (person_id, entitlement_id) include (ends_at, revoked_at) where ended_at is null;
create index claims_holders    on claims (entitlement_id, person_id) include (ends_at, revoked_at) where ended_at is null;
create index claims_assignment       on claims (account_id, entitlement_id);
create index claims_due        on claims (due_at) where due_at is not null;
create unique index claims_one_imported on claims (account_id, entitlement_id) where source = 'imported' and ended_at is null;
create unique index claims_one_unexpected    on claims (account_id, entitlement_id) where source = 'unexpected' and ended_at is null;

alter table stop_orders add constraint stop_orders_claim_id_fkey foreign key (claim_id) references claims;

-- Provisioning checks the proof of a claim in Go. This trigger stops what a mistake there would let through.
-- +goose StatementBegin
create function claims_guard() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        if (select a.instance from accounts a where a.id = new.account_id) is distinct from
           (select e.instance from entitlements e where e.id = new.entitlement_id) then
            raise exception 'account % is not in the target of entitlement %', new.account_id, new.entitlement_id using errcode = 'AB011';
        end if;
        if new.source = 'request' and not exists (
            select from request_items i
              join decisions d on d.item_id = i.id
             where i.id = new.item_id and i.account_id = new.account_id and i.entitlement_id = new.entitlement_id
               and d.outcome = 'approve' and d.terms = request_terms(i.request_id)
               and coalesce(d.ends_at, 'infinity') >= coalesce(new.ends_at, 'infinity')
               and coalesce(new.ends_at, 'infinity') > app_now()
               and not exists (select from stop_orders r where r.item_id = i.id))
        then
            raise exception 'item %: no decision covers this claim', new.item_id using errcode = 'AB011';
        end if;
        return new;
    end if;
    if (new.person_id, new.account_id, new.entitlement_id, new.source, new.item_id, new.unexpected_for, new.ends_at, new.created_at)
       is distinct from (old.person_id, old.account_id, old.entitlement_id, old.source, old.item_id, old.unexpected_for, old.ends_at, old.created_at)
    or (old.granted_at    is not null and new.granted_at    is distinct from old.granted_at)
    or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
    or (old.ended_at    is not null and new.ended_at    is distinct from old.ended_at)
    or (old.removed_at  is not null and new.removed_at  is distinct from old.removed_at)
    then
        raise exception 'claim %: recorded values are never changed', old.id using errcode = 'AB011';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger guard before insert or update on claims for each row execute function claims_guard();

-- Only the directory makes claims without a decision, and the worker records unexpected access only for an approved item.
-- +goose StatementBegin
create function claims_source() returns trigger language plpgsql as $$
begin
    if pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    if not pg_has_role(current_user, case when new.source = 'imported' then 'accessbot_directory' else 'accessbot_worker' end, 'usage') then
        raise exception '% may not make claims of source %', current_user, new.source using errcode = '42501';
    end if;
    if new.source = 'unexpected' and not exists (
        select from request_items i
         where i.id = new.unexpected_for and i.account_id = new.account_id and i.entitlement_id = new.entitlement_id and i.state = 'approved')
    then
        raise exception 'no approved item explains this unexpected access' using errcode = 'AB011';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger source before insert on claims for each row execute function claims_source();

-- The directory ends its own claims, and unexpected access that it now names. It can only make a request's claims due earlier.
-- +goose StatementBegin
create function claims_directory() returns trigger language plpgsql as $$
begin
    if old.source not in ('imported', 'unexpected')
       and ((new.granted_at, new.ended_at, new.end_reason, new.removed_at) is distinct from (old.granted_at, old.ended_at, old.end_reason, old.removed_at) or new.due_at is null)
       and not pg_has_role(current_user, 'accessbot_worker', 'usage')
       and not pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage')
    then
        raise exception '% may not end claims of source %', current_user, old.source using errcode = '42501';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger directory before update on claims for each row execute function claims_directory();

-- The Slack app may not lock a request's row, so triggers do: decisions, withdrawals, revocations and expiry exclude each other.
-- SQLSTATEs: AB001 not open, AB002 already decided, AB003 withdrawn or revoked, AB004 by the requester, AB005 not active,
-- AB006 not allowed, AB007 other terms, AB008 past its end, AB009 wrong kind for its state.
-- +goose StatementBegin
create function decisions_check() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    item    request_items;
    request access_requests;
begin
    select * into item from request_items where id = new.item_id;
    select * into request from access_requests where id = item.request_id for update;
    select * into item from request_items where id = new.item_id; -- again: its state may have changed during the wait
    if request is null then
        raise exception 'there is no item %', new.item_id using errcode = 'AB001';
    end if;
    if exists (select from decisions d where d.item_id = item.id and d.stage = new.stage) then
        raise exception 'item % is already decided', item.id using errcode = 'AB002';
    end if;
    if exists (select from stop_orders r where r.item_id = item.id) then
        raise exception 'item % is withdrawn', item.id using errcode = 'AB003';
    end if;
    if item.state not in ('submitted', 'awaiting_approval') then
        raise exception 'item % is %', item.id, item.state using errcode = 'AB001';
    end if;
    if new.decided_by is not null then
        if new.decided_by = request.requester_id then
            raise exception 'a requester cannot decide their own request' using errcode = 'AB004';
        end if;
        if not exists (select from people p where p.id = new.decided_by and p.status = 'active' and p.gone_at is null) then
            raise exception 'person % is not active', new.decided_by using errcode = 'AB005';
        end if;
        if not exists (select from approvals a
                         join approval_items ai on ai.approval_id = a.id and ai.item_id = item.id
                         join approval_candidates c on c.approval_id = a.id and c.person_id = new.decided_by
                        where a.id = new.approval_id and a.state = 'open' and a.stage = new.stage) then
            raise exception 'item % is not for person % to decide', item.id, new.decided_by using errcode = 'AB006';
        end if;
    end if;
    if new.terms is distinct from request_terms(request.id)
       or coalesce(new.ends_at, 'infinity') > coalesce(request.ends_at, 'infinity') then
        raise exception 'the request changed after it was shown' using errcode = 'AB007';
    end if;
    if coalesce(request.ends_at, 'infinity') <= app_now() then
        raise exception 'the end of the request has passed' using errcode = 'AB008';
    end if;
    new.decided_at := app_now();
    update access_requests set due_at = app_now(), messages_due_at = app_now() where id = request.id;
    return new;
end $$;
-- +goose StatementEnd
create trigger checked before insert on decisions for each row execute function decisions_check();

-- +goose StatementBegin
create function stop_orders_check() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
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
            select from access_requests r where r.id = item.request_id and r.requester_id = new.person_id) then
            raise exception 'item % was requested by someone else', item.id using errcode = 'AB006';
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
    if new.person_id is not null and not exists (select from people p where p.id = new.person_id and p.status = 'active' and p.gone_at is null) then
        raise exception 'person % is not active', new.person_id using errcode = 'AB005';
    end if;
    new.ordered_at := app_now();
    if claim.id is not null then
        update claims set revoked_at = app_now(), due_at = least(due_at, app_now() + interval '2 minutes')
         where id = claim.id and revoked_at is null and ended_at is null;
    end if;
    if item.id is not null then
        update access_requests set due_at = app_now(), messages_due_at = app_now() where id = item.request_id;
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger checked before insert on stop_orders for each row execute function stop_orders_check();

-- The worker's own orders are for people who left and cancelled runs only.
-- +goose StatementBegin
create function stop_orders_kind() returns trigger language plpgsql as $$
begin
    if new.kind not in ('person_left', 'workflow_cancelled') and not pg_has_role(current_user, 'accessbot_slackapp', 'usage') then
        raise exception 'only the Slack app records orders of kind %', new.kind using errcode = '42501';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger kind before insert on stop_orders for each row execute function stop_orders_kind();

-- A change of approvers, or a person who leaves, makes the requests and claims concerned due.
-- +goose StatementBegin
create function people_changed() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    with affected as (
        select r.id from access_requests r where r.requester_id = new.id and r.completed_at is null
        union
        select r.id from people p join access_requests r on r.requester_id = p.id where p.manager_id = new.id and r.completed_at is null
        union
        select a.request_id from approval_candidates c join approvals a on a.id = c.approval_id
         where c.person_id = new.id and a.state = 'open'),
    locked as (select r.id from access_requests r where r.id in (select id from affected) order by r.id for update)
    update access_requests r set due_at = app_now() from locked where r.id = locked.id;
    -- An owner who is back may be the one to ask instead of the next approvers.
    perform mark_requests_due(array(
        select entitlement_id from entitlement_owners where person_id = new.id
        union
        select e.id from application_owners o join entitlements e on e.application_id = o.application_id where o.person_id = new.id));
    -- After the requests: the order in which reconciling locks them.
    if new.status = 'left' and old.status <> 'left' then
        update claims set due_at = app_now() where person_id = new.id and ended_at is null;
    end if;
    return null;
end $$;
-- +goose StatementEnd
create trigger changed after update of status, manager_id, gone_at, administrator on people for each row
    when ((old.status, old.manager_id, old.gone_at is null, old.administrator) is distinct from (new.status, new.manager_id, new.gone_at is null, new.administrator))
    execute function people_changed();
