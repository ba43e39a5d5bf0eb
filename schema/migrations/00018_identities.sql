-- Who a Slack user is, and how much one person may ask for.

-- +goose Up

-- User IDs mean something within one enterprise alone. A workspace that moves into another one is another one.
alter table slack_identities
    drop constraint slack_identities_pkey,
    add primary key (enterprise_id, team_id, user_id);

-- An operator undoes a binding (worker unbind).
grant delete on slack_identities to accessbot_directory;
