create or replace trigger immutable before update or delete or truncate on audit_seals
    for each statement execute function refuse_change(); -- see audit_events.sql
