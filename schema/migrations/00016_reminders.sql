-- Notices for one person: a reminder of everything that waits for them, and what somebody of theirs still has from an earlier
-- job title.

-- +goose Up

alter table notices
    alter column application_id drop not null,
    add column person_id bigint references people, -- its only reader; null: those who look after the application
    drop constraint notices_kind_check,
    add constraint notices_kind_check check (kind in ('task', 'drift', 'reminder', 'job_change')),
    add constraint notices_for check ((kind in ('reminder', 'job_change')) = (person_id is not null) and (person_id is null) = (application_id is not null));
-- How often somebody was reminded, and when last.
create index notices_reminders on notices (person_id, opened_at) where kind = 'reminder';

alter table slack_messages
    drop constraint slack_messages_kind_check,
    add constraint slack_messages_kind_check check (kind in ('card', 'question', 'outcome', 'ending_soon', 'ended', 'report', 'task', 'drift', 'reminder', 'job_change',
        'enquiry', 'enquiry_answer'));

alter table slack_addresses
    add column time_zone text not null default ''; -- that of the Slack profile; empty: not known
