create or replace trigger names before update on entitlements for each row
    when ((new.application_id, new.instance, new.target) is distinct from (old.application_id, old.instance, old.target))
    execute function claimed_names_immutable(); -- see accounts.sql

create or replace function may_administer(person bigint, entitlement bigint) returns boolean
    language sql stable as $$
    select exists (select from people p where p.id = person and p.status = 'active' and p.gone_at is null and (p.administrator
        or exists (select from entitlement_owners o where o.person_id = person and o.entitlement_id = entitlement)
        or exists (select from application_owners o join entitlements e on e.application_id = o.application_id where o.person_id = person and e.id = entitlement)))
$$;
