-- What is due. Only this clock decides it; tests shift it.

-- Stable, so that it can bound an index scan.
create or replace function app_now() returns timestamptz
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
    as $$ select clock_timestamp() + (select shift from public.clock) $$;

-- Programs record the present: their statements use app_now() in the same transaction.
create or replace function is_now(at timestamptz) returns boolean
    language sql stable set search_path = pg_catalog, public, pg_temp
    as $$ select at between app_now() - interval '1 hour' and app_now() + interval '1 minute' $$;

-- The only definition of how retries slow down.
create or replace function backoff(attempts integer, first interval, most interval) returns interval
    language sql immutable parallel safe as $$ select least(first * 2 ^ least(attempts, 20), most) $$;
