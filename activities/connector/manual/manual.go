// Package manual is the connector to systems without an interface of their own:
// people grant and take there by hand. Granting and revoking are manual_tasks for those
// who look after the application. Their answers are all that is known of such a
// system: to read it is to read what they said last.
package manual

import (
	"context"
	"fmt"
	"strings"

	"accessbot/activities/connector"
)

// MaxNameBytes is the longest name of an account or object.
const MaxNameBytes = 255

// Tasks are the manual_tasks of one system, kept somewhere else.
type Tasks interface {
	// Task answers what people said last about an assignment, and what they are
	// being asked.
	Task(ctx context.Context, a connector.Assignment) (Task, error)
	// Ask has it done by hand, instead of what may be asked now. It asks once.
	Ask(ctx context.Context, a connector.Assignment, held bool) error
	// Drop asks for nothing any more.
	Drop(ctx context.Context, a connector.Assignment) error
}

// Task is how an assignment stands.
type Task struct {
	Held    bool     // as was said last
	Open    bool     // someone is being asked
	ToGrant bool     // what they are asked: to grant, or to revoke
	Cannot  string   // they said that what is wanted now cannot be done, and why
	Asked   []string // names of those who are asked
}

// Settings of a system: there is nothing to know of it.
type Settings struct {
	Tasks Tasks `yaml:"-"`
}

// Open makes the connector.
func (s *Settings) Open() (connector.Connector, error) { return &Connector{tasks: s.Tasks}, nil }

// Connector implements connector.Connector and connector.Checker.
type Connector struct{ tasks Tasks }

// Close has nothing to close.
func (c *Connector) Close() error { return nil }

// Check has nothing to try.
func (c *Connector) Check(context.Context) (string, error) {
	return "done by hand, by those who look after the application", nil
}

// Read answers what was said last. While something is being asked, it is pending.
func (c *Connector) Read(ctx context.Context, a connector.Assignment) (connector.State, error) {
	t, err := c.tasks.Task(ctx, a)
	if err != nil {
		return connector.State{}, err
	}
	state := connector.State{Held: t.Held, Pending: t.Open}
	if t.Open {
		state.On, state.WaitsFor, state.People = connector.OnPeople, manualTasks(t), t.Asked
	}
	return state, nil
}

// Grant asks for it, unless it was granted, or is asked for, already.
func (c *Connector) Grant(ctx context.Context, a connector.Assignment) error {
	return c.change(ctx, a, true)
}

// Take asks for it. What was never granted needs no one.
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
		return c.tasks.Drop(ctx, a) // it was not done yet: nothing is left to do
	case t.Open && t.ToGrant == held:
		return pending(a, held, t)
	case t.Held == held:
		return nil
	case t.Cannot != "" && held:
		return &connector.Refused{Part: connector.Object, Name: a.Object, Reason: t.Cannot, ByPeople: true}
	case t.Cannot != "":
		return &connector.Denied{Do: fmt.Sprintf("someone has to take %s by hand; those who were asked said: %s", a, t.Cannot)}
	}
	if err := c.tasks.Ask(ctx, a, held); err != nil {
		return err
	}
	if t, err = c.tasks.Task(ctx, a); err != nil {
		return err
	}
	return pending(a, held, t)
}

func pending(a connector.Assignment, held bool, t Task) error {
	return &connector.Pending{Assignment: a, Want: held, On: connector.OnPeople, WaitsFor: manualTasks(t), People: t.Asked}
}

func manualTasks(t Task) string {
	if len(t.Asked) == 0 {
		return "an owner to do it by hand"
	}
	return strings.Join(t.Asked, " or ") + " to do it by hand"
}
