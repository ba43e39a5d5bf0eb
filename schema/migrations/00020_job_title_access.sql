-- Who may revoke access, and what a job title grants.

-- +goose Up

-- What a job title grants its holders, one person left out of account: its configured set; where there is none, what at least
-- half of the other active holders have, and at least two.
-- +goose StatementBegin
create function granted_by_job_title(title bigint, left_out bigint) returns setof bigint language sql stable as $$
    select j.entitlement_id from job_title_entitlements j where j.job_title_id = title
    union all
    select t.entitlement_id
      from people h
      join claims t on t.person_id = h.id and t.ended_at is null and t.revoked_at is null and (t.ends_at is null or t.ends_at > app_now())
     where h.job_title_id = title and h.id <> left_out and h.status = 'active' and h.gone_at is null
       and not exists (select from job_title_entitlements j where j.job_title_id = title)
     group by t.entitlement_id
    having count(distinct h.id) >= greatest(2, (select ceil(count(*) / 2.0) from people h
                                                 where h.job_title_id = title and h.id <> left_out and h.status = 'active' and h.gone_at is null))
$$;

-- Only owners and administrators revoke access.
create function stop_orders_revoker() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if not exists (select from claims c
                    where c.id = coalesce(new.claim_id, (select i.id from claims i where i.item_id = new.item_id))
                      and may_administer(new.person_id, c.entitlement_id)) then
        raise exception 'claim % of item % is not for person % to revoke', new.claim_id, new.item_id, new.person_id using errcode = 'AB006';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger revoked before insert on stop_orders for each row when (new.kind = 'revoked') execute function stop_orders_revoker();
