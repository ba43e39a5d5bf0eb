-- Nobody's word counts twice: who stands in for somebody says that person's word, so the two of them together have one.

-- +goose Up

-- voice_of is whose word a candidate's is.
-- +goose StatementBegin
create function voice_of(approval bigint, person bigint) returns bigint
    language sql stable
    set search_path = pg_catalog, public, pg_temp
as $$
    select coalesce((select c.for_person_id from approval_candidates c where c.approval_id = approval and c.person_id = person), person)
$$;

create function decisions_voice() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
begin
    if new.decided_by is not null and not new.override and new.verdict = 'approve' and exists (
        select from decisions d
         where d.item_id = new.item_id and d.stage = new.stage and d.verdict = 'approve' and d.decided_by is not null
           and voice_of(d.approval_id, d.decided_by) = voice_of(new.approval_id, new.decided_by)) then
        raise exception 'item %: person % has agreed already, or somebody in their place', new.item_id, voice_of(new.approval_id, new.decided_by) using errcode = 'AB002';
    end if;
    return new;
end $$;
-- +goose StatementEnd

revoke execute on function decisions_voice() from public;
create trigger voice before insert on decisions for each row execute function decisions_voice();
