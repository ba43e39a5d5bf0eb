-- Each role may insert and update only the columns that its program fills. Numbers, states and instants come from the database:
-- the right to insert a whole row includes OVERRIDING SYSTEM VALUE.
-- docs/security.md lists the rights, and a test compares the list with the catalog.

-- +goose Up

-- Databases from before version 15 let every role create objects here.
revoke create on schema public from public;

revoke insert on access_requests, request_items, decisions, stop_orders, questions, question_answers, manual_task_answers, slack_identities, slack_events
    from accessbot_slackapp;
grant insert (view_id, requester_id, submitted_by, access_like, like_person_id, like_job_title_id, ends_at, ends_on, time_zone, reason_key, note, policy_version)
    on access_requests to accessbot_slackapp;
grant insert (request_id, entitlement_id, account_id, rule) on request_items to accessbot_slackapp;
grant insert (item_id, approval_id, stage, stages, required_approvals, basis, outcome, reason, decided_by, override, policy_version, terms, ends_at)
    on decisions to accessbot_slackapp;
grant insert (item_id, claim_id, person_id, kind, reason) on stop_orders to accessbot_slackapp;
grant insert (request_id, asked_by, text) on questions to accessbot_slackapp;
grant insert (question_id, answered_by, text) on question_answers to accessbot_slackapp;
grant insert (manual_task_id, person_id, done, reason) on manual_task_answers to accessbot_slackapp;
grant insert (enterprise_id, team_id, user_id, person_id, basis) on slack_identities to accessbot_slackapp;
grant insert (event_id) on slack_events to accessbot_slackapp;

revoke insert on approvals, approval_items, approval_candidates, claims, stop_orders, manual_tasks, notifications, findings, comparisons, slack_messages, slack_addresses
    from accessbot_worker;
revoke update on findings, comparisons, slack_messages, slack_addresses, sweeps from accessbot_worker;
revoke delete on slack_messages, slack_addresses from accessbot_worker;
revoke update (state_at) on request_items from accessbot_worker;
grant insert (request_id, application_id, policy_version, stage, stages, required_approvals, level, since, remind_after, escalate_at, expires_at)
    on approvals to accessbot_worker;
grant insert (approval_id, item_id) on approval_items to accessbot_worker;
grant insert (approval_id, person_id, for_person_id, basis, position, asked_at) on approval_candidates to accessbot_worker;
grant insert (person_id, account_id, entitlement_id, source, item_id, unexpected_for, ends_at, granted_at, ended_at, end_reason, due_at) on claims to accessbot_worker;
grant insert (item_id, claim_id, person_id, kind, reason) on stop_orders to accessbot_worker;
grant insert (account_id, entitlement_id, held) on manual_tasks to accessbot_worker;
grant insert (kind, application_id, manual_task_id, request_id, person_id) on notifications to accessbot_worker;
grant insert (instance, entitlement_id, account, account_id, kind), update (last_seen_at, passes, account_id, notification_id, corrected_at, gone_at)
    on findings to accessbot_worker;
grant insert (instance, started_at, next_at), update (started_at, finished_at, next_at, listed, problem) on comparisons to accessbot_worker;
grant insert (request_id, notification_id, person_id, kind, about, item_ids, terms), update (about, item_ids, terms, channel, ts, digest, attempts, problem, sent_at)
    on slack_messages to accessbot_worker;
grant insert (person_id, user_id, time_zone), update (user_id, time_zone, looked_up_at) on slack_addresses to accessbot_worker;
grant update (finished_at) on sweeps to accessbot_worker;

revoke insert, update on people, job_titles, applications, entitlements, accounts, reasons from accessbot_directory;
revoke insert on claims from accessbot_directory;
grant insert (email, name, job_title_id, department, status, time_zone, slack_user_id, administrator),
      update (email, name, job_title_id, department, manager_id, status, time_zone, slack_user_id, administrator, gone_at) on people to accessbot_directory;
