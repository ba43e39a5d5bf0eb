-- Requests, approvals, decisions, questions and orders. The Slack app inserts; the worker moves states forward.
-- +goose Up
create table access_requests (
    id                bigint generated always as identity (start with 1001) primary key, -- the number shown to people
    view_id           text not null unique, -- of the form: submitted twice, it is one request
    requester_id      bigint not null references people,
    submitted_by      bigint references people, -- their manager or an administrator; null: the requester
    access_like       text not null check (access_like in ('person', 'job_title', 'custom')),
    like_person_id    bigint references people,
    like_job_title_id bigint references job_titles,
    ends_at           timestamptz, -- null: permanent
    ends_on           date,        -- set if the end was chosen without a time: shown as a date
    time_zone         text not null check (time_zone <> ''),
    reason_key        text not null references reasons,
    note              text not null default '' check (length(note) <= 3000),
    policy_version    bigint not null default 1 references policies,
    created_at        timestamptz not null default app_now(),
    due_at            timestamptz default app_now(), -- when its run must next load its steps; null: nothing left to do
    signals           integer not null default 0 check (signals >= 0), -- by the sweep, since the run last loaded its steps
    messages_due_at   timestamptz default app_now(), -- when its messages must next be synced; null: they are in sync
    completed_at      timestamptz,                   -- every item is final, or permanent and active
    check ((access_like = 'person') = (like_person_id is not null)),
    check ((access_like = 'job_title') = (like_job_title_id is not null)),
    check (ends_on is null or ends_at is not null),
    constraint access_requests_submitter check (submitted_by <> requester_id),
    -- Infinite instants cannot be shown.
    constraint access_requests_finite check (isfinite(created_at) and (ends_at is null or isfinite(ends_at)))
);
create index access_requests_due        on access_requests (due_at) where due_at is not null;
create index access_requests_messages   on access_requests (messages_due_at) where messages_due_at is not null;
create index access_requests_requester  on access_requests (requester_id, id desc);
create index access_requests_incomplete on access_requests (requester_id) where completed_at is null;
create index access_requests_submitted  on access_requests (submitted_by, id desc) where submitted_by is not null;
-- The quota counts requests by their submitter.
create index access_requests_submitter_all  on access_requests (coalesce(submitted_by, requester_id), id desc);
create index access_requests_submitter_open on access_requests (coalesce(submitted_by, requester_id)) where completed_at is null;

create table request_items (
    id              bigint generated always as identity primary key,
    request_id      bigint not null references access_requests,
    entitlement_id  bigint not null references entitlements,
    account_id      bigint not null references accounts,
    rule            smallint not null default 1 check (rule >= 1), -- of the request's policy version
    state           text not null default 'submitted' check (state in ('submitted', 'awaiting_approval', 'approved',
                        'provisioning', 'active', 'ended', 'revoked', 'denied', 'withdrawn', 'expired', 'failed')),
    state_at        timestamptz not null default app_now(),
    -- Why it failed, or what it waits for: a code with details; slackapp/views has the texts.
    problem         text not null default '',
    problem_details jsonb not null default '{}' check (jsonb_typeof(problem_details) = 'object'),
    problem_since   timestamptz, -- since when there has been one of this kind; null: there is none
    unique (request_id, entitlement_id),
    constraint request_items_problem_check check (problem in ('', 'no_approver',
        'target_unavailable', 'target_rate_limited', 'target_denied', 'target_not_as_wanted', 'account_denied',
        'account_not_ready', 'manual_task', 'invitation', 'target_pending',
        'object_gone', 'account_gone', 'account_refused', 'target_refused', 'owner_refused', 'waited_too_long',
        'not_set_up_in_time', 'end_passed', 'not_approved', 'request_changed', 'requester_inactive', 'not_requestable',
        'account_of_other_person', 'account_elsewhere', 'rule_unknown', 'approved_by_requester', 'approved_by_submitter',
        'other_policy_version', 'no_approval_asked', 'approver_not_asked', 'approvals_missing', 'stage_not_asked', 'policy_changed'))
);
create index request_items_open_assignment on request_items (account_id, entitlement_id)
    where state in ('submitted', 'awaiting_approval', 'approved', 'provisioning');
create index request_items_waiting on request_items (entitlement_id)
    where state in ('submitted', 'awaiting_approval', 'approved', 'provisioning');
