-- Who gets a manual task: up to three of the entitlement's owners, then the application's owners, else administrators.
-- The holder is only asked if there is no one else.
create or replace function task_owners(entitlement bigint, about bigint) returns bigint[] language sql stable as $$
    with active as (select * from entitlement_owner_people(entitlement)),
    others as (select * from active where person_id is distinct from about)
    select coalesce(nullif(array(select person_id from others where tier < 3 order by tier, person_id limit 3), '{}'),
                    nullif(array(select person_id from others order by person_id limit 3), '{}'),
                    array(select person_id from active order by tier, person_id limit 3))
$$;

-- An answered task stays answered.
create or replace function manual_tasks_guard() returns trigger
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    if (new.account_id, new.entitlement_id, new.held, new.opened_at)
       is distinct from (old.account_id, old.entitlement_id, old.held, old.opened_at)
    or (old.outcome in ('done', 'cannot') and (new.outcome, new.closed_at) is distinct from (old.outcome, old.closed_at))
    or (new.outcome in ('done', 'cannot') and old.outcome is distinct from new.outcome
        and not pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage'))
    then
        raise exception 'task %: recorded values are never changed, and only an answer closes it', old.id using errcode = 'AB011';
    end if;
    return new;
end $$;
create or replace trigger guard before update on manual_tasks for each row execute function manual_tasks_guard();
