package schematest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"accessbot/schema"
	"accessbot/schema/policy"
)

// World is a database with a company. Tests use its methods to say who works there and what happened. What a program would
// record is recorded as that program's role.
type World struct {
	*Database
	Worker, SlackApp *schema.DB // as those roles

	t     testing.TB
	forms int
}

// NewWorld creates an empty world, which exists until its test ends.
func NewWorld(t testing.TB) *World {
	t.Helper()
	db := New(t)
	return &World{Database: db, Worker: db.As(t, "accessbot_worker"), SlackApp: db.As(t, "accessbot_slackapp"), t: t}
}

// Do runs a statement as the superuser.
func (w *World) Do(query string, args ...any) {
	w.t.Helper()
	if _, err := w.Exec(query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// Value reads one value as the superuser.
func Value[T any](w *World, query string, args ...any) T {
	w.t.Helper()
	var v T
	if err := w.Get(&v, query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return v
}

// Shift moves the database's clock forward.
func (w *World) Shift(by time.Duration) {
	w.t.Helper()
	w.Do(`update clock set shift = shift + $1 * interval '1 second'`, by.Seconds())
}

// Now returns the time of the database's clock.
func (w *World) Now() time.Time {
	w.t.Helper()
	return Value[time.Time](w, `select app_now()`)
}

// Person adds an active person with the e-mail address name@example.com.
func (w *World) Person(name string) int64 {
	w.t.Helper()
	return Value[int64](w, `insert into people (email, name, status) values ($1, $2, 'active') returning id`,
		strings.ToLower(name)+"@example.com", name)
}

// Manages makes manager the manager of person.
func (w *World) Manages(manager, person int64) {
	w.t.Helper()
	w.Do(`update people set manager_id = $1 where id = $2`, manager, person)
}

// Administrator makes person an administrator.
func (w *World) Administrator(person int64) {
	w.t.Helper()
	w.Do(`update people set administrator = true where id = $1`, person)
}

// Application adds an application. Its instance has the same name in capitals.
func (w *World) Application(slug string, owners ...int64) int64 {
	w.t.Helper()
	return w.ApplicationIn(strings.ToUpper(slug), slug, owners...)
}

// ApplicationIn adds an application in an instance, which others may share.
func (w *World) ApplicationIn(instance, slug string, owners ...int64) int64 {
	w.t.Helper()
	id := Value[int64](w, `
		insert into applications (slug, name, connector, instance) values ($1, initcap($1), 'fake', $2) returning id`, slug, instance)
	w.Do(`insert into application_owners select $1, unnest($2::bigint[])`, id, pq.Array(owners))
	return id
}

// Entitlement adds an entitlement. Its object is called <slug>/<key>.
func (w *World) Entitlement(application int64, key string, owners ...int64) int64 {
	w.t.Helper()
	id := Value[int64](w, `
		insert into entitlements (application_id, instance, key, name, kind, risk, target)
		select id, instance, $2, initcap($2), 'role', 'low', slug || '/' || $2
		  from applications where id = $1 returning id`, application, key)
	w.Do(`insert into entitlement_owners select $1, unnest($2::bigint[])`, id, pq.Array(owners))
	return id
}

// Account returns a person's account in an entitlement's target, and creates it if needed. Its name is the part of the person's
// e-mail address before the @.
func (w *World) Account(person, entitlement int64) int64 {
	w.t.Helper()
	return Value[int64](w, `
		insert into accounts (person_id, instance, account)
		select p.id, e.instance, split_part(p.email, '@', 1) from people p, entitlements e where p.id = $1 and e.id = $2
		on conflict (person_id, instance) do update set account = accounts.account
		returning id`, person, entitlement)
}

// Asked is a request and its items, in order.
type Asked struct {
	ID    int64
	Items []int64
}

// Request submits a request as the Slack app does, for a duration from now; zero: permanent.
func (w *World) Request(requester int64, lasts time.Duration, entitlements ...int64) Asked {
	w.t.Helper()
	var ends sql.NullTime
	if lasts != 0 {
		ends = sql.NullTime{Time: w.Now().Add(lasts), Valid: true}
	}
	w.forms++
	var asked Asked
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	ctx := context.Background()
	version, p, err := schema.CurrentPolicy(ctx, w.SlackApp)
	must(err)
	subjects, err := schema.SubjectsFor(ctx, w.SlackApp, requester, entitlements, lasts, "project")
	must(err)
	must(w.SlackApp.Get(&asked.ID, `
		insert into access_requests (view_id, requester_id, access_like, ends_at, time_zone, reason_key, policy_version)
		values ($1, $2, 'custom', $3, 'UTC', 'project', $4) returning id`,
		fmt.Sprintf("V%d-%d", requester, w.forms), requester, ends, version.Version))
	for _, e := range entitlements {
		rule, err := p.Evaluate(subjects[e])
		must(err)
		var item int64
		must(w.SlackApp.Get(&item, `
			insert into request_items (request_id, entitlement_id, account_id, rule) values ($1, $2, $3, $4) returning id`,
			asked.ID, e, w.Account(requester, e), rule))
		asked.Items = append(asked.Items, item)
	}
	return asked
}

// Policy applies a policy as an operator does, and returns its version.
func (w *World) Policy(source string) int64 {
	w.t.Helper()
	v, _, err := w.As(w.t, "accessbot_directory").ApplyPolicy(context.Background(), "policy.yaml", []byte(source))
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Version
}

// WithDefaults returns the source of the default policy with these lines of defaults, separated by commas.
func WithDefaults(lines string) string {
	_, rules, _ := strings.Cut(string(policy.Default), "\nrules:")
	return "defaults: {" + lines + "}\nrules:" + rules
}

// Ask opens an approval of the items for the candidates as the worker does, and returns its ID.
func (w *World) Ask(asked Asked, items []int64, candidates ...int64) int64 {
	w.t.Helper()
	ctx := context.Background()
	tx, err := w.Worker.BeginTxx(ctx, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // after the commit it does nothing
	application := Value[int64](w, `
		select e.application_id from request_items i join entitlements e on e.id = i.entitlement_id where i.id = $1`, items[0])
	answer := policy.Answer{RequiredApprovals: 1}
	for _, c := range candidates {
		answer.Candidates = append(answer.Candidates, policy.Candidate{PersonID: c, Basis: policy.EntitlementOwner})
	}
	version := Value[int64](w, `select policy_version from access_requests where id = $1`, asked.ID)
	id, err := schema.OpenApproval(
		ctx,
		tx,
		schema.NewApproval{RequestID: asked.ID, ApplicationID: application, PolicyVersion: version,
			Items: items, Stage: 1, Stages: 1, Answer: answer, AskNow: len(candidates), RemindAfter: 24 * time.Hour},
	)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := schema.MoveItems(ctx, tx, items, schema.AwaitingApproval, schema.Problem{}); err != nil {
		w.t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// Decide records a decision about items of an approval as the Slack app does, and returns the database's error.
func (w *World) Decide(by, approval int64, outcome string, items ...int64) error {
	_, err := w.SlackApp.Exec(`
		insert into decisions (item_id, approval_id, decided_by, outcome, reason, basis, policy_version, terms, ends_at,
		                       stage, stages, required_approvals)
		select i.id, $2, $1, $3, case when $3 = 'deny' then 'no need' else '' end, 'entitlement owner', r.policy_version,
		       request_terms(r.id), r.ends_at,
		       coalesce(a.stage, 1), coalesce(a.stages, 1), coalesce(a.required_approvals, 1)
		  from request_items i join access_requests r on r.id = i.request_id left join approvals a on a.id = $2
		 where i.id = any($4)`, by, approval, outcome, pq.Array(items))
	return err
}

// Approve opens an approval of all items with one candidate, who approves them, and marks them approved as the worker does.
func (w *World) Approve(by int64, asked Asked) {
	w.t.Helper()
	if err := w.Decide(by, w.Ask(asked, asked.Items, by), "approve", asked.Items...); err != nil {
		w.t.Fatal(err)
	}
	if err := schema.MoveItems(context.Background(), w.Worker, asked.Items, schema.Approved, schema.Problem{}); err != nil {
		w.t.Fatal(err)
	}
}

// State returns an item's state.
func (w *World) State(item int64) string {
	w.t.Helper()
	return Value[string](w, `select state from request_items where id = $1`, item)
}

// Claim returns the ID of an item's claim; 0: none.
func (w *World) Claim(item int64) int64 {
	w.t.Helper()
	return Value[int64](w, `select coalesce(max(id), 0) from claims where item_id = $1`, item)
}

// Claims counts the claims of a source for a person and an entitlement, live or over.
func (w *World) Claims(person, entitlement int64, source string) int {
	w.t.Helper()
	return Value[int](w, `select count(*) from claims where person_id = $1 and entitlement_id = $2 and source = $3`,
		person, entitlement, source)
}

// Imported adds a claim as the import of grants.csv does, and returns its ID.
func (w *World) Imported(person, entitlement int64) int64 {
	w.t.Helper()
	return Value[int64](w, `
		insert into claims (person_id, account_id, entitlement_id, source, granted_at)
		values ($1, $2, $3, 'imported', app_now()) returning id`,
		person, w.Account(person, entitlement), entitlement)
}

// Audited counts the audit events of an action.
func (w *World) Audited(action schema.AuditAction) int {
	w.t.Helper()
	return Value[int](w, `select count(*) from audit_events where action = $1`, action)
}

// Alerts counts the alerts of an action.
func (w *World) Alerts(action schema.AuditAction) int {
	w.t.Helper()
	return Value[int](w, `select count(*) from audit_events where action = $1 and alert`, action)
}
