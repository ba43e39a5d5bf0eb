-- Unexpected and missing access: differences between a target and the claims.

-- +goose Up

alter table applications
    add column on_finding text not null default 'report' check (on_finding in ('report', 'correct')); -- correct: also make the target match the claims

-- When each target is compared with the claims.
create table comparisons (
    instance    text primary key,
    started_at  timestamptz,
    finished_at timestamptz,
    next_at     timestamptz not null default app_now(),
    listed      bigint not null default 0, -- assignments that the last finished comparison saw
    problem     text   not null default '' -- why the last comparison did not finish
);

create table findings (
    id             bigint generated always as identity primary key,
    instance       text   not null,
    entitlement_id bigint not null references entitlements,
    account        text   not null,             -- the target's name for it
    account_id     bigint references accounts,  -- null: not in the directory
    kind           text   not null check (kind in ('unexpected', 'missing')), -- held without a claim; a claim without access
    first_seen_at  timestamptz not null default app_now(),
    last_seen_at   timestamptz not null default app_now(),
    passes         integer not null default 1,  -- consecutive comparisons that saw it
    notification_id      bigint references notifications,   -- that reported it
    corrected_at   timestamptz,                 -- its correction was ordered
    gone_at        timestamptz                  -- it was no longer seen
);
create unique index findings_open     on findings (entitlement_id, account, kind) where gone_at is null;
create index findings_by_instance     on findings (instance, last_seen_at) where gone_at is null;
create index findings_notification          on findings (notification_id) where notification_id is not null;
create index claims_by_entitlement  on claims (entitlement_id, account_id) where removed_at is null;

-- A correction is a claim that was never live, so that reconciling revokes unexpected access.
alter table claims
    drop constraint claims_source_check,
    add constraint claims_source_check check (source in ('request', 'imported', 'unexpected', 'correction')),
    add constraint claims_correction_check check (source <> 'correction' or ended_at is not null);

-- +goose StatementBegin
create or replace function claims_source() returns trigger language plpgsql as $$
begin
    if pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    if not pg_has_role(current_user, case when new.source = 'imported' then 'accessbot_directory' else 'accessbot_worker' end, 'usage') then
        raise exception '% may not make claims of source %', current_user, new.source using errcode = '42501';
    end if;
    if new.source = 'unexpected' and not exists (
        select from request_items i
         where i.id = new.unexpected_for and i.account_id = new.account_id and i.entitlement_id = new.entitlement_id and i.state = 'approved')
    then
        raise exception 'no approved item explains this unexpected access' using errcode = 'AB011';
    end if;
    if new.source = 'correction' and (
        not exists (select from entitlements e join applications a on a.id = e.application_id where e.id = new.entitlement_id and a.on_finding = 'correct')
        or exists (select from claims c where c.account_id = new.account_id and c.entitlement_id = new.entitlement_id and c.removed_at is null))
    then
        raise exception 'unexpected access in this application is only reported, or a claim explains it' using errcode = 'AB011';
    end if;
    return new;
end $$;
-- +goose StatementEnd

grant select on comparisons, findings to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;
grant insert, update on comparisons, findings to accessbot_worker;
