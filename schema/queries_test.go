package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/policy"
	"accessbot/schema/schematest"
)

// plans collects the plans of all statements of one connection.
type plans struct {
	*schema.DB
	mutex sync.Mutex
	seen  []string
}

// anyRow drops ErrNotFound: how a query finds its rows matters, not whether there are any.
func anyRow(err error) error {
	if errors.Is(err, schema.ErrNotFound) {
		return nil
	}
	return err
}

func newPlans(t *testing.T, url string) *plans {
	t.Helper()
	connector, err := pq.NewConnector(url)
	require.NoError(t, err)
	p := &plans{}
	db := sqlx.NewDb(sql.OpenDB(pq.ConnectorWithNoticeHandler(connector, func(n *pq.Error) {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.seen = append(p.seen, n.Message)
	})), "postgres")
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() }) // the test is over
	_, err = db.Exec(`
		load 'auto_explain';
		set auto_explain.log_min_duration = 0;
		set auto_explain.log_level = notice;
		set auto_explain.log_nested_statements = on`)
	require.NoError(t, err)
	p.DB = &schema.DB{DB: db}
	return p
}

var wholeTable = regexp.MustCompile(
	`Seq Scan on (public\.)?(claims|access_requests|request_items|approvals|approval_items|approval_candidates|decisions|stop_orders|slack_messages|people|accounts|notifications|question_answers|manual_tasks|manual_task_answers|findings|audit_events|audit_sequence)\b`,
)

// indexesOf are the partial indexes that hot queries must use: the rules' predicates must imply their conditions.
var indexesOf = map[string][]string{
	"claims that are due":             {"claims_due"},
	"requests that are due":           {"access_requests_due"},
	"messages that are due":           {"access_requests_messages"},
	"what is held there":              {"claims_held_by"},
	"access":                          {"claims_held_by"},
	"what a job title grants":         {"people_job_title", "claims_held_by"},
	"what a person offers":            {"claims_held_by"},
	"what an owner owns":              {"manual_tasks_one_open"},
	"what waits for an administrator": {"request_items_unassigned"},
	"notifications due":               {"notifications_due"},
	"people to remind":                {"notifications_reminders"},
}

// unused are those of the indexes that no plan since the last call of readWhole uses.
func (p *plans) unused(indexes []string) []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return slices.DeleteFunc(slices.Clone(indexes), func(index string) bool {
		return slices.ContainsFunc(p.seen, func(plan string) bool {
			return strings.Contains(plan, " using "+index+" ") || strings.Contains(plan, "Index Scan on "+index+" ")
		})
	})
}

// readWhole returns the plans since the last call that scan a growing table sequentially.
func (p *plans) readWhole(t *testing.T) []string {
	t.Helper()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	require.NotEmpty(t, p.seen, "no plans were told")
	var bad []string
	for _, plan := range p.seen {
		if wholeTable.MatchString(plan) {
			bad = append(bad, plan)
		}
	}
	p.seen = nil
	return bad
}

