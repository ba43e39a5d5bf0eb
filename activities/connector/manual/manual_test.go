package manual_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/connectortest"
	"accessbot/activities/connector/manual"
)

// taskList holds the manual tasks in memory. Package activities keeps the real ones in the database.
type taskList struct {
	mu     sync.Mutex
	tasks  map[connector.Assignment]*manual.Task
	opened map[connector.Assignment]int
	names  atomic.Int64
}

func (l *taskList) task(a connector.Assignment) *manual.Task {
	if l.tasks[a] == nil {
		l.tasks[a] = &manual.Task{Asked: []string{"Owen"}}
	}
	return l.tasks[a]
}

func (l *taskList) Task(_ context.Context, a connector.Assignment) (manual.Task, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *l.task(a), nil
}

func (l *taskList) Open(_ context.Context, a connector.Assignment, held bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.task(a)
	if !t.Open || t.ToGrant != held {
		l.opened[a]++
	}
	t.Open, t.ToGrant, t.Cannot = true, held, ""
	return nil
}

func (l *taskList) Cancel(_ context.Context, a connector.Assignment) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.task(a).Open = false
	return nil
}

// done marks the open task as done.
func (l *taskList) done(a connector.Assignment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.task(a); t.Open {
		t.Open, t.Held = false, t.ToGrant
	}
}

func (l *taskList) set(a connector.Assignment, held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.task(a).Held = held
}

// answered is a connector whose tasks are done at once.
type answered struct {
	*manual.Connector
	tasks *taskList
}

func (c answered) Grant(ctx context.Context, a connector.Assignment) error {
	return c.complete(a, c.Connector.Grant(ctx, a))
}

func (c answered) Revoke(ctx context.Context, a connector.Assignment) error {
	return c.complete(a, c.Connector.Revoke(ctx, a))
}

func (c answered) complete(a connector.Assignment, err error) error {
	var pending *connector.Pending
	if errors.As(err, &pending) {
		c.tasks.done(a)
		return nil
	}
	return err
}

type harness struct{ *taskList }

func (h harness) OpenUnanswered(t *testing.T) connector.Connector {
	t.Helper()
	c, err := (&manual.Settings{Tasks: h.taskList}).Open()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

func (h harness) Open(t *testing.T, _ string) connector.Connector {
	t.Helper()
	c, ok := h.OpenUnanswered(t).(*manual.Connector)
	require.True(t, ok)
	return answered{c, h.taskList}
}

func (h harness) Addr() string { return "" }

func (h harness) Capabilities() connectortest.Capabilities {
	return connectortest.Capabilities{Checks: true}
}

func (h harness) name(kind string) string { return fmt.Sprintf("%s-%d", kind, h.names.Add(1)) }

func (h harness) Account(*testing.T) string        { return h.name("account") }
func (h harness) Object(*testing.T) string         { return h.name("object") }
func (h harness) MissingAccount(*testing.T) string { return h.name("account") }

func (h harness) Holds(t *testing.T, a connector.Assignment) bool {
	t.Helper()
	task, err := h.Task(t.Context(), a)
	require.NoError(t, err)
	return task.Held
}

func (h harness) GrantByHand(_ *testing.T, a connector.Assignment)  { h.set(a, true) }
func (h harness) RevokeByHand(_ *testing.T, a connector.Assignment) { h.set(a, false) }
func (h harness) Complete(_ *testing.T, a connector.Assignment)     { h.done(a) }

func (h harness) TaskCount(_ *testing.T, a connector.Assignment) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.opened[a]
}

func TestConformance(t *testing.T) {
	connectortest.RunManual(
		t,
		harness{&taskList{tasks: map[connector.Assignment]*manual.Task{}, opened: map[connector.Assignment]int{}}},
	)
}