grant insert (name), update (search) on job_titles to accessbot_directory;
grant insert (slug, name, connector, instance, on_finding), update (name, connector, instance, on_finding, gone_at, search) on applications to accessbot_directory;
grant insert (application_id, instance, key, name, kind, description, risk, requestable, max_days, target),
      update (name, kind, description, risk, requestable, max_days, target, gone_at, search) on entitlements to accessbot_directory;
grant insert (person_id, instance, account), update (account) on accounts to accessbot_directory;
grant insert (key, label, note_required, position), update (label, note_required, position, gone_at) on reasons to accessbot_directory;
grant insert (person_id, account_id, entitlement_id, source, granted_at, due_at) on claims to accessbot_directory;

-- The column rights above replace this trigger.
drop trigger made on access_requests;
drop function access_requests_made();

-- When the item reached its state.
-- +goose StatementBegin
create function request_items_state_at() returns trigger
    language plpgsql
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    new.state_at := app_now();
    return new;
end $$;
-- +goose StatementEnd
revoke execute on function request_items_state_at() from public;
create trigger state_at before update on request_items for each row when (new.state <> old.state) execute function request_items_state_at();

-- A closed approval stays closed.
-- +goose StatementBegin
create function approvals_forward() returns trigger
    language plpgsql
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    raise exception 'approval % is %', old.id, old.state using errcode = 'AB010';
end $$;
-- +goose StatementEnd
revoke execute on function approvals_forward() from public;
create trigger forward before update on approvals for each row
    when (old.state <> 'open' and (new.state, new.closed_at) is distinct from (old.state, old.closed_at)) execute function approvals_forward();

-- The sweep ends what is due, with or without Temporal, so a live claim with an end must always have a due time.
update claims set due_at = coalesce(ends_at, revoked_at) + interval '2 minutes'
 where ended_at is null and due_at is null and (ends_at is not null or revoked_at is not null);
alter table claims add constraint claims_due
    check (due_at is not null or ended_at is not null or (ends_at is null and revoked_at is null));

-- Programs record the present: their statements use app_now() in the same transaction.
create function is_now(at timestamptz) returns boolean
    language sql stable
    set search_path = pg_catalog, public, pg_temp
as $$ select at between app_now() - interval '1 hour' and app_now() + interval '1 minute' $$;

-- Only the directory makes claims without a decision, and the worker records unexpected access only for an approved item.
-- +goose StatementBegin
create or replace function claims_source() returns trigger
    language plpgsql
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    if not pg_has_role(current_user, case when new.source = 'imported' then 'accessbot_directory' else 'accessbot_worker' end, 'usage') then
        raise exception '% may not make claims of source %', current_user, new.source using errcode = '42501';
    end if;
    if not is_now(new.granted_at) or not is_now(new.ended_at) then
        raise exception 'a claim must record the present' using errcode = 'AB011';
    end if;
    -- A due claim is reconciled at once, which would grant it. A claim of a person who left is revoked.
    if new.source = 'imported' and (new.granted_at is null
       or new.due_at is not null and not exists (select from people p where p.id = new.person_id and p.status = 'left'))
    then
        raise exception 'a claim of source % must be for access that exists already', new.source using errcode = 'AB011';
    end if;
    if new.source = 'unexpected' and not exists (
        select from request_items i
         where i.id = new.unexpected_for and i.account_id = new.account_id and i.entitlement_id = new.entitlement_id and i.state = 'approved'
           and item_outcome(i.id) = 'approve')
    then
        raise exception 'no approved item explains this unexpected access' using errcode = 'AB011';
    end if;
    if new.source = 'correction' and (
        not exists (select from entitlements e join applications a on a.id = e.application_id where e.id = new.entitlement_id and a.on_finding = 'correct')
        or exists (select from claims c where c.account_id = new.account_id and c.entitlement_id = new.entitlement_id and c.removed_at is null))
    then
        raise exception 'unexpected access in this application is only reported, or a claim explains it' using errcode = 'AB011';
    end if;
    new.due_at := latest_due(new);
    return new;
end $$;

-- The latest time at which a claim is due: the sweep tries again within a day, whatever a target or the worker asks for.
create function latest_due(claim claims) returns timestamptz
    language sql stable
    set search_path = pg_catalog, public, pg_temp
