package directory

// temporaryTables receive the files' rows. The apply functions fill in id, the row's ID in the database, and change: added,
// changed or unchanged. Null in any other column means that the file does not have that column.
//
// The indexes keep the search for missing rows fast while the planner has no statistics of the database's tables yet.
const temporaryTables = `
create temporary table import_people (
    line int, email text, name text, job_title text, department text, manager_email text, status text,
    time_zone text, slack_user_id text, administrator boolean,
    id bigint, change text not null default 'added') on commit drop;
create temporary table import_applications (
    line int, slug text, name text, connector text, instance text, owners text[], on_finding text,
    id bigint, owner_ids bigint[] not null default '{}', owner_ids_before bigint[],
    change text not null default 'added') on commit drop;
create temporary table import_entitlements (
    line int, application text, key text, name text, kind text, description text, risk text, owners text[],
    requestable boolean, max_days int, target text, target_given boolean,
    id bigint, application_id bigint, owner_ids bigint[] not null default '{}', owner_ids_before bigint[],
    change text not null default 'added') on commit drop;
create temporary table import_accounts (
    line int, email text, instance text, account text,
    id bigint, before text, change text not null default 'added') on commit drop;
create temporary table import_grants (
    line int, email text, application text, key text,
    person_id bigint, account_id bigint, entitlement_id bigint, change text) on commit drop;
create temporary table import_job_titles (
    line int, job_title text, application text, key text, job_title_id bigint, entitlement_id bigint) on commit drop;
create temporary table import_reasons (
    line int, key text, label text, note_required boolean, position int, change text not null default 'added') on commit drop;
create index on import_people (email);
create index on import_applications (slug);
create index on import_entitlements (application, key);
create index on import_accounts (email, instance);
create index on import_grants (account_id, entitlement_id);`
