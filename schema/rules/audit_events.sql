-- Transaction IDs are only valid in their own cluster: in another one, a restored dump meets lower ones.
create or replace function audit_cluster() returns bigint
    language sql stable set search_path = pg_catalog, pg_temp as $$ select system_identifier from pg_control_system() $$;

-- For audit_seals, audit_sequence and policies too.
create or replace function refuse_change() returns trigger language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    raise exception '% can be added and read, never changed', replace(tg_table_name, '_', ' ') using errcode = '42501';
end $$;
create or replace trigger immutable before update or delete or truncate on audit_events
    for each statement execute function refuse_change();
