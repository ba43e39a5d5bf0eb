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

// book is a task book in memory: package activities keeps the real one in the database.
type book struct {
	mu    sync.Mutex
	tasks map[connector.Assignment]*manual.Task
	asked map[connector.Assignment]int
	names atomic.Int64
}

func (b *book) task(a connector.Assignment) *manual.Task {
	if b.tasks[a] == nil {
		b.tasks[a] = &manual.Task{Asked: []string{"Owen"}}
	}
	return b.tasks[a]
}

func (b *book) Task(_ context.Context, a connector.Assignment) (manual.Task, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *b.task(a), nil
}

func (b *book) Ask(_ context.Context, a connector.Assignment, held bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.task(a)
	if !t.Open || t.ToGrant != held {
		b.asked[a]++
	}
	t.Open, t.ToGrant, t.Cannot = true, held, ""
	return nil
}

func (b *book) Drop(_ context.Context, a connector.Assignment) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.task(a).Open = false
	return nil
}

// done is someone's answer: Done.
func (b *book) done(a connector.Assignment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.task(a); t.Open {
		t.Open, t.Held = false, t.ToGrant
	}
}

func (b *book) says(a connector.Assignment, held bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.task(a).Held = held
}

// answered is the connector while someone answers at once.
type answered struct {
	*manual.Connector
	book *book
}

func (c answered) Grant(ctx context.Context, a connector.Assignment) error {
	return c.wait(a, c.Connector.Grant(ctx, a))
}

func (c answered) Revoke(ctx context.Context, a connector.Assignment) error {
	return c.wait(a, c.Connector.Revoke(ctx, a))
}

func (c answered) wait(a connector.Assignment, err error) error {
	var pending *connector.Pending
	if errors.As(err, &pending) {
		c.book.done(a)
		return nil
	}
	return err
}

type harness struct{ *book }

func (h harness) Unanswered(t *testing.T) connector.Connector {
	t.Helper()
	c, err := (&manual.Settings{Tasks: h.book}).Open()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

func (h harness) Open(t *testing.T, _ string) connector.Connector {
	t.Helper()
	c, ok := h.Unanswered(t).(*manual.Connector)
	require.True(t, ok)
	return answered{c, h.book}
}

func (h harness) Addr() string { return "" }

func (h harness) Can() connectortest.Abilities { return connectortest.Abilities{Checks: true} }

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

func (h harness) GrantByHand(_ *testing.T, a connector.Assignment)  { h.says(a, true) }
func (h harness) RevokeByHand(_ *testing.T, a connector.Assignment) { h.says(a, false) }
func (h harness) Answer(_ *testing.T, a connector.Assignment)       { h.done(a) }

func (h harness) Asked(_ *testing.T, a connector.Assignment) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[a]
}

func TestConformance(t *testing.T) {
	connectortest.RunPeople(t, harness{&book{tasks: map[connector.Assignment]*manual.Task{}, asked: map[connector.Assignment]int{}}})
}
