-- Names are searched by folded keys, which the import writes (schema/search_keys.go). Existing rows are found after the next
-- import.

-- +goose Up

drop index people_name_prefix;
drop index people_search_trgm;
drop index job_titles_name_prefix;
drop index job_titles_name_trgm;
drop index entitlements_search_trgm;

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
grant select on people_search to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;
grant insert, update, delete on people_search to accessbot_directory;

-- Folded words, each after a space.
alter table job_titles   add column search text not null default '';
alter table applications add column search text not null default '';
alter table entitlements add column search text not null default '';
create index job_titles_search   on job_titles   using gin (search gin_trgm_ops);
create index entitlements_search on entitlements using gin (search gin_trgm_ops);
