-- Claims: why a person should hold an entitlement. An assignment (account, entitlement) should be held while any claim on it
-- is live. With what ends claims early, what is done by hand, and what a target shows without a claim.
-- +goose Up
create table claims (
    id             bigint generated always as identity primary key,
    person_id      bigint not null references people,
    account_id     bigint not null,
    entitlement_id bigint not null references entitlements,
    -- A correction is a claim that was never live, so that reconciling revokes unexpected access.
    source         text   not null check (source in ('request', 'imported', 'unexpected', 'correction')),
    item_id        bigint unique references request_items,
    unexpected_for bigint unique references request_items, -- of source unexpected: the item that was being provisioned
    ends_at        timestamptz, -- null: no end date
    created_at     timestamptz not null default app_now(),
    granted_at     timestamptz, -- the target showed the access
    revoked_at     timestamptz, -- a revocation was ordered: set by the trigger on stop_orders
    ended_at       timestamptz, -- null: live until its end or revocation
    end_reason     text not null default '',
    removed_at     timestamptz, -- the target showed no access after this claim's end
    due_at         timestamptz, -- when the sweep reconciles its assignment; null: never
    attempts       integer not null default 0, -- by the sweep, since it became due
    alerted_at     timestamptz, -- when its overdue removal was alerted
    check_at       timestamptz, -- when to check a pending grant (an invitation, a manual task, ...); null: not pending
    checks         integer not null default 0, -- so far
    foreign key (account_id, person_id) references accounts (id, person_id),
    check ((source = 'request') = (item_id is not null)),
    check (unexpected_for is null or source = 'unexpected'),
    check (removed_at is null or ended_at is not null),
    constraint claims_correction_check check (source <> 'correction' or ended_at is not null),
    -- The sweep ends what is due, with or without Temporal, so a live claim with an end must always have a due time.
    constraint claims_due check (due_at is not null or ended_at is not null or (ends_at is null and revoked_at is null))
);
-- Claims overlap, so neither of the first two is unique. A query must repeat their condition for an index-only scan.
create index claims_held_by        on claims (person_id, entitlement_id) include (ends_at, revoked_at) where ended_at is null;
create index claims_holders        on claims (entitlement_id, person_id) include (ends_at, revoked_at) where ended_at is null;
create index claims_assignment     on claims (account_id, entitlement_id);
create index claims_by_entitlement on claims (entitlement_id, account_id) where removed_at is null;
create index claims_due            on claims (due_at) where due_at is not null;
create unique index claims_one_imported   on claims (account_id, entitlement_id) where source = 'imported' and ended_at is null;
create unique index claims_one_unexpected on claims (account_id, entitlement_id) where source = 'unexpected' and ended_at is null;

-- Orders to stop: a withdrawal (kind withdrawn) stops an item before access is set up, a revocation (any other kind) ends access
-- before its end date. An order about an item that has a claim is about that claim.
create table stop_orders (
    id         bigint generated always as identity primary key,
    item_id    bigint unique references request_items,
    claim_id   bigint unique references claims, -- of a claim without an item
    person_id  bigint references people, -- null: the worker's order, of the last two kinds
    kind       text not null check (kind in ('withdrawn', 'removed_by_holder', 'revoked', 'person_left', 'workflow_cancelled')),
    reason     text not null default '' check (length(reason) <= 3000),
    ordered_at timestamptz not null default app_now(),
    check ((item_id is null) <> (claim_id is null)),
    check ((person_id is null) = (kind in ('person_left', 'workflow_cancelled')))
);

-- A manual task: grant or revoke one assignment by hand, in a system without an interface.
create table manual_tasks (
    id             bigint generated always as identity primary key,
    account_id     bigint  not null references accounts,
    entitlement_id bigint  not null references entitlements,
    held           boolean not null, -- grant it; false: revoke it
    opened_at      timestamptz not null default app_now(),
    closed_at      timestamptz,
    outcome        text check (outcome in ('done', 'cannot', 'dropped')), -- dropped: no longer needed
    check ((closed_at is null) = (outcome is null))
);
create unique index manual_tasks_one_open on manual_tasks (account_id, entitlement_id) where closed_at is null;
create index manual_tasks_assignment on manual_tasks (account_id, entitlement_id, id);

-- Who said that a task is done, or cannot be done. A dropped task may have been done, and its answer counts too.
create table manual_task_answers (
    id             bigint generated always as identity primary key,
    manual_task_id bigint not null unique references manual_tasks,
    person_id      bigint not null references people,
    done           boolean not null,
    reason         text   not null default '' check (length(reason) <= 3000),
    answered_at    timestamptz not null default app_now(),
    check (done or reason <> '')
);

-- When each target is compared with the claims.
create table comparisons (
    instance    text primary key,
    started_at  timestamptz,
    finished_at timestamptz,
    next_at     timestamptz not null default app_now(),
    listed      bigint not null default 0, -- assignments that the last finished comparison saw
    problem     text   not null default '' -- why the last comparison did not finish
);

-- When the last sweep finished, by any worker.
create table sweeps (
    only_row    boolean primary key default true check (only_row),
    finished_at timestamptz
);
insert into sweeps default values;
