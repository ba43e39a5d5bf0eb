-- Every transition: who, what, on what basis, when. Rows can be added and read, and no one can change them, the owner included.
-- The audit is sealed: every event gets a sequence, and every batch of events a hash that covers the batch before.
-- schema/seals.go explains the order.
-- +goose Up
-- A default needs this function before schema/rules/audit_events.sql defines it.
create function audit_cluster() returns bigint language sql as 'select 0::bigint';

create table audit_events (
    id          bigint generated always as identity primary key,
    at          timestamptz not null default app_now(),
    actor       text   not null check (actor in ('person', 'worker', 'slackapp', 'sweep', 'import', 'policy')),
    person_id   bigint,  -- if the actor is a person
    action      text   not null check (action <> ''),
    alert       boolean not null default false, -- someone should look
    request_id  bigint,
    item_id     bigint,
    claim_id    bigint,
    approval_id bigint,
    details     jsonb  not null default '{}',
    written_by  text   default current_user,                     -- the database role
    cluster     bigint not null default audit_cluster(),         -- the cluster that xid is of
    xid         xid8   not null default pg_current_xact_id()     -- the transaction that it was written in
);
create index audit_events_request   on audit_events (request_id, id) where request_id is not null;
create index audit_events_alerts    on audit_events (id) where alert;
create index audit_events_order     on audit_events (cluster, xid, id);
create index audit_events_submitted on audit_events (id) where action = 'request.submitted';

-- The sequence of each sealed event, from 1 without gaps. Not a foreign key: `audit verify` reports what is missing.
create table audit_sequence (
    sequence bigint primary key check (sequence > 0),
    event_id bigint not null unique,
    hash     bytea  not null check (length(hash) = 32) -- of the event's canonical bytes
);

create table audit_seals (
    number      bigint  primary key check (number > 0),   -- from 1, without gaps
    first       bigint  not null unique,                  -- sequence of the first event that it covers
    events      integer not null check (events > 0),      -- how many it covers
    first_event bigint  not null,
    last_event  bigint  not null,
    cluster     bigint  not null,                         -- of all its events
    last_xid    xid8    not null,                         -- of the last of them: the next seal goes on after it
    previous    bytea   not null check (length(previous) = 32),
    hash        bytea   not null check (length(hash) = 32),
    sealed_at   timestamptz not null
);
create index audit_seals_cluster on audit_seals (cluster, number);
