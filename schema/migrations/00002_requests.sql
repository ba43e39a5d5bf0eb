-- Requests, approvals and decisions.
-- The Slack app inserts; the worker moves states forward. A trigger checks each decision again, under the request's lock.

-- +goose Up

create table access_requests (
    id                bigint generated always as identity (start with 1001) primary key, -- the number shown to people
    view_id           text not null unique, -- of the form: submitted twice, it is one request
    requester_id      bigint not null references people,
    access_like       text not null check (access_like in ('person', 'job_title', 'custom')),
    like_person_id    bigint references people,
    like_job_title_id bigint references job_titles,
    ends_at           timestamptz, -- null: permanent
    ends_on           date,        -- set if the end was chosen without a time: shown as a date
    time_zone         text not null check (time_zone <> ''),
    reason_key        text not null references reasons,
    note              text not null default '' check (length(note) <= 3000),
    created_at        timestamptz not null default app_now(),
    due_at            timestamptz default app_now(), -- when its run must next load its steps; null: nothing left to do
    completed_at        timestamptz,                   -- every item is final, or permanent and active
    messages_due_at   timestamptz default app_now(), -- when its messages must next be synced; null: they are in sync
    check ((access_like = 'person') = (like_person_id is not null)),
    check ((access_like = 'job_title') = (like_job_title_id is not null)),
    check (ends_on is null or ends_at is not null)
);
create index access_requests_due       on access_requests (due_at) where due_at is not null;
create index access_requests_messages  on access_requests (messages_due_at) where messages_due_at is not null;
create index access_requests_requester on access_requests (requester_id, id desc);
create index access_requests_incomplete on access_requests (requester_id) where completed_at is null;

create table request_items (
    id             bigint generated always as identity primary key,
    request_id     bigint not null references access_requests,
    entitlement_id bigint not null references entitlements,
    account_id     bigint not null references accounts,
    state          text   not null default 'submitted' check (state in ('submitted', 'awaiting_approval', 'approved', 'provisioning',
                       'active', 'ended', 'revoked', 'denied', 'withdrawn', 'expired', 'failed')),
    state_at       timestamptz not null default app_now(),
    problem        text not null default '', -- why it failed, or what it waits for
    unique (request_id, entitlement_id)
);
create index request_items_open_assignment on request_items (account_id, entitlement_id)
    where state in ('submitted', 'awaiting_approval', 'approved', 'provisioning');

create index request_items_waiting on request_items (entitlement_id)
    where state in ('submitted', 'awaiting_approval', 'approved', 'provisioning');

-- States only go forward, whatever is retried, reset or started twice.
-- +goose StatementBegin
create function request_items_forward() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.state <> 'submitted' then
            raise exception 'a new item must be submitted, not %', new.state using errcode = 'AB010';
        end if;
        if (select person_id from accounts where id = new.account_id) is distinct from (select requester_id from access_requests where id = new.request_id) then
            raise exception 'account % is not the requester''s', new.account_id using errcode = 'AB010';
        end if;
        return new;
    end if;
    if (new.request_id, new.entitlement_id, new.account_id) is distinct from (old.request_id, old.entitlement_id, old.account_id) then
        raise exception 'item %: the request, entitlement and account cannot be changed', old.id using errcode = 'AB010';
    end if;
    if new.state <> old.state and not (case old.state
        when 'submitted'         then new.state in ('awaiting_approval', 'approved', 'denied', 'withdrawn', 'expired')
        when 'awaiting_approval' then new.state in ('approved', 'denied', 'withdrawn', 'expired')
        when 'approved'          then new.state in ('provisioning', 'withdrawn', 'expired', 'failed')
        when 'provisioning'      then new.state in ('active', 'ended', 'revoked', 'failed')
        when 'active'            then new.state in ('ended', 'revoked')
        else false end)
    then
        raise exception 'item % cannot go from % to %', old.id, old.state, new.state using errcode = 'AB010';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger forward before insert or update on request_items for each row execute function request_items_forward();

