-- Every transition: who, what, on what basis, when. Rows can be added and read, and no one can change them, the owner included.

-- +goose Up

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
    details     jsonb  not null default '{}'
);
create index audit_events_request on audit_events (request_id, id) where request_id is not null;
create index audit_events_alerts  on audit_events (id) where alert;

-- +goose StatementBegin
create function audit_events_immutable() returns trigger language plpgsql as $$
begin
    raise exception 'audit events can be added and read, never changed' using errcode = '42501';
end $$;
-- +goose StatementEnd
create trigger immutable before update or delete or truncate on audit_events for each statement execute function audit_events_immutable();
