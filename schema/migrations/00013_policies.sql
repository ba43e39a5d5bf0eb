-- Policies: who approves what, in which order. A request keeps the version that evaluated it, an item its rule, and a decision
-- the number of stages and of required approvals, so that decisions are proof by themselves.

-- +goose Up

create table policies (
    version    bigint generated always as identity primary key,
    source     text   not null check (length(source) between 1 and 200000),
    applied_at timestamptz not null default app_now()
);
-- The policy that comes with the program: schema/policy/default.yaml.
insert into policies (source) values ('# The policy that applies until another one is applied. See docs/policies.md.
defaults:
  remind_after: 24h
  escalate_after: 3d
  expire_after: 14d
  max_days: 365

rules:
  - name: The owners decide
    ask:
      - approvers: [entitlement owners]
        escalate_to: [application owners, manager]
');

-- +goose StatementBegin
create function policies_immutable() returns trigger language plpgsql as $$
begin
    raise exception 'a policy version is never changed: apply a new one' using errcode = '42501';
end $$;
-- +goose StatementEnd
create trigger immutable before update or delete or truncate on policies for each statement execute function policies_immutable();

alter table access_requests add column policy_version bigint not null default 1 references policies;

alter table request_items
    add column rule smallint not null default 1 check (rule >= 1); -- in that version: the rule that applies to the item

-- The rule of an item never changes.
-- +goose StatementBegin
create function request_items_rule() returns trigger language plpgsql as $$
begin
    raise exception 'item %: the rule that evaluates it cannot be changed', old.id using errcode = 'AB010';
end $$;
-- +goose StatementEnd
create trigger rule before update on request_items for each row when (new.rule <> old.rule) execute function request_items_rule();

alter table approvals
    add column required_approvals        smallint not null default 1 check (required_approvals >= 1), -- of this stage
    add column stages       smallint not null default 1,                    -- of the rule
    add column level        smallint not null default 0,                    -- escalation level
    add column since        timestamptz not null default app_now(),         -- when this stage was first put to approvers
    add column remind_after interval not null default '24 hours',
    add column escalate_at  timestamptz,                                    -- null: no further approvers
    add column expires_at   timestamptz;
update approvals set since = opened_at;
alter table approvals alter column policy_version type bigint using 1;
alter table approvals add foreign key (policy_version) references policies;

alter table approval_candidates add column basis text;
update approval_candidates c set basis = a.basis from approvals a where a.id = c.approval_id;
alter table approval_candidates alter column basis set not null;
alter table approvals drop column basis;

alter table decisions
    drop constraint decisions_item_id_stage_key,
    drop constraint decisions_check,
    add column stages   smallint not null default 1 check (stages >= stage), -- of the item
    add column required_approvals    smallint not null default 1 check (required_approvals >= 1),      -- in this stage
    add column override boolean  not null default false,                    -- by an administrator: decides its stage alone
    add constraint decisions_by check (decided_by is not null or (approval_id is null and not override)),
    add constraint decisions_asked check (approval_id is not null or decided_by is null or override);
alter table decisions alter column policy_version type bigint using 1;
alter table decisions add foreign key (policy_version) references policies;
create unique index decisions_once on decisions (item_id, stage, coalesce(decided_by, 0));

create index request_items_unassigned on request_items (id) where state = 'awaiting_approval' and problem <> '';

-- The outcome of an item: 'deny' after any denial, 'approve' once every stage is passed, else null.
-- +goose StatementBegin
create function item_outcome(item bigint) returns text
    language sql stable
as $$
    select case when bool_or(s.denied) then 'deny'
                when count(*) filter (where s.passed) >= max(s.stages) then 'approve' end
      from (select d.stage, max(d.stages) as stages, bool_or(d.outcome = 'deny') as denied,
                   bool_or(d.override) or count(*) >= max(d.required_approvals) as passed
              from decisions d
             where d.item_id = item
             group by d.stage) s
$$;

create function stage_passed(item bigint, stage smallint) returns boolean
    language sql stable
as $$
    select coalesce(bool_or(d.override) or count(*) >= max(d.required_approvals), false)
      from decisions d
     where d.item_id = stage_passed.item and d.stage = stage_passed.stage and d.outcome = 'approve'
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create or replace function decisions_check() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    item    request_items;
    request access_requests;
begin
    select * into item from request_items where id = new.item_id;
    select * into request from access_requests where id = item.request_id for update;
    select * into item from request_items where id = new.item_id; -- again: its state may have changed during the wait
    if request is null then
        raise exception 'there is no item %', new.item_id using errcode = 'AB001';
    end if;
    if item_outcome(item.id) is not null
       or stage_passed(item.id, new.stage)
       or exists (select from decisions d where d.item_id = item.id and d.stage = new.stage and d.decided_by is not distinct from new.decided_by) then
        raise exception 'item % is already decided', item.id using errcode = 'AB002';
    end if;
    if exists (select from stop_orders r where r.item_id = item.id) then
        raise exception 'item % is withdrawn', item.id using errcode = 'AB003';
    end if;
    if item.state not in ('submitted', 'awaiting_approval') then
        raise exception 'item % is %', item.id, item.state using errcode = 'AB001';
    end if;
    if new.policy_version <> request.policy_version then
        raise exception 'item % was evaluated by another version of the policy', item.id using errcode = 'AB007';
    end if;
    if new.decided_by is not null then
        if new.decided_by = request.requester_id then
            raise exception 'a requester cannot decide their own request' using errcode = 'AB004';
        end if;
        if not exists (select from people p where p.id = new.decided_by and p.status = 'active' and p.gone_at is null) then
            raise exception 'person % is not active', new.decided_by using errcode = 'AB005';
        end if;
        if new.override then
            if not exists (select from override_candidates(item.id) c (person_id) where c.person_id = new.decided_by) then
                raise exception 'item % is not for administrator % to decide', item.id, new.decided_by using errcode = 'AB006';
            end if;
        elsif not exists (select from approvals a
                         join approval_items ai on ai.approval_id = a.id and ai.item_id = item.id
                         join approval_candidates c on c.approval_id = a.id and c.person_id = new.decided_by
                        where a.id = new.approval_id and a.state = 'open'
                          and a.stage <= new.stage -- an approval in an earlier stage counts in later ones too
                          and a.stages = new.stages and (a.required_approvals = new.required_approvals or a.stage < new.stage)) then
            raise exception 'item % is not for person % to decide', item.id, new.decided_by using errcode = 'AB006';
        end if;
    end if;
    if new.terms is distinct from request_terms(request.id)
       or coalesce(new.ends_at, 'infinity') > coalesce(request.ends_at, 'infinity') then
        raise exception 'the request changed after it was shown' using errcode = 'AB007';
    end if;
    if coalesce(request.ends_at, 'infinity') <= app_now() then
        raise exception 'the end of the request has passed' using errcode = 'AB008';
    end if;
    new.decided_at := app_now();
    update access_requests set due_at = app_now(), messages_due_at = app_now() where id = request.id;
    return new;
end $$;
-- +goose StatementEnd

-- +goose StatementBegin
create or replace function claims_guard() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        if (select a.instance from accounts a where a.id = new.account_id) is distinct from
           (select e.instance from entitlements e where e.id = new.entitlement_id) then
            raise exception 'account % is not in the target of entitlement %', new.account_id, new.entitlement_id using errcode = 'AB011';
        end if;
        if new.source = 'request' and not exists (
            select from request_items i
             where i.id = new.item_id and i.account_id = new.account_id and i.entitlement_id = new.entitlement_id
               and item_outcome(i.id) = 'approve'
               and not exists (select from decisions d
                                where d.item_id = i.id
                                  and (d.terms is distinct from request_terms(i.request_id) or coalesce(d.ends_at, 'infinity') < coalesce(new.ends_at, 'infinity')))
               and coalesce(new.ends_at, 'infinity') > app_now()
               and not exists (select from stop_orders r where r.item_id = i.id))
        then
            raise exception 'item %: no decision covers this claim', new.item_id using errcode = 'AB011';
        end if;
        return new;
    end if;
    if (new.person_id, new.account_id, new.entitlement_id, new.source, new.item_id, new.unexpected_for, new.ends_at, new.created_at)
       is distinct from (old.person_id, old.account_id, old.entitlement_id, old.source, old.item_id, old.unexpected_for, old.ends_at, old.created_at)
    or (old.granted_at    is not null and new.granted_at    is distinct from old.granted_at)
    or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
    or (old.ended_at    is not null and new.ended_at    is distinct from old.ended_at)
    or (old.removed_at  is not null and new.removed_at  is distinct from old.removed_at)
    then
        raise exception 'claim %: recorded values are never changed', old.id using errcode = 'AB011';
    end if;
    return new;
end $$;
-- +goose StatementEnd

-- A manager's manager can be an approver too, so this reaches two levels down.
-- +goose StatementBegin
create or replace function people_changed() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    with affected as (
        select r.id from access_requests r where r.requester_id = new.id and r.completed_at is null
        union
        select r.id from people p join access_requests r on r.requester_id = p.id where p.manager_id = new.id and r.completed_at is null
        union
        select r.id from people m join people p on p.manager_id = m.id join access_requests r on r.requester_id = p.id
         where m.manager_id = new.id and r.completed_at is null
        union
        select a.request_id from approval_candidates c join approvals a on a.id = c.approval_id
         where (c.person_id = new.id or c.for_person_id = new.id) and a.state = 'open'),
    locked as (select r.id from access_requests r where r.id in (select id from affected) order by r.id for update)
    update access_requests r set due_at = app_now() from locked where r.id = locked.id;
    -- An owner who is back may be the one to ask instead of the next approvers.
    perform mark_requests_due(array(
        select entitlement_id from entitlement_owners where person_id = new.id
        union
        select e.id from application_owners o join entitlements e on e.application_id = o.application_id where o.person_id = new.id));
    -- After the requests: the order in which reconciling locks them.
    if new.status = 'left' and old.status <> 'left' then
        update claims set due_at = app_now() where person_id = new.id and ended_at is null;
    end if;
    return null;
end $$;
-- +goose StatementEnd

grant select on policies to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;
grant insert on policies to accessbot_directory;
grant update (level, escalate_at) on approvals to accessbot_worker;
