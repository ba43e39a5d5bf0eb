-- Email addresses are compared byte for byte, and an import updates statistics.

-- +goose Up

-- Only ASCII letters are lowered, as in schema/email: with most collations lower() turns U+0130 into i and U+212A into k, so that
-- two addresses become one. In collation "C" only A to Z are letters: https://www.postgresql.org/docs/current/collation.html
alter table people drop constraint people_email_check;
alter table people add constraint people_email_check check (email = lower(email collate "C") and email like '_%@_%');

-- Only a table's owner may analyze it, so after an import the planner would use its defaults until autovacuum runs, minutes
-- later. ANALYZE may run in a function, within a transaction (VACUUM may not):
-- https://www.postgresql.org/docs/current/sql-analyze.html. Tables without rows are left alone: to the planner a table that was never
-- analyzed has ten pages at least, and one that was analyzed empty has none (estimate_rel_size in PostgreSQL's plancat.c).
-- +goose StatementBegin
create function analyze_directory() returns void
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    name   text;
    filled boolean;
begin
    foreach name in array array['job_titles', 'people', 'applications', 'application_owners', 'entitlements', 'entitlement_owners',
                                'job_title_entitlements', 'accounts', 'claims', 'reasons', 'people_search', 'audit_events'] loop
        execute format('select exists (select from public.%I)', name) into filled;
        if filled then
            execute format('analyze public.%I', name);
        end if;
    end loop;
end $$;
-- +goose StatementEnd
revoke execute on function analyze_directory() from public;
grant execute on function analyze_directory() to accessbot_directory;
