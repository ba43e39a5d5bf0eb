package schema_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// asking is a request by Ann for two entitlements of an application that Owen and Olga own. Both were asked.
type asking struct {
	*schematest.World
	t               *testing.T
	ann, owen, olga int64
	entitlements    []int64
	asked           schematest.Asked
	approval        int64
}

func newAsking(t *testing.T, lasts time.Duration) asking {
	t.Helper()
	t.Parallel()
	w := schematest.NewWorld(t)
	a := asking{World: w, t: t, ann: w.Person("Ann"), owen: w.Person("Owen"), olga: w.Person("Olga")}
	crm := w.Application("crm", a.owen, a.olga)
	a.entitlements = []int64{w.Entitlement(crm, "reader"), w.Entitlement(crm, "admin")}
	a.asked = w.Request(a.ann, lasts, a.entitlements...)
	a.approval = w.Ask(a.asked, a.asked.Items, a.owen, a.olga)
	return a
}

// copyFor makes a person's approval message, which shows items as open, and an answer that approves them.
func (a asking) copyFor(person int64, items ...int64) schema.Answer {
	a.t.Helper()
	ctx := context.Background()
	terms := schematest.Value[string](a.World, `select request_terms($1)`, a.asked.ID)
	m, err := schema.ReserveMessage(
		ctx,
		a.Worker,
		schema.Message{RequestID: a.asked.ID, PersonID: person, Kind: "approval", ItemIDs: items, Terms: terms},
	)
	require.NoError(a.t, err)
	return schema.Answer{MessageID: m.ID, PersonID: person, Terms: terms, Approve: true}
}

func denial(answer schema.Answer) schema.Answer {
	answer.Approve, answer.Reason = false, "not needed"
	return answer
}

func (a asking) decisions() int {
	return schematest.Value[int](a.World, `select count(*) from decisions`)
}

// refused asserts that an answer is refused with this error, records no decision, and is audited as an alert.
func (a asking) refused(answer schema.Answer, why error) {
	a.t.Helper()
	before, alerts := a.decisions(), a.Alerts(schema.DecisionRefused)
	_, err := a.SlackApp.Decide(context.Background(), answer)
	require.ErrorIs(a.t, err, why)
	assert.Equal(a.t, before, a.decisions())
	assert.Equal(a.t, alerts+1, a.Alerts(schema.DecisionRefused))
}

