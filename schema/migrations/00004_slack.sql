-- Identities, addresses, forms, notifications and messages in Slack.
-- +goose Up
-- The person of each Slack user, bound once, at the user's first contact. User IDs are only valid within one enterprise: a
-- workspace that moves to another enterprise is a different one.
create table slack_identities (
    enterprise_id text   not null default '',
    team_id       text   not null check (team_id <> ''),
    user_id       text   not null check (user_id <> ''),
    person_id     bigint not null unique references people,
    basis         text   not null check (basis in ('directory', 'confirmed e-mail')),
    bound_at      timestamptz not null default app_now(),
    primary key (enterprise_id, team_id, user_id)
);

-- Where to send messages: the last answer of users.lookupByEmail. It is no proof of identity.
create table slack_addresses (
    person_id    bigint primary key references people,
    user_id      text, -- null: Slack has no such user
    time_zone    text not null default '', -- that of the Slack profile; empty: not known
    looked_up_at timestamptz not null default app_now()
);

-- The state of an open form. Nothing that comes back from Slack is trusted: what was offered, shown and selected is stored here,
-- so that any replica can answer the next action.
create table form_drafts (
    view_id           text primary key,
    person_id         bigint not null references people,
    for_person_id     bigint references people, -- null: the person who fills it in
    mode              text not null default 'person' check (mode in ('person', 'job_title', 'custom', 'extend', 'again')),
    like_person_id    bigint references people,      -- kept while another mode is shown
    like_job_title_id bigint references job_titles,
    extends_id        bigint references access_requests,
    offered           bigint[] not null default '{}', -- entitlements, in the order of the list; custom: those shown so far
    total             integer  not null default 0,    -- how many are offered; custom: the whole list, shown or not
    chosen            bigint[] not null default '{}',
    all_chosen        boolean  not null default false,
    application_id    bigint references applications, -- the filter
    search            text     not null default '',
    page              integer  not null default 1 check (page >= 1),
    matching          integer  not null default 0,    -- how many match filter and search
    shown             jsonb    not null default '[]', -- the page, one array for each group of checkboxes
    generation        integer  not null default 1,    -- of the list shown; raised when it changes, never used again
    offer_generation  integer  not null default 1,    -- the generation in which the offer was made
    touched           bigint[] not null default '{}', -- groups of this generation that the person changed
    temporary         boolean  not null default false,
    time_zone         text     not null,
    revision          integer  not null default 0,    -- raised by every change to render: is the view shown the newest?
    view_hash         text     not null default '',
    created_at        timestamptz not null default app_now(),
    updated_at        timestamptz not null default app_now(),
    constraint form_drafts_for check (for_person_id <> person_id));
comment on column form_drafts.extends_id is 'the request that is extended (extend) or repeated (again)';
create index form_drafts_created on form_drafts (created_at);

-- Notifications for the owners of an application, or for one person (reminders): one message to each.
create table notifications (
    id              bigint generated always as identity primary key,
    kind            text   not null check (kind in ('manual_task', 'finding', 'reminder', 'outage')),
    application_id  bigint references applications,
    person_id       bigint references people, -- its only reader; null: owners of the application
    manual_task_id  bigint unique references manual_tasks,
    request_id      bigint references access_requests, -- of a request: its run sends the messages
    opened_at       timestamptz not null default app_now(),
    closed_at       timestamptz,
    messages_due_at timestamptz default app_now(), -- null: they are in sync
    attempts        integer not null default 0,    -- to send them, since they became due
    check ((kind = 'manual_task') = (manual_task_id is not null)),
    constraint notifications_closed check (closed_at is null or kind = 'outage'),
    constraint notifications_for check ((kind = 'reminder') = (person_id is not null)
        and (person_id is null) = (application_id is not null))
);
create index notifications_due     on notifications (messages_due_at) where messages_due_at is not null;
create index notifications_request on notifications (request_id) where messages_due_at is not null;
-- How often a person was reminded, and when last.
create index notifications_reminders on notifications (person_id, opened_at) where kind = 'reminder';
-- One open outage notification for each application.
create unique index notifications_outage on notifications (application_id) where kind = 'outage' and closed_at is null;

-- Unexpected and missing access: differences between a target and the claims.
create table findings (
    id              bigint generated always as identity primary key,
    instance        text   not null,
    entitlement_id  bigint not null references entitlements,
    account         text   not null,            -- the target's name for it
    account_id      bigint references accounts, -- null: not in the directory
    kind            text   not null check (kind in ('unexpected', 'missing')), -- held without a claim; a claim without access
    first_seen_at   timestamptz not null default app_now(),
    last_seen_at    timestamptz not null default app_now(),
    passes          integer not null default 1, -- consecutive comparisons that saw it
    notification_id bigint references notifications, -- that reported it
    corrected_at    timestamptz,                -- its correction was ordered
    gone_at         timestamptz                 -- it was no longer seen
);
create unique index findings_open  on findings (entitlement_id, account, kind) where gone_at is null;
create index findings_by_instance  on findings (instance, last_seen_at) where gone_at is null;
create index findings_notification on findings (notification_id) where notification_id is not null;

create table slack_messages (
    id              bigint generated always as identity primary key,
    request_id      bigint references access_requests,
    notification_id bigint references notifications,
    person_id       bigint not null references people,
    kind            text   not null check (kind in ('card', 'approval', 'outcome', 'ending_soon', 'ended', 'report',
                        'manual_task', 'finding', 'reminder', 'question', 'question_answer', 'outage')),
    about           text   not null default '', -- distinguishes messages of one kind
    item_ids        bigint[] not null default '{}', -- the items it showed as open: its buttons decide these only
    terms           text   not null default '',     -- the request's terms as shown
    channel         text   not null default '',
    ts              text   not null default '',
    digest          text   not null default '',     -- of the content last sent; empty: not sent yet
    attempts        integer not null default 0,
    problem         text   not null default '',
    created_at      timestamptz not null default app_now(),
    sent_at         timestamptz,
    unique (request_id, person_id, kind, about),
    check ((channel = '') = (ts = '')),
    constraint slack_messages_of check ((request_id is null) <> (notification_id is null))
);
create unique index slack_messages_place on slack_messages (channel, ts) where ts <> '';
create unique index slack_messages_notification on slack_messages (notification_id, person_id) where notification_id is not null;

-- Slack delivers events more than once.
create table slack_events (
    event_id    text primary key,
    received_at timestamptz not null default app_now()
);
create index slack_events_received on slack_events (received_at);
