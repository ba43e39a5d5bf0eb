package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/activities/connector/manual"
	"accessbot/schema"
	"accessbot/schema/schematest"
)

// manualTasks is a small company whose CRM has no interface.
type manualTasks struct{ small }

func newByHand(t *testing.T) manualTasks {
	t.Helper()
	s := newSmall(t)
	s.do.Reconciler.Targets = &activities.Targets{Open: func(_, instance string) (connector.Connector, connector.Limits, error) {
		c, err := (&manual.Settings{Tasks: activities.ManualTasks(s.Worker)(instance)}).Open()
		return c, connector.Limits{}, err
	}}
	return manualTasks{s}
}

// task is the open task: what it asks for, and its ID.
func (s manualTasks) task() (toGrant bool, id int64) {
	s.t.Helper()
	toGrant = schematest.Value[bool](s.World, `select held from manual_tasks where closed_at is null`)
	return toGrant, schematest.Value[int64](s.World, `select id from manual_tasks where closed_at is null`)
}

func (s manualTasks) nobodyIsAsked() {
	s.t.Helper()
	assert.Zero(s.t, schematest.Value[int](s.World, `select count(*) from manual_tasks where closed_at is null`))
}

func (s manualTasks) answer(task, person int64, done bool, reason string) error {
	_, err := s.SlackApp.AnswerTask(context.Background(), schema.TaskAnswer{TaskID: task, PersonID: person, Done: done, Reason: reason})
	return err
}

