-- The directory: people, applications and entitlements, and the policies that say who approves what.
-- The import upserts rows and marks them gone. It never deletes them: requests, claims and the audit reference them.
-- +goose Up
create extension if not exists pg_trgm;

-- Databases from before version 15 let every role create objects here.
revoke create on schema public from public;

-- The only clock that decides what is due. Tests shift it.
create table clock (
    only_row boolean  primary key default true check (only_row),
    shift    interval not null default interval '0'
);
insert into clock default values;

-- Defaults of columns need this function before schema/rules/clock.sql defines it.
create function app_now() returns timestamptz language sql as 'select clock_timestamp()';

create table job_titles (
    id     bigint generated always as identity primary key,
    name   text not null unique check (name <> ''),
    search text not null default '' -- folded words, each after a space: see schema/search_keys.go
);
create index job_titles_search on job_titles using gin (search gin_trgm_ops);

create table people (
    id            bigint generated always as identity primary key,
    -- Only ASCII letters are lowered, as in schema/email: with most collations lower() turns U+0130 into i and U+212A into k, so
    -- that two addresses become one. In collation "C" only A to Z are letters:
    -- https://www.postgresql.org/docs/current/collation.html
    email         text not null unique check (email = lower(email collate "C") and email like '_%@_%'),
    name          text not null check (name <> ''),
    job_title_id  bigint references job_titles,
    department    text not null default '',
    manager_id    bigint references people check (manager_id <> id),
    status        text not null check (status in ('active', 'suspended', 'left')),
    time_zone     text not null default '',
    slack_user_id text, -- what the directory says; the identity of a Slack user is in slack_identities
    administrator boolean not null default false,
    gone_at       timestamptz,
    created_at    timestamptz not null default app_now(),
    -- Deferred, so that one import can swap the IDs of two people.
    constraint people_slack_user_id_key unique (slack_user_id) deferrable initially deferred
);
create index people_job_title      on people (job_title_id) where status = 'active' and gone_at is null;
create index people_manager        on people (manager_id) where manager_id is not null;
create index people_administrators on people (id) where administrator;

-- The keys of active people. A key's first character is its source: 0 the whole name, 1 a word of the name, 2 the email address
-- before its @. Collation "C", so that one index serves prefixes and order: thousands of people can share a surname.
create table people_search (
    person_id bigint not null references people,
    key       text collate "C" not null,
    name      text collate "C" not null, -- the whole name, folded: the order of results
    words     text not null,             -- for a word of the name: all words, each after a space; else empty
    primary key (person_id, key)
);
create index people_search_key on people_search (key, name, person_id) include (words);

create table applications (
    id         bigint generated always as identity primary key,
    slug       text not null unique check (slug ~ '^[a-z0-9][a-z0-9._-]*$'),
    name       text not null check (name <> ''),
    connector  text not null check (connector <> ''),
    instance   text not null check (instance ~ '^[A-Z0-9][A-Z0-9_]*$'), -- which target: TARGET_<INSTANCE>_URL says where it is
    on_finding text not null default 'report' check (on_finding in ('report', 'correct')), -- correct: also make the target match
    search     text not null default '', -- as in job_titles
    gone_at    timestamptz,
    unique (id, instance)
);

create table application_owners (
    application_id bigint not null references applications,
    person_id      bigint not null references people,
    primary key (application_id, person_id)
);
create index application_owners_person on application_owners (person_id);

create table entitlements (
    id             bigint generated always as identity primary key,
    application_id bigint  not null references applications,
    instance       text    not null,
    key            text    not null check (key <> ''),
    name           text    not null check (name <> ''),
    kind           text    not null check (kind <> ''),
    description    text    not null default '',
    risk           text    not null check (risk in ('low', 'medium', 'high')),
    requestable    boolean not null default true,
    max_days       integer check (max_days > 0),
    target         text    not null check (target <> ''), -- the object's name there
    search         text    not null default '', -- as in job_titles
    gone_at        timestamptz,
    unique (application_id, key),
    unique (instance, target), -- or two entitlements would share an assignment unnoticed
    foreign key (application_id, instance) references applications (id, instance) on update cascade
);
create index entitlements_offered on entitlements (application_id, lower(name) collate "C", id)
    where gone_at is null and requestable;
create index entitlements_search on entitlements using gin (search gin_trgm_ops);

create table entitlement_owners (
    entitlement_id bigint not null references entitlements,
    person_id      bigint not null references people,
    primary key (entitlement_id, person_id)
);
create index entitlement_owners_person on entitlement_owners (person_id);

create table job_title_entitlements (
    job_title_id   bigint not null references job_titles,
    entitlement_id bigint not null references entitlements,
    primary key (job_title_id, entitlement_id)
);
create index job_title_entitlements_entitlement on job_title_entitlements (entitlement_id);

-- A person's login in one target. An account and an entitlement make an assignment.
create table accounts (
    id        bigint generated always as identity primary key,
    person_id bigint not null references people,
    instance  text   not null,
    account   text   not null check (account <> ''),
    unique (instance, account),
    unique (person_id, instance),
    unique (id, person_id)
);

create table reasons (
    key           text primary key check (key ~ '^[a-z0-9][a-z0-9_-]*$'),
    label         text not null check (label <> '' and length(label) <= 75),
    note_required boolean not null default false,
    position      integer not null default 0,
    gone_at       timestamptz
);
insert into reasons (key, label, note_required, position) values
    ('project',  'Project work',               false, 1),
    ('new-role', 'New role or team',           false, 2),
    ('on-call',  'On call or incident',        false, 3),
    ('covering', 'Covering for a colleague',   false, 4),
    ('audit',    'Audit or compliance',        false, 5),
    ('other',    'Something else (say what)',  true,  6);

-- Who decides on behalf of a person who is away. Only added to: the newest row of a person counts.
create table delegations (
    id          bigint generated always as identity primary key,
    person_id   bigint not null references people,
    delegate_id bigint references people, -- null: the delegation has ended
    starts_at   timestamptz not null,
    ends_at     timestamptz not null,
    created_at  timestamptz not null default app_now(),
    check (delegate_id <> person_id),
    check (starts_at < ends_at or delegate_id is null),
    constraint delegations_finite check (isfinite(starts_at) and isfinite(ends_at))
);
create index delegations_person   on delegations (person_id, id desc);
create index delegations_delegate on delegations (delegate_id, person_id) where delegate_id is not null;

-- A request keeps the version that evaluated it, an item its rule, and a decision the number of stages and of required approvals,
-- so that decisions are proof by themselves.
create table policies (
    version    bigint generated always as identity primary key,
    source     text   not null check (length(source) between 1 and 200000),
    applied_at timestamptz not null default app_now()
);
-- The policy that comes with the program: schema/policy/default.yaml.
insert into policies (source) values ('# The policy that applies until another one is applied. See docs/policies.md.
defaults:
  remind_after: 24h
  escalate_after: 3d
  expire_after: 14d
  max_days: 365

rules:
  - name: The owners decide
    ask:
      - approvers: [entitlement owners]
        escalate_to: [application owners, manager]
');
