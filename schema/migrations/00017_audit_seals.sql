-- The audit is sealed: every event gets a sequence, and every batch of events a hash that covers the batch before.
-- schema/seals.go explains the order.

-- +goose Up

-- Transaction IDs are only valid in their own cluster: in another one, a restored dump meets lower ones.
create function audit_cluster() returns bigint
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$ select system_identifier from pg_control_system() $$;

alter table audit_events
    add column written_by text,                                           -- the database role; null: written before this column existed
    add column cluster    bigint not null default audit_cluster(),        -- the cluster that xid is of
    add column xid        xid8   not null default pg_current_xact_id();   -- the transaction that it was written in
alter table audit_events alter column written_by set default current_user;
create index audit_events_order     on audit_events (cluster, xid, id);
create index audit_events_submitted on audit_events (id) where action = 'request.submitted';

-- The writer cannot set who, when and in which order.
revoke insert on audit_events from accessbot_slackapp, accessbot_worker, accessbot_directory;
grant insert (actor, person_id, action, alert, request_id, item_id, claim_id, approval_id, details) on audit_events
    to accessbot_slackapp, accessbot_worker, accessbot_directory;

-- The sequence of each sealed event, from 1 without gaps. Not a foreign key: `audit verify`
-- reports what is missing.
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

-- +goose StatementBegin
create function audit_seals_immutable() returns trigger language plpgsql as $$
begin
    raise exception 'audit seals can be added and read, never changed' using errcode = '42501';
end $$;
-- +goose StatementEnd
create trigger immutable before update or delete or truncate on audit_sequence for each statement execute function audit_seals_immutable();
create trigger immutable before update or delete or truncate on audit_seals     for each statement execute function audit_seals_immutable();

grant select on audit_sequence, audit_seals to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;
grant insert on audit_sequence, audit_seals to accessbot_worker;
