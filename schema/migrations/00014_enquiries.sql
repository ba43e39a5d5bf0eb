-- What approvers ask a requester before they decide, and what is answered. Appended to, and never changed.

-- +goose Up

create table enquiries (
    id         bigint generated always as identity primary key,
    request_id bigint not null references access_requests,
    asked_by   bigint not null references people,
    text       text   not null check (text <> '' and length(text) <= 1000),
    asked_at   timestamptz not null default app_now()
);
create index enquiries_request on enquiries (request_id, id);

create table enquiry_answers (
    enquiry_id  bigint primary key references enquiries, -- answered once
    answered_by bigint not null references people,
    text        text   not null check (text <> '' and length(text) <= 2000),
    answered_at timestamptz not null default app_now()
);

-- Whoever may decide something of a request that waits may ask, under the request's lock as decisions are. Beside the
-- SQLSTATEs of decisions_check: AB014 too many wait for an answer.
-- +goose StatementBegin
create function enquiries_check() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    request access_requests;
begin
    select * into request from access_requests where id = new.request_id for update;
    if request.id is null or not exists (
        select from request_items i
         where i.request_id = request.id and i.state in ('submitted', 'awaiting_approval') and not exists (select from releases l where l.item_id = i.id)) then
        raise exception 'request % does not wait', new.request_id using errcode = 'AB001';
    end if;
    if coalesce(request.ends_at, 'infinity') <= app_now() then
        raise exception 'the end of the request has passed' using errcode = 'AB008';
    end if;
    if new.asked_by = request.requester_id then
        raise exception 'nobody asks themselves' using errcode = 'AB004';
    end if;
    if not exists (select from people p where p.id = new.asked_by and p.status = 'active' and p.gone_at is null) then
        raise exception 'person % is not active', new.asked_by using errcode = 'AB005';
    end if;
    if not exists (
        select from approvals a
          join approval_candidates c on c.approval_id = a.id and c.person_id = new.asked_by
          join approval_items ai on ai.approval_id = a.id
          join request_items i on i.id = ai.item_id and i.state in ('submitted', 'awaiting_approval')
         where a.request_id = request.id and a.state = 'open'
           and not exists (select from releases l where l.item_id = i.id)
           and not exists (select from decisions d where d.item_id = i.id and (d.verdict = 'deny' or d.approval_id = a.id and d.decided_by = new.asked_by))) then
        raise exception 'request % is not for person % to decide', request.id, new.asked_by using errcode = 'AB006';
    end if;
    if (select count(*) from enquiries q left join enquiry_answers w on w.enquiry_id = q.id where q.request_id = request.id and w.enquiry_id is null) >= 5 then
        raise exception 'five questions about request % wait for an answer', request.id using errcode = 'AB014';
    end if;
    new.asked_at := app_now();
    update access_requests set due_at = app_now(), messages_due_at = app_now() where id = request.id;
    return new;
end $$;
-- +goose StatementEnd
create trigger checked before insert on enquiries for each row execute function enquiries_check();

-- Only the one who was asked answers, once, and as long as something of the request waits.
-- +goose StatementBegin
create function enquiry_answers_check() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    request access_requests;
begin
    select * into request from access_requests where id = (select request_id from enquiries where id = new.enquiry_id) for update;
    if request.id is null or new.answered_by <> request.requester_id then
        raise exception 'enquiry % is not for person % to answer', new.enquiry_id, new.answered_by using errcode = 'AB006';
    end if;
    if not exists (select from people p where p.id = new.answered_by and p.status = 'active' and p.gone_at is null) then
        raise exception 'person % is not active', new.answered_by using errcode = 'AB005';
    end if;
    if exists (select from enquiry_answers w where w.enquiry_id = new.enquiry_id) then
        raise exception 'enquiry % is answered already', new.enquiry_id using errcode = 'AB002';
    end if;
    if not exists (
        select from request_items i
         where i.request_id = request.id and i.state in ('submitted', 'awaiting_approval') and not exists (select from releases l where l.item_id = i.id)) then
        raise exception 'request % does not wait', request.id using errcode = 'AB001';
    end if;
    new.answered_at := app_now();
    update access_requests set due_at = app_now(), messages_due_at = app_now() where id = request.id;
    return new;
end $$;
-- +goose StatementEnd
create trigger checked before insert on enquiry_answers for each row execute function enquiry_answers_check();

grant select on enquiries, enquiry_answers to accessbot_slackapp, accessbot_worker, accessbot_auditor;
grant insert on enquiries, enquiry_answers to accessbot_slackapp;
revoke update, delete, truncate on enquiries, enquiry_answers from public;

alter table slack_messages
    drop constraint slack_messages_kind_check,
    add constraint slack_messages_kind_check check (kind in ('card', 'question', 'outcome', 'ending_soon', 'ended', 'report', 'task', 'drift',
        'enquiry', 'enquiry_answer'));
