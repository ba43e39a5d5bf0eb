package schema_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// These tests connect as each role and try what docs/security.md says it may and may not do, so that docs, migrations and tests
// can only change together.

var programRoles = []string{"accessbot_slackapp", "accessbot_worker", "accessbot_directory", "accessbot_auditor"}

const (
	denied   = "permission denied"
	readOnly = "" // allowed, for reading
)

// power is one statement of the docs about a role, and SQL that tries it. No refusal: it is allowed.
type power struct {
	says, statement, refusal string
}

// powers are what each role may and may not do.
var powers = map[string]struct{ may, mayNot []power }{
	"accessbot_slackapp": {
		may: []power{
			{"record requests and their items", `with r as (` + forgedRequest + ` returning id)
				select id from r`, ""},
			{
				"record requests and their items",
				`insert into request_items (request_id, entitlement_id, account_id) values ({request}, {third}, {account of ann})`,
				"",
			},
			{
				"bind Slack users to people",
				`insert into slack_identities (team_id, user_id, person_id, basis) values ('T', 'U', {ann}, 'directory')`,
				"",
			},
			{"record decisions: **forge a decision of a person who is asked**", forgedDecision("{owen}"), ""},
			{
				"withdraw and revoke in the name of people who can",
				`insert into stop_orders (item_id, person_id, kind) values ({item}, {ann}, 'withdrawn')`,
				"",
			},
			{
				"withdraw and revoke in the name of people who can",
				`insert into stop_orders (item_id, person_id, kind, reason) values ({granted item}, {owen}, 'revoked', 'x')`,
				"",
			},
			{"ask and answer questions", `insert into questions (request_id, asked_by, text) values ({request}, {owen}, 'why?')`, ""},
			{
				"ask and answer questions",
				`insert into question_answers (question_id, answered_by, text) values ({question}, {ann}, 'so')`,
				"",
			},
			{"answer manual tasks", `insert into manual_task_answers (manual_task_id, person_id, done) values ({task}, {owen}, true)`, ""},
			{
				"delegate approvals",
				`insert into delegations (person_id, delegate_id, starts_at, ends_at) values ({owen}, {ann}, now(), now() + interval '1 day')`,
				"",
			},
			{
				"choose the policy rule of an item (a rule that does not apply raises an alert), and exceed the limits that only the form enforces",
				`insert into request_items (request_id, entitlement_id, account_id, rule) values ({request}, {third}, {account of ann}, 1)`,
				"",
			},
			{
				"choose the policy rule of an item (a rule that does not apply raises an alert), and exceed the limits that only the form enforces",
				strings.Replace(forgedRequest, "null", "'2999-01-01'", 1),
				"",
			},
			{"read and change open forms", `insert into form_drafts (view_id, person_id, time_zone) values ('W', {ann}, 'UTC')`, ""},
			{"read and change open forms", `delete from form_drafts`, ""},
			{"read and change open forms", `select from form_drafts`, ""},
		},
		mayNot: []power{
			{"decide as a person who is not asked, or about that person's own request", forgedDecision("{mallory}"), "not for person"},
			{
				"decide as a person who is not asked, or about that person's own request",
				forgedDecision("{ann}"),
				"cannot decide their own request",
			},
			{
				"override approvals in the name of a person who may not",
				strings.NewReplacer("approval_id, decided_by,", "override, decided_by,",
					"{approval}, ", "true, ").Replace(forgedDecision("{owen}")),
				"not for administrator",
			},
			{
				"choose the IDs or dates of what it records",
				`insert into access_requests (id, view_id, requester_id, access_like, time_zone, reason_key)
				overriding system value values (1, 'W', {ann}, 'custom', 'UTC', 'project')`,
				denied,
			},
			{"choose the IDs or dates of what it records", `insert into request_items (id, request_id, entitlement_id, account_id)
				overriding system value values (99999, {request}, {third}, {account of ann})`, denied},
			{"choose the IDs or dates of what it records", `insert into decisions (id, item_id, outcome, basis, policy_version, terms)
				overriding system value values (99999, {item}, 'deny', 'x', 1, 'x')`, denied},
			{
				"choose the IDs or dates of what it records",
				`insert into manual_task_answers (id, manual_task_id, person_id, done) overriding system value values (99999, {task}, {owen}, true)`,
				denied,
			},
			{
				"choose the IDs or dates of what it records",
				`insert into stop_orders (id, item_id, person_id, kind) overriding system value values (99999, {item}, {ann}, 'withdrawn')`,
				denied,
			},
			{
				"choose the IDs or dates of what it records",
				`insert into questions (id, request_id, asked_by, text) overriding system value values (99999, {request}, {owen}, 'x')`,
				denied,
			},
			{
				"choose the IDs or dates of what it records",
				`insert into questions (request_id, asked_by, text, asked_at) values ({request}, {owen}, 'x', '1999-01-01')`,
				denied,
			},
			{
				"choose the IDs or dates of what it records",
				`insert into manual_task_answers (manual_task_id, person_id, done, answered_at) values ({task}, {owen}, true, '2999-01-01')`,
				denied,
			},
			{
				"choose the IDs or dates of what it records",
				`insert into request_items (request_id, entitlement_id, account_id, state_at) values ({request}, {third}, {account of ann}, '1999-01-01')`,
				denied,
			},
			{
				"choose the IDs or dates of what it records",
				`insert into slack_identities (team_id, user_id, person_id, basis, bound_at) values ('T', 'U', {ann}, 'directory', '1999-01-01')`,
				denied,
			},
			{"change or delete records", `update decisions set outcome = 'approve'`, denied},
			{"change or delete records", `delete from stop_orders`, denied},
			{"change or delete records", `update access_requests set ends_at = null`, denied},
			{"change or delete records", `update slack_identities set person_id = {owen}`, denied},
			{"change states, claims or due times", `update request_items set state = 'approved'`, denied},
			{"change states, claims or due times", `update claims set ended_at = null`, denied},
			{"change states, claims or due times", `update claims set due_at = '2999-01-01'`, denied},
			{"change states, claims or due times", `update access_requests set due_at = null`, denied},
			{"change states, claims or due times", forgedClaim("imported", "now()", "null"), denied},
			{
				"record that a person left or a run was cancelled",
				`insert into stop_orders (item_id, kind) values ({granted item}, 'person_left')`,
				"only accessbot_worker",
			},
			{
				"record that a person left or a run was cancelled",
				`insert into stop_orders (item_id, kind) values ({granted item}, 'workflow_cancelled')`,
				"only accessbot_worker",
			},
			{"write the directory or a policy", `update people set administrator = true`, denied},
			{"write the directory or a policy", `insert into policies (source) values ('x')`, denied},
			{"write the directory or a policy", `delete from slack_identities`, denied},
		},
	},
	"accessbot_worker": {
		may: []power{
			{
				"open approvals, and choose who is asked",
				`with a as (insert into approvals (request_id, application_id, policy_version) values ({request}, {application}, 1) returning id)
				insert into approval_candidates (approval_id, person_id, basis, position) select id, {mallory}, 'x', 1 from a`,
				"",
			},
			{
				"open manual tasks",
				`insert into manual_tasks (account_id, entitlement_id, held) values ({account of ann}, {third}, false)`,
				"",
			},
			{"move states forward", `update request_items set state = 'expired' where id = {item}`, ""},
			{"make claims that decisions cover", approvedClaim(`r.ends_at`, `r.ends_at`), ""},
			{
				"record that access was granted or has ended",
				`update claims set ended_at = app_now(), removed_at = app_now(), due_at = null where id = {claim}`,
				"",
			},
			{
				"revoke access of people who left and of cancelled runs",
				`insert into stop_orders (item_id, kind) values ({granted item}, 'workflow_cancelled')`,
				"",
			},
			{"read open forms", `select from form_drafts`, ""},
		},
		mayNot: []power{
			{"record decisions, requests or bindings", forgedDecision("{owen}"), denied},
			{"record decisions, requests or bindings", forgedRequest, denied},
			{
				"record decisions, requests or bindings",
				`insert into slack_identities (team_id, user_id, person_id, basis) values ('T', 'U', {ann}, 'directory')`,
				denied,
			},
			{
				"record decisions, requests or bindings",
				`insert into stop_orders (item_id, person_id, kind) values ({item}, {ann}, 'withdrawn')`,
				"only accessbot_slackapp",
			},
			{
				"record decisions, requests or bindings",
				`insert into manual_task_answers (manual_task_id, person_id, done) values ({task}, {owen}, true)`,
				denied,
			},
			{"change what was requested or granted", `update access_requests set ends_at = null`, denied},
			{"change what was requested or granted", `update request_items set entitlement_id = {third}`, denied},
			{"change what was requested or granted", `update claims set ends_at = null`, denied},
			{"change what was requested or granted", `update decisions set ends_at = null`, denied},
			{"change what was requested or granted", approvedClaim(`null`, `null`), "no decision covers"},
			{
				"reopen an approval or an ended claim",
				`update approvals set state = 'open', closed_at = null where id = {closed approval}`,
				"is decided",
			},
			{"reopen an approval or an ended claim", `update claims set ended_at = null where id = {ended claim}`, "never changed"},
			{"reopen an approval or an ended claim", `update claims set revoked_at = null`, denied},
			{
				"reopen an approval or an ended claim",
				`update request_items set state = 'active' where id = {ended item}`,
				"cannot go from",
			},
			{"make a claim that ends and is never due", approvedClaim(`r.ends_at`, `null`), "claims_due"},
			{"make a claim that ends and is never due", `update claims set due_at = null where id = {claim}`, "claims_due"},
			{"delay the end of a claim by more than a day at a time", `
				with put_off as (update claims set due_at = '2999-01-01' where id = {claim} returning due_at, ends_at)
				select 1 / (due_at > ends_at + interval '1 day')::int from put_off`, "division by zero"},
			{
				"delay the end of a claim by more than a day at a time",
				strings.Replace(approvedClaim(`r.ends_at`, `'2999-01-01'`), "insert", "with made as (insert", 1) + `
				returning due_at, ends_at) select 1 / (due_at > ends_at + interval '1 day')::int from made`,
				"division by zero",
			},
			{
				"choose the dates of what it records",
				`update claims set ended_at = '1999-01-01' where id = {claim}`,
				"must record the present",
			},
			{
				"choose the dates of what it records",
				`update claims set ended_at = app_now(), removed_at = '2999-01-01' where id = {claim}`,
				"must record the present",
			},
			{"choose the dates of what it records", `update request_items set state_at = '1999-01-01'`, denied},
			{
				"choose the dates of what it records",
				strings.Replace(approvedClaim(`r.ends_at`, `r.ends_at, '1999-01-01'`), "due_at)", "due_at, created_at)", 1),
				denied,
			},
			{
				"choose the dates of what it records",
				`insert into manual_tasks (id, account_id, entitlement_id, held) overriding system value values (99999, {account of ann}, {third}, false)`,
				denied,
			},
			{
				"choose the dates of what it records",
				`insert into approvals (id, request_id, application_id, policy_version) overriding system value values (99999, {request}, {application}, 1)`,
				denied,
			},
			{"write the directory", `update people set status = 'active'`, denied},
			{"write the directory", `insert into application_owners values ({application}, {ann})`, denied},
			{"write the directory", `update clock set shift = '1 year'`, denied},
			{"change the audit (it can append to it)", `update audit_events set action = 'x'`, denied},
			{"change the audit (it can append to it)", `delete from audit_events`, denied},
			{"change the audit (it can append to it)", `truncate audit_events`, denied},
			{
				"change the audit (it can append to it)",
				`insert into audit_events (actor, action, at) values ('worker', 'x', '1999-01-01')`,
				denied,
			},
		},
	},
	"accessbot_directory": {
		may: []power{
			{
				"write people, owners and administrators: **so it can create an approver**",
				`update people set administrator = true, slack_user_id = 'U9' where id = {mallory}`,
				"",
			},
			{
				"write people, owners and administrators: **so it can create an approver**",
				`insert into application_owners values ({application}, {mallory})`,
				"",
			},
			{"write policies: **so it can do without approvers**", `insert into policies (source) values ('x')`, ""},
			{"remove bindings", `delete from slack_identities`, ""},
			{"read requests, with reasons and notes", `select note, reason_key from access_requests`, readOnly},
			{"record that access already exists, which keeps it", forgedClaim("imported", "app_now()", "null"), ""},
			{
				"end claims that were imported or found",
				`update claims set ended_at = app_now(), removed_at = app_now(), due_at = null where id = {imported claim}`,
				"",
			},
		},
		mayNot: []power{
			{"decide, or change requests", forgedDecision("{owen}"), denied},
			{"decide, or change requests", `update request_items set state = 'approved'`, denied},
			{"decide, or change requests", `update access_requests set ends_at = null`, denied},
			{
				"make a claim that is due at once, which would grant access",
				forgedClaim("imported", "app_now()", "app_now()"),
				"exists already",
			},
			{"make a claim that is due at once, which would grant access", forgedClaim("imported", "null", "null"), "exists already"},
			{
				"make a claim that is due at once, which would grant access",
				`update claims set due_at = app_now() where id = {imported claim}`,
				"may not move",
			},
			{"make claims of a source other than imported", forgedClaim("unexpected", "app_now()", "null"), "may not make claims"},
			{"make claims of a source other than imported", forgedClaim("correction", "app_now()", "null"), "may not make claims"},
			{"end the claims of a request", `update claims set ended_at = app_now() where id = {claim}`, "may not end"},
			{"end the claims of a request", `update claims set due_at = null where id = {claim}`, "may not end"},
			{"change when a claim is due", `update claims set due_at = '2999-01-01' where id = {claim}`, "may not move"},
			{"change when a claim is due", `update claims set due_at = app_now() where id = {claim}`, "may not move"},
			{"change when a claim is due", `update claims set due_at = '2999-01-01' where id = {ended claim}`, "may not move"},
			{"change when a claim is due", `update claims set due_at = null where id = {ended claim}`, "may not"},
			{
				"rename an account, object or target with a claim",
				`update accounts set account = 'mallory2' where id = {account of bea}`,
				"its names stay",
			},
			{
				"rename an account, object or target with a claim",
				`update entitlements set target = 'crm/root' where id = {claimed}`,
				"its names stay",
			},
			{
				"rename an account, object or target with a claim",
				`update applications set instance = 'ELSEWHERE' where id = {application}`,
				"its names stay",
			},
			{
				"rename an account, object or target with a claim",
				`update applications set connector = 'manual' where id = {application}`,
				"its names stay",
			},
			{"rename an account, object or target with a claim", `update entitlements set instance = 'ELSEWHERE'`, denied},
			{"move an account to another person", `update accounts set person_id = {mallory}`, denied},
			{
				"move an account to another person",
				`insert into accounts (id, person_id, instance, account) overriding system value values (99999, {mallory}, 'CRM', 'x')`,
				denied,
			},
			{"read questions, answers or open forms", `select from questions`, denied},
			{"read questions, answers or open forms", `select from question_answers`, denied},
			{"read questions, answers or open forms", `select from form_drafts`, denied},
		},
	},
	"accessbot_auditor": {
		may: []power{
			{"read everything except open forms, including reasons and notes", `select note from access_requests`, readOnly},
			{"read everything except open forms, including reasons and notes", `select reason from decisions`, readOnly},
			{"read everything except open forms, including reasons and notes", `select text from question_answers`, readOnly},
			{"read everything except open forms, including reasons and notes", `select details from audit_events`, readOnly},
		},
		mayNot: []power{
			{"read open forms", `select from form_drafts`, denied},
			{"write", `insert into audit_events (actor, action) values ('worker', 'x')`, denied},
			{"write", `update people set name = 'x'`, denied},
		},
	},
}

