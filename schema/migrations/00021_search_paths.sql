-- Triggers without a search_path of their own find the caller's temporary tables first, even before pg_catalog, so that pg_class
-- or accounts could be forged.

-- +goose Up

alter function request_items_forward() set search_path = pg_catalog, public, pg_temp;
alter function request_items_rule()  set search_path = pg_catalog, public, pg_temp;
alter function claims_directory()      set search_path = pg_catalog, public, pg_temp;
alter function stop_orders_kind()         set search_path = pg_catalog, public, pg_temp;
alter function manual_tasks_guard()           set search_path = pg_catalog, public, pg_temp;
alter function policies_immutable()         set search_path = pg_catalog, public, pg_temp;
alter function audit_events_immutable()     set search_path = pg_catalog, public, pg_temp;
alter function audit_seals_immutable()      set search_path = pg_catalog, public, pg_temp;

-- Unexpected access is a claim, so its item must be approved, or it could grant access without a decision.
-- +goose StatementBegin
create or replace function claims_source() returns trigger
    language plpgsql
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    if not pg_has_role(current_user, case when new.source = 'imported' then 'accessbot_directory' else 'accessbot_worker' end, 'usage') then
        raise exception '% may not make claims of source %', current_user, new.source using errcode = '42501';
    end if;
    if new.source = 'unexpected' and not exists (
        select from request_items i
         where i.id = new.unexpected_for and i.account_id = new.account_id and i.entitlement_id = new.entitlement_id and i.state = 'approved'
           and item_outcome(i.id) = 'approve')
    then
        raise exception 'no approved item explains this unexpected access' using errcode = 'AB011';
    end if;
    if new.source = 'correction' and (
        not exists (select from entitlements e join applications a on a.id = e.application_id where e.id = new.entitlement_id and a.on_finding = 'correct')
        or exists (select from claims c where c.account_id = new.account_id and c.entitlement_id = new.entitlement_id and c.removed_at is null))
    then
        raise exception 'unexpected access in this application is only reported, or a claim explains it' using errcode = 'AB011';
    end if;
    return new;
end $$;
-- +goose StatementEnd

-- A request must be evaluated by the version in force: an older one may approve what is no longer allowed.
-- +goose StatementBegin
create function access_requests_policy() returns trigger
    language plpgsql
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if new.policy_version is distinct from (select max(version) from policies)
       and not pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        raise exception 'policy version % is no longer in force', new.policy_version using errcode = 'AB010';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger policy before insert on access_requests for each row execute function access_requests_policy();
