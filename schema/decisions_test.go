package schema_test

import (
	"context"
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
	m, err := schema.ReserveMessage(ctx, a.Worker, schema.Message{RequestID: a.asked.ID, PersonID: person, Kind: "approval", ItemIDs: items, Terms: terms})
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
		assert.True(t, schematest.Value[bool](a.World, `select due_at <= app_now() and messages_due_at <= app_now() from access_requests`), "the request is due at once")
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
				require.NoError(t, schema.OfferMessage(context.Background(), a.Worker, schema.Message{ID: answer.MessageID, ItemIDs: a.asked.Items, Terms: terms}))
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

	t.Run("first of approve and deny at once wins", func(t *testing.T) {
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
			return schematest.Value[int](a.World, `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) > 0
		}, 10*time.Second, 2*time.Millisecond)
		require.NoError(t, expiring.Commit())
		var e *pq.Error
		require.ErrorAs(t, <-done, &e)
		assert.Equal(t, "AB001", string(e.Code))
	})
}