func TestDecision(t *testing.T) {
	t.Run("decision records decider, basis and terms", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		decided, err := a.SlackApp.Decide(context.Background(), a.copyFor(a.owen, a.asked.Items...))
		require.NoError(t, err)
		assert.ElementsMatch(t, a.asked.Items, decided.Items)
		for _, i := range decided.Request.Items {
			require.NotNil(t, i.Decision)
			assert.True(t, i.Decision.Approves())
			assert.Equal(t, "Owen", i.Decision.DeciderName)
			assert.Equal(t, "application owner", i.Decision.Basis)
			assert.Equal(t, a.approval, i.Decision.ApprovalID.Int64)
			assert.Equal(t, decided.Request.Terms, i.Decision.Terms)
			assert.Equal(t, decided.Request.EndsAt, i.Decision.EndsAt)
		}
		assert.Equal(t, 1, a.Audited(schema.DecisionRecorded))
		assert.True(
			t,
			schematest.Value[bool](a.World, `select due_at <= app_now() and messages_due_at <= app_now() from access_requests`),
			"the request is due at once",
		)
	})

	t.Run("another approver's copy decides nothing", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		answer := a.copyFor(a.owen, a.asked.Items...)
		answer.PersonID = a.olga // she may decide, with her own message
		a.refused(answer, schema.ErrNotAllowed)
	})

	t.Run("requester cannot decide their own request", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		// Even as an owner.
		a.Do(`insert into application_owners select id, $1 from applications`, a.ann)
		a.Do(`insert into approval_candidates (approval_id, person_id, position, basis) values ($1, $2, 9, 'x')`, a.approval, a.ann)
		a.refused(a.copyFor(a.ann, a.asked.Items...), schema.ErrOwnRequest)
	})

	t.Run("terms that changed after they were shown are refused", func(t *testing.T) {
		for name, change := range map[string]string{
			"the note":    `update access_requests set note = 'and the production key'`,
			"the end":     `update access_requests set ends_at = ends_at + interval '1 day'`,
			"the reason":  `update access_requests set reason_key = 'audit'`,
			"the object":  `update entitlements set target = 'crm/superuser' where key = 'reader'`,
			"the risk":    `update entitlements set risk = 'high' where key = 'reader'`,
			"the account": `update accounts set account = 'mallory'`,
		} {
			t.Run(name, func(t *testing.T) {
				a := newAsking(t, time.Hour)
				answer := a.copyFor(a.owen, a.asked.Items...)
				a.Do(change)
				a.refused(answer, schema.ErrTermsChanged)
				// The message was updated: its new button decides, the old one still does not.
				terms := schematest.Value[string](a.World, `select request_terms($1)`, a.asked.ID)
				forged := answer // the terms of the message count, not those of the button
				forged.Terms = terms
				a.refused(forged, schema.ErrTermsChanged)
				require.NoError(
					t,
					schema.OfferMessage(
						context.Background(),
						a.Worker,
						schema.Message{ID: answer.MessageID, ItemIDs: a.asked.Items, Terms: terms},
					),
				)
				a.refused(answer, schema.ErrTermsChanged)
				answer.Terms = terms
				_, err := a.SlackApp.Decide(context.Background(), answer)
				assert.NoError(t, err)
			})
		}
	})

	t.Run("approver who was deactivated is refused", func(t *testing.T) {
		for name, change := range map[string]string{
			"suspended":               `update people set status = 'suspended' where id = $1`,
			"left":                    `update people set status = 'left' where id = $1`,
			"gone from the directory": `update people set gone_at = app_now() where id = $1`,
			"no longer an owner":      `delete from application_owners where person_id = $1`,
		} {
			t.Run(name, func(t *testing.T) {
				a := newAsking(t, time.Hour)
				answer := a.copyFor(a.owen, a.asked.Items...)
				a.Do(change, a.owen)
				a.refused(answer, schema.ErrNotAllowed)
			})
		}
	})

	t.Run("item that the message did not show is not decided", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		decided, err := a.SlackApp.Decide(context.Background(), a.copyFor(a.owen, a.asked.Items[1]))
		require.NoError(t, err)
		assert.Equal(t, []int64{a.asked.Items[1]}, decided.Items)
		assert.Equal(t, 1, a.decisions())
	})

	t.Run("decision after the end is refused", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		answer := a.copyFor(a.owen, a.asked.Items...)
		a.Shift(time.Hour)
		a.refused(answer, schema.ErrEndPassed)
	})

	t.Run("decision about a withdrawn request reports the withdrawal", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		answer := a.copyFor(a.owen, a.asked.Items...)
		_, err := a.SlackApp.Withdraw(context.Background(), a.asked.ID, a.ann)
		require.NoError(t, err)
		decided, err := a.SlackApp.Decide(context.Background(), answer)
		require.NoError(t, err)
		assert.Empty(t, decided.Items)
		assert.Equal(t, schema.KindWithdrawn, decided.Request.Items[0].StopOrder.Kind)
		assert.Zero(t, a.decisions())
	})

	t.Run("denial without a reason is refused", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		answer := denial(a.copyFor(a.owen, a.asked.Items...))
		answer.Reason = ""
		_, err := a.SlackApp.Decide(context.Background(), answer)
		require.Error(t, err)
		assert.Zero(t, a.decisions())
	})

	t.Run("button of an unknown message is refused", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		a.refused(schema.Answer{MessageID: 999, PersonID: a.owen, Approve: true}, schema.ErrNotFound)
	})

	// The database repeats the checks of Go for every new decision.
	t.Run("database refuses a stage before the first", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		a.Do(`update people set administrator = true where id = $1`, a.owen)
		a.Do(`update approvals set state = 'closed', closed_at = app_now()`)
		a.Do(`update request_items set problem = 'no_approver'`)
		_, err := a.SlackApp.Exec(`
			insert into decisions (item_id, stage, stages, override, decided_by, outcome, basis, policy_version, terms, ends_at)
			select $1, 0, 1, true, $2, 'approve', 'administrator', 1, request_terms(id), ends_at from access_requests`, a.asked.Items[0], a.owen)
		require.ErrorContains(t, err, "check constraint")
	})

	t.Run("database refuses an invalid decision", func(t *testing.T) {
		for name, c := range map[string]struct {
			code     string
			arrange  func(a asking)
			by       func(a asking) int64
			approval func(a asking) int64
		}{
			"decided already": {"AB002", func(a asking) { require.NoError(a.t, a.Decide(a.olga, a.approval, "deny", a.asked.Items[0])) }, nil, nil},
			"withdrawn": {"AB003", func(a asking) {
				_, err := a.SlackApp.Withdraw(context.Background(), a.asked.ID, a.ann)
				require.NoError(a.t, err)
			}, nil, nil},
			"expired":              {"AB001", func(a asking) { a.Do(`update request_items set state = 'expired'`) }, nil, nil},
			"by the requester":     {"AB004", nil, func(a asking) int64 { return a.ann }, nil},
			"not active":           {"AB005", func(a asking) { a.Do(`update people set status = 'suspended' where id = $1`, a.owen) }, nil, nil},
			"gone":                 {"AB005", func(a asking) { a.Do(`update people set gone_at = app_now() where id = $1`, a.owen) }, nil, nil},
			"not asked":            {"AB006", nil, func(a asking) int64 { return a.Person("Eve") }, nil},
			"the approval is over": {"AB006", func(a asking) { a.Do(`update approvals set state = 'moved', closed_at = app_now()`) }, nil, nil},
			"of another request": {"AB006", nil, nil, func(a asking) int64 {
				other := a.Request(a.ann, 0, a.entitlements[0])
				return a.Ask(other, other.Items, a.owen)
			}},
			"on behalf of an approver who has approved": {"AB002", func(a asking) {
				a.Do(`update approvals set required_approvals = 2`)
				a.Do(`update approval_candidates set for_person_id = $1 where person_id = $2`, a.olga, a.owen)
				_, err := a.SlackApp.Exec(`insert into decisions (item_id, approval_id, decided_by, outcome, basis, policy_version, terms, required_approvals, ends_at)
				select $1, $2, $3, 'approve', 'x', 1, request_terms(id), 2, ends_at from access_requests`, a.asked.Items[0], a.approval, a.olga)
				require.NoError(a.t, err)
			}, nil, nil},
			"past its end": {"AB008", func(a asking) { a.Shift(time.Hour) }, nil, nil},
		} {
			t.Run(name, func(t *testing.T) {
				a := newAsking(t, time.Hour)
				by, approval := a.owen, a.approval
				if c.arrange != nil {
					c.arrange(a)
				}
				if c.by != nil {
					by = c.by(a)
				}
				if c.approval != nil {
					approval = c.approval(a)
				}
				err := a.Decide(by, approval, "approve", a.asked.Items[0])
				var e *pq.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, c.code, string(e.Code), e.Message)
			})
		}
		t.Run("other terms, and a later end", func(t *testing.T) {
			a := newAsking(t, time.Hour)
			for _, terms := range []string{`'forged', app_now()`, `request_terms(1001), app_now() + interval '2 hours'`, `request_terms(1001), null`} {
				_, err := a.SlackApp.Exec(`
				insert into decisions (item_id, approval_id, decided_by, outcome, basis, policy_version, terms, ends_at)
				values ($1, $2, $3, 'approve', 'x', 1, `+terms+`)`, a.asked.Items[0], a.approval, a.owen)
				var e *pq.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, "AB007", string(e.Code))
			}
		})
	})
}

