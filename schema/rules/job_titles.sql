-- What a job title grants its holders, one person left out of account: its configured set; where there is none, what at least
-- half of the other active holders have, and at least two.
create or replace function granted_by_job_title(title bigint, left_out bigint) returns setof bigint
    language sql stable as $$
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
