-- No vote counts twice: a delegate's approval is the vote of the approver they decide for.

-- +goose Up

-- vote_of is the person whose vote a candidate casts.
-- +goose StatementBegin
create function vote_of(approval bigint, person bigint) returns bigint
    language sql stable
    set search_path = pg_catalog, public, pg_temp
as $$
    select coalesce((select c.for_person_id from approval_candidates c where c.approval_id = approval and c.person_id = person), person)
$$;

create function decisions_vote() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if new.decided_by is not null and not new.override and new.outcome = 'approve' and exists (
        select from decisions d
         where d.item_id = new.item_id and d.stage = new.stage and d.outcome = 'approve' and d.decided_by is not null
           and vote_of(d.approval_id, d.decided_by) = vote_of(new.approval_id, new.decided_by)) then
        raise exception 'item %: person % or their delegate has already approved', new.item_id, vote_of(new.approval_id, new.decided_by) using errcode = 'AB002';
    end if;
    return new;
end $$;
-- +goose StatementEnd

revoke execute on function decisions_vote() from public;
create trigger vote before insert on decisions for each row execute function decisions_vote();