func TestDecisionRace(t *testing.T) {
	t.Run("a hundred clicks at once are one decision", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		answer := a.copyFor(a.owen, a.asked.Items...)
		var group sync.WaitGroup
		var mutex sync.Mutex
		firsts := 0
		for range 100 {
			group.Go(func() {
				decided, err := a.SlackApp.Decide(context.Background(), answer)
				if !assert.NoError(t, err) {
					return
				}
				mutex.Lock()
				defer mutex.Unlock()
				if len(decided.Items) > 0 {
					firsts++
				} else {
					assert.Equal(t, "Owen", decided.Request.Items[0].Decision.DeciderName)
				}
			})
		}
		group.Wait()
		assert.Equal(t, 1, firsts)
		assert.Equal(t, 2, a.decisions(), "one an item")
		assert.Equal(t, 1, a.Audited(schema.DecisionRecorded))
	})

	t.Run("first of two concurrent decisions wins", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		answers := []schema.Answer{a.copyFor(a.owen, a.asked.Items...), denial(a.copyFor(a.olga, a.asked.Items...))}
		results := make([]schema.Decided, len(answers))
		var group sync.WaitGroup
		for n, answer := range answers {
			group.Go(func() {
				var err error
				results[n], err = a.SlackApp.Decide(context.Background(), answer)
				assert.NoError(t, err)
			})
		}
		group.Wait()
		first, second := results[0], results[1]
		if len(first.Items) == 0 {
			first, second = second, first
		}
		assert.Len(t, first.Items, 2)
		require.Empty(t, second.Items)
		assert.Equal(t, first.Request.Items[0].Decision, second.Request.Items[0].Decision, "the other learns who was first, and when")
		assert.Equal(t, 2, a.decisions())
	})

	t.Run("expiry and decision exclude each other", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		expiring := a.Worker.MustBegin()
		defer expiring.Rollback() //nolint:errcheck // after the commit it has nothing to do
		require.NoError(t, schema.LockRequest(context.Background(), expiring, a.asked.ID))
		require.NoError(t, schema.MoveItems(context.Background(), expiring, a.asked.Items, schema.Expired, schema.Problem{}))
		done := make(chan error, 1)
		go func() { done <- a.Decide(a.owen, a.approval, "approve", a.asked.Items[0]) }()
		require.Eventually(t, func() bool {
			return schematest.Value[int](
				a.World,
				`select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
			) > 0
		}, 10*time.Second, 2*time.Millisecond)
		require.NoError(t, expiring.Commit())
		var e *pq.Error
		require.ErrorAs(t, <-done, &e)
		assert.Equal(t, "AB001", string(e.Code))
	})
}

// atLastLevel adds an administrator, whom the approval asks at its last escalation level.
func (a asking) atLastLevel() (root int64) {
	a.t.Helper()
	root = a.Person("Root")
	a.Administrator(root)
	a.Do(`update approvals set level = 1, escalate_at = null, since = app_now() - interval '2 days' where id = $1`, a.approval)
	a.Do(`insert into approval_candidates (approval_id, person_id, position, basis, asked_at)
	      values ($1, $2, 3, 'administrator', app_now())`, a.approval, root)
	return root
}

// forEveryone is a person's answer as an administrator, who approves items for everyone.
func (a asking) forEveryone(person int64, items ...int64) schema.Answer {
	a.t.Helper()
	answer := schema.Answer{Override: true, RequestID: a.asked.ID, PersonID: person, Reason: "Owen is ill", Choice: map[int64]bool{},
		Terms: schematest.Value[string](a.World, `select request_terms($1)`, a.asked.ID)}
	for _, item := range items {
		answer.Choice[item] = true
	}
	return answer
}

// waiting is what waits for a person; RequestID 0: nothing.
func (a asking) waiting(person int64) schema.WaitingLine {
	a.t.Helper()
	lines, total, err := schema.WaitingFor(context.Background(), a.SlackApp, person, 10, 0)
	require.NoError(a.t, err)
	require.Len(a.t, lines, total)
	if total == 0 {
		return schema.WaitingLine{}
	}
	require.Len(a.t, lines, 1)
	return lines[0]
}

// moveToNoApprover closes the approval of all items, which have no approver any more.
func (a asking) moveToNoApprover() {
	a.t.Helper()
	a.Do(`update approvals set state = 'moved', closed_at = app_now() where id = $1`, a.approval)
	require.NoError(
		a.t,
		schema.MoveItems(
			context.Background(),
			a.Worker,
			a.asked.Items,
			schema.AwaitingApproval,
			schema.Problem{Code: schema.NoApprover},
		),
	)
}

// The list, the form, the recording and the database agree on who may decide for everyone.
func TestOverride(t *testing.T) {
	forge := func(a asking, root int64) error {
		_, err := a.SlackApp.Exec(`
			insert into decisions (item_id, stage, stages, required_approvals, basis, outcome, decided_by, override, policy_version, terms, ends_at)
			select $1, 1, 1, 1, 'administrator', 'approve', $2, true, policy_version, request_terms(id), ends_at from access_requests`,
			a.asked.Items[0], root)
		return err
	}
	for _, c := range []struct {
		name    string
		arrange string
		refused error // nil: they may
	}{
		{"administrator asked at the last level may decide", ``, nil},
		{"administrator is refused at the first level", `update approvals set level = 0`, schema.ErrNotAllowed},
		{"administrator is refused before the last level", `update approvals set escalate_at = app_now() + interval '1 hour'`, schema.ErrNotAllowed},
		{"administrator who is not asked is refused", `delete from approval_candidates where person_id = $1`, schema.ErrNotAllowed},
		{"administrator asked as an owner is refused", `update approval_candidates set basis = 'application owner' where person_id = $1`, schema.ErrNotAllowed},
		{"person who is no administrator is refused", `update people set administrator = false where id = $1`, schema.ErrNotAllowed},
		{"suspended administrator is refused", `update people set status = 'suspended' where id = $1`, schema.ErrNotAllowed},
		{"administrator who is gone is refused", `update people set gone_at = app_now() where id = $1`, schema.ErrNotAllowed},
		{"requester is refused", `update access_requests set requester_id = $1`, schema.ErrOwnRequest},
		{"submitter is refused", `update access_requests set submitted_by = $1`, schema.ErrOwnRequest},
		{"administrator who has voted is refused", `
			insert into decisions (item_id, approval_id, decided_by, outcome, basis, policy_version, terms, ends_at, required_approvals)
			select i.id, a.id, $1, 'approve', 'administrator', r.policy_version, request_terms(r.id), r.ends_at, 2
			  from access_requests r join request_items i on i.request_id = r.id
			  join approvals a on a.request_id = r.id and a.required_approvals = 2`, schema.ErrNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAsking(t, time.Hour)
			root := a.atLastLevel()
			a.Do(`update approvals set required_approvals = 2`)
			arrange := func() {
				if strings.Contains(c.arrange, "$1") {
					a.Do(c.arrange, root)
				} else if c.arrange != "" {
					a.Do(c.arrange)
				}
			}
			arrange()
			request, err := schema.RequestByID(context.Background(), a, a.asked.ID)
			require.NoError(t, err)
			if c.refused != nil {
				assert.Empty(t, request.OverridableBy(root))
				assert.Zero(t, a.waiting(root).Overridable)
				a.refused(a.forEveryone(root, a.asked.Items...), c.refused)
				require.Error(t, forge(a, root))
				return
			}
			assert.Equal(
				t,
				[]int{2, 2, 0},
				[]int{len(request.OverridableBy(root)), a.waiting(root).Overridable, a.waiting(root).NoApprover},
			)
			require.NoError(t, forge(a, root))
		})
	}

	t.Run("administrator may decide what has no approver, and others may not", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		a.moveToNoApprover()
		root, requester, submitter := a.Person("Root"), a.ann, a.Person("Sam")
		for _, person := range []int64{root, requester, submitter} {
			a.Administrator(person)
		}
		a.Do(`update access_requests set submitted_by = $1`, submitter)
		for _, person := range []int64{requester, submitter} {
			assert.Zero(t, a.waiting(person))
			a.refused(a.forEveryone(person, a.asked.Items...), schema.ErrOwnRequest)
			require.Error(t, forge(a, person))
		}
		assert.Zero(t, a.waiting(a.owen))
		a.refused(a.forEveryone(a.owen, a.asked.Items...), schema.ErrNotAllowed)
		line := a.waiting(root)
		assert.Equal(t, []int{2, 2, 2}, []int{line.Items, line.Overridable, line.NoApprover})
		assert.False(t, line.Since.Valid)
		lines, _, err := schema.WaitingToRemind(context.Background(), a.Worker, root, 10)
		require.NoError(t, err)
		assert.Empty(t, lines, "not asked, so not reminded")
		decided, err := a.SlackApp.Decide(context.Background(), a.forEveryone(root, a.asked.Items[0]))
		require.NoError(t, err)
		assert.Equal(t, a.asked.Items[:1], decided.Items)
		assert.Equal(t, 1, a.waiting(root).Items)
	})

	t.Run("one administrator decides every stage that is left, whatever it requires", func(t *testing.T) {
		t.Parallel()
		w := schematest.NewWorld(t)
		a := asking{World: w, t: t, ann: w.Person("Ann"), owen: w.Person("Owen"), olga: w.Person("Olga")}
		crm := w.Application("crm", a.owen, a.olga)
		w.Policy(`
rules:
  - name: All
    ask:
      - {approvers: [application owners], required_approvals: 2}
      - {approvers: [manager]}
`)
		a.asked = w.Request(a.ann, time.Hour, w.Entitlement(crm, "reader"), w.Entitlement(crm, "admin"))
		a.approval = w.Ask(a.asked, a.asked.Items, a.owen, a.olga)
		w.Do(`update approvals set stages = 2, required_approvals = 2`)
		root := a.atLastLevel()
		require.NoError(t, w.Decide(a.owen, a.approval, "approve", a.asked.Items...))
		answer := a.forEveryone(root, a.asked.Items[0])
		answer.Choice[a.asked.Items[1]] = false
		decided, err := a.SlackApp.Decide(context.Background(), answer)
		require.NoError(t, err)
		assert.ElementsMatch(t, a.asked.Items, decided.Items)
		for i, item := range decided.Request.Items {
			require.NotNil(t, item.Decision, "the outcome is clear")
			approved := answer.Choice[item.ID]
			assert.Equal(t, approved, item.Decision.Approves())
			overrides := item.Decisions[1:]
			require.Len(t, overrides, map[bool]int{true: 2, false: 1}[approved], "item %d", i)
			for stage, d := range overrides {
				assert.Equal(t, []any{stage + 1, 2, true, "administrator", "Owen is ill", root},
					[]any{d.Stage, d.Stages, d.Override, d.Basis, d.Reason, d.DecidedBy.Int64})
			}
		}
		assert.Equal(t, 2, a.Alerts(schema.DecisionRecorded), "one for each outcome")
		why, err := schema.Unproven(context.Background(), a.Worker, a.asked.Items[0])
		require.NoError(t, err)
		assert.Empty(t, why)
	})

	t.Run("vote of an administrator at the last level is not recorded", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		root := a.Person("Root")
		old := a.copyFor(root, a.asked.Items...)
		a.Do(
			`insert into approval_candidates (approval_id, person_id, position, basis, asked_at) values ($1, $2, 3, 'administrator', app_now())`,
			a.approval,
			root,
		)
		a.Administrator(root)
		a.Do(`update approvals set level = 1, escalate_at = null`)
		for _, answer := range []schema.Answer{old, denial(old)} {
			decided, err := a.SlackApp.Decide(context.Background(), answer)
			require.NoError(t, err)
			assert.Empty(t, decided.Items)
		}
		assert.Zero(t, a.decisions())
		a.Do(`update approvals set escalate_at = app_now() + interval '1 hour'`) // before the last level, they are an ordinary approver
		decided, err := a.SlackApp.Decide(context.Background(), old)
		require.NoError(t, err)
		assert.Len(t, decided.Items, 2)
	})

	t.Run("administrator who is also an owner votes on one item and decides the other for everyone", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		root := a.Person("Root")
		a.Administrator(root)
		a.Do(`insert into application_owners select id, $1 from applications`, root)
		a.Do(`delete from approval_items where approval_id = $1 and item_id = $2`, a.approval, a.asked.Items[0])
		a.Ask(a.asked, a.asked.Items[:1], root)
		a.Do(`update approvals set level = 1, escalate_at = null, since = app_now() - interval '2 days' where id = $1`, a.approval)
		a.Do(
			`insert into approval_candidates (approval_id, person_id, position, basis, asked_at) values ($1, $2, 3, 'administrator', app_now())`,
			a.approval,
			root,
		)
		vote := a.copyFor(root, a.asked.Items...)
		line := a.waiting(root)
		assert.Equal(t, []int{2, 1, 0}, []int{line.Items, line.Overridable, line.NoApprover})
		assert.Equal(t, vote.MessageID, line.MessageID)
		assert.Equal(t, 48*time.Hour, line.ReadAt.Sub(line.Since.Time).Round(time.Minute))
		decided, err := a.SlackApp.Decide(context.Background(), vote)
		require.NoError(t, err)
		assert.Equal(t, a.asked.Items[:1], decided.Items)
		assert.False(
			t,
			decided.Request.Items[slices.IndexFunc(decided.Request.Items, func(i schema.Item) bool { return i.ID == a.asked.Items[0] })].Decision.Override,
		)
		decided, err = a.SlackApp.Decide(context.Background(), a.forEveryone(root, a.asked.Items...))
		require.NoError(t, err)
		assert.Equal(t, a.asked.Items[1:], decided.Items)
		assert.Zero(t, a.waiting(root))
	})

	t.Run("list of what waits has every row once, over its pages", func(t *testing.T) {
		a := newAsking(t, time.Hour)
		root := a.atLastLevel()
		second := a.Request(a.ann, time.Hour, a.entitlements...)
		require.NoError(
			t,
			schema.MoveItems(
				context.Background(),
				a.Worker,
				second.Items,
				schema.AwaitingApproval,
				schema.Problem{Code: schema.NoApprover},
			),
		)
		third := a.Request(a.ann, time.Hour, a.entitlements...)
		a.Ask(third, third.Items, a.owen, root)
		var seen []int64
		for offset := range 3 {
			lines, total, err := schema.WaitingFor(context.Background(), a.SlackApp, root, 1, offset)
			require.NoError(t, err)
			require.Equal(t, 3, total)
			require.Len(t, lines, 1)
			seen = append(seen, lines[0].RequestID)
		}
		assert.Equal(t, []int64{a.asked.ID, second.ID, third.ID}, seen)
	})
}
