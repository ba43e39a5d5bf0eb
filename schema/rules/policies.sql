-- A policy version is never changed: a new one is applied.
create or replace trigger immutable before update or delete or truncate on policies
    for each statement execute function refuse_change(); -- see audit_events.sql
