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

// manualTasks is a small company whose CRM has manual tasks.
type manualTasks struct{ small }

func newManualTasks(t *testing.T) manualTasks {
	t.Helper()
	s := newSmall(t)
	s.do.Reconciler.Targets = &activities.Targets{Open: func(_, instance string) (connector.Connector, connector.Limits, error) {
		c, err := (&manual.Settings{Tasks: activities.ManualTasks(s.Worker)(instance)}).Open()
		return c, connector.Limits{}, err
	}}
	return manualTasks{s}
}

// task returns the open task: whether it is to grant, and its ID.
func (s manualTasks) task() (toGrant bool, id int64) {
	s.t.Helper()
	toGrant = schematest.Value[bool](s.World, `select held from manual_tasks where closed_at is null`)
	return toGrant, schematest.Value[int64](s.World, `select id from manual_tasks where closed_at is null`)
}

func (s manualTasks) noOpenTask() {
	s.t.Helper()
	assert.Zero(s.t, schematest.Value[int](s.World, `select count(*) from manual_tasks where closed_at is null`))
}

func (s manualTasks) answer(task, person int64, done bool, reason string) error {
	_, err := s.SlackApp.AnswerTask(
		context.Background(),
		schema.TaskAnswer{TaskID: task, PersonID: person, Done: done, Reason: reason},
	)
	return err
}

