-- What each program may do. The roles are made before the migrations (roles belong to the cluster, see Migrate).
-- They can log in, and have no password until an operator sets one.

-- +goose Up

grant usage on schema public to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;
grant select on all tables in schema public to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;
revoke select on form_drafts from accessbot_directory, accessbot_auditor;

grant insert on access_requests, request_items, decisions, stop_orders, slack_identities, slack_events, form_drafts, audit_events to accessbot_slackapp;
grant update, delete on form_drafts to accessbot_slackapp;

grant insert on approvals, approval_items, approval_candidates, claims, stop_orders, audit_events to accessbot_worker;
grant update (state, state_at, problem) on request_items to accessbot_worker;
grant update (due_at, completed_at, messages_due_at) on access_requests to accessbot_worker;
grant update (state, closed_at, reminded_at) on approvals to accessbot_worker;
grant update (asked_at) on approval_candidates to accessbot_worker;
grant update (granted_at, ended_at, end_reason, removed_at, due_at, attempts, alerted_at) on claims to accessbot_worker;
grant insert, update, delete on slack_messages, slack_addresses to accessbot_worker;
grant update on sweeps to accessbot_worker;
grant delete on form_drafts, slack_events to accessbot_worker;

grant insert, update on people, job_titles, applications, entitlements, accounts, reasons to accessbot_directory;
grant insert, delete on application_owners, entitlement_owners, job_title_entitlements to accessbot_directory;
grant insert on claims, audit_events to accessbot_directory;
grant update (ended_at, end_reason, removed_at, due_at) on claims to accessbot_directory;

-- A role that can lock a request can block it.
revoke execute on function lock_request(bigint) from public;
grant execute on function lock_request(bigint) to accessbot_slackapp, accessbot_worker;

revoke update, delete, truncate on audit_events, decisions, stop_orders from public;
