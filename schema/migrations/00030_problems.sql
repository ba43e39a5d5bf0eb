-- Problems of items are codes with details; slackapp/views has the texts. An item waits for its target until its end. Owners and
-- administrators are notified, and an administrator can order a new attempt.

-- +goose Up

-- Existing sentences cannot be split into codes: the next attempt finds the details again.
update request_items set problem = case when state = 'awaiting_approval' then 'no_approver'
                                        when state in ('approved', 'provisioning') then 'target_unavailable' else '' end
 where problem <> '';

alter table request_items
    add column problem_details jsonb not null default '{}' check (jsonb_typeof(problem_details) = 'object'),
    add column problem_since   timestamptz, -- since when there has been one of this kind; null: there is none
    add constraint request_items_problem_check check (problem in ('', 'no_approver',
        'target_unavailable', 'target_rate_limited', 'target_denied', 'target_not_as_wanted', 'account_denied', 'account_not_ready',
        'manual_task', 'invitation', 'target_pending',
        'object_gone', 'account_gone', 'account_refused', 'target_refused', 'owner_refused', 'waited_too_long', 'not_set_up_in_time', 'end_passed',
        'not_approved', 'request_changed', 'requester_inactive', 'not_requestable', 'account_of_other_person', 'account_elsewhere',
        'rule_unknown', 'approved_by_requester', 'approved_by_submitter', 'other_policy_version', 'no_approval_asked', 'approver_not_asked',
        'approvals_missing', 'stage_not_asked', 'policy_changed'));
update request_items set problem_since = state_at where problem <> '';
grant update (problem_details, problem_since) on request_items to accessbot_worker;

-- override_candidates are the administrators who may decide an item for everyone: those whom its approval asks as administrators at
-- its last escalation level, or all of them if it has no approver. Not the requester, the submitter, or who has voted on a stage
-- that is not passed.
-- +goose StatementBegin
create function override_candidates(item bigint) returns setof bigint
    language sql stable
as $$
    select p.id
      from request_items i
      join access_requests r on r.id = i.request_id
      join people p on p.administrator and p.status = 'active' and p.gone_at is null
                   and p.id <> r.requester_id and p.id is distinct from r.submitted_by
     where i.id = item and i.state = 'awaiting_approval'
       and (i.problem = 'no_approver'
            or exists (select from approval_items ai
                         join approvals a on a.id = ai.approval_id and a.state = 'open' and a.level > 0 and a.escalate_at is null
                         join approval_candidates c on c.approval_id = a.id and c.person_id = p.id and c.basis = 'administrator'
                        where ai.item_id = i.id))
       and not exists (select from decisions d
                        where d.item_id = i.id and d.decided_by = p.id and not stage_passed(i.id, d.stage))
$$;
-- +goose StatementEnd

-- Items that wait for a target: see targetProblem in schema/problems.go.
create index request_items_target_problem on request_items (entitlement_id)
    where state in ('approved', 'provisioning') and problem in ('target_unavailable', 'target_rate_limited', 'target_denied', 'target_not_as_wanted', 'account_denied', 'account_not_ready');

-- One open outage notification for each application.
alter table notifications
    add column closed_at timestamptz,
    drop constraint notifications_kind_check,
    add constraint notifications_kind_check check (kind in ('manual_task', 'finding', 'reminder', 'outage')),
    add constraint notifications_closed check (closed_at is null or kind = 'outage');
create unique index notifications_outage on notifications (application_id) where kind = 'outage' and closed_at is null;
grant update (closed_at) on notifications to accessbot_worker;
alter table slack_messages
    drop constraint slack_messages_kind_check,
    add constraint slack_messages_kind_check check (kind in ('card', 'approval', 'outcome', 'ending_soon', 'ended', 'report', 'manual_task', 'finding', 'reminder',
        'question', 'question_answer', 'outage'));

-- An administrator orders a new attempt. The signal only makes the run read the newest order.
create table retry_orders (
    id         bigint generated always as identity primary key,
    request_id bigint not null references access_requests,
    person_id  bigint not null references people,
    ordered_at timestamptz not null default app_now()
);
create index retry_orders_request on retry_orders (request_id, id);
grant select on retry_orders to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;
grant insert (request_id, person_id) on retry_orders to accessbot_slackapp;

-- +goose StatementBegin
create function retry_orders_check() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    perform from access_requests where id = new.request_id for update;
    if not exists (select from people p where p.id = new.person_id and p.administrator and p.status = 'active' and p.gone_at is null) then
        raise exception 'person % may not order a new attempt', new.person_id using errcode = 'AB006';
    end if;
    if not exists (select from request_items i
                    where i.request_id = new.request_id and i.state in ('approved', 'provisioning')
                      and i.problem in ('target_unavailable', 'target_rate_limited', 'target_denied', 'target_not_as_wanted', 'account_denied', 'account_not_ready')
                      and not exists (select from stop_orders x where x.item_id = i.id)) then
        raise exception 'nothing of request % waits for a target', new.request_id using errcode = 'AB001';
    end if;
    new.ordered_at := app_now();
    update access_requests set due_at = app_now() where id = new.request_id;
    return new;
end $$;
-- +goose StatementEnd
revoke execute on function retry_orders_check() from public;
create trigger checked before insert on retry_orders for each row execute function retry_orders_check();