func TestManualTask(t *testing.T) {
	t.Run("access is active once an owner marks the task as done", func(t *testing.T) {
		s := newManualTasks(t)
		asked := s.approved(time.Hour)
		item := asked.Items[0]
		require.NoError(t, s.grant(item))
		assert.Equal(t, "provisioning", s.State(item))
		assert.Equal(t, "manual_task", s.problem(item))
		assert.JSONEq(
			t,
			`{"people": ["Owen"]}`,
			schematest.Value[string](s.World, `select problem_details from request_items where id = $1`, item),
		)
		toGrant, task := s.task()
		assert.True(t, toGrant)
		s.Shift(2 * time.Minute)
		require.NoError(t, s.grant(item), "a second check opens no second task")
		_, again := s.task()
		assert.Equal(t, task, again)

		require.NoError(t, s.answer(task, s.owen, true, ""))
		require.Len(t, s.advance(asked.ID).Grant, 1, "an answer is checked at once, not at the scheduled time")
		require.NoError(t, s.grant(item))
		assert.Equal(t, "active", s.State(item))

		s.Shift(time.Hour)
		require.Error(t, s.revoke(s.Claim(item)), "it waits for the owner")
		assert.Equal(t, "active", s.State(item), "it ends only once the access is gone")
		toGrant, task = s.task()
		assert.False(t, toGrant)
		require.NoError(t, s.answer(task, s.owen, true, ""))
		require.NoError(t, s.revoke(s.Claim(item)))
		assert.Equal(t, "ended", s.State(item))
		s.noOpenTask()
	})

	t.Run("task that can't be done fails the item with the owner's reason", func(t *testing.T) {
		s := newManualTasks(t)
		asked := s.approved(0)
		require.NoError(t, s.grant(asked.Items[0]))
		_, task := s.task()
		require.NoError(t, s.answer(task, s.owen, false, "no licences left"))
		require.NoError(t, s.grant(asked.Items[0]))
		assert.Equal(t, "failed", s.State(asked.Items[0]))
		assert.Equal(t, "owner_refused", s.problem(asked.Items[0]))
		assert.JSONEq(
			t,
			`{"reason": "no licences left"}`,
			schematest.Value[string](s.World, `select problem_details from request_items where id = $1`, asked.Items[0]),
		)
		s.noOpenTask()

		s.Shift(time.Minute)
		next := s.approved(0)
		require.NoError(t, s.grant(next.Items[0]))
		toGrant, _ := s.task()
		assert.True(t, toGrant, "the next request opens a new task")
	})

	t.Run("revocation that can't be done gets a new task the next day", func(t *testing.T) {
		s := newManualTasks(t)
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
		s.noOpenTask()
		assert.Equal(t, 1, s.Alerts(schema.RevocationOverdue))
		s.Shift(24 * time.Hour)
		require.Error(t, s.revoke(claim))
		toGrant, again := s.task()
		assert.False(t, toGrant)
		assert.NotEqual(t, task, again)
	})

	t.Run("task that is no longer needed is dropped", func(t *testing.T) {
		s := newManualTasks(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		_, task := s.task()
		s.Shift(time.Hour)
		require.NoError(t, s.revoke(s.Claim(asked.Items[0])), "it was never granted")
		s.noOpenTask()
		assert.Equal(t, "failed", s.State(asked.Items[0]))
		assert.Equal(t, "end_passed", s.problem(asked.Items[0]))
		require.ErrorIs(t, s.answer(task, s.owen, false, "too late"), schema.ErrNotOpen)
		assert.NotZero(t, s.Audited(schema.ManualTaskDropped))
	})

	t.Run("grant done on a dropped task gets a task to revoke", func(t *testing.T) {
		s := newManualTasks(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		_, task := s.task()
		s.Shift(time.Hour)
		claim := s.Claim(asked.Items[0])
		require.NoError(t, s.revoke(claim))
		s.Shift(10 * time.Minute) // past the second check
		require.NoError(t, s.revoke(claim))
		require.NoError(t, s.answer(task, s.owen, true, ""), "I already did it")
		due, err := schema.DueClaims(context.Background(), s.Worker, 10)
		require.NoError(t, err)
		require.Len(t, due, 1, "the sweep reconciles the assignment")
		require.Error(t, s.do.Reconciler.Reconcile(context.Background(), due[0].Assignment))
		toGrant, _ := s.task()
		assert.False(t, toGrant)
	})

	t.Run("only owners complete a task, and only once", func(t *testing.T) {
		s := newManualTasks(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		_, task := s.task()
		stranger := s.Person("Stranger")
		require.ErrorIs(t, s.answer(task, stranger, true, ""), schema.ErrNotAllowed)
		require.ErrorIs(t, s.answer(task, s.ann, true, ""), schema.ErrNotAllowed, "the requester neither")
		require.ErrorIs(t, s.answer(task+1, s.owen, true, ""), schema.ErrNotOpen)
		assert.Equal(t, 3, s.Alerts(schema.ManualTaskRefused))
		require.NoError(t, s.answer(task, s.owen, true, ""))
		require.ErrorIs(t, s.answer(task, s.owen, true, ""), schema.ErrDecided)
	})

	t.Run("worker cannot mark a task as done", func(t *testing.T) {
		s := newManualTasks(t)
		asked := s.approved(time.Hour)
		require.NoError(t, s.grant(asked.Items[0]))
		_, task := s.task()
		_, err := s.Worker.Exec(`insert into manual_task_answers (manual_task_id, person_id, done) values ($1, $2, true)`, task, s.owen)
		require.ErrorContains(t, err, "permission denied")
		_, err = s.Worker.Exec(`update manual_tasks set closed_at = app_now(), outcome = 'done' where id = $1`, task)
		require.ErrorContains(t, err, "only an answer closes it")
		_, err = s.SlackApp.Exec(`update manual_tasks set closed_at = app_now(), outcome = 'done' where id = $1`, task)
		require.ErrorContains(t, err, "permission denied")
	})

	t.Run("administrators get the task if the owner is the holder", func(t *testing.T) {
		s := newManualTasks(t)
		boss := s.Person("Boss")
		s.Administrator(boss)
		owners := func(holder int64) pq.Int64Array {
			return schematest.Value[pq.Int64Array](s.World, `select task_owners($1, $2)`, s.admin, holder)
		}
		assert.Equal(t, pq.Int64Array{s.owen}, owners(s.ann))
		assert.Equal(t, pq.Int64Array{boss}, owners(s.owen))
		s.Do(`update people set status = 'left' where id = $1`, boss)
		assert.Equal(t, pq.Int64Array{s.owen}, owners(s.owen), "there is no other owner")
	})
}
