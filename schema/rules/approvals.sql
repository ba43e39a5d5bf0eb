-- A closed approval stays closed.
create or replace function approvals_forward() returns trigger
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    raise exception 'approval % is %', old.id, old.state using errcode = 'AB010';
end $$;
create or replace trigger forward before update on approvals for each row
    when (old.state <> 'open' and (new.state, new.closed_at) is distinct from (old.state, old.closed_at))
    execute function approvals_forward();