func TestQueries(t *testing.T) {
	t.Parallel()
	t.Run("queries of a running system read no whole tables", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		// Two thousand people with ten claims each, five thousand requests, almost all of them completed.
		w.Do(`
		set session_replication_role = replica;
		insert into people (email, name, status, manager_id) select 'p' || n || '@example.com', 'P' || n, 'active', case when n > 1 then greatest(1, n / 10) end from generate_series(1, 2000) n;
		update people set administrator = true where id in (1000, 1001);
		insert into applications (slug, name, connector, instance) select 'app' || n, 'App ' || n, 'fake', 'I' || n from generate_series(1, 5) n;
		insert into entitlements (application_id, instance, key, name, kind, risk, target)
		select 1 + n % 5, 'I' || (1 + n % 5), 'k' || n, 'K' || n, 'role', 'low', 't' || n from generate_series(1, 200) n;
		insert into application_owners select a, 10 * a from generate_series(1, 5) a;
		insert into accounts (person_id, instance, account) select p, 'I' || i, 'p' || p from generate_series(1, 2000) p, generate_series(1, 5) i;
		insert into access_requests (view_id, requester_id, access_like, time_zone, reason_key, due_at, messages_due_at, completed_at)
		select 'V' || n, 1 + n % 2000, 'custom', 'UTC', 'project', null, null, app_now() from generate_series(1, 5000) n;
		insert into request_items (request_id, entitlement_id, account_id, state)
		select r.id, e.id, a.id, 'active' from access_requests r
		  cross join lateral (select id, instance from entitlements where id in (1 + r.id % 200, 1 + (r.id + 77) % 200)) e
		  join accounts a on a.person_id = r.requester_id and a.instance = e.instance;
		insert into approvals (request_id, application_id, policy_version, state, closed_at) select id, 1, 1, 'decided', app_now() from access_requests;
		insert into approval_items select a.id, i.id from approvals a join request_items i using (request_id);
		insert into approval_candidates (approval_id, person_id, position, asked_at, basis) select a.id, 1 + a.id % 2000, 1, app_now(), 'manager' from approvals a;
		insert into delegations (person_id, delegate_id, starts_at, ends_at) select id, id % 2000 + 1, app_now(), app_now() + interval '1 day' from people where id % 3 = 0 and id < 1999;
		insert into decisions (item_id, approval_id, decided_by, outcome, basis, policy_version, terms)
		select item_id, approval_id, 1, 'approve', 'manager', 1, 'x' from approval_items;
		insert into claims (person_id, account_id, entitlement_id, source, item_id, granted_at)
		select a.person_id, a.id, i.entitlement_id, 'request', i.id, app_now() from request_items i join accounts a on a.id = i.account_id;
		insert into claims (person_id, account_id, entitlement_id, source, granted_at, ended_at, removed_at)
		select a.person_id, a.id, e.id, 'imported', app_now(), app_now(), app_now()
		  from accounts a join entitlements e on e.instance = a.instance where (a.id + e.id) % 40 = 0;
		insert into slack_messages (request_id, person_id, kind, channel, ts, digest) select id, requester_id, 'card', 'D', id::text, 'x' from access_requests;
		insert into notifications (kind, person_id, opened_at, messages_due_at) select 'reminder', 1 + n % 2000, app_now() - n * interval '1 minute', null from generate_series(1, 5000) n;
		insert into manual_tasks (account_id, entitlement_id, held, closed_at, outcome)
		select distinct on (c.account_id, c.entitlement_id) c.account_id, c.entitlement_id, true, case when c.person_id % 97 > 0 then app_now() end, case when c.person_id % 97 > 0 then 'done' end
		  from claims c where c.item_id is not null;
		insert into manual_task_answers (manual_task_id, person_id, done) select id, 1, true from manual_tasks where outcome = 'done';
		insert into notifications (kind, application_id, manual_task_id, messages_due_at) select 'manual_task', e.application_id, t.id, null from manual_tasks t join entitlements e on e.id = t.entitlement_id;
		insert into findings (instance, entitlement_id, account, account_id, kind, notification_id, gone_at)
		select a.instance, e.id, a.account, a.id, 'missing', 1, case when a.person_id % 97 > 0 then app_now() end from accounts a join entitlements e on e.instance = a.instance where (a.person_id + e.id) % 40 = 0;
		insert into job_titles (name) select 'T' || n from generate_series(1, 100) n;
		update people set job_title_id = 1 + id % 100;
		insert into job_title_entitlements select t, e from generate_series(1, 50) t, generate_series(1, 100) e;
		insert into stop_orders (item_id, person_id, kind) select id, 1, 'removed_by_holder' from request_items where id % 5 = 0;
		update access_requests set due_at = app_now(), messages_due_at = app_now() where id % 500 = 0;
		update claims set due_at = app_now() where id % 1000 = 0;
		insert into questions (request_id, asked_by, text) select id, 1 + (requester_id + 1) % 2000, 'What for?' from access_requests where id <> 4000;
		insert into question_answers (question_id, answered_by, text) select e.id, r.requester_id, 'A report' from questions e join access_requests r on r.id = e.request_id;
		insert into audit_events (actor, action, request_id) select 'worker', 'access.granted', 1000 + n from generate_series(1, 5000) n;
		-- Request 4000 is open, and another person than its requester has its approval message.
		update approval_candidates set person_id = 78 where approval_id = (select id from approvals where request_id = 4000);
		delete from decisions where item_id in (select id from request_items where request_id = 4000);
		delete from stop_orders where item_id in (select id from request_items where request_id = 4000);
		delete from claims where item_id in (select id from request_items where request_id = 4000);
		update request_items set state = 'awaiting_approval', problem = case when id % 2 = 0 then 'no_approver' else '' end where request_id = 4000;
		update approvals set state = 'open', closed_at = null, level = 1 where request_id = 4000;
		insert into slack_messages (request_id, person_id, kind, channel, ts, digest)
		select a.request_id, c.person_id, 'approval', 'D', 'q', 'x' from approvals a join approval_candidates c on c.approval_id = a.id where a.request_id = 4000;
		-- What the requester of 4100 ever asked for is over.
		update request_items set state = 'revoked' where request_id in (select id from access_requests where requester_id = (select requester_id from access_requests where id = 4100));
		update claims set ended_at = app_now(), removed_at = app_now() where person_id = (select requester_id from access_requests where id = 4100);
		set session_replication_role = origin;
		analyze`)
		require.GreaterOrEqual(t, schematest.Value[int](w, `select count(*) from claims`), 19_990)

		ctx := context.Background()
		p := newPlans(t, w.URL)
		const request = 3000
		item := schematest.Value[int64](w, `select min(id) from request_items where request_id = $1`, request)
		claim := schematest.Value[int64](w, `select id from claims where item_id = $1`, item)
		var asked []string
		for name, query := range map[string]func() error{
			"access": func() error { _, _, err := schema.AccessOf(ctx, p, 77, 10, 0); return err },
			"what a job title grants": func() error {
				_, err := p.Exec(`select granted_by_job_title(78, 77)`)
				return err
			},
			"what a person offers": func() error {
				_, err := p.Exec(schema.OfferQuery(schema.Offer{Mode: schema.LikePerson}), 77, 78)
				return err
			},
			"notifications due":     func() error { _, err := schema.DueNotifications(ctx, p, 0, 10); return err },
			"claims that are due":   func() error { _, err := schema.DueClaims(ctx, p, 200); return err },
			"requests that are due": func() error { _, err := schema.DueRequests(ctx, p, 0, time.Minute, time.Hour, 200); return err },
			"messages that are due": func() error { _, err := schema.DueMessages(ctx, p, 0, 50); return err },
			"a request, whole":      func() error { _, err := schema.RequestByID(ctx, p, request); return err },
			"who might decide": func() error {
				_, _, err := schema.ApproverFacts(ctx, p, 78, 77, []int64{1, 2, 3}, []policy.Source{"p77@example.com"})
				return err
			},
			"what the policy evaluates": func() error {
				_, err := schema.SubjectsFor(ctx, p, 78, []int64{1, 2, 3}, time.Hour, "project")
				return err
			},
			"what an owner owns": func() error {
				for _, person := range []int64{20, 1000, 77} { // an owner, an administrator, neither
					tasks, many, err := schema.TasksFor(ctx, p, person, 5, 0)
					if err != nil {
						return err
					}
					findings, differ, err := schema.FindingsFor(ctx, p, person, 5, 0)
					if err != nil {
						return err
					}
					if some := person != 77; some != (many > 0) || some != (differ > 0) || len(tasks) != min(many, 5) || len(findings) != min(differ, 5) {
						return fmt.Errorf("person %d: %d of %d tasks, %d of %d drifts", person, len(tasks), many, len(findings), differ)
					}
				}
				return nil
			},
			"the policy": func() error { _, _, err := schema.CurrentPolicy(ctx, p); return err },
			"who is a delegate": func() error {
				_, _, err := schema.DelegationOf(ctx, p, 77)
				if err != nil {
					return err
				}
				if _, err := schema.OfficeOf(ctx, p, schema.Person{ID: 77}); err != nil {
					return err
				}
				if _, _, err := schema.RevocableAccess(ctx, p, 77, 78, 15, 0); err != nil {
					return err
				}
				_, err = p.Delegate(ctx, schema.Delegation{PersonID: 78, DelegateID: sql.NullInt64{Int64: 79, Valid: true}, StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour)})
				return err
			},
			"an approval that moves": func() error {
				return p.InTx(ctx, func(tx *sqlx.Tx) error {
					_, err := schema.OpenApproval(ctx, tx, schema.NewApproval{RequestID: request, ApplicationID: 1, PolicyVersion: 1, Items: []int64{item}, Stage: 1, Stages: 1,
						Answer: policy.Answer{Candidates: []policy.Candidate{{PersonID: 1 + request%2000}, {PersonID: 78}}, RequiredApprovals: 1}, AskNow: 3})
					return err
				})
			},
			"sealing the audit": func() error { return p.SealAudit(ctx, func(schema.Seal) {}) },
			"people to remind": func() error {
				if _, err := schema.RemindersOf(ctx, p, request); err != nil {
					return err
				}
				if err := p.InTx(ctx, func(tx *sqlx.Tx) error {
					_, err := schema.Remind(ctx, tx, request, []int64{77, 78}, time.Hour)
					return err
				}); err != nil {
					return err
				}
				_, _, err := schema.WaitingToRemind(ctx, p, 77, 10)
				return err
			},
			"asking the requester": func() error {
				var approvalMessage struct {
					ID       int64 `db:"id"`
					PersonID int64 `db:"person_id"`
				}
				if err := w.Get(&approvalMessage, `select id, person_id from slack_messages where kind = 'approval'`); err != nil {
					return err
				}
				asked, err := p.AskQuestion(ctx, approvalMessage.ID, approvalMessage.PersonID, "What for?")
				if err != nil {
					return err
				}
				question := schematest.Value[int64](w, `select id from questions where request_id = $1`, asked.ID)
				if _, _, err := schema.QuestionFor(ctx, p, question, asked.RequesterID); err != nil {
					return err
				}
				_, err = p.AnswerQuestion(ctx, question, asked.RequesterID, "A report")
				return err
			},
			"what is asked for again": func() error {
				requester := schematest.Value[int64](w, `select requester_id from access_requests where id = 4100`)
				draft, err := p.OpenEarlier(ctx, schema.Again, "VAgain", "", requester, "UTC", 4100)
				if err != nil {
					return err
				}
				require.Len(t, draft.Offered, 2)
				if _, err := draft.Offer().AlreadyRequested(ctx, p, 10); err != nil {
					return err
				}
				_, err = draft.Offer().WithoutAccount(ctx, p)
				return err
			},
			"what waits for an administrator": func() error {
				lines, _, err := schema.WaitingFor(ctx, p, 1000, 10, 0)
				require.Len(t, lines, 1)
				require.Equal(t, 1, lines[0].NoApprover)
				return err
			},
			"a quota": func() error {
				_, err := p.Submit(ctx, schema.Submission{ViewID: "none", PersonID: 77, Quota: schema.Quota{Open: 50, PerMinute: 10}})
				if errors.Is(err, schema.ErrNotFound) {
					err = nil // there is no draft; the statements before are what counts
				}
				return err
			},
			"what is held there":    func() error { _, err := schema.HeldInEach(ctx, p, 77, []int64{1, 2}, 10); return err },
			"a copy of an approval": func() error { _, err := schema.ApprovalMessageSent(ctx, p, request, 77, "approval 1"); return err },
			"a request's messages":  func() error { _, err := schema.MessagesOf(ctx, p, request); return err },
			"owners":                func() error { _, err := schema.OwnersToNotify(ctx, p, []int64{item}); return err },
			"found before":          func() error { _, err := schema.UnexpectedBefore(ctx, p, request); return err },
			"held for longer":       func() error { _, err := schema.HeldLonger(ctx, p, request); return err },
			"overdue":               func() error { _, err := schema.Overdue(ctx, p, request); return err },
			"a summary":             func() error { _, err := schema.SummaryOf(ctx, p, request); return err },
			"the latest decision":   func() error { _, err := schema.LatestDecision(ctx, p, request); return anyRow(err) },
			"the latest stop order": func() error { _, err := schema.LatestStopOrder(ctx, p, request); return anyRow(err) },
			"administrators to tell": func() error {
				_, err := schema.AdministratorsToTell(ctx, p, []schema.Item{{Administrators: []int64{1000, 1001}}})
				return err
			},
			"a claim":    func() error { _, err := schema.ClaimForRun(ctx, p, claim); return err },
			"an address": func() error { _, err := schema.AddressOf(ctx, p, 77); return err },
			"an assignment": func() error {
				assignment, err := schema.AssignmentOfItem(ctx, p, item)
				if err != nil {
					return err
				}
				conn, err := p.Connx(ctx)
				if err != nil {
					return err
				}
				defer conn.Close() // back to the pool
				if _, err := schema.PlanAssignment(ctx, conn, assignment, true); err != nil {
					return err
				}
				if err := schema.MarkDoubtful(ctx, conn, assignment); err != nil {
					return err
				}
				_, err = schema.RecordAssignment(ctx, conn, assignment, true)
				return err
			},
			"revoke a claim as an administrator": func() error {
				listed := schematest.Value[int64](w, `select max(id) from claims where person_id = 77 and revoked_at is null and ended_at is null`)
				if _, _, err := schema.RevocableClaim(ctx, p, listed, 1000); err != nil {
					return err
				}
				_, err := p.RevokeAccess(ctx, listed, 1000, "moved")
				return err
			},
			"a leaver, whose claim is revoked": func() error {
				if _, err := p.Exec(`update people set status = 'left' where id = 80`); err != nil {
					return err
				}
				_, err := p.RevokeLeaversClaim(ctx, schematest.Value[int64](w, `select min(id) from claims where person_id = 80 and ended_at is null`))
				return err
			},
		} {
			require.NoError(t, query(), name)
			assert.Empty(t, p.unused(indexesOf[name]), "partial indexes that %q does not use", name)
			asked = append(asked, name)
			for _, plan := range p.readWhole(t) {
				assert.Fail(t, name, plan)
			}
		}
		assert.Subset(t, asked, slices.Collect(maps.Keys(indexesOf)))
	})

	t.Run("due claims are the longest overdue of each target", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		crm, wiki := w.Entitlement(w.Application("crm"), "admin"), w.Entitlement(w.Application("wiki"), "admin")
		var crms []int64
		for n := range 5 {
			person := w.Person("P" + strings.Repeat("x", n+1))
			crms = append(crms, w.Imported(person, crm))
			w.Do(`update claims set due_at = app_now() - $1 * interval '1 minute' where id = $2`, 10-n, crms[n])
		}
		ann := w.Person("Ann")
		last, later := w.Imported(ann, wiki), w.Imported(w.Person("Bea"), wiki)
		w.Do(`update claims set due_at = app_now() where id = $1`, last)
		w.Do(`update claims set due_at = app_now() + interval '1 minute' where id = $1`, later)
		claims, err := schema.DueClaims(context.Background(), w.Worker, 3)
		require.NoError(t, err)
		var ids []int64
		for _, c := range claims {
			ids = append(ids, c.ID)
		}
		assert.Equal(t, []int64{crms[0], crms[1], crms[2], last}, ids, "a target with many does not fill the list")
		assert.Equal(
			t,
			schema.Assignment{
				AccountID:     w.Account(ann, wiki),
				EntitlementID: wiki,
				PersonID:      ann,
				Connector:     "fake",
				Instance:      "WIKI",
				Account:       "ann",
				Object:        "wiki/admin",
			},
			claims[3].Assignment,
		)
		assert.False(t, claims[3].HolderLeft)
	})

	t.Run("claim that is no longer due is not postponed", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		claim := w.Imported(w.Person("Ann"), w.Entitlement(w.Application("crm"), "admin"))
		require.NoError(t, schema.PostponeClaim(context.Background(), w.Worker, claim, time.Minute))
		assert.True(t, schematest.Value[bool](w, `select due_at is null and attempts = 0 from claims`))
		w.Do(`update claims set due_at = app_now()`)
		require.NoError(t, schema.PostponeClaim(context.Background(), w.Worker, claim, time.Minute))
		assert.True(t, schematest.Value[bool](w, `select due_at > app_now() and attempts = 1 from claims`))
	})

	t.Run("concurrent sweeps share due requests", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		crm := w.Entitlement(w.Application("crm"), "admin")
		for _, name := range []string{"Ann", "Bea", "Cleo", "Dan"} {
			w.Request(w.Person(name), 0, crm)
		}
		w.Shift(time.Minute)
		seen := make(chan int64, 100)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				ids, err := schema.DueRequests(context.Background(), w.Worker, 0, time.Hour, time.Hour, 2)
				assert.NoError(t, err)
				for _, id := range ids {
					seen <- id
				}
			})
		}
		group.Wait()
		close(seen)
		var ids []int64
		for id := range seen {
			assert.NotContains(t, ids, id, "woken twice")
			ids = append(ids, id)
		}
		assert.NotEmpty(t, ids)
	})

	t.Run("messages that change during a sync stay due", func(t *testing.T) {
		t.Parallel()
		ctx := context.Background()
		w := schematest.NewWorld(t)
		asked := w.Request(w.Person("Ann"), 0, w.Entitlement(w.Application("crm"), "admin"))
		r, err := schema.RequestByID(ctx, w.Worker, asked.ID)
		require.NoError(t, err)
		w.Do(`update access_requests set messages_due_at = app_now()`)
		done, err := schema.MessagesSynced(ctx, w.Worker, asked.ID, r.MessagesDueAt, 0)
		require.NoError(t, err)
		assert.False(t, done)
		r, err = schema.RequestByID(ctx, w.Worker, asked.ID)
		require.NoError(t, err)
		done, err = schema.MessagesSynced(ctx, w.Worker, asked.ID, r.MessagesDueAt, time.Minute)
		require.NoError(t, err)
		assert.True(t, done)
		assert.True(t, schematest.Value[bool](w, `select messages_due_at > app_now() from access_requests`))
	})

	t.Run("unknown ID is not found", func(t *testing.T) {
		t.Parallel()
		ctx := context.Background()
		w := schematest.NewWorld(t)
		for name, look := range map[string]func() error{
			"request":  func() error { _, err := schema.RequestByID(ctx, w.Worker, 1); return err },
			"summary":  func() error { _, err := schema.SummaryOf(ctx, w.Worker, 1); return err },
			"decision": func() error { _, err := schema.LatestDecision(ctx, w.Worker, 1); return err },
			"order":    func() error { _, err := schema.LatestStopOrder(ctx, w.Worker, 1); return err },
			"seat":     func() error { _, err := schema.AssignmentOfItem(ctx, w.Worker, 1); return err },
			"of claim": func() error { _, err := schema.AssignmentOfClaim(ctx, w.Worker, 1); return err },
			"claim":    func() error { _, err := schema.ClaimForRun(ctx, w.Worker, 1); return err },
			"person":   func() error { _, err := schema.PersonByID(ctx, w.Worker, 1); return err },
			"e-mail":   func() error { _, err := schema.PersonByEmail(ctx, w.Worker, "unknown@example.com"); return err },
			"address":  func() error { _, err := schema.AddressOf(ctx, w.Worker, 1); return err },
			"failing":  func() error { return w.Worker.FailItem(ctx, 1, schema.Problem{Code: schema.NotApproved}, false) },
		} {
			assert.ErrorIs(t, look(), schema.ErrNotFound, name)
		}
	})
}
