-- Requests for another person, by their manager or an administrator: the submitter. Neither requester nor submitter decides.

-- +goose Up

alter table access_requests
    add column submitted_by bigint references people, -- null: the requester
    add constraint access_requests_submitter check (submitted_by <> requester_id);
create index access_requests_submitted on access_requests (submitted_by, id desc) where submitted_by is not null;
-- The quota counts requests by their submitter.
create index access_requests_submitter_all      on access_requests (coalesce(submitted_by, requester_id), id desc);
create index access_requests_submitter_open on access_requests (coalesce(submitted_by, requester_id)) where completed_at is null;

alter table form_drafts
    add column for_person_id bigint references people, -- null: the person who fills it in
    add constraint form_drafts_for check (for_person_id <> person_id);

-- Whether the submitter may request for the requester.
create function may_request_for(submitter bigint, requester bigint) returns boolean
    language sql stable
    set search_path = pg_catalog, public, pg_temp
as $$
    select exists (
        select from people s, people r
         where s.id = submitter and r.id = requester and s.id <> r.id
           and s.status = 'active' and s.gone_at is null and r.status = 'active' and r.gone_at is null
           and (r.manager_id = s.id or s.administrator))
$$;

-- +goose StatementBegin
create function access_requests_check() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if new.submitted_by is not null and not may_request_for(new.submitted_by, new.requester_id) then
        raise exception 'person % may not request for person %', new.submitted_by, new.requester_id using errcode = 'AB006';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger checked before insert on access_requests for each row execute function access_requests_check();

-- +goose StatementBegin
create or replace function request_terms(request bigint) returns text
    language sql stable security definer
    set search_path = pg_catalog, public, pg_temp
as $$
    select encode(sha256(convert_to((jsonb_build_array(
               r.id, r.requester_id, extract(epoch from r.ends_at), r.reason_key, r.note,
               (select jsonb_agg(jsonb_build_array(i.id, i.entitlement_id, i.account_id, a.instance, a.account, e.instance, e.target, e.risk) order by i.id)
                  from public.request_items i
                  join public.accounts a on a.id = i.account_id
                  join public.entitlements e on e.id = i.entitlement_id
                 where i.request_id = r.id))
               || case when r.submitted_by is null then '[]' else jsonb_build_array(r.submitted_by) end)::text, 'UTF8')), 'hex') -- unchanged without a submitter
      from public.access_requests r
     where r.id = request
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function decisions_submitter() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if exists (select from request_items i join access_requests r on r.id = i.request_id where i.id = new.item_id and r.submitted_by = new.decided_by) then
        raise exception 'a submitter cannot decide their own request' using errcode = 'AB004';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger submitter before insert on decisions for each row execute function decisions_submitter();

-- The submitter may withdraw, too.
-- +goose StatementBegin
create or replace function stop_orders_check() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    item  request_items;
    claim claims;
begin
    if new.item_id is not null then
        perform from access_requests where id = (select request_id from request_items where id = new.item_id) for update;
        select * into item from request_items where id = new.item_id;
        select * into claim from claims where item_id = new.item_id;
        if item is null or item.state in ('ended', 'revoked', 'denied', 'withdrawn', 'expired', 'failed') then
            raise exception 'item % is %', new.item_id, coalesce(item.state, 'unknown') using errcode = 'AB001';
        end if;
        if new.kind = 'withdrawn' and claim.id is not null then
            raise exception 'item % has a claim: revoke it instead', item.id using errcode = 'AB009';
        end if;
        if new.kind in ('removed_by_holder', 'revoked') and claim.id is null then
            raise exception 'item % has no claim: withdraw it instead', item.id using errcode = 'AB009';
        end if;
        if new.kind in ('withdrawn', 'removed_by_holder') and not exists (
            select from access_requests r where r.id = item.request_id
               and (r.requester_id = new.person_id or new.kind = 'withdrawn' and r.submitted_by = new.person_id)) then
            raise exception 'item % was requested by someone else', item.id using errcode = 'AB006';
        end if;
    else
        select * into claim from claims where id = new.claim_id for update;
        if claim.id is null or claim.ended_at is not null then
            raise exception 'claim % is not live', new.claim_id using errcode = 'AB001';
        end if;
        if claim.item_id is not null then
            raise exception 'claim % belongs to item %: revoke by item', claim.id, claim.item_id using errcode = 'AB009';
        end if;
        if new.kind = 'withdrawn' or (new.kind = 'removed_by_holder' and claim.person_id <> new.person_id) then
            raise exception 'claim % is not for person % to remove', claim.id, new.person_id using errcode = 'AB006';
        end if;
    end if;
    if new.person_id is not null and not exists (select from people p where p.id = new.person_id and p.status = 'active' and p.gone_at is null) then
        raise exception 'person % is not active', new.person_id using errcode = 'AB005';
    end if;
    new.ordered_at := app_now();
    if claim.id is not null then
        update claims set revoked_at = app_now(), due_at = least(due_at, app_now() + interval '2 minutes')
         where id = claim.id and revoked_at is null and ended_at is null;
    end if;
    if item.id is not null then
        update access_requests set due_at = app_now(), messages_due_at = app_now() where id = item.request_id;
    end if;
    return new;
end $$;
-- +goose StatementEnd

-- Requester and submitter may answer.
-- +goose StatementBegin
create or replace function question_answers_check() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    request access_requests;
begin
    select * into request from access_requests where id = (select request_id from questions where id = new.question_id) for update;
    if request.id is null or new.answered_by not in (request.requester_id, coalesce(request.submitted_by, request.requester_id)) then
        raise exception 'question % is not for person % to answer', new.question_id, new.answered_by using errcode = 'AB006';
    end if;
    if not exists (select from people p where p.id = new.answered_by and p.status = 'active' and p.gone_at is null) then
        raise exception 'person % is not active', new.answered_by using errcode = 'AB005';
    end if;
    if exists (select from question_answers w where w.question_id = new.question_id) then
        raise exception 'question % is already answered', new.question_id using errcode = 'AB002';
    end if;
    if not exists (
        select from request_items i
         where i.request_id = request.id and i.state in ('submitted', 'awaiting_approval') and not exists (select from stop_orders l where l.item_id = i.id)) then
        raise exception 'request % is not open', request.id using errcode = 'AB001';
    end if;
    new.answered_at := app_now();
    update access_requests set due_at = app_now(), messages_due_at = app_now() where id = request.id;
    return new;
end $$;
-- +goose StatementEnd
