-- What a job title grants its holders, one person left out of account: its configured set; where there is none, what at least
-- half of the other active holders have, and at least two.
create or replace function granted_by_job_title(title bigint, left_out bigint) returns setof bigint language sql stable as $$
    select j.entitlement_id from job_title_entitlements j where j.job_title_id = title
    union all
    select c.entitlement_id
      from people h
      join claims c on c.person_id = h.id and is_live(c)
     where h.job_title_id = title and h.id <> left_out and is_active(h)
       and not exists (select from job_title_entitlements j where j.job_title_id = title)
     group by c.entitlement_id
    having count(distinct h.id) >= greatest(2, (select ceil(count(*) / 2.0) from people h
                                                 where h.job_title_id = title and h.id <> left_out and is_active(h)))
$$;
