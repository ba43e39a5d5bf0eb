-- Someone who changes job title: what the earlier one granted and the one of now does not is listed to their manager, who may take
-- exactly that back.

-- +goose Up

-- What a notification lists to its reader.
create table job_change_claims (
    notification_id        bigint  not null references notifications,
    claim_id         bigint  not null references claims,
    old_job_title_id bigint  not null references job_titles, -- which granted it
    needed           boolean not null default false,         -- the job title of now grants it after all: it is not to be revoked
    primary key (notification_id, claim_id)
);
create index job_change_claims_claim on job_change_claims (claim_id);

grant select on job_change_claims to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;

-- What a job title grants its holders, one person left out of account: its configured set; where there is none, what at least
-- half of the other active holders have, and at least two.
-- +goose StatementBegin
create function given_by_job_title(title bigint, besides bigint) returns setof bigint language sql stable as $$
    select j.entitlement_id from job_title_entitlements j where j.job_title_id = title
    union all
    select t.entitlement_id
      from people h
      join claims t on t.person_id = h.id and t.ended_at is null and t.revoked_at is null and (t.ends_at is null or t.ends_at > app_now())
     where h.job_title_id = title and h.id <> besides and h.status = 'active' and h.gone_at is null
       and not exists (select from job_title_entitlements j where j.job_title_id = title)
     group by t.entitlement_id
    having count(distinct h.id) >= greatest(2, (select ceil(count(*) / 2.0) from people h
                                                 where h.job_title_id = title and h.id <> besides and h.status = 'active' and h.gone_at is null))
$$;

-- A claim was listed to someone who is its holder's manager still.
create function listed_to(reader bigint, claim bigint) returns boolean language sql stable as $$
    select exists (select from job_change_claims j
                     join notifications n on n.id = j.notification_id and n.person_id = reader
                     join claims c on c.id = j.claim_id
                     join people h on h.id = c.person_id and h.manager_id = reader
                    where j.claim_id = claim and not j.needed)
$$;

-- Lists claims, with the titles that granted them, to someone who does not have them listed yet: in a notification that was not sent yet
-- and has room, else in a new one.
create function list_job_change(reader bigint, claims bigint[], titles bigint[]) returns void language plpgsql as $$
declare
    notice bigint;
begin
    if not exists (select from unnest(claims) as l(id) join claims c on c.id = l.id
                    where c.person_id <> reader
                      and not exists (select from job_change_claims j join notifications n on n.id = j.notification_id
                                       where j.claim_id = l.id and n.person_id = reader and not j.needed)) then
        return;
    end if;
    select n.id into notice from notifications n
     where n.kind = 'job_change' and n.person_id = reader and n.messages_due_at is not null
       and not exists (select from slack_messages m where m.notification_id = n.id and m.digest <> '')
       and (select count(distinct c.person_id) from job_change_claims j join claims c on c.id = j.claim_id where j.notification_id = n.id) < 5
     order by n.id desc limit 1 for update;
    if notice is null then
        insert into notifications (kind, person_id) values ('job_change', reader) returning id into notice;
    end if;
    insert into job_change_claims (notification_id, claim_id, old_job_title_id)
    select notice, l.id, l.title
      from unnest(claims, titles) as l(id, title) join claims c on c.id = l.id
     where c.person_id <> reader
       and not exists (select from job_change_claims j join notifications n on n.id = j.notification_id
                        where j.claim_id = l.id and n.person_id = reader and not j.needed)
     order by l.id
        on conflict (notification_id, claim_id) do update set needed = false, old_job_title_id = excluded.old_job_title_id;
    update notifications n set messages_due_at = app_now() where n.id = notice;
end $$;

create function list_to_administrators(claims bigint[], titles bigint[]) returns void language plpgsql as $$
begin
    perform list_job_change(a.id, claims, titles)
       from (select p.id from people p where p.administrator and p.status = 'active' and p.gone_at is null order by p.id limit 3) a;
end $$;

