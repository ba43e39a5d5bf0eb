// Package manual is the connector for systems without an interface: owners of the application grant and revoke access by hand, as
// manual tasks. Their answers are all that is known about such a system, so Read returns the last one.
package manual

import (
	"context"
	"fmt"
	"strings"

	"accessbot/activities/connector"
)

// MaxNameBytes is the longest name of an account or object.
const MaxNameBytes = 255

// Tasks stores the manual tasks of one system.
type Tasks interface {
	// Task returns the last answer about an assignment, and its open task.
	Task(ctx context.Context, a connector.Assignment) (Task, error)
	// Open opens a task to grant or revoke the assignment, in place of any other open task. It does nothing if that task is open.
	Open(ctx context.Context, a connector.Assignment, held bool) error
	// Cancel closes the open task.
	Cancel(ctx context.Context, a connector.Assignment) error
}

// Task is the state of an assignment.
type Task struct {
	Held    bool     // by the last answer
	Open    bool     // there is an open task
	ToGrant bool     // the open task is to grant, not to revoke
	Cannot  string   // why the owners cannot make the change; empty if they did not say so
	Asked   []string // names of the people who have the task
}

// Settings of a system. There are none in the file.
type Settings struct {
	Tasks Tasks `yaml:"-"`
}

// Open returns the connector.
func (s *Settings) Open() (connector.Connector, error) { return &Connector{tasks: s.Tasks}, nil }

// Connector implements connector.Connector and connector.Checker.
type Connector struct{ tasks Tasks }

// Close does nothing.
func (c *Connector) Close() error { return nil }

// Check has nothing to check.
func (c *Connector) Check(context.Context) (string, error) {
	return "done by hand, by the owners of the application", nil
}

// Read returns the last answer. While there is an open task, the assignment is pending.
func (c *Connector) Read(ctx context.Context, a connector.Assignment) (connector.State, error) {
	t, err := c.tasks.Task(ctx, a)
	if err != nil {
		return connector.State{}, err
	}
	state := connector.State{Held: t.Held, Pending: t.Open}
	if t.Open {
		state.On, state.WaitsFor, state.People = connector.PendingOnOwners, waitsFor(t), t.Asked
	}
	return state, nil
}

// Grant opens a task, unless the account holds the object or there is one already.
func (c *Connector) Grant(ctx context.Context, a connector.Assignment) error {
	return c.change(ctx, a, true)
}

// Revoke opens a task, unless the access was never granted.
func (c *Connector) Revoke(ctx context.Context, a connector.Assignment) error {
	return c.change(ctx, a, false)
}

func (c *Connector) change(ctx context.Context, a connector.Assignment, held bool) error {
	t, err := c.tasks.Task(ctx, a)
	if err != nil {
		return err
	}
	switch {
	case t.Open && t.ToGrant != held && t.Held == held:
		return c.tasks.Cancel(ctx, a) // the opposite task was not done yet, so there is nothing to do
	case t.Open && t.ToGrant == held:
		return pending(a, held, t)
	case t.Held == held:
		return nil
	case t.Cannot != "" && held:
		return &connector.Refused{Part: connector.Object, Name: a.Object, Reason: t.Cannot, ByOwners: true}
	case t.Cannot != "":
		return &connector.Denied{Fix: fmt.Sprintf("revoke %s by hand; the owners could not: %s", a, t.Cannot)}
	}
	if err := c.tasks.Open(ctx, a, held); err != nil {
		return err
	}
	if t, err = c.tasks.Task(ctx, a); err != nil {
		return err
	}
	return pending(a, held, t)
}

func pending(a connector.Assignment, held bool, t Task) error {
	return &connector.Pending{Assignment: a, Want: held, On: connector.PendingOnOwners, WaitsFor: waitsFor(t), People: t.Asked}
}

func waitsFor(t Task) string {
	if len(t.Asked) == 0 {
		return "an owner to do it by hand"
	}
	return strings.Join(t.Asked, " or ") + " to do it by hand"
}
