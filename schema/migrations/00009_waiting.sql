-- Pending grants: an open invitation, an asynchronous change, an open manual task.

-- +goose Up

alter table claims
    add column check_at timestamptz,                -- when to check a pending grant; null: not pending
    add column checks   integer not null default 0; -- so far
grant update (check_at, checks) on claims to accessbot_worker;
