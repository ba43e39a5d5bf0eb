-- The Slack app may not lock a request's row, so triggers do: decisions, withdrawals, revocations and expiry exclude each other.
-- SQLSTATEs: AB001 not open, AB002 already decided, AB003 withdrawn or revoked, AB004 by the requester, AB005 not active,
-- AB006 not allowed, AB007 other terms, AB008 past its end, AB009 wrong kind for its state.

-- The person whose vote a candidate casts: a delegate's approval is the vote of the approver they decide for.
create or replace function vote_of(approval bigint, person bigint) returns bigint
    language sql stable set search_path = pg_catalog, public, pg_temp as $$
    select coalesce((select c.for_person_id from approval_candidates c
                      where c.approval_id = approval and c.person_id = person), person)
$$;

-- The stages of an item with approvals. A stage is passed once it has its required approvals, or by an override. No vote counts
-- twice; a rule of the policy is one.
create or replace function item_stages(item bigint) returns table (stage smallint, stages smallint, passed boolean)
    language sql stable as $$
    select d.stage, max(d.stages),
           bool_or(d.override) or count(distinct coalesce(vote_of(d.approval_id, d.decided_by), 0)) >= max(d.required_approvals)
      from decisions d
     where d.item_id = item and d.outcome = 'approve'
     group by d.stage
$$;

create or replace function stage_passed(item bigint, stage smallint) returns boolean language sql stable as $$
    select exists (select from item_stages(stage_passed.item) s where s.stage = stage_passed.stage and s.passed)
$$;

-- The outcome of an item: 'deny' after any denial, 'approve' once every stage is passed, else null.
create or replace function item_outcome(item bigint) returns text language sql stable as $$
    select case when exists (select from decisions d where d.item_id = item_outcome.item and d.outcome = 'deny') then 'deny'
                when (select count(*) filter (where s.passed) >= max(s.stages)
                        from item_stages(item_outcome.item) s) then 'approve' end
$$;

-- The administrators who may decide an item for everyone: those whom its approval asks as administrators at its last escalation
-- level, or all of them if it has no approver. Not a person who has voted on a stage that is left.
create or replace function override_candidates(item bigint) returns setof bigint language sql stable as $$
    select p.id
      from request_items i
      join access_requests r on r.id = i.request_id
      join people p on p.administrator and is_active(p) and not asked_for(r, p.id)
     where i.id = item and i.state = 'awaiting_approval'
       and (i.problem = 'no_approver'
            or exists (select from approval_items ai
                         join approvals a on a.id = ai.approval_id and a.state = 'open' and a.level > 0 and a.escalate_at is null
                         join approval_candidates c on c.approval_id = a.id and c.person_id = p.id and c.basis = 'administrator'
                        where ai.item_id = i.id))
       and not exists (select from decisions d where d.item_id = i.id and d.decided_by = p.id and not stage_passed(i.id, d.stage))
$$;

create or replace function decisions_check() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
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
       or exists (select from decisions d
                   where d.item_id = item.id and d.stage = new.stage and d.decided_by is not distinct from new.decided_by) then
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
        if asked_for(request, new.decided_by) then
            raise exception 'requester and submitter cannot decide their own request' using errcode = 'AB004';
        end if;
        if not exists (select from people p where p.id = new.decided_by and is_active(p)) then
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
                          and a.stages = new.stages
                          and (a.required_approvals = new.required_approvals or a.stage < new.stage)) then
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
    if new.decided_by is not null and not new.override and new.outcome = 'approve' and exists (
        select from decisions d
         where d.item_id = new.item_id and d.stage = new.stage and d.outcome = 'approve' and d.decided_by is not null
           and vote_of(d.approval_id, d.decided_by) = vote_of(new.approval_id, new.decided_by)) then
        raise exception 'item %: person % or their delegate has already approved',
            new.item_id, vote_of(new.approval_id, new.decided_by) using errcode = 'AB002';
    end if;
    new.decided_at := app_now();
    update access_requests set due_at = app_now(), messages_due_at = app_now() where id = request.id;
    return new;
end $$;
create or replace trigger checked before insert on decisions for each row execute function decisions_check();
