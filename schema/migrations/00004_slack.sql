-- What Slack knows of us and we of Slack. Slack is a picture: all of this could be drawn again from the database.

-- +goose Up

-- Who a Slack user is, bound once, at that user's own first contact.
create table slack_identities (
    team_id       text   not null check (team_id <> ''),
    user_id       text   not null check (user_id <> ''),
    enterprise_id text   not null default '',
    person_id     bigint not null unique references people,
    basis         text   not null check (basis in ('directory', 'confirmed e-mail')),
    bound_at      timestamptz not null default app_now(),
    primary key (team_id, user_id)
);

-- Whom to write to: what users.lookupByEmail last said. It proves nothing about who someone is.
create table slack_addresses (
    person_id    bigint primary key references people,
    user_id      text, -- null: Slack says that there is no one
    looked_up_at timestamptz not null default app_now()
);

-- The state of an open form. Nothing that comes back from Slack is trusted: what was offered, shown and chosen stands here,
-- so any replica can answer the next action.
create table form_drafts (
    view_id           text primary key,
    person_id         bigint not null references people,
    mode              text not null default 'person' check (mode in ('person', 'job_title', 'custom', 'extend')),
    like_person_id    bigint references people,      -- kept while another mode is shown: Slack keeps showing it too
    like_job_title_id bigint references job_titles,
    extends_id        bigint references access_requests, -- whose grants are to last longer
    offered           bigint[] not null default '{}', -- entitlements, in the order of the list; custom: those shown so far
    total             integer  not null default 0,    -- how many are offered; custom: the whole list, shown or not
    chosen            bigint[] not null default '{}',
    all_chosen        boolean  not null default false,
    application_id    bigint references applications, -- the filter
    search            text     not null default '',
    page              integer  not null default 1 check (page >= 1),
    matching          integer  not null default 0,    -- how many filter and search leave
    shown             jsonb    not null default '[]', -- the page, as groups of entitlements: one group of boxes each
    generation        integer  not null default 1,    -- of the list shown; raised when it changes, never used again
    offer_generation  integer  not null default 1,    -- the generation in which the offer was made
    touched           bigint[] not null default '{}', -- groups of this generation whose boxes were touched
    temporary         boolean  not null default false,
    time_zone         text     not null,
    revision          integer  not null default 0,    -- raised by every change that has to be drawn: tells whether what is shown is the newest
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
    about      text   not null default '', -- tells two of one kind apart
    item_ids   bigint[] not null default '{}', -- what it showed as open: a button decides these and no others
    terms      text   not null default '',     -- the request's terms as shown
    channel    text   not null default '',
    ts         text   not null default '',
    digest     text   not null default '',     -- of what was last sent; empty: not sent yet
    attempts   integer not null default 0,
    problem    text   not null default '',
    created_at timestamptz not null default app_now(),
    sent_at    timestamptz,
    unique (request_id, person_id, kind, about),
    check ((channel = '') = (ts = ''))
);
create unique index slack_messages_place on slack_messages (channel, ts) where ts <> '';

-- Events are delivered more than once; interactions carry keys of their own.
create table slack_events (
    event_id    text primary key,
    received_at timestamptz not null default app_now()
);
create index slack_events_received on slack_events (received_at);

-- When a sweep last came through, by any worker: /readyz looks here.
create table sweeps (
    only_row    boolean primary key default true check (only_row),
    finished_at timestamptz
);
insert into sweeps default values;
