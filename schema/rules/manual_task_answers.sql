-- An answer closes its task and makes the assignment due.
create or replace function manual_task_answers_check() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    task     manual_tasks;
    requests bigint[];
begin
    select * into task from manual_tasks where id = new.manual_task_id;
    if task is null then
        raise exception 'there is no task %', new.manual_task_id using errcode = 'AB001';
    end if;
    -- Requests, claims, then the task: the order of every transaction that locks them.
    requests := array(select r.id from access_requests r
                       where r.id in (select i.request_id from claims c join request_items i on i.id = c.item_id
                                       where c.account_id = task.account_id and c.entitlement_id = task.entitlement_id
                                         and c.removed_at is null)
                       order by r.id for update);
    perform from claims
      where account_id = task.account_id and entitlement_id = task.entitlement_id and removed_at is null order by id for update;
    select * into task from manual_tasks where id = new.manual_task_id for update;
    if exists (select from manual_task_answers a where a.manual_task_id = task.id) then
        raise exception 'task % is already answered', task.id using errcode = 'AB002';
    end if;
    if not exists (select from people p where p.id = new.person_id and is_active(p)) then
        raise exception 'person % is not active', new.person_id using errcode = 'AB005';
    end if;
    if not may_administer(new.person_id, task.entitlement_id) then
        raise exception 'task % is not for person %', task.id, new.person_id using errcode = 'AB006';
    end if;
    -- Holders may not answer about their own access, unless there is no one else.
    if new.person_id = (select a.person_id from accounts a where a.id = task.account_id)
       and not new.person_id = any (task_owners(task.entitlement_id, new.person_id)) then
        raise exception 'task % is about the access of person %', task.id, new.person_id using errcode = 'AB006';
    end if;
    if task.outcome = 'dropped' and not new.done then
        raise exception 'task % is no longer needed', task.id using errcode = 'AB001';
    end if;
    new.answered_at := app_now();
    update manual_tasks set closed_at = coalesce(closed_at, app_now()), outcome = case when new.done then 'done' else 'cannot' end
     where id = task.id;
    update notifications set messages_due_at = app_now() where manual_task_id = task.id;
    update claims set check_at = app_now()
     where account_id = task.account_id and entitlement_id = task.entitlement_id
       and granted_at is null and ended_at is null and check_at is not null;
    update claims set due_at = app_now()
     where id = (select max(id) from claims where account_id = task.account_id and entitlement_id = task.entitlement_id);
    update access_requests set due_at = app_now(), messages_due_at = app_now() where id = any(requests) and completed_at is null;
    return new;
end $$;
create or replace trigger checked before insert on manual_task_answers for each row execute function manual_task_answers_check();