-- Deferred: who the manager is, and what everybody has, is known when the whole import is in.
create function people_moved() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    moved  people;
    claims bigint[];
    titles bigint[];
begin
    select * into moved from people where id = new.id;
    if moved.status = 'left' or moved.gone_at is not null then
        return null; -- all that they have is revoked, or nothing
    end if;
    if old.job_title_id is distinct from moved.job_title_id then
        update job_change_claims j set needed = true
          from claims c
         where c.id = j.claim_id and c.person_id = moved.id and c.ended_at is null and not j.needed
           and (j.old_job_title_id = moved.job_title_id or c.entitlement_id in (select given_by_job_title(moved.job_title_id, moved.id)));
    end if;
    -- What the earlier title granted, by itself or to someone who asked for access like it; and what was listed before, since the
    -- manager may be another one now.
    select array_agg(l.id order by l.id), array_agg(l.title order by l.id) into claims, titles
      from (select distinct on (c.id) c.id, coalesce(j.old_job_title_id, old.job_title_id) as title
              from claims c
              left join job_change_claims j on j.claim_id = c.id and not j.needed
              left join request_items i on i.id = c.item_id
              left join access_requests r on r.id = i.request_id
             where c.person_id = moved.id and c.ended_at is null and c.revoked_at is null and (c.ends_at is null or c.ends_at > app_now())
               and (j.claim_id is not null
                    or old.job_title_id is distinct from moved.job_title_id
                       and (c.entitlement_id in (select given_by_job_title(old.job_title_id, moved.id)) or r.like_job_title_id = old.job_title_id)
                       and c.entitlement_id not in (select given_by_job_title(moved.job_title_id, moved.id)))
             order by c.id, j.notification_id desc) l;
    if claims is not null then
        if exists (select from people m where m.id = moved.manager_id and m.status = 'active' and m.gone_at is null) then
            perform list_job_change(moved.manager_id, claims, titles);
        else
            perform list_to_administrators(claims, titles);
        end if;
    end if;
    update notifications n set messages_due_at = app_now()
     where n.id in (select j.notification_id from claims c join job_change_claims j on j.claim_id = c.id where c.person_id = moved.id and c.ended_at is null);
    return null;
end $$;
-- +goose StatementEnd
create constraint trigger moved after update on people deferrable initially deferred for each row
    when ((old.job_title_id, old.manager_id) is distinct from (new.job_title_id, new.manager_id))
    execute function people_moved();

-- A manager who is not in Slack reads nothing: the administrators do.
-- +goose StatementBegin
create function job_change_unread(notice bigint) returns void
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    perform list_to_administrators(array_agg(j.claim_id order by j.claim_id), array_agg(j.old_job_title_id order by j.claim_id))
       from job_change_claims j where j.notification_id = notice and not j.needed having count(*) > 0;
end $$;

-- What is listed and over is said in the message.
create function claims_listed() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    update notifications n set messages_due_at = app_now() where n.id in (select j.notification_id from job_change_claims j where j.claim_id = new.id);
    return null;
end $$;

-- Only those who look after it revoke something , and the manager to whom it was listed.
create function stop_orders_revoker() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if not exists (select from claims c
                    where c.id = coalesce(new.claim_id, (select i.id from claims i where i.item_id = new.item_id))
                      and (may_administer(new.person_id, c.entitlement_id) or listed_to(new.person_id, c.id))) then
        raise exception 'claim % of item % is not for person % to revoke', new.claim_id, new.item_id, new.person_id using errcode = 'AB006';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger listed after update of revoked_at, ended_at on claims for each row
    when ((old.revoked_at is null, old.ended_at is null) is distinct from (new.revoked_at is null, new.ended_at is null))
    execute function claims_listed();
create trigger revoked before insert on stop_orders for each row when (new.kind = 'revoked') execute function stop_orders_revoker();

revoke execute on function job_change_unread(bigint) from public;
grant execute on function job_change_unread(bigint) to accessbot_worker;
