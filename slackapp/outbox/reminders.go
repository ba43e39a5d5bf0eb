package outbox

import (
	"context"
	"fmt"
	"time"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

const maxRemindedOf = 10 // requests that a reminder lists

// renderReminder lists what waits for an approver now. It is empty if they have decided everything.
func (o *Outbox) renderReminder(ctx context.Context, q schema.Queryer, personID int64, zone string) (views.Message, error) {
	lines, total, err := schema.WaitingToRemind(ctx, q, personID, maxRemindedOf)
	if err != nil || total == 0 {
		return views.Message{}, err
	}
	return views.Reminder(views.Reminding{Lines: lines, Total: total, TimeZone: zone}), nil
}

// untilWorkingTime is how long it is until the person's next working hours; 0: it is working time now.
func (o *Outbox) untilWorkingTime(ctx context.Context, q schema.Queryer, personID int64) (time.Duration, error) {
	address, err := schema.AddressOf(ctx, q, personID)
	if err != nil {
		return 0, err
	}
	now, err := schema.Now(ctx, q)
	if err != nil {
		return 0, fmt.Errorf("working time of person %d: %w", personID, err)
	}
	return schema.NextWorkingTime(now, o.zone(address.TimeZone)).Sub(now), nil
}
