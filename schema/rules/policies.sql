create or replace function policies_immutable() returns trigger
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    raise exception 'a policy version is never changed: apply a new one' using errcode = '42501';
end $$;
create or replace trigger immutable before update or delete or truncate on policies
    for each statement execute function policies_immutable();
