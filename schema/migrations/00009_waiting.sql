-- Granting that is under way in the target: an invitation is out, a change runs on its own, someone has a task.

-- +goose Up

alter table claims
    add column check_at timestamptz,                -- when to look again whether it is done; null: it was not begun, or is done
    add column checks   integer not null default 0; -- so far
grant update (check_at, checks) on claims to accessbot_worker;
