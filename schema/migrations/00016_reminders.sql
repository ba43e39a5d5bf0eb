-- Notifications for one person: reminders.

-- +goose Up

alter table notifications
    alter column application_id drop not null,
    add column person_id bigint references people, -- its only reader; null: owners of the application
    drop constraint notifications_kind_check,
    add constraint notifications_kind_check check (kind in ('manual_task', 'finding', 'reminder')),
    add constraint notifications_for check ((kind = 'reminder') = (person_id is not null) and (person_id is null) = (application_id is not null));
-- How often a person was reminded, and when last.
create index notifications_reminders on notifications (person_id, opened_at) where kind = 'reminder';

alter table slack_messages
    drop constraint slack_messages_kind_check,
    add constraint slack_messages_kind_check check (kind in ('card', 'approval', 'outcome', 'ending_soon', 'ended', 'report', 'manual_task', 'finding', 'reminder',
        'question', 'question_answer'));

alter table slack_addresses
    add column time_zone text not null default ''; -- that of the Slack profile; empty: not known