create table approvals (
    id             bigint generated always as identity primary key,
    request_id     bigint   not null references access_requests,
    application_id bigint   not null references applications,
    stage          smallint not null default 1,
    basis          text     not null, -- why these candidates
    policy_version text     not null,
    state          text     not null default 'open' check (state in ('open', 'decided', 'moved', 'closed')),
    opened_at      timestamptz not null default app_now(),
    closed_at      timestamptz,
    reminded_at    timestamptz,
    check ((state = 'open') = (closed_at is null))
);
create index approvals_request on approvals (request_id);

create table approval_items (
    approval_id bigint not null references approvals,
    item_id     bigint not null references request_items,
    primary key (approval_id, item_id)
);
create index approval_items_item on approval_items (item_id);

create table approval_candidates (
    approval_id bigint   not null references approvals,
    person_id   bigint   not null references people,
    position    smallint not null, -- the order in which candidates are asked
    asked_at    timestamptz,       -- null: not asked yet
    primary key (approval_id, person_id)
);
create index approval_candidates_person on approval_candidates (person_id, approval_id desc);

create table decisions (
    id             bigint generated always as identity primary key,
    item_id        bigint not null references request_items,
    stage          smallint not null default 1,
    approval_id    bigint references approvals, -- null: decided by a rule of the policy
    decided_by     bigint references people,
    outcome        text   not null check (outcome in ('approve', 'deny')),
    reason         text   not null default '' check (length(reason) <= 3000),
    basis          text   not null,
    policy_version text   not null,
    terms          text   not null, -- as shown to the approver: see request_terms
    ends_at        timestamptz,     -- the granted end; null: permanent
    decided_at     timestamptz not null default app_now(),
    unique (item_id, stage),
    check ((approval_id is null) = (decided_by is null)),
    check (outcome = 'approve' or reason <> '')
);
create index decisions_approval on decisions (approval_id);
create index decisions_person   on decisions (decided_by, id desc);

-- Orders to stop: a withdrawal (kind withdrawn) stops an item before access is set up, a revocation (any other kind) ends access
-- before its end date. An order about an item that has a claim is about that claim.
create table stop_orders (
    id          bigint generated always as identity primary key,
    item_id     bigint unique references request_items,
    claim_id    bigint unique, -- of a claim without an item
    person_id   bigint references people, -- null: the worker's order, of the last two kinds
    kind        text not null check (kind in ('withdrawn', 'removed_by_holder', 'revoked', 'person_left', 'workflow_cancelled')),
    reason      text not null default '' check (length(reason) <= 3000),
    ordered_at  timestamptz not null default app_now(),
    check ((item_id is null) <> (claim_id is null)),
    check ((person_id is null) = (kind in ('person_left', 'workflow_cancelled')))
);

-- Everything that an approver is shown and that provisioning relies on, as one hash. It changes when a request's row, its items,
-- or the object of an entitlement changes after it was shown.
-- +goose StatementBegin
create function request_terms(request bigint) returns text
    language sql stable security definer
    set search_path = pg_catalog, public, pg_temp
as $$
    select encode(sha256(convert_to(jsonb_build_array(
               r.id, r.requester_id, extract(epoch from r.ends_at), r.reason_key, r.note,
               (select jsonb_agg(jsonb_build_array(i.id, i.entitlement_id, i.account_id, a.instance, a.account, e.instance, e.target, e.risk) order by i.id)
                  from public.request_items i
                  join public.accounts a on a.id = i.account_id
                  join public.entitlements e on e.id = i.entitlement_id
                 where i.request_id = r.id))::text, 'UTF8')), 'hex')
      from public.access_requests r
     where r.id = request
$$;
-- +goose StatementEnd

-- The Slack app reads a request under its lock before it records a decision, but has no right to lock the row.
-- +goose StatementBegin
create function lock_request(request bigint) returns void
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    perform from access_requests where id = request for update;
end $$;
-- +goose StatementEnd
