-- What each program may do. The roles are made before the migrations (roles belong to the cluster, see Migrate).
-- They can log in, and have no password until an operator sets one.
-- Each role may insert and update only the columns that its program fills. Numbers, states and instants come from the database:
-- the right to insert a whole row includes OVERRIDING SYSTEM VALUE. No role may change or delete audit events, decisions, orders,
-- questions or answers.
-- docs/security.md lists the rights, and a test compares the list with the catalog.
-- +goose Up
grant usage on schema public to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;
grant select on all tables in schema public to accessbot_slackapp, accessbot_worker, accessbot_directory, accessbot_auditor;
revoke select on form_drafts from accessbot_directory, accessbot_auditor;
revoke select on questions, question_answers from accessbot_directory;

-- The Slack app records what people submit, decide, ask, answer, withdraw and revoke.
grant insert (view_id, requester_id, submitted_by, access_like, like_person_id, like_job_title_id, ends_at, ends_on, time_zone,
    reason_key, note, policy_version) on access_requests to accessbot_slackapp;
grant insert (request_id, entitlement_id, account_id, rule) on request_items to accessbot_slackapp;
grant insert (item_id, approval_id, stage, stages, required_approvals, basis, outcome, reason, decided_by, override,
    policy_version, terms, ends_at) on decisions to accessbot_slackapp;
grant insert (item_id, claim_id, person_id, kind, reason) on stop_orders to accessbot_slackapp;
grant insert (request_id, asked_by, text) on questions to accessbot_slackapp;
grant insert (question_id, answered_by, text) on question_answers to accessbot_slackapp;
grant insert (request_id, person_id) on retry_orders to accessbot_slackapp;
grant insert (manual_task_id, person_id, done, reason) on manual_task_answers to accessbot_slackapp;
grant insert (person_id, delegate_id, starts_at, ends_at) on delegations to accessbot_slackapp;
grant insert (enterprise_id, team_id, user_id, person_id, basis) on slack_identities to accessbot_slackapp;
grant insert (event_id) on slack_events to accessbot_slackapp;
grant insert, update, delete on form_drafts to accessbot_slackapp;

-- The worker moves states, makes claims, and owns messages and leases.
grant update (due_at, completed_at, messages_due_at, signals) on access_requests to accessbot_worker;
grant update (state, problem, problem_details, problem_since) on request_items to accessbot_worker;
grant insert (request_id, application_id, policy_version, stage, stages, required_approvals, level, since, remind_after,
    escalate_at, expires_at), update (state, closed_at, reminded_at, level, escalate_at) on approvals to accessbot_worker;
grant insert (approval_id, item_id) on approval_items to accessbot_worker;
grant insert (approval_id, person_id, for_person_id, basis, position, asked_at), update (asked_at)
    on approval_candidates to accessbot_worker;
grant insert (person_id, account_id, entitlement_id, source, item_id, unexpected_for, ends_at, granted_at, ended_at, end_reason,
    due_at), update (granted_at, ended_at, end_reason, removed_at, due_at, attempts, alerted_at, check_at, checks)
    on claims to accessbot_worker;
grant insert (item_id, claim_id, person_id, kind, reason) on stop_orders to accessbot_worker;
grant insert (account_id, entitlement_id, held), update (closed_at, outcome) on manual_tasks to accessbot_worker;
grant insert (instance, started_at, next_at), update (started_at, finished_at, next_at, listed, problem)
    on comparisons to accessbot_worker;
grant insert (instance, entitlement_id, account, account_id, kind),
    update (last_seen_at, passes, account_id, notification_id, corrected_at, gone_at) on findings to accessbot_worker;
grant update (finished_at) on sweeps to accessbot_worker;
grant insert (kind, application_id, manual_task_id, request_id, person_id), update (messages_due_at, attempts, closed_at)
    on notifications to accessbot_worker;
grant insert (request_id, notification_id, person_id, kind, about, item_ids, terms),
    update (about, item_ids, terms, channel, ts, digest, attempts, problem, sent_at) on slack_messages to accessbot_worker;
grant insert (person_id, user_id, time_zone), update (user_id, time_zone, looked_up_at) on slack_addresses to accessbot_worker;
grant delete on form_drafts, slack_events to accessbot_worker;
grant insert on audit_sequence, audit_seals to accessbot_worker;

-- The directory imports, applies policies, and undoes identities (`worker unbind`).
grant insert (email, name, job_title_id, department, status, time_zone, slack_user_id, administrator),
    update (email, name, job_title_id, department, manager_id, status, time_zone, slack_user_id, administrator, gone_at)
    on people to accessbot_directory;
grant insert, update, delete on people_search to accessbot_directory;
grant insert (name), update (search) on job_titles to accessbot_directory;
grant insert (slug, name, connector, instance, on_finding), update (name, connector, instance, on_finding, gone_at, search)
    on applications to accessbot_directory;
grant insert (application_id, instance, key, name, kind, description, risk, requestable, max_days, target),
    update (name, kind, description, risk, requestable, max_days, target, gone_at, search) on entitlements to accessbot_directory;
grant insert, delete on application_owners, entitlement_owners, job_title_entitlements to accessbot_directory;
grant insert (person_id, instance, account), update (account) on accounts to accessbot_directory;
grant insert (key, label, note_required, position), update (label, note_required, position, gone_at)
    on reasons to accessbot_directory;
grant insert (source) on policies to accessbot_directory;
grant insert (person_id, account_id, entitlement_id, source, granted_at, due_at),
    update (ended_at, end_reason, removed_at, due_at) on claims to accessbot_directory;
grant delete on slack_identities to accessbot_directory;

-- The writer of an audit event cannot set who, when and in which order.
grant insert (actor, person_id, action, alert, request_id, item_id, claim_id, approval_id, details) on audit_events
    to accessbot_slackapp, accessbot_worker, accessbot_directory;
