create or replace function retry_orders_check() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform from access_requests where id = new.request_id for update;
    if not exists (select from people p where p.id = new.person_id and p.administrator and is_active(p)) then
        raise exception 'person % may not order a new attempt', new.person_id using errcode = 'AB006';
    end if;
    if not exists (select from request_items i
                    where i.request_id = new.request_id and i.state in ('approved', 'provisioning')
                      and i.problem in ('target_unavailable', 'target_rate_limited', 'target_denied', 'target_not_as_wanted',
                          'account_denied', 'account_not_ready')
                      and not exists (select from stop_orders x where x.item_id = i.id)) then
        raise exception 'nothing of request % waits for a target', new.request_id using errcode = 'AB001';
    end if;
    new.ordered_at := app_now();
    update access_requests set due_at = app_now() where id = new.request_id;
    return new;
end $$;
create or replace trigger checked before insert on retry_orders for each row execute function retry_orders_check();
