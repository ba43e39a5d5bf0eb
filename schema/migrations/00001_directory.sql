-- The directory: people, applications and entitlements.
-- The import upserts rows and marks them gone. It never deletes them: requests, claims and the audit reference them.

-- +goose Up

create extension if not exists pg_trgm;

-- The only clock that decides what is due. Tests shift it.
create table clock (
    only_row boolean  primary key default true check (only_row),
    shift    interval not null default interval '0'
);
insert into clock default values;

-- Stable, so that it can bound an index scan.
-- +goose StatementBegin
create function app_now() returns timestamptz
    language sql stable security definer
    set search_path = pg_catalog, public, pg_temp
as $$ select clock_timestamp() + (select shift from public.clock) $$;
-- +goose StatementEnd

create table job_titles (
    id   bigint generated always as identity primary key,
    name text not null unique check (name <> '')
);
create index job_titles_name_prefix on job_titles (lower(name) collate "C" text_pattern_ops);
create index job_titles_name_trgm   on job_titles using gin (lower(name) gin_trgm_ops);

create table people (
    id            bigint generated always as identity primary key,
    email         text not null unique check (email = lower(email) and email like '_%@_%'),
    name          text not null check (name <> ''),
    job_title_id  bigint references job_titles,
    department    text not null default '',
    manager_id    bigint references people check (manager_id <> id),
    status        text not null check (status in ('active', 'suspended', 'left')),
    time_zone     text not null default '',
    -- What the directory says. The identity of a Slack user is in slack_identities.
    slack_user_id text,
    administrator boolean not null default false,
    gone_at       timestamptz,
    created_at    timestamptz not null default app_now(),
    -- Deferred, so that one import can swap the IDs of two people.
    constraint people_slack_user_id_key unique (slack_user_id) deferrable initially deferred
);
-- Who can be selected in the form: by prefix for up to two characters, by substring from three on.
create index people_name_prefix on people (lower(name) collate "C" text_pattern_ops) where status = 'active' and gone_at is null;
create index people_search_trgm on people using gin (lower(name || ' ' || email) gin_trgm_ops);
create index people_job_title   on people (job_title_id) where status = 'active' and gone_at is null;
create index people_manager     on people (manager_id) where manager_id is not null;
create index people_administrators on people (id) where administrator;

create table applications (
    id        bigint generated always as identity primary key,
    slug      text not null unique check (slug ~ '^[a-z0-9][a-z0-9._-]*$'),
    name      text not null check (name <> ''),
    connector text not null check (connector <> ''),
    -- Which target of that connector: TARGET_<INSTANCE>_URL says where it is.
    instance  text not null check (instance ~ '^[A-Z0-9][A-Z0-9_]*$'),
    gone_at   timestamptz,
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
    -- The object's name in the target. Unique, or two entitlements would share an assignment unnoticed.
    target         text    not null check (target <> ''),
    gone_at        timestamptz,
    unique (application_id, key),
    unique (instance, target),
    foreign key (application_id, instance) references applications (id, instance) on update cascade
);
create index entitlements_offered     on entitlements (application_id, lower(name) collate "C", id) where gone_at is null and requestable;
create index entitlements_search_trgm on entitlements using gin (lower(name || ' ' || key) gin_trgm_ops);

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
    ('project',        'Project work',                     false, 1),
    ('new-role',       'New role or team',                 false, 2),
    ('on-call',        'On call or incident',              false, 3),
    ('covering',       'Covering for a colleague',         false, 4),
    ('audit',          'Audit or compliance',              false, 5),
    ('other',          'Something else (say what)',        true,  6);
