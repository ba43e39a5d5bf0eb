-- The import has no rights on requests, and its changes to entitlements must still reach open requests.

-- +goose Up

-- If owners, risk or object changed, or the entitlement was retired, open requests find their approvers and sync their messages
-- again. people_changed does the same for people. Answers how many requests became due.
-- +goose StatementBegin
create function mark_requests_due(entitlements bigint[]) returns bigint
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    woken bigint;
begin
    with affected as (
        select distinct i.request_id from request_items i
         where i.entitlement_id = any (mark_requests_due.entitlements)
           and i.state in ('submitted', 'awaiting_approval', 'approved', 'provisioning')),
    locked as (select r.id from access_requests r where r.id in (select request_id from affected) order by r.id for update)
    update access_requests r set due_at = app_now(), messages_due_at = app_now() from locked where r.id = locked.id;
    get diagnostics woken = row_count;
    return woken;
end $$;
-- +goose StatementEnd
revoke execute on function mark_requests_due(bigint[]) from public;
grant execute on function mark_requests_due(bigint[]) to accessbot_directory;
