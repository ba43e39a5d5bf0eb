-- Identities, addresses, forms and messages in Slack.

-- +goose Up

-- The person of each Slack user, bound once, at the user's first contact.
create table slack_identities (
    team_id       text   not null check (team_id <> ''),
    user_id       text   not null check (user_id <> ''),
    enterprise_id text   not null default '',
    person_id     bigint not null unique references people,
    basis         text   not null check (basis in ('directory', 'confirmed e-mail')),
    bound_at      timestamptz not null default app_now(),
    primary key (team_id, user_id)
);

-- Where to send messages: the last answer of users.lookupByEmail. It is no proof of identity.
create table slack_addresses (
    person_id    bigint primary key references people,
    user_id      text, -- null: Slack has no such user
    looked_up_at timestamptz not null default app_now()
);

-- The state of an open form. Nothing that comes back from Slack is trusted: what was offered, shown and selected is stored here,
-- so that any replica can answer the next action.
create table form_drafts (
    view_id           text primary key,
    person_id         bigint not null references people,
    mode              text not null default 'person' check (mode in ('person', 'job_title', 'custom', 'extend')),
    like_person_id    bigint references people,      -- kept while another mode is shown
    like_job_title_id bigint references job_titles,
    extends_id        bigint references access_requests, -- whose access grants are extended
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
    revision          integer  not null default 0,    -- raised by every change that must be rendered: tells whether the view shown is the newest
    view_hash         text     not null default '',
    created_at        timestamptz not null default app_now(),
    updated_at        timestamptz not null default app_now()
);
create index form_drafts_created on form_drafts (created_at);

create table slack_messages (
    id         bigint generated always as identity primary key,
    request_id bigint not null references access_requests,
    person_id  bigint not null references people,
    kind       text   not null check (kind in ('card', 'approval', 'outcome', 'ending_soon', 'ended', 'report')),
    about      text   not null default '', -- distinguishes messages of one kind
    item_ids   bigint[] not null default '{}', -- the items it showed as open: its buttons decide these only
    terms      text   not null default '',     -- the request's terms as shown
    channel    text   not null default '',
    ts         text   not null default '',
    digest     text   not null default '',     -- of the content last sent; empty: not sent yet
    attempts   integer not null default 0,
    problem    text   not null default '',
    created_at timestamptz not null default app_now(),
    sent_at    timestamptz,
    unique (request_id, person_id, kind, about),
    check ((channel = '') = (ts = ''))
);
create unique index slack_messages_place on slack_messages (channel, ts) where ts <> '';

-- Slack delivers events more than once.
create table slack_events (
    event_id    text primary key,
    received_at timestamptz not null default app_now()
);
create index slack_events_received on slack_events (received_at);

-- When the last sweep finished, by any worker.
create table sweeps (
    only_row    boolean primary key default true check (only_row),
    finished_at timestamptz
);
insert into sweeps default values;
