-- The only definition of how retries slow down.

-- +goose Up

-- +goose StatementBegin
create function backoff(attempts integer, first interval, most interval) returns interval
    language sql immutable parallel safe
as $$ select least(first * 2 ^ least(attempts, 20), most) $$;
-- +goose StatementEnd

-- How often the sweep has signalled a request's run since that run last loaded its next steps.
alter table access_requests add column signals integer not null default 0 check (signals >= 0);
grant update (signals) on access_requests to accessbot_worker;

-- +goose StatementBegin
create or replace function access_requests_made() returns trigger
    language plpgsql
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if not pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        new.created_at := app_now(); -- durations are counted from it
        new.due_at := app_now();
        new.signals := 0;
        new.messages_due_at := app_now();
        new.completed_at := null;
    end if;
    return new;
end $$;
-- +goose StatementEnd
