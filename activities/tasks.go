package activities

import (
	"context"

	"accessbot/activities/connector"
	"accessbot/activities/connector/manual"
	"accessbot/schema"
)

// ByHand keeps in the record what people are asked to do by hand.
func ByHand(db *schema.DB) func(instance string) manual.Tasks {
	return func(instance string) manual.Tasks { return byHand{db, instance} }
}

type byHand struct {
	db       *schema.DB
	instance string
}

func (h byHand) seat(ctx context.Context, a connector.Assignment) (schema.SeatTask, error) {
	return schema.TaskOfSeat(ctx, h.db, h.instance, a.Account, a.Object)
}

// Task implements manual.Tasks.
func (h byHand) Task(ctx context.Context, a connector.Assignment) (manual.Task, error) {
	t, err := h.seat(ctx, a)
	return manual.Task{Held: t.Held, Open: t.Open.Valid, ToGive: t.Open.Bool, Cannot: t.Cannot, Asked: t.Asked}, err
}

// Ask implements manual.Tasks.
func (h byHand) Ask(ctx context.Context, a connector.Assignment, held bool) error {
	t, err := h.seat(ctx, a)
	if err != nil {
		return err
	}
	return h.db.OpenTask(ctx, t, held)
}

// Drop implements manual.Tasks.
func (h byHand) Drop(ctx context.Context, a connector.Assignment) error {
	t, err := h.seat(ctx, a)
	if err != nil {
		return err
	}
	return h.db.DropTask(ctx, t)
}