func TestManualTask(t *testing.T) {
	t.Run("access is active once an owner says so", func(t *testing.T) {
		s := newByHand(t)
		asked := s.approved(time.Hour)
		item := asked.Items[0]
		require.NoError(t, s.grant(item))
		assert.Equal(t, "provisioning", s.State(item))
		assert.Equal(t, "manual_task", s.problem(item))
		assert.JSONEq(t, `{"people": ["Owen"]}`, schematest.Value[string](s.World, `select problem_details from request_items where id = $1`, item))
		toGrant, task := s.task()
		assert.True(t, toGrant)
		s.Shift(2 * time.Minute)
		require.NoError(t, s.grant(item), "looking again asks no one again")
		_, again := s.task()
		assert.Equal(t, task, again)

		require.NoError(t, s.answer(task, s.owen, true, ""))
		require.Len(t, s.advance(asked.ID).Grant, 1, "an answer is looked at now, and not when it was planned")
		require.NoError(t, s.grant(item))
		assert.Equal(t, "active", s.State(item))

		s.Shift(time.Hour)
		require.Error(t, s.revoke(s.Claim(item)), "it waits for its owner")
		assert.Equal(t, "active", s.State(item), "ended is said only once it is gone")
		toGrant, task = s.task()
		assert.False(t, toGrant)
		require.NoError(t, s.answer(task, s.owen, true, ""))
		require.NoError(t, s.revoke(s.Claim(item)))
		assert.Equal(t, "ended", s.State(item))
		s.nobodyIsAsked()
	})

	t.Run("task that can't be done fails the item with the owner's words", func(t *testing.T) {
		s := newByHand(t)
		asked := s.approved(0)
		require.NoError(t, s.grant(asked.Items[0]))
		_, task := s.task()
		require.NoError(t, s.answer(task, s.owen, false, "no licences left"))
		require.NoError(t, s.grant(asked.Items[0]))
		assert.Equal(t, "failed", s.State(asked.Items[0]))
		assert.Equal(t, "owner_refused", s.problem(asked.Items[0]))
		assert.JSONEq(t, `{"reason": "no licences left"}`, schematest.Value[string](s.World, `select problem_details from request_items where id = $1`, asked.Items[0]))
		s.nobodyIsAsked()

		s.Shift(time.Minute)
		anew := s.approved(0)
		require.NoError(t, s.grant(anew.Items[0]))
		toGrant, _ := s.task()
		assert.True(t, toGrant, "for the next one who asks, they are asked again")
	})

	t.Run("revocation that can't be done is assigned again the next day", func(t *testing.T) {
		s := newByHand(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		_, task := s.task()
		require.NoError(t, s.answer(task, s.owen, true, ""))
		require.NoError(t, s.grant(asked.Items[0]))
		s.Shift(time.Hour)
		claim := s.Claim(asked.Items[0])
		require.Error(t, s.revoke(claim))
		_, task = s.task()
		require.NoError(t, s.answer(task, s.owen, false, "I am on holiday"))
		s.Shift(10 * time.Minute)
		require.ErrorContains(t, s.revoke(claim), "I am on holiday")
		s.nobodyIsAsked()
		assert.Equal(t, 1, s.Alerts("revoking is overdue"))
		s.Shift(24 * time.Hour)
		require.Error(t, s.revoke(claim))
		toGrant, again := s.task()
		assert.False(t, toGrant)
		assert.NotEqual(t, task, again)
	})

	t.Run("task that is no longer needed is dropped", func(t *testing.T) {
		s := newByHand(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		_, task := s.task()
		s.Shift(time.Hour)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])), "it was never granted")
		s.nobodyIsAsked()
		assert.Equal(t, "failed", s.State(asked.Items[0]))
		assert.Equal(t, "end_passed", s.problem(asked.Items[0]))
		require.ErrorIs(t, s.answer(task, s.owen, false, "too late"), schema.ErrNotOpen)
		assert.NotZero(t, s.Audited("not asked to do it by hand any more"))
	})

	t.Run("work done on a dropped task is assigned for revocation", func(t *testing.T) {
		s := newByHand(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		_, task := s.task()
		s.Shift(time.Hour)
		claim := s.Claim(asked.Items[0])
		require.NoError(t, s.revoke(claim))
		s.Shift(10 * time.Minute) // past the second look
		require.NoError(t, s.revoke(claim))
		require.NoError(t, s.answer(task, s.owen, true, ""), "I already did it")
		due, err := schema.DueClaims(context.Background(), s.Worker, 10)
		require.NoError(t, err)
		require.Len(t, due, 1, "the sweep looks at the assignment")
		require.Error(t, s.do.Reconciler.Reconcile(context.Background(), due[0].Assignment))
		toGrant, _ := s.task()
		assert.False(t, toGrant)
	})

	t.Run("only owners complete a task, and only once", func(t *testing.T) {
		s := newByHand(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		_, task := s.task()
		stranger := s.Person("Stranger")
		require.ErrorIs(t, s.answer(task, stranger, true, ""), schema.ErrNotAllowed)
		require.ErrorIs(t, s.answer(task, s.ann, true, ""), schema.ErrNotAllowed, "nor the one who is to have it")
		require.ErrorIs(t, s.answer(task+1, s.owen, true, ""), schema.ErrNotOpen)
		assert.Equal(t, 3, s.Alerts("answer to a task refused"))
		require.NoError(t, s.answer(task, s.owen, true, ""))
		require.ErrorIs(t, s.answer(task, s.owen, true, ""), schema.ErrDecided)
	})

	t.Run("worker cannot mark a task as done", func(t *testing.T) {
		s := newByHand(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		_, task := s.task()
		_, err := s.Worker.Exec(`insert into manual_task_answers (manual_task_id, person_id, done) values ($1, $2, true)`, task, s.owen)
		require.ErrorContains(t, err, "permission denied")
		_, err = s.Worker.Exec(`update manual_tasks set closed_at = app_now(), outcome = 'done' where id = $1`, task)
		require.ErrorContains(t, err, "only an answer says that it is done")
		_, err = s.SlackApp.Exec(`update manual_tasks set closed_at = app_now(), outcome = 'done' where id = $1`, task)
		require.ErrorContains(t, err, "permission denied")
	})

	t.Run("administrators are asked where the owner is the holder", func(t *testing.T) {
		s := newByHand(t)
		boss := s.Person("Boss")
		s.Administrator(boss)
		ask := func(about int64) pq.Int64Array {
			return schematest.Value[pq.Int64Array](s.World, `select owners_to_ask($1, $2)`, s.admin, about)
		}
		assert.Equal(t, pq.Int64Array{s.owen}, ask(s.ann))
		assert.Equal(t, pq.Int64Array{boss}, ask(s.owen))
		s.Do(`update people set status = 'left' where id = $1`, boss)
		assert.Equal(t, pq.Int64Array{s.owen}, ask(s.owen), "there is no one else")
	})
}
