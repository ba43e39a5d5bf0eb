create or replace trigger names before update on entitlements for each row
    when ((new.application_id, new.instance, new.target) is distinct from (old.application_id, old.instance, old.target))
    execute function claimed_names_immutable(); -- see accounts.sql

-- Who looks after an entitlement: the active ones of its owners (tier 1), its application's owners (2) and administrators (3).
create or replace function entitlement_owner_people(entitlement bigint) returns table (person_id bigint, tier integer)
    language sql stable rows 5 as $$
    select p.id, min(o.tier)
      from (select o.person_id, 1 as tier from entitlement_owners o where o.entitlement_id = entitlement
            union all
            select o.person_id, 2 from entitlements e join application_owners o on o.application_id = e.application_id
             where e.id = entitlement
            union all
            select a.id, 3 from people a where a.administrator) o
      join people p on p.id = o.person_id and is_active(p)
     group by p.id
$$;

create or replace function may_administer(person bigint, entitlement bigint) returns boolean language sql stable as $$
    select exists (select from entitlement_owner_people(may_administer.entitlement) o where o.person_id = may_administer.person)
$$;
