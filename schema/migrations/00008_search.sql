-- In the order of the collation C an index serves both LIKE 'ab%' and ORDER BY; with text_pattern_ops it serves the first alone.

-- +goose Up

drop index people_name_prefix;
create index people_name_prefix on people (lower(name) collate "C") where status = 'active' and gone_at is null;

drop index job_titles_name_prefix;
create index job_titles_name_prefix on job_titles (lower(name) collate "C");