create index request_items_unassigned on request_items (id) where state = 'awaiting_approval' and problem <> '';
-- Items that wait for a target: see targetProblem in schema/problems.go.
create index request_items_target_problem on request_items (entitlement_id)
    where state in ('approved', 'provisioning') and problem in ('target_unavailable', 'target_rate_limited', 'target_denied',
        'target_not_as_wanted', 'account_denied', 'account_not_ready');

create table approvals (
    id                 bigint generated always as identity primary key,
    request_id         bigint   not null references access_requests,
    application_id     bigint   not null references applications,
    policy_version     bigint   not null references policies,
    stage              smallint not null default 1,
    stages             smallint not null default 1, -- of the rule
    required_approvals smallint not null default 1 check (required_approvals >= 1), -- of this stage
    level              smallint not null default 0, -- escalation level
    state              text     not null default 'open' check (state in ('open', 'decided', 'moved', 'closed')),
    opened_at          timestamptz not null default app_now(),
    closed_at          timestamptz,
    since              timestamptz not null default app_now(), -- when this stage was first put to approvers
    remind_after       interval not null default '24 hours',
    reminded_at        timestamptz,
    escalate_at        timestamptz, -- null: no further approvers
    expires_at         timestamptz,
    check ((state = 'open') = (closed_at is null))
);
create index approvals_request   on approvals (request_id);

create table approval_items (
    approval_id bigint not null references approvals,
    item_id     bigint not null references request_items,
    primary key (approval_id, item_id)
);
create index approval_items_item on approval_items (item_id);

create table approval_candidates (
    approval_id   bigint   not null references approvals,
    person_id     bigint   not null references people,
    for_person_id bigint   references people, -- on behalf of; null: no delegate
    basis         text     not null,          -- why this candidate
    position      smallint not null,          -- the order in which candidates are asked
    asked_at      timestamptz,                -- null: not asked yet
    primary key (approval_id, person_id)
);
create index approval_candidates_person on approval_candidates (person_id, approval_id desc);
create index approval_candidates_for    on approval_candidates (for_person_id, approval_id desc) where for_person_id is not null;

create table decisions (
    id                 bigint generated always as identity primary key,
    item_id            bigint not null references request_items,
    approval_id        bigint references approvals, -- null: decided by a rule of the policy, or an override
    stage              smallint not null default 1,
    stages             smallint not null default 1, -- of the item
    required_approvals smallint not null default 1 check (required_approvals >= 1), -- in this stage
    decided_by         bigint references people,
    override           boolean not null default false, -- by an administrator: decides its stage alone
    outcome            text   not null check (outcome in ('approve', 'deny')),
    reason             text   not null default '' check (length(reason) <= 3000),
    basis              text   not null,
    policy_version     bigint not null references policies,
    terms              text   not null, -- as shown to the approver: see request_terms
    ends_at            timestamptz,     -- the granted end; null: permanent
    decided_at         timestamptz not null default app_now(),
    check (stage >= 1 and stages >= stage),
    check (outcome = 'approve' or reason <> ''),
    constraint decisions_by     check (decided_by is not null or (approval_id is null and not override)),
    constraint decisions_asked  check (approval_id is not null or decided_by is null or override),
    constraint decisions_finite check (ends_at is null or isfinite(ends_at))
);
create unique index decisions_once on decisions (item_id, stage, coalesce(decided_by, 0));
create index decisions_approval    on decisions (approval_id);
create index decisions_person      on decisions (decided_by, id desc);

-- Questions of approvers to a requester, and the answers. Never changed.
create table questions (
    id         bigint generated always as identity primary key,
    request_id bigint not null references access_requests,
    asked_by   bigint not null references people,
    text       text   not null check (text <> '' and length(text) <= 1000),
    asked_at   timestamptz not null default app_now()
);
create index questions_request on questions (request_id, id);

create table question_answers (
    question_id bigint primary key references questions, -- one answer for each question
    answered_by bigint not null references people,
    text        text   not null check (text <> '' and length(text) <= 2000),
    answered_at timestamptz not null default app_now()
);

-- An administrator orders a new attempt. The signal only makes the run read the newest order.
create table retry_orders (
    id         bigint generated always as identity primary key,
    request_id bigint not null references access_requests,
    person_id  bigint not null references people,
    ordered_at timestamptz not null default app_now()
);
create index retry_orders_request on retry_orders (request_id, id);
