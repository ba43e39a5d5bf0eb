-- Who gets an application's notifications: up to three of its owners, else administrators.
create or replace function notified_owners(application bigint) returns bigint[] language sql stable as $$
    with owners as (
        select p.id from application_owners o join people p on p.id = o.person_id and is_active(p)
         where o.application_id = application order by p.id limit 3)
    select coalesce(nullif(array(select id from owners), '{}'),
                    array(select p.id from people p where p.administrator and is_active(p) order by p.id limit 3))
$$;
