-- Names stay until the removal of every claim on them is confirmed: renaming an account, an object or a target changes whose
-- access is granted and revoked, and where. A new claim waits for a concurrent rename, and is checked after it (claims_guard).
create or replace function claimed_names_immutable() returns trigger
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    if pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    if exists (select from claims c where tg_table_name = 'accounts' and c.account_id = old.id and c.removed_at is null)
    or exists (select from claims c where tg_table_name = 'entitlements' and c.entitlement_id = old.id and c.removed_at is null)
    or exists (select from entitlements e join claims c on c.entitlement_id = e.id and c.removed_at is null
                where tg_table_name = 'applications' and e.application_id = old.id)
    then
        raise exception '% % has claims whose removal is not confirmed: its names stay', tg_table_name, old.id
            using errcode = 'AB011';
    end if;
    return new;
end $$;
create or replace trigger names before update on accounts for each row
    when ((new.person_id, new.instance, new.account) is distinct from (old.person_id, old.instance, old.account))
    execute function claimed_names_immutable();