as $$
    select case when claim.ended_at is not null or claim.due_at is null then claim.due_at
                else least(claim.due_at, greatest(app_now(), least(claim.ends_at, claim.revoked_at)) + interval '1 day') end
$$;

-- The directory ends its own claims, and unexpected access that it now names. It can only make a request's claims due earlier.
create or replace function claims_directory() returns trigger
    language plpgsql
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    if new.granted_at   is distinct from old.granted_at   and not is_now(new.granted_at)
    or new.ended_at   is distinct from old.ended_at   and not is_now(new.ended_at)
    or new.removed_at is distinct from old.removed_at and not is_now(new.removed_at)
    or old.ended_at is not null and new.end_reason is distinct from old.end_reason
    then
        raise exception 'claim %: must record the present, and is never changed afterwards', old.id using errcode = 'AB011';
    end if;
    if not pg_has_role(current_user, 'accessbot_worker', 'usage') then
        if old.source not in ('imported', 'unexpected')
           and ((new.granted_at, new.ended_at, new.end_reason, new.removed_at) is distinct from (old.granted_at, old.ended_at, old.end_reason, old.removed_at) or new.due_at is null)
        then
            raise exception '% may not end claims of source %', current_user, old.source using errcode = '42501';
        end if;
        -- Null only by ending the claim now; a time only if access must be removed.
        if new.due_at is distinct from old.due_at and not (
              case when new.due_at is null then old.ended_at is null and new.ended_at is not null
                   else new.ended_at is not null and new.removed_at is null and is_now(new.due_at) end)
        then
            raise exception '% may not move the due time of claim %', current_user, old.id using errcode = '42501';
        end if;
    end if;
    new.due_at := latest_due(new);
    return new;
end $$;
-- +goose StatementEnd

-- People withdraw and revoke in Slack; orders for people who left and cancelled runs are the worker's.
-- +goose StatementBegin
create or replace function stop_orders_kind() returns trigger
    language plpgsql
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    program constant text := case when new.kind in ('person_left', 'workflow_cancelled') then 'accessbot_worker' else 'accessbot_slackapp' end;
begin
    if not pg_has_role(current_user, program, 'usage') then
        raise exception 'only % records orders of kind %', program, new.kind using errcode = '42501';
    end if;
    return new;
end $$;
-- +goose StatementEnd

-- Names stay until the removal of every claim on them is confirmed: renaming an account, an object or a target changes whose
-- access is granted and revoked, and where. A new claim waits for a concurrent rename, and is checked after it.
-- +goose StatementBegin
create function claimed_names_immutable() returns trigger
    language plpgsql
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    if exists (select from claims c where tg_table_name = 'accounts' and c.account_id = old.id and c.removed_at is null)
    or exists (select from claims c where tg_table_name = 'entitlements' and c.entitlement_id = old.id and c.removed_at is null)
    or exists (select from entitlements e join claims c on c.entitlement_id = e.id and c.removed_at is null
                where tg_table_name = 'applications' and e.application_id = old.id)
    then
        raise exception '% % has claims whose removal is not confirmed: its names stay', tg_table_name, old.id using errcode = 'AB011';
    end if;
    return new;
end $$;

create function claims_names() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    perform from entitlements where id = new.entitlement_id for key share;
    perform from accounts where id = new.account_id for key share;
    return new;
end $$;
-- +goose StatementEnd
revoke execute on function claimed_names_immutable(), claims_names() from public;
create trigger names before update on accounts for each row
    when ((new.person_id, new.instance, new.account) is distinct from (old.person_id, old.instance, old.account)) execute function claimed_names_immutable();
create trigger names before update on entitlements for each row
    when ((new.application_id, new.instance, new.target) is distinct from (old.application_id, old.instance, old.target)) execute function claimed_names_immutable();
create trigger names before update on applications for each row
    when ((new.connector, new.instance) is distinct from (old.connector, old.instance)) execute function claimed_names_immutable();
-- Triggers fire in the order of their names: this one before those that read the names.
create trigger a_names before insert on claims for each row execute function claims_names();
