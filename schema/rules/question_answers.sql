-- Requester and submitter may answer, once, while something of the request is open.
create or replace function question_answers_check() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    request access_requests;
begin
    select * into request from access_requests
     where id = (select request_id from questions where id = new.question_id) for update;
    if request.id is null or not asked_for(request, new.answered_by) then
        raise exception 'question % is not for person % to answer', new.question_id, new.answered_by using errcode = 'AB006';
    end if;
    if not exists (select from people p where p.id = new.answered_by and is_active(p)) then
        raise exception 'person % is not active', new.answered_by using errcode = 'AB005';
    end if;
    if exists (select from question_answers w where w.question_id = new.question_id) then
        raise exception 'question % is already answered', new.question_id using errcode = 'AB002';
    end if;
    if not exists (select from request_items i where i.request_id = request.id and awaits_decision(i)) then
        raise exception 'request % is not open', request.id using errcode = 'AB001';
    end if;
    new.answered_at := app_now();
    update access_requests set due_at = app_now(), messages_due_at = app_now() where id = request.id;
    return new;
end $$;
create or replace trigger checked before insert on question_answers for each row execute function question_answers_check();
