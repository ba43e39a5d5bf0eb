-- Identities belong to an enterprise, and can be undone.

-- +goose Up

-- User IDs are only valid within one enterprise. A workspace that moves to another enterprise is a different one.
alter table slack_identities
    drop constraint slack_identities_pkey,
    add primary key (enterprise_id, team_id, user_id);

-- For `worker unbind`.
grant delete on slack_identities to accessbot_directory;