const forgedRequest = `insert into access_requests (view_id, requester_id, access_like, time_zone, reason_key, policy_version, ends_at)
	select 'W', {ann}, 'custom', 'UTC', 'project', max(version), null from policies`

func forgedDecision(by string) string {
	return `insert into decisions (item_id, approval_id, decided_by, outcome, basis, policy_version, terms, ends_at)
		select {item}, {approval}, ` + by + `, 'approve', 'x', policy_version, request_terms(id), ends_at from access_requests where id = {request}`
}

func forgedClaim(source, givenAt, dueAt string) string {
	return fmt.Sprintf(
		`insert into claims (person_id, account_id, entitlement_id, source, granted_at, due_at) values ({ann}, {account of ann}, {third}, '%s', %s, %s)`,
		source,
		givenAt,
		dueAt,
	)
}

func approvedClaim(endsAt, dueAt string) string {
	return `insert into claims (person_id, account_id, entitlement_id, source, item_id, ends_at, due_at)
		select r.requester_id, i.account_id, i.entitlement_id, 'request', i.id, ` + endsAt + `, ` + dueAt + `
		  from request_items i join access_requests r on r.id = i.request_id where i.id = {approved item}`
}

func TestSecurityDocs(t *testing.T) {
	t.Run("each credential can do what the docs say and nothing else", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		bea, mallory := a.Person("Bea"), a.Person("Mallory")
		application := schematest.Value[int64](a.World, `select application_id from entitlements where id = $1`, a.entitlements[0])
		third := a.Entitlement(application, "third")
		other := a.Request(bea, time.Hour, a.entitlements...)
		a.Approve(a.owen, other)
		claim := a.given(other.Items[0])
		ended := a.Request(mallory, time.Hour, a.entitlements[0])
		a.Approve(a.owen, ended)
		endedClaim := a.given(ended.Items[0])
		a.Do(`update claims set ended_at = app_now(), removed_at = app_now(), due_at = null where id = $1`, endedClaim)
		a.Do(`update request_items set state = 'ended' where id = $1`, ended.Items[0])
		closed := schematest.Value[int64](
			a.World,
			`update approvals set state = 'decided', closed_at = app_now() where request_id = $1 returning id`,
			other.ID,
		)
		a.Do(`insert into form_drafts (view_id, person_id, time_zone) values ('V', $1, 'UTC')`, a.ann)
		a.Do(`insert into slack_identities (team_id, user_id, person_id, basis) values ('T', 'UOWEN', $1, 'directory')`, a.owen)
		names := []string{}
		for name, id := range map[string]int64{
			"ann": a.ann, "owen": a.owen, "mallory": mallory, "application": application, "claimed": a.entitlements[0], "third": third,
			"account of ann": a.Account(a.ann, third), "account of bea": a.Account(bea, third),
			"request": a.asked.ID, "item": a.asked.Items[0], "approval": a.approval, "closed approval": closed,
			"approved item": other.Items[1], "granted item": other.Items[0], "claim": claim, "ended item": ended.Items[0], "ended claim": endedClaim,
			"imported claim": a.Imported(mallory, third),
			"question":       schematest.Value[int64](a.World, `insert into questions (request_id, asked_by, text) values ($1, $2, 'x') returning id`, a.asked.ID, a.olga),
			"task":           schematest.Value[int64](a.World, `insert into manual_tasks (account_id, entitlement_id, held) values ($1, $2, true) returning id`, a.Account(bea, third), third),
		} {
			names = append(names, "{"+name+"}", fmt.Sprint(id))
		}
		fill := strings.NewReplacer(names...)
		for _, role := range programRoles {
			db := a.asRole(role)
			try := func(t *testing.T, p power) {
				t.Helper()
				tx, err := db.Beginx()
				require.NoError(t, err)
				defer tx.Rollback() //nolint:errcheck // that is what it is for
				if _, err = tx.Exec(fill.Replace(p.statement)); p.refusal == "" {
					assert.NoError(t, err, "%s: %s", p.says, p.statement)
				} else {
					assert.ErrorContains(t, err, p.refusal, "%s: %s", p.says, p.statement)
				}
			}
			t.Run(role+" may do what the docs say, and no more", func(t *testing.T) {
				row := docsRow(t, role)
				assert.ElementsMatch(
					t,
					strings.Split(row[1], "; "),
					said(powers[role].may),
					"what docs/security.md says that it may, and what is tested",
				)
				assert.ElementsMatch(
					t,
					strings.Split(row[2], "; "),
					said(powers[role].mayNot),
					"what docs/security.md says that it may not, and what is tested",
				)
				for _, p := range powers[role].may {
					try(t, power{p.says, p.statement, ""})
				}
				for _, p := range powers[role].mayNot {
					require.NotEmpty(t, p.refusal, p.says)
					try(t, p)
				}
			})
		}
	})

	// Tries every column of every table as each role, so that a new or lost right fails here until the docs list it.
	t.Run("each role has the rights that the docs list", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		var columns []struct {
			Table  string `db:"table"`
			Column string `db:"column"`
			Type   string `db:"type"`
		}
		require.NoError(t, w.Select(&columns, `
		select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type
		  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') order by c.relname, a.attnum`))
		var sequences, roles []string
		require.NoError(
			t,
			w.Select(&sequences, `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'S'`),
		)
		require.NoError(t, w.Select(&roles, `select rolname from pg_roles where rolname in (select grantee::regrole::text
		from pg_class c, aclexplode(c.relacl) where c.relnamespace = 'public'::regnamespace and grantee <> 0 and grantee <> c.relowner)`))
		assert.ElementsMatch(t, programRoles, roles, "roles with rights")
		var actual []string
		for _, role := range programRoles {
			db, err := schema.Open(w.RoleURL(role), 1)
			require.NoError(t, err)
			t.Cleanup(func() { _ = db.Close() }) // the test is over
			may := func(statement string) bool {
				tx, err := db.Beginx()
				require.NoError(t, err)
				defer tx.Rollback() //nolint:errcheck // that is what it is for
				_, err = tx.Exec(statement)
				if pq.As(err, pqerror.InsufficientPrivilege) != nil {
					return false
				}
				require.NoError(t, err, "%s: %s", role, statement)
				return true
			}
			row := map[string][3][]string{} // insert, update, delete
			for n, c := range columns {
				r := row[c.Table]
				if may(fmt.Sprintf(`insert into %q (%q) overriding system value select null::%s where false`, c.Table, c.Column, c.Type)) {
					r[0] = append(r[0], c.Column)
				}
				if may(fmt.Sprintf(`update %q set %q = default where false`, c.Table, c.Column)) {
					r[1] = append(r[1], c.Column)
				}
				if n == 0 || columns[n-1].Table != c.Table {
					if may(fmt.Sprintf(`delete from %q where false`, c.Table)) {
						r[2] = []string{"yes"}
					}
					assert.False(t, may(fmt.Sprintf(`truncate %q cascade`, c.Table)), "%s: truncate %s", role, c.Table)
					assert.False(
						t,
						may(
							fmt.Sprintf(
								`create trigger forged before insert on %q for each row execute function suppress_redundant_updates_trigger()`,
								c.Table,
							),
						),
						"%s: a trigger on %s",
						role,
						c.Table,
					)
				}
				row[c.Table] = r
			}
			for _, table := range slices.Sorted(maps.Keys(row)) {
				if r := row[table]; len(r[0])+len(r[1])+len(r[2]) > 0 {
					actual = append(
						actual,
						docsLine(role, "`"+table+"`", strings.Join(r[0], ", "), strings.Join(r[1], ", "), strings.Join(r[2], "")),
					)
				}
			}
			if f := schematest.Value[string](w, `
			select coalesce(string_agg(proname, ', ' order by proname), '') from pg_proc
			 where pronamespace = 'public'::regnamespace and prosecdef and has_function_privilege($1, oid, 'execute')
			   and proname not in ('app_now', 'request_terms')`, role); f != "" {
				actual = append(actual, docsLine(role, "functions", f, "", ""))
			}
			for _, s := range sequences {
				assert.False(t, may(fmt.Sprintf(`select nextval('public.%q')`, s)), "%s: nextval %s", role, s)
				assert.False(t, may(fmt.Sprintf(`select setval('public.%q', 1)`, s)), "%s: setval %s", role, s)
			}
			assert.False(t, may(`create table public.forged ()`), role)
			assert.False(t, may(`create schema forged`), role)
			assert.False(t, may(`alter table people disable trigger all`), role)
			assert.False(t, may(`set session_replication_role = replica`), role)
			assert.False(t, may(`set role postgres`), role)
		}
		assert.Zero(t, schematest.Value[int](w, `select count(*) from pg_roles r where rolname like 'accessbot\_%' and rolname = any($1)
		and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls or exists (select from pg_auth_members m where m.member = r.oid))`,
			pq.Array(programRoles)), "roles with attributes or memberships")
		var documented []string
		for _, r := range docsTable(t, "| role | table |") {
			documented = append(documented, docsLine(strings.Trim(r[0], "`"), r[1], r[2], r[3], r[4]))
		}
		assert.Equal(
			t,
			strings.Join(actual, "\n"),
			strings.Join(documented, "\n"),
			"the table of rights in docs/security.md should be:\n%s",
			strings.Join(actual, "\n"),
		)
	})
}

// said returns the distinct phrases of powers.
func said(powers []power) (phrases []string) {
	for _, p := range powers {
		if !slices.Contains(phrases, p.says) {
			phrases = append(phrases, p.says)
		}
	}
	return phrases
}

// docsRow returns the cells of a role's row in the docs.
func docsRow(t *testing.T, role string) []string {
	t.Helper()
	for _, row := range docsTable(t, "| credential |") {
		if row[0] == "`"+role+"`" {
			return row
		}
	}
	t.Fatalf("docs/security.md has no row for %s", role)
	return nil
}

// docsTable reads the rows of the table in docs/security.md with this header.
func docsTable(t *testing.T, header string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile("../docs/security.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "\n"+header)
	require.True(t, found, "docs/security.md has no table %s", header)
	for n, line := range strings.Split(table, "\n") {
		if n < 2 { // the header and the line below it
			continue
		}
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

func docsLine(role, table, insert, update, remove string) string {
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |", role, table, insert, update, remove)
}
