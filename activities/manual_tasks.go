package activities

import (
	"context"

	"accessbot/activities/connector"
	"accessbot/activities/connector/manual"
	"accessbot/schema"
)

// ManualTasks returns the manual tasks of an instance, which are stored in the database.
func ManualTasks(db *schema.DB) func(instance string) manual.Tasks {
	return func(instance string) manual.Tasks { return manualTasks{db, instance} }
}

type manualTasks struct {
	db       *schema.DB
	instance string
}

func (m manualTasks) load(ctx context.Context, a connector.Assignment) (schema.ManualTask, error) {
	return schema.ManualTaskOf(ctx, m.db, m.instance, a.Account, a.Object)
}

// Task implements manual.Tasks.
func (m manualTasks) Task(ctx context.Context, a connector.Assignment) (manual.Task, error) {
	t, err := m.load(ctx, a)
	return manual.Task{Held: t.Held, Open: t.Open.Valid, ToGrant: t.Open.Bool, Cannot: t.Cannot, Asked: t.Asked}, err
}

// Open implements manual.Tasks.
func (m manualTasks) Open(ctx context.Context, a connector.Assignment, held bool) error {
	t, err := m.load(ctx, a)
	if err != nil {
		return err
	}
	return m.db.OpenTask(ctx, t, held)
}

// Cancel implements manual.Tasks.
func (m manualTasks) Cancel(ctx context.Context, a connector.Assignment) error {
	t, err := m.load(ctx, a)
	if err != nil {
		return err
	}
	return m.db.DropTask(ctx, t)
}
