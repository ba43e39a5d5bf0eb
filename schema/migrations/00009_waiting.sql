-- Granting that is under way in the target: an invitation is out, a change runs on its own, someone has a task.

-- +goose Up

alter table claims
    add column look_at timestamptz,                -- when to look again whether it is done; null: it was not begun, or is done
    add column looks   integer not null default 0; -- so far
grant update (look_at, looks) on claims to accessbot_worker;
