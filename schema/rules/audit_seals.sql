create or replace function audit_seals_immutable() returns trigger
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    raise exception 'audit seals can be added and read, never changed' using errcode = '42501';
end $$;
create or replace trigger immutable before update or delete or truncate on audit_seals
    for each statement execute function audit_seals_immutable();
create or replace trigger immutable before update or delete or truncate on audit_sequence
    for each statement execute function audit_seals_immutable();
