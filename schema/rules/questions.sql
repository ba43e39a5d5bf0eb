-- A candidate of an open approval may ask, under the request's lock like a decision. SQLSTATEs as in decisions.sql, and
-- AB014: too many open questions.
create or replace function questions_check() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    request access_requests;
begin
    select * into request from access_requests where id = new.request_id for update;
    if not exists (select from request_items i where i.request_id = request.id and awaits_decision(i)) then
        raise exception 'request % is not open', new.request_id using errcode = 'AB001';
    end if;
    if coalesce(request.ends_at, 'infinity') <= app_now() then
        raise exception 'the end of the request has passed' using errcode = 'AB008';
    end if;
    if asked_for(request, new.asked_by) then
        raise exception 'a requester cannot ask themselves' using errcode = 'AB004';
    end if;
    if not exists (select from people p where p.id = new.asked_by and is_active(p)) then
        raise exception 'person % is not active', new.asked_by using errcode = 'AB005';
    end if;
    if not exists (
        select from approvals a
          join approval_candidates c on c.approval_id = a.id and c.person_id = new.asked_by
          join approval_items ai on ai.approval_id = a.id
          join request_items i on i.id = ai.item_id
         where a.request_id = request.id and a.state = 'open' and awaits_decision(i)
           and not exists (select from decisions d
                            where d.item_id = i.id and d.approval_id = a.id and d.decided_by = new.asked_by)) then
        raise exception 'request % is not for person % to decide', request.id, new.asked_by using errcode = 'AB006';
    end if;
    if (select count(*) from questions q left join question_answers w on w.question_id = q.id
         where q.request_id = request.id and w.question_id is null) >= 5 then
        raise exception 'request % has five open questions', request.id using errcode = 'AB014';
    end if;
    new.asked_at := app_now();
    update access_requests set due_at = app_now(), messages_due_at = app_now() where id = request.id;
    return new;
end $$;
create or replace trigger checked before insert on questions for each row execute function questions_check();
